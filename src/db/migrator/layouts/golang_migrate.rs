//! golang-migrate's: `<VERSION>_<NAME>.up.sql` and `.down.sql`; the table `schema_migrations` with one row,
//! the version that the database has, and whether the last migration got to its end.

use std::path::Path;

use super::versioned::{SQL, leading_digits, read_files};
use crate::{
    db::{
        Backend,
        migrator::{
            dialect::{FileTransaction, MigrationDialect, TableName},
            error::sql_failure,
            file::MigrationFile,
            layout::{Compared, History, Layout, MigrationPlan, RESTORE, RowMoment},
            transactions::{is_atomic_file, is_wrappable},
        },
    },
    exit::Failure,
};

const TABLE: &str = "schema_migrations";

pub(super) static GOLANG_MIGRATE: Layout = Layout {
    tool: "golang-migrate",
    table: TableName::named(TABLE),
    has_dirty: Some(true),
    read,
    creation: |history| {
        let table = &history.table;
        match history.backend {
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
    columns: &["version", "dirty"],
    bytes: None,
    compare,
    transaction,
    without_foreign_keys: |_| true,
    row: |history, file, moment| Ok(set_version(history, file, moment)),
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
fn read(path: &Path) -> Result<Vec<MigrationFile>, Failure> {
    let mut files = read_files(path, |name| {
        let refused = |what: &str, hint| {
            let what = format!("{}: {what}", path.join(name).display());
            Err(sql_failure(what, hint))
        };
        match version(name) {
            None => Ok(None),
            Some(_) if !name.ends_with(SQL) => refused(
                "golang-migrate would run it, and it is no `.sql` file",
                "rename it, or move it out of the folder",
            ),
            Some((version, is_up)) => match i64::try_from(version) {
                Ok(version) => Ok(Some(MigrationFile {
                    runs: is_up,
                    version,
                    ..MigrationFile::default()
                })),
                Err(_) => refused(
                    "its version is too large for the table",
                    "give it a smaller version",
                ),
            },
        }
    })?;
    let ups = files.iter().filter(|file| file.runs);
    let ups: Vec<i64> = ups.map(|file| file.version).collect();
    for file in &mut files {
        if !file.runs {
            file.text.clear();
            file.runs = !ups.contains(&file.version);
        }
    }
    files.sort_by_key(|file| file.version);
    let is_wrapped = files.iter().all(|file| is_wrappable(&file.text));
    let files = files.into_iter().map(|mut file| {
        file.has_no_transaction = !is_wrapped;
        // An empty query is not sent.
        if file.text.trim().is_empty() {
            file
        } else {
            file.whole()
        }
    });
    Ok(files.collect())
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

fn compare<'a>(found: &Compared<'a>) -> Result<MigrationPlan<'a>, Failure> {
    let (files, row) = (found.files, found.rows.first());
    // The tool's own words for a version before the first.
    let current = row.map_or(Ok(-1), |row| found.number(row, 0))?;
    if row.is_some_and(|row| row.flag(1)) {
        return Err(sql_failure(
            format!("Dirty database version {current}. Fix and force version."),
            format!(
                "version {current} failed before its end: undo or finish it by hand, then say which version the \
                 database has: `migrate force {}`, or `migrate force {current}` if it is complete",
                before(files, current)
            ),
        ));
    }
    if current >= 0 && !files.iter().any(|file| file.version == current) {
        return Err(sql_failure(
            format!(
                "no migration found for version {current}, which this database has, in {}",
                found.path.display()
            ),
            RESTORE,
        ));
    }
    Ok(found.plan(|file| file.version <= current, |_| None))
}

/// Whether the tool would read all these files, and others have none.
pub(super) fn can_be(files: &[MigrationFile]) -> bool {
    files.iter().all(|file| version(&file.name).is_some())
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
fn set_version(history: &History, file: &MigrationFile, moment: RowMoment) -> String {
    let (table, version) = (&history.table, file.version);
    let begin = history.backend.driver().migrations.begin;
    let dirty = match moment {
        RowMoment::Before => "TRUE",
        RowMoment::Completed(_) | RowMoment::After(_) => "FALSE",
    };
    let clear = match history.backend {
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

/// `<VERSION>_<NAME>.up.<ANYTHING>`, or down; the last of several such words counts. The version, and
/// whether it is up.
fn version(name: &str) -> Option<(u64, bool)> {
    let digits = leading_digits(name);
    let rest = name.get(digits.len()..)?.strip_prefix('_')?;
    let (up, down) = (rest.rfind(".up."), rest.rfind(".down."));
    up.or(down)?;
    Some((digits.parse().ok()?, up > down))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_version_and_direction() {
        assert_eq!(version("1_a.up.sql"), Some((1, true)));
        assert_eq!(version("0020_.down.sql"), Some((20, false)));
        assert_eq!(version("1_a.down.up.sql"), Some((1, true)));
        assert_eq!(version("1_a.up.down.x"), Some((1, false)));
        assert_eq!(version("1_a.sql"), None);
        assert_eq!(version("a_1.up.sql"), None);
        assert_eq!(version("1.up.sql"), None);
    }
}
