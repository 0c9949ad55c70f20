//! What has to be applied, according to the folder and the table. Pure.

use std::collections::HashMap;

use super::{Applied, MigrationError, MigrationFile, MigrationFolder, TABLE};

/// What has to be done.
#[derive(Debug)]
pub struct MigrationPlan<'a> {
    /// The files to apply, in order.
    pub pending: Vec<&'a MigrationFile>,
    /// How many are applied already.
    pub applied: usize,
    /// The pending ones that are older than an applied one, with the newest applied version.
    pub late: Vec<(&'a MigrationFile, i64)>,
}

/// More missing files than this are only counted: the message must fit into the recorded output.
const NAMED: usize = 5;

/// Compares, and changes nothing. Every applied file is checked before any is applied.
///
/// # Errors
/// A migration that was begun and never finished; an applied one that is missing or was changed.
pub fn compare<'a>(
    folder: &'a MigrationFolder,
    applied: &[Applied],
) -> Result<MigrationPlan<'a>, MigrationError> {
    let shown = folder.path().display();
    let name_of = |row: &Applied| {
        folder
            .ups()
            .find(|file| file.version() == row.version)
            .map_or_else(
                || format!("version {} ({})", row.version, row.description),
                |file| file.shown.clone(),
            )
    };
    if let Some(row) = applied.iter().find(|row| !row.success) {
        let version = row.version;
        return Err(MigrationError::Migration {
            what: format!("{} was begun and never finished", name_of(row)),
            hint: format!(
                "undo what it has done in the database, then `DELETE FROM {TABLE} WHERE version = {version}`; \
                 or finish it by hand, then `UPDATE {TABLE} SET success = true WHERE version = {version}`"
            ),
        });
    }
    let mut missing = applied.iter().filter(|row| !folder.has(row.version));
    let named: Vec<String> = missing
        .by_ref()
        .take(NAMED)
        .map(|row| format!("{} ({})", row.version, row.description))
        .collect();
    if !named.is_empty() {
        let more = match missing.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        return Err(MigrationError::Migration {
            what: format!(
                "applied to this database and missing in {shown}: version {}{more}",
                named.join(", ")
            ),
            hint: "put the file back; if this image is older than the database, deploy a newer one"
                .to_owned(),
        });
    }
    let by_version: HashMap<i64, &Applied> = applied.iter().map(|row| (row.version, row)).collect();
    let newest = applied.iter().map(|row| row.version).max();
    let mut plan = MigrationPlan {
        pending: Vec::new(),
        applied: applied.len(),
        late: Vec::new(),
    };
    for file in folder.ups() {
        match by_version.get(&file.version()) {
            Some(row) if *row.checksum == *file.migration.checksum => {}
            Some(row) => return Err(changed(file, row)),
            None => {
                if let Some(newest) = newest.filter(|newest| file.version() < *newest) {
                    plan.late.push((file, newest));
                }
                plan.pending.push(file);
            }
        }
    }
    Ok(plan)
}

fn changed(file: &MigrationFile, row: &Applied) -> MigrationError {
    if file.differs_in_line_endings_only(&row.checksum) {
        return MigrationError::Migration {
            what: format!(
                "{} has other line endings than when it was applied",
                file.shown
            ),
            hint: "restore its line endings; `*.sql text eol=lf` in .gitattributes keeps git from changing them".to_owned(),
        };
    }
    MigrationError::Migration {
        what: format!("{} was changed after it was applied", file.shown),
        hint: "restore its old contents, and write the change as a new file with a newer version"
            .to_owned(),
    }
}
