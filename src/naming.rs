//! Which revision this is, and what is said about where that came from.

use std::ffi::OsStr;
use std::path::Path;

use crate::exit::{Failure, Problem};
use crate::gate::Name;
use crate::log::{Event, Log};
use crate::release::{self, Found, Given};
use crate::settings::{CoordinationSettings, Sources};

/// Finds the revision: the fingerprint, else the release given, else the platform's.
///
/// # Errors
/// A glob that matches nothing, a name that can't be one.
pub fn name(
    sources: &Sources<'_>,
    settings: &CoordinationSettings,
    log: &Log,
) -> Result<Name, Failure> {
    let release = release(sources, settings, log)?;
    let (id, source) = match release {
        Some(release) => (Some(release.id.as_str().to_owned()), Some(release.source)),
        None => (None, None),
    };
    if settings.fingerprint.is_empty() {
        return Ok(Name {
            revision: id.clone(),
            release: id,
            source,
        });
    }
    let origin = &settings.fingerprint[0].origin;
    let globs: Vec<String> = settings
        .fingerprint
        .iter()
        .map(|s| s.value.clone())
        .collect();
    let found = release::fingerprint(&globs, Path::new("."))
        .map_err(|error| Failure::usage(format!("{origin}: {error}"), error.hint()))?;
    Ok(Name {
        revision: Some(found.revision.as_str().to_owned()),
        release: id,
        source,
    })
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
pub fn say(name: &Name, settings: &CoordinationSettings, log: &Log) {
    let fingerprint = settings
        .fingerprint
        .first()
        .map(|setting| setting.origin.to_string());
    let source = fingerprint.or_else(|| name.source.clone());
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
