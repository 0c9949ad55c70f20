//! Which revision this is, and logging where it came from.

use std::path::{Path, PathBuf};

use crate::db::migrator::{LayoutKind, MigrationFolder};
use crate::exit::{Failure, Problem};
use crate::output::log::{Event, Log};
use crate::plan::release::{self, Files};
use crate::settings::CoordinationSettings;
use crate::sys::environment::Environment;

/// What the ledger is keyed by, and which release it is.
#[derive(Debug, Clone, Default)]
pub struct RevisionInfo {
    /// The revision, if there is one.
    pub revision: Option<String>,
    /// The release's id, if it is known.
    pub release: Option<String>,
    /// Where the release's id came from.
    pub source: Option<String>,
}

/// Up to this many migrations can be found and read faster than a thread starts.
const FEW: usize = 64;

/// The files of a fingerprint, which have been found, but are still to be read.
#[derive(Debug, Clone)]
pub struct RevisionFiles {
    what: FileSet,
    /// The setting that names them.
    origin: String,
}

/// What is read.
#[derive(Debug, Clone)]
enum FileSet {
    /// These files, which may be large.
    Files(Files),
    /// A few migrations.
    Few(Files),
    /// The many migrations of this folder.
    MigrationFolder(PathBuf, Option<LayoutKind>),
}

/// Chooses the revision's source: the fingerprint, else the release given, else the fingerprint of
/// `--sql` if nothing else migrates, else the platform's release. Returns the release, and the files that
/// are the revision instead, if any. Reads no contents; for a folder with many migrations, only checks
/// that it has some.
///
/// # Errors
/// A glob that matches nothing, an invalid release, a folder without migrations.
pub fn choose(
    environment: &Environment,
    settings: &CoordinationSettings,
    log: &Log,
) -> Result<(RevisionInfo, Option<RevisionFiles>), Failure> {
    let warn = &mut |problem| log.warn(Event::RevisionPassedOver, &problem, &[]);
    let get = |name: &str| environment.get(name.as_bytes());
    let release = release::find(settings.release.as_ref(), get, warn)?;
    let mut name = RevisionInfo {
        revision: None,
        release: release.as_ref().map(|release| release.id.clone()),
        source: release.map(|release| release.source),
    };
    if let Some(first) = settings.fingerprint.first() {
        let origin = first.origin.to_string();
        let globs = settings.fingerprint.iter().map(|s| s.value.clone());
        let globs: Vec<String> = globs.collect();
        let files =
            Files::matching(&globs, Path::new(".")).map_err(|p| Failure::of_setting(&origin, p))?;
        let what = FileSet::Files(files);
        return Ok((name, Some(RevisionFiles { what, origin })));
    }
    if let Some(sql) = &settings.sql {
        let origin = sql.origin.to_string();
        let folder = Path::new(&sql.value);
        let what = match migrations(folder, settings.sql_layout, FEW, &origin)? {
            Some(files) => FileSet::Few(files),
            None => FileSet::MigrationFolder(folder.to_owned(), settings.sql_layout),
        };
        return Ok((name, Some(RevisionFiles { what, origin })));
    }
    name.revision.clone_from(&name.release);
    Ok((name, None))
}

impl RevisionFiles {
    /// Whether reading is so quick that nothing else is worth doing in the meantime. `--fingerprint` is
    /// not, since its files may be large.
    pub fn is_quick(&self) -> bool {
        matches!(self.what, FileSet::Few(_))
    }

    /// Reads the files, and logs their revision.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn read(self, log: &Log) -> Result<String, Failure> {
        let Self { what, origin } = self;
        let files = match what {
            FileSet::Files(files) | FileSet::Few(files) => files,
            FileSet::MigrationFolder(folder, layout) => {
                migrations(&folder, layout, usize::MAX, &origin)?
                    .unwrap_or_else(|| unreachable!("more files than can be counted"))
            }
        };
        let found = files.fingerprint();
        let revision = found.map_err(|p| Failure::of_setting(&origin, p))?;
        say_chosen(log, &revision, &origin);
        Ok(revision)
    }
}

/// The migrations of a folder; `None` if there are more than `most`.
fn migrations(
    folder: &Path,
    layout: Option<LayoutKind>,
    most: usize,
    origin: &str,
) -> Result<Option<Files>, Failure> {
    let names = MigrationFolder::names(folder, layout, most)
        .map_err(|failure| Failure::of_setting(origin, failure.problem().clone()))?;
    Ok(names.map(|names| Files::of_folder(folder, names)))
}

/// Logs which revision it is and which source won.
pub fn say(name: &RevisionInfo, log: &Log) {
    if let (Some(revision), Some(source)) = (&name.revision, &name.source) {
        say_chosen(log, revision, source);
    }
}

/// Warns that there is no revision, although there is a ledger.
pub fn warn_missing(log: &Log) {
    log.warn(
        Event::RevisionMissing,
        &Problem::new(
            "no revision is set, so the steps run at every start, one replica at a time",
            "set --release (or GIT_SHA) to the commit, or --fingerprint to the migration files",
        ),
        &[],
    );
}

fn say_chosen(log: &Log, revision: &str, source: &str) {
    log.say(
        Event::RevisionChosen,
        "this revision",
        &[("revision", &revision), ("source", &source)],
    );
}
