//! The files of a folder whose names begin with a version.

use std::{ops::Range, path::Path};

use super::files;
use crate::{
    db::migrator::{error::sql_failure, file::MigrationFile},
    exit::Failure,
};

/// What the names of migrations end with.
pub(super) const SQL: &str = ".sql";

/// What of a file is run, and whether it asks for no transaction.
pub(super) type Sections = (Vec<Range<usize>>, bool);

/// The migration, of which the sections are run that `read` finds. One that can't be read is refused when
/// it is due.
pub(super) fn with_sections(
    mut file: MigrationFile,
    read: fn(&MigrationFile) -> Result<Sections, Failure>,
) -> MigrationFile {
    match read(&file) {
        Ok((parts, has_no_transaction)) => {
            file.parts = parts;
            file.has_no_transaction = has_no_transaction;
        }
        Err(refusal) => file.refusal = Some(refusal),
    }
    file
}

/// A file that has no such sections; `line` is where that shows.
pub(super) fn malformed(
    file: &MigrationFile,
    line: Option<usize>,
    what: &str,
    hint: &'static str,
) -> Failure {
    let line = line.map(|line| format!(":{line}")).unwrap_or_default();
    sql_failure(format!("{}{line}: {what}", file.shown), hint)
}

/// Reads the files whose names `known` knows, ordered by these. `known` gives what follows from the name.
///
/// # Errors
/// A name that `known` refuses; a file that can't be read; two files of one version.
pub(super) fn read_files(
    path: &Path,
    known: impl Fn(&str) -> Result<Option<MigrationFile>, Failure>,
) -> Result<Vec<MigrationFile>, Failure> {
    let mut found: Vec<MigrationFile> = Vec::new();
    for name in files::files(path)? {
        let Some(file) = known(&name)? else {
            continue;
        };
        let (version, label) = (file.version, &file.label);
        let mut others = found.iter().filter(|other| other.runs == file.runs);
        if let Some(twin) = others.find(|one| one.version == version && one.label == *label) {
            let version = version.to_string();
            return Err(sql_failure(
                format!(
                    "{} and {name} have the same version, {}",
                    twin.shown,
                    if label.is_empty() { &version } else { label }
                ),
                "give the newer one a different version",
            ));
        }
        let shown = path.join(&name);
        found.push(MigrationFile {
            text: files::text(&shown)?,
            shown: shown.display().to_string(),
            name,
            ..file
        });
    }
    Ok(found)
}

/// A file that the tool would take for a migration, if only it had a version.
pub(super) fn unversioned(path: &Path, name: &str) -> Failure {
    sql_failure(
        format!(
            "{}: its name does not start with a version and an underscore",
            path.join(name).display()
        ),
        format!(
            "rename it to {}_{name}, or move it out of the folder",
            next_version(path)
        ),
    )
}

/// A version that is newer than those in the folder.
fn next_version(folder: &Path) -> i64 {
    let names = files::files(folder).unwrap_or_default();
    let versions = names
        .iter()
        .filter_map(|name| name.split_once('_')?.0.parse().ok());
    versions.max().unwrap_or(0_i64).saturating_add(1)
}

/// The digits that a name begins with.
pub(super) fn leading_digits(name: &str) -> &str {
    let end = name.find(|c: char| !c.is_ascii_digit());
    &name[..end.unwrap_or(name.len())]
}
