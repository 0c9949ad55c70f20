//! sqlx-cli's and `sqlx::migrate!`'s: `<VERSION>_<DESCRIPTION>.sql`, `.up.sql` and `.down.sql`; the table
//! `_sqlx_migrations`.
//!
//! All of it is ours: sqlx's migrator prepares statements, which a pooler loses, takes a lock that blocks, and
//! reports neither file nor line; its resolver can't list a folder without reading every file.

use std::{collections::HashMap, ffi::OsString, path::Path, time::Duration};

use sha2::{Digest, Sha384};

use super::{
    drizzle::JOURNAL,
    versioned::{SQL, read_files, unversioned},
};
use crate::{
    db::{
        Backend,
        hex::hex,
        migrator::{
            dialect::{FileTransaction, TableName},
            error::sql_failure,
            file::MigrationFile,
            layout::{Compared, History, Layout, MigrationPlan, RESTORE, RowMoment},
        },
    },
    exit::Failure,
};

const TABLE: &str = "_sqlx_migrations";

pub(super) static SQLX: Layout = Layout {
    tool: "sqlx-cli",
    table: TableName::named(TABLE),
    has_dirty: None,
    read,
    // As sqlx writes it.
    creation: |history| {
        let (time, now, bytes) = match history.backend {
            Backend::Postgres => ("TIMESTAMPTZ", "now()", "BYTEA"),
            Backend::Mysql | Backend::Sqlite => ("TIMESTAMP", "CURRENT_TIMESTAMP", "BLOB"),
        };
        format!(
            "CREATE TABLE IF NOT EXISTS {} (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on {time} NOT NULL DEFAULT {now},
    success BOOLEAN NOT NULL,
    checksum {bytes} NOT NULL,
    execution_time BIGINT NOT NULL
)",
            history.table
        )
    },
    empty_schema: None,
    columns: &["version", "description", "success"],
    bytes: Some("checksum"),
    compare,
    transaction: |file, dialect| match file.usual_transaction() {
        _ if dialect.commits_schema_changes => FileTransaction::RowFirst,
        FileTransaction::RowLast if dialect.one_by_one.is_some() => FileTransaction::RowFirst,
        usual => usual,
    },
    without_foreign_keys: |_| false,
    row: |history, file, moment| {
        Ok(match moment {
            RowMoment::Before => insert(history, file, Duration::ZERO, "FALSE"),
            RowMoment::After(elapsed) => insert(history, file, elapsed, "TRUE"),
            RowMoment::Completed(elapsed) => format!(
                "UPDATE {} SET success = TRUE, execution_time = {} WHERE version = {}",
                history.table,
                elapsed.as_nanos(),
                file.version
            ),
        })
    },
    failed_row: None,
    failed_hint: None,
    no_transaction_hint: Some("begin the file with the line `-- no-transaction`"),
    row_key: |_, file| format!("version = {}", file.version),
};

/// The statement for the file's row. The time is what it took until here, in nanoseconds.
fn insert(history: &History, file: &MigrationFile, elapsed: Duration, success: &str) -> String {
    let checksum = history.bytes(&file.checksum);
    let text = history.text(&file.label);
    format!(
        "INSERT INTO {} (version, description, success, checksum, execution_time) \
         VALUES ({}, {text}, {success}, {checksum}, {})",
        history.table,
        file.version,
        elapsed.as_nanos()
    )
}

/// The end of a migration that undoes another one.
const DOWN: &str = ".down.sql";

/// A file that sqlx takes for a migration; it passes over every other name.
pub(super) fn known(path: &Path, name: &str) -> Result<Option<MigrationFile>, Failure> {
    let Some((version, rest)) = name.split_once('_').filter(|(_, rest)| rest.ends_with(SQL)) else {
        return Ok(None);
    };
    let runs = !rest.ends_with(DOWN);
    Ok(Some(MigrationFile {
        runs,
        version: version.parse().map_err(|_| unversioned(path, name))?,
        // Only of those that run, one version may have one.
        label: if runs { String::new() } else { name.to_owned() },
        ..MigrationFile::default()
    }))
}

