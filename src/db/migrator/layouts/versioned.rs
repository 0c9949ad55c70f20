//! The files of a folder whose names begin with a version.

use std::{ops::Range, path::Path};

use super::files;
use crate::db::{
    Backend,
    migrator::{error::MigrationError, file::MigrationFile},
};

/// What the names of migrations end with.
pub(super) const SQL: &str = ".sql";

/// A file of a folder, and the version in its name.
pub(super) struct Listed<V> {
    pub(super) name: String,
    /// For messages: the folder as it was given, and the name.
    pub(super) shown: String,
    pub(super) version: V,
    pub(super) text: String,
}

impl<V> Listed<V> {
    /// The migration, of which these parts are run. One that can't be read is refused when it is due.
    pub(super) fn sections(self, read: Result<Sections, MigrationError>) -> MigrationFile {
        let (sections, refusal) = match read {
            Ok(sections) => (sections, None),
            Err(refusal) => (Sections::default(), Some(refusal)),
        };
        MigrationFile {
            name: self.name,
            shown: self.shown,
            runs: true,
            text: self.text,
            parts: sections.parts,
            has_no_transaction: sections.has_no_transaction,
            refusal,
            ..MigrationFile::default()
        }
    }
}

/// What of a file is run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sections {
    pub(super) parts: Vec<Range<usize>>,
    pub(super) has_no_transaction: bool,
}

/// Reads the files that `version` knows, ordered by their names.
///
/// # Errors
/// A name that `version` refuses; a file that can't be read; two files of one version.
pub(super) fn read_files<V: PartialEq>(
    path: &Path,
    version: impl Fn(&str) -> Result<Option<V>, MigrationError>,
) -> Result<Vec<Listed<V>>, MigrationError> {
    let mut found: Vec<Listed<V>> = Vec::new();
    for name in files::files(path)? {
        let Some(version) = version(&name)? else {
            continue;
        };
        let file = path.join(&name);
        if let Some(twin) = found.iter().find(|other| other.version == version) {
            return Err(MigrationError::migration(
                format!("{} and {name} have the same version", twin.shown),
                "give the newer one a different version",
            ));
        }
        found.push(Listed {
            shown: file.display().to_string(),
            text: files::text(&file)?,
            name,
            version,
        });
    }
    Ok(found)
}

/// What the Go tools' sessions have and launchgate's don't: their `SQLite` does not enforce foreign keys unless
/// it is asked to. Otherwise, dropping a table in order to recreate it would delete the rows that refer to it.
pub(super) fn go_session(backend: Backend, _pending: &[&MigrationFile]) -> Option<&'static str> {
    match backend {
        Backend::Sqlite => Some("PRAGMA foreign_keys = OFF"),
        Backend::Postgres | Backend::Mysql => None,
    }
}

/// The digits that a name begins with.
pub(super) fn leading_digits(name: &str) -> &str {
    let end = name.find(|c: char| !c.is_ascii_digit());
    &name[..end.unwrap_or(name.len())]
}
