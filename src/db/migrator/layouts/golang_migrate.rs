//! golang-migrate's: `<VERSION>_<NAME>.up.sql` and `.down.sql`; the table `schema_migrations` with one row,
//! the version that the database has, and whether the last migration got to its end.

use std::path::Path;

use super::versioned::{SQL, go_session, leading_digits, read_files};
use crate::db::{
    Backend,
    migrator::{
        dialect::{FileTransaction, MigrationDialect, TableName},
        error::MigrationError,
        file::MigrationFile,
        layout::{Column, Layout, MigrationPlan, RESTORE, RowMoment, RowSql},
        transactions::{is_atomic_file, is_wrappable},
    },
    rows::TextRow,
};

const TABLE: &str = "schema_migrations";

pub(super) static GOLANG_MIGRATE: Layout = Layout {
    table: TableName {
        schema: None,
        name: TABLE,
    },
    has_dirty: Some(true),
    read,
    refuse: None,
    creation: |rows| {
        let table = rows.table;
        match rows.backend {
            Backend::Postgres | Backend::Mysql => format!(
                "CREATE TABLE {table} (version bigint not null primary key, dirty boolean not null)"
            ),
            Backend::Sqlite => format!(
                "CREATE TABLE {table} (version uint64,dirty bool); \
                 CREATE UNIQUE INDEX version_unique ON {table} (version)"
            ),
        }
    },
    empty_schema: None,
    columns: &[Column::Other("version"), Column::Other("dirty")],
    compare,
    refuse_file: None,
    transaction,
    session: Some(go_session),
    row: |rows, file, moment| Ok(set_version(rows, file, moment)),
    failed_row: None,
    failed_hint: Some(|file| {
        format!(
            "undo its remaining changes by hand, and set the version that the database then has with `migrate force`; \
             until then {TABLE} says that version {} is dirty",
            file.version
        )
    }),
    no_transaction_hint: None,
    row_key: |_, file| format!("version = {}", file.version),
};

/// Any other name is passed over. A version with a `.down.` file alone is a migration that does nothing.
fn read(path: &Path) -> Result<Vec<MigrationFile>, MigrationError> {
    let listed = read_files(path, |name| match direction(name) {
        Some(_) if !name.ends_with(SQL) => Err(MigrationError::migration(
            format!(
                "{}: golang-migrate would run it, and it is no `.sql` file",
                path.join(name).display()
            ),
            "rename it, or move it out of the folder",
        )),
        Some((version, direction)) => {
            let version = i64::try_from(version).map_err(|_| {
                MigrationError::migration(
                    format!(
                        "{}: its version is too large for the table",
                        path.join(name).display()
                    ),
                    "give it a smaller version",
                )
            })?;
            Ok(Some((version, direction)))
        }
        None => Ok(None),
    })?;
    let ups: Vec<i64> = listed
        .iter()
        .filter(|file| file.version.1 == Direction::Up)
        .map(|file| file.version.0)
        .collect();
    let mut files: Vec<MigrationFile> = listed
        .into_iter()
        .map(|file| {
            let (version, direction) = file.version;
            let is_up = direction == Direction::Up;
            let migration = MigrationFile {
                name: file.name,
                shown: file.shown,
                runs: is_up || !ups.contains(&version),
                version,
                text: if is_up { file.text } else { String::new() },
                ..MigrationFile::default()
            };
            // An empty query is not sent.
            if migration.text.trim().is_empty() {
                migration
            } else {
                migration.whole()
            }
        })
        .collect();
    files.sort_by_key(|file| file.version);
    let is_wrapped = files.iter().all(|file| is_wrappable(&file.text));
    for file in &mut files {
        file.has_no_transaction = !is_wrapped;
    }
    Ok(files)
}