fn read(path: &Path) -> Result<Vec<MigrationFile>, Failure> {
    let files = read_files(path, |name| {
        let is_other = || {
            path.join(name)
                .metadata()
                .is_ok_and(|other| !other.is_file())
        };
        Ok(known(path, name)?.filter(|_| !is_other()))
    })?;
    let files = files.into_iter().map(|file| {
        let (_, rest) = file.name.split_once('_').unwrap_or_default();
        let ends = [".up.sql", DOWN, SQL];
        let end = ends.into_iter().find(|end| rest.ends_with(end));
        MigrationFile {
            // The end goes as often as it is there.
            label: rest.trim_end_matches(end.unwrap_or(SQL)).replace('_', " "),
            checksum: Sha384::digest(file.text.as_bytes()).to_vec(),
            has_no_transaction: file.text.starts_with("-- no-transaction"),
            ..file
        }
        .whole()
    });
    let mut files: Vec<_> = files.collect();
    files.sort_by_key(|file| (file.version, !file.runs));
    Ok(files)
}

/// The names of a folder's migrations, without reading any; the first `most` and one if there are more. `None`
/// if the folder may be another layout's, or is to be refused.
pub(super) fn quick_names(path: &Path, most: usize) -> Option<Vec<OsString>> {
    let mut names = Vec::new();
    let mut ups = Vec::new();
    for entry in path.read_dir().ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name();
        let text = name.to_str()?;
        let Some(file) = known(path, text).ok()? else {
            // Drizzle's files have such names too, but its journal counts.
            if text.ends_with(SQL) || JOURNAL.strip_suffix("/_journal.json") == Some(text) {
                return None;
            }
            continue;
        };
        let mut kind = entry.file_type().ok()?;
        if kind.is_symlink() {
            kind = entry.path().metadata().ok()?.file_type();
        }
        if kind.is_file() {
            ups.extend(file.runs.then_some(file.version));
            names.push(name);
            if names.len() > most {
                return Some(names);
            }
        }
    }
    ups.sort_unstable();
    let has_twins = ups.windows(2).any(|two| two[0] == two[1]);
    (!ups.is_empty() && !has_twins).then_some(names)
}

/// Refuses a migration that was begun and never finished, and an applied one that is missing or was
/// changed.
fn compare<'a>(found: &Compared<'a>) -> Result<MigrationPlan<'a>, Failure> {
    // The checksum of each version.
    let mut applied: HashMap<i64, String> = HashMap::new();
    let mut missing = Vec::new();
    for row in &found.rows {
        let version = found.number(row, 0)?;
        let file = found.files.iter().find(|file| file.version == version);
        let described = format!("{version} ({})", row.text(1));
        if !row.flag(2) {
            let name = file.map_or(format!("version {described}"), |file| file.shown.clone());
            return Err(sql_failure(
                format!("{name} was started but never finished"),
                format!(
                    "undo its changes in the database, then run `DELETE FROM {TABLE} WHERE version = {version}`; \
                     or finish it by hand, then run `UPDATE {TABLE} SET success = true WHERE version = {version}`"
                ),
            ));
        }
        if file.is_none() {
            missing.push(described);
        }
        applied.insert(version, row.text(3).to_ascii_lowercase());
    }
    if !missing.is_empty() {
        missing[0].insert_str(0, "version ");
        return Err(sql_failure(found.missing(&missing), RESTORE));
    }
    let changed = found.files.iter().filter(|file| file.runs).find(|file| {
        let checksum = applied.get(&file.version);
        checksum.is_some_and(|checksum| *checksum != hex(&file.checksum))
    });
    if let Some(file) = changed {
        return Err(changed_after(file, &applied[&file.version]));
    }
    let newest = applied.keys().max();
    let newer = |file: &MigrationFile| newest.filter(|newest| file.version < **newest);
    Ok(found.plan(
        |file| applied.contains_key(&file.version),
        |file| newer(file).map(|newest| format!("the newer version {newest}")),
    ))
}

fn changed_after(file: &MigrationFile, applied: &str) -> Failure {
    if differs_in_line_endings_only(file, applied) {
        return sql_failure(
            format!(
                "the line endings of {} changed after it was applied",
                file.shown
            ),
            "restore them; `*.sql text eol=lf` in .gitattributes keeps git from changing them",
        );
    }
    sql_failure(
        format!("{} was changed after it was applied", file.shown),
        "restore its original contents, and put the change in a new file with a newer version",
    )
}

/// Whether the applied file had the same lines with other line endings.
fn differs_in_line_endings_only(file: &MigrationFile, applied: &str) -> bool {
    let unix = file.text.replace("\r\n", "\n");
    let windows = unix.replace('\n', "\r\n");
    [unix, windows]
        .iter()
        .any(|text| hex(&Sha384::digest(text.as_bytes())) == applied)
}
