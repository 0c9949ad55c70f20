//! The folder and its files.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha384};
use sqlx::migrate::{Migration, resolve_blocking};

use super::MigrationError;

/// A folder's migrations, in the order in which they are applied.
#[derive(Debug)]
pub struct MigrationFolder {
    path: PathBuf,
    files: Vec<MigrationFile>,
}

/// One file of the folder.
#[derive(Debug)]
pub struct MigrationFile {
    /// Its name in the folder.
    pub name: String,
    /// For messages: the folder as it was given, and the name.
    pub shown: String,
    pub(super) migration: Migration,
}

/// The file of which sqlx says that its name has no version.
fn unversioned(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once("error parsing migration filename \"")?;
    Some(rest.split_once('"')?.0)
}

/// A version that is newer than those in the folder.
fn next_version(folder: &Path) -> i64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let versions = entries.filter_map(|entry| {
        let name = entry.file_name();
        name.to_str()?.split_once('_')?.0.parse::<i64>().ok()
    });
    versions.max().unwrap_or(0).saturating_add(1)
}

impl MigrationFolder {
    /// Reads the folder as sqlx does: `<VERSION>_<DESCRIPTION>.sql`, `.up.sql` and `.down.sql` count,
    /// links are followed, everything else is ignored.
    ///
    /// # Errors
    /// It can't be read, has no migration, or a version is not a number.
    pub fn read(path: &Path) -> Result<Self, MigrationError> {
        let unusable = |what: String, hint: &str| MigrationError::Migration {
            what,
            hint: hint.to_owned(),
        };
        let shown = path.display();
        if !path.is_dir() {
            let what = if path.exists() {
                format!("{shown} is not a folder")
            } else {
                format!("the folder {shown} does not exist")
            };
            return Err(unusable(
                what,
                "copy the folder into the image, or correct its path",
            ));
        }
        let found = resolve_blocking(path).map_err(|error| {
            let source = std::error::Error::source(&error);
            let said = error.to_string();
            // sqlx usually includes the source's words in its own.
            let why = source.map(ToString::to_string);
            let why = why.filter(|why| !said.contains(why));
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            if let Some(name) = unversioned(&said) {
                return unusable(
                    format!(
                        "{}: its name does not start with a version",
                        path.join(name).display()
                    ),
                    &format!(
                        "rename it to {}_{name}, or move it out of the folder",
                        next_version(path)
                    ),
                );
            }
            let hint = match source.and_then(|e| e.downcast_ref()).map(io::Error::kind) {
                Some(io::ErrorKind::InvalidData) => "save the file as UTF-8",
                Some(io::ErrorKind::PermissionDenied) => {
                    "let the user who runs the steps read the folder and its files"
                }
                _ => {
                    "name a folder with files such as 1_guests.sql or 20260131120000_guests.up.sql"
                }
            };
            unusable(
                format!("failed to read the migrations in {shown}: {said}{why}"),
                hint,
            )
        })?;
        let files: Vec<MigrationFile> = found
            .into_iter()
            .map(|(migration, file)| {
                let name = file
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let shown = path.join(&name).display().to_string();
                MigrationFile {
                    name,
                    shown,
                    migration,
                }
            })
            .collect();
        let folder = Self {
            path: path.to_owned(),
            files,
        };
        if folder.ups().next().is_none() {
            return Err(unusable(
                format!("there is no migration in {shown}"),
                "put files such as 1_guests.sql there, or name the folder that contains them",
            ));
        }
        folder.refuse_twins()?;
        Ok(folder)
    }

    /// The table can't hold two files of one version.
    fn refuse_twins(&self) -> Result<(), MigrationError> {
        let mut ups = self.ups().peekable();
        while let (Some(file), Some(next)) = (ups.next(), ups.peek()) {
            if file.version() == next.version() {
                return Err(MigrationError::Migration {
                    what: format!(
                        "{} and {} have the same version, {}",
                        file.shown,
                        next.name,
                        file.version()
                    ),
                    hint: "give the newer one another version".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The path as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files to apply, in order, without those that undo.
    pub fn ups(&self) -> impl Iterator<Item = &MigrationFile> {
        self.files
            .iter()
            .filter(|file| !file.migration.migration_type.is_down_migration())
    }

    /// Whether any file has this version, including those that undo.
    pub(super) fn has(&self, version: i64) -> bool {
        self.files.iter().any(|file| file.version() == version)
    }

    /// The names of the folder's migrations, including those that undo, in no order; `None` where there
    /// are more than `most`. Reads no file unless something is wrong: this is for a start that may have
    /// nothing to do.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn names(path: &Path, most: usize) -> Result<Option<Vec<OsString>>, MigrationError> {
        match quick_names(path, most) {
            Quick::All(names) => return Ok(Some(names)),
            Quick::More => return Ok(None),
            Quick::Unsure => {}
        }
        let files = Self::read(path)?.files;
        Ok(Some(
            files.into_iter().map(|file| file.name.into()).collect(),
        ))
    }
}

impl MigrationFile {
    /// The number in front of its name.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.migration.version
    }

    pub(super) fn sql(&self) -> &str {
        self.migration.sql.as_str()
    }

    /// Begins with `-- no-transaction`.
    pub(super) fn has_no_transaction(&self) -> bool {
        self.migration.no_tx
    }

    /// Begins with the mark that some editors write and all databases but SQLite refuse.
    pub(super) fn has_byte_order_mark(&self) -> bool {
        self.sql().starts_with('\u{feff}')
    }

    /// Whether the applied file had the same lines with other line endings.
    pub(super) fn differs_in_line_endings_only(&self, applied: &[u8]) -> bool {
        let unix = self.sql().replace("\r\n", "\n");
        let windows = unix.replace('\n', "\r\n");
        [unix, windows]
            .iter()
            .any(|text| Sha384::digest(text.as_bytes())[..] == *applied)
    }
}

/// The ends of names that sqlx knows, in lower case.
const SIMPLE: &str = ".sql";
const DOWN: &str = ".down.sql";

/// What reading only the names of a folder found.
enum Quick {
    All(Vec<OsString>),
    /// More than are wanted.
    More,
    /// Ask the resolver.
    Unsure,
}

fn quick_names(path: &Path, most: usize) -> Quick {
    match some_names(path, most) {
        Some(names) if names.len() > most => Quick::More,
        Some(names) => Quick::All(names),
        None => Quick::Unsure,
    }
}

/// The names by the resolver's rules, or the first few where there are more than `most`; `None` where
/// the resolver has to be asked.
fn some_names(path: &Path, most: usize) -> Option<Vec<OsString>> {
    let mut names = Vec::new();
    let mut ups = Vec::new();
    for entry in path.read_dir().ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name();
        let text = name.to_str()?;
        let Some((version, rest)) = text
            .split_once('_')
            .filter(|(_, rest)| rest.ends_with(SIMPLE))
        else {
            continue;
        };
        let kind = entry.file_type().ok()?;
        let leads_to_file = || entry.path().metadata().is_ok_and(|meta| meta.is_file());
        if kind.is_symlink() && !leads_to_file() || !kind.is_symlink() && !kind.is_file() {
            continue;
        }
        let version: i64 = version.parse().ok()?;
        if !rest.ends_with(DOWN) {
            ups.push(version);
        }
        names.push(name);
        if names.len() > most {
            return Some(names);
        }
    }
    ups.sort_unstable();
    let has_twins = ups.windows(2).any(|two| two[0] == two[1]);
    (!ups.is_empty() && !has_twins).then_some(names)
}