/// On `SQLite` the tool wraps each file of the folder in a transaction, or, with `x-no-tx-wrap`, none.
fn transaction(file: &MigrationFile, dialect: &MigrationDialect) -> FileTransaction {
    let is_wrapped = if dialect.one_by_one.is_some() {
        !file.has_no_transaction
    } else {
        is_atomic_file(dialect, &file.text)
    };
    if is_wrapped {
        FileTransaction::RowLast
    } else {
        FileTransaction::Marked
    }
}

fn compare<'a>(
    path: &Path,
    files: &'a [MigrationFile],
    rows: &[TextRow],
) -> Result<MigrationPlan<'a>, MigrationError> {
    // The tool's own words for a version before the first.
    let current = rows.first().map_or(Ok(-1), |row| row.int(0))?;
    if rows.first().is_some_and(|row| row.flag(1)) {
        return Err(MigrationError::migration(
            format!("Dirty database version {current}. Fix and force version."),
            format!(
                "version {current} failed before its end: undo or finish it by hand, then say which version the \
                 database has: `migrate force {}`, or `migrate force {current}` if it is complete",
                before(files, current)
            ),
        ));
    }
    if current >= 0 && !files.iter().any(|file| file.version == current) {
        return Err(MigrationError::migration(
            format!(
                "no migration found for version {current}, which this database has, in {}",
                path.display()
            ),
            RESTORE,
        ));
    }
    let (done, pending): (Vec<_>, Vec<_>) = files
        .iter()
        .filter(|file| file.runs)
        .partition(|file| file.version <= current);
    Ok(MigrationPlan {
        pending,
        applied: done.len(),
        ..MigrationPlan::default()
    })
}

/// Whether the tool would read all these files, and others have none.
pub(super) fn can_be(files: &[MigrationFile]) -> bool {
    files.iter().all(|file| direction(&file.name).is_some())
}

/// The version before this one; the tool's -1 where there is none.
fn before(files: &[MigrationFile], version: i64) -> i64 {
    let versions = files.iter().map(|file| file.version);
    versions
        .filter(|other| *other < version)
        .max()
        .unwrap_or(-1)
}

/// Replaces the one row: in the file's transaction, or in one of its own.
fn set_version(rows: &RowSql<'_>, file: &MigrationFile, moment: RowMoment) -> String {
    let (table, version) = (rows.table, file.version);
    let begin = rows.backend.driver().migrations.begin;
    let dirty = match moment {
        RowMoment::Before => "TRUE",
        RowMoment::Completed(_) | RowMoment::After(_) => "FALSE",
    };
    let clear = match rows.backend {
        Backend::Postgres => "TRUNCATE",
        Backend::Mysql | Backend::Sqlite => "DELETE FROM",
    };
    let replace = format!(
        "{clear} {table}; INSERT INTO {table} (version, dirty) VALUES ({version}, {dirty})"
    );
    match moment {
        RowMoment::After(_) => replace,
        RowMoment::Before | RowMoment::Completed(_) => format!("{begin}; {replace}; COMMIT"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// `<VERSION>_<NAME>.up.<ANYTHING>`, or down; the last of several such words counts.
fn direction(name: &str) -> Option<(u64, Direction)> {
    let digits = leading_digits(name);
    let rest = name.get(digits.len()..)?.strip_prefix('_')?;
    let direction = match (rest.rfind(".up."), rest.rfind(".down.")) {
        (Some(up), down) if down.is_none_or(|down| down < up) => Direction::Up,
        (_, Some(_)) => Direction::Down,
        _ => return None,
    };
    Some((digits.parse().ok()?, direction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_version_and_direction() {
        assert_eq!(direction("1_a.up.sql"), Some((1, Direction::Up)));
        assert_eq!(direction("0020_.down.sql"), Some((20, Direction::Down)));
        assert_eq!(direction("1_a.down.up.sql"), Some((1, Direction::Up)));
        assert_eq!(direction("1_a.up.down.x"), Some((1, Direction::Down)));
        assert_eq!(direction("1_a.sql"), None);
        assert_eq!(direction("a_1.up.sql"), None);
        assert_eq!(direction("1.up.sql"), None);
    }
}
