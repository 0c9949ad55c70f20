//! Which revision this is, and what is said about where that came from.

use std::ffi::OsStr;
use std::path::Path;

use crate::db::sql_dir::Folder;
use crate::exit::{Failure, Problem};
use crate::gate::Name;
use crate::log::{Event, Log};
use crate::release::{self, Fingerprint, Found, Given};
use crate::settings::{CoordinationSettings, Sources};

/// The revision, and which setting it comes from where that is not the release's.
pub struct Named {
    /// The revision and the release.
    pub name: Name,
    by: Option<String>,
}

/// Finds the revision: the fingerprint, else the release given, else the fingerprint of
/// `--sql` where nothing else migrates, else the platform's release.
///
/// # Errors
/// A glob that matches nothing, a name that can't be one, a folder without migrations.
pub fn name(
    sources: &Sources<'_>,
    settings: &CoordinationSettings,
    log: &Log,
) -> Result<Named, Failure> {
    let release = release(sources, settings, log)?;
    let (id, source) = match release {
        Some(release) => (Some(release.id.as_str().to_owned()), Some(release.source)),
        None => (None, None),
    };
    let (found, by) = match files(sources, settings)? {
        Some((found, by)) => (Some(found.revision.as_str().to_owned()), Some(by)),
        None => (id.clone(), None),
    };
    let name = Name {
        revision: found,
        release: id,
        source,
    };
    Ok(Named { name, by })
}

/// The fingerprint, where files are the revision.
fn files(
    sources: &Sources<'_>,
    settings: &CoordinationSettings,
) -> Result<Option<(Fingerprint, String)>, Failure> {
    if let Some(first) = settings.fingerprint.first() {
        let origin = first.origin.to_string();
        let globs: Vec<String> = settings
            .fingerprint
            .iter()
            .map(|s| s.value.clone())
            .collect();
        let found = release::fingerprint(&globs, Path::new("."))
            .map_err(|error| Failure::usage(format!("{origin}: {error}"), error.hint()))?;
        return Ok(Some((found, origin)));
    }
    if settings.release.is_some() {
        return Ok(None);
    }
    let Some(sql) = sources.sql_alone()? else {
        return Ok(None);
    };
    let origin = sql.origin.to_string();
    let folder = Path::new(&sql.value);
    let names = Folder::names(folder).map_err(|trouble| {
        Failure::usage(format!("{origin}: {}", trouble.what()), trouble.hint())
    })?;
    match release::folder_fingerprint(folder, names) {
        Ok(found) => Ok(Some((found, origin))),
        Err(error) => Err(Failure::usage(
            format!(
                "{origin}: failed to read a migration in {}: {error}",
                folder.display()
            ),
            "let this user read the folder and its files",
        )),
    }
}

fn release(
    sources: &Sources<'_>,
    settings: &CoordinationSettings,
    log: &Log,
) -> Result<Option<release::Release>, Failure> {
    let origin = settings
        .release
        .as_ref()
        .map(|setting| setting.origin.to_string());
    let given = settings
        .release
        .as_ref()
        .zip(origin.as_deref())
        .map(|(setting, origin)| Given {
            origin,
            value: &setting.value,
        });
    let get = |name: &str| {
        sources
            .environment
            .get(name.as_bytes())
            .map(OsStr::to_owned)
    };
    let Found {
        release,
        passed_over,
    } = release::from_platform(given, get)
        .map_err(|error| Failure::usage(error.to_string(), error.hint()))?;
    for passed in passed_over {
        log.warn(
            Event::RevisionPassedOver,
            &Problem::new(
                format!(
                    "{} says {}, a name that moves from release to release",
                    passed.source, passed.value
                ),
                "name the release by its commit or image digest",
            ),
            &[],
        );
    }
    Ok(release)
}

/// Says which revision it is and which source won; warns where there is none.
pub fn say(named: &Named, log: &Log) {
    let name = &named.name;
    let source = named.by.clone().or_else(|| name.source.clone());
    match (&name.revision, source) {
        (Some(revision), Some(source)) => log.say(
            Event::RevisionChosen,
            "this revision",
            &[("revision", revision), ("source", &source)],
        ),
        _ => log.warn(
            Event::RevisionMissing,
            &Problem::new(
                "no revision is named, so the steps run at every start, one replica at a time",
                "set --release (or GIT_SHA) to the commit, or --fingerprint to the migrations' files",
            ),
            &[],
        ),
    }
}
