//! sqlx-cli's and `sqlx::migrate!`'s: `<VERSION>_<DESCRIPTION>.sql`, `.up.sql` and `.down.sql`; the table
//! `_sqlx_migrations`.
//!
//! sqlx's own resolver reads the folder. The rest is plain SQL of ours, since sqlx's migrator prepares
//! statements, which a pooler loses, takes a lock that blocks, and reports neither file nor line.

use std::{collections::HashMap, io, path::Path, time::Duration};

use sha2::{Digest, Sha384};
use sqlx::migrate::resolve_blocking;

use crate::db::{
    Backend,
    hex::unhex,
    migrator::{
        dialect::{FileTransaction, TableName},
        error::MigrationError,
        file::MigrationFile,
        layout::{
            Column, Layout, MigrationPlan, PlanWarning, RESTORE, RowMoment, RowSql, unexpected_row,
        },
    },
    rows::TextRow,
};

const TABLE: &str = "_sqlx_migrations";

pub(super) static SQLX: Layout = Layout {
    table: TableName {
        schema: None,
        name: TABLE,
    },
    has_dirty: None,
    read,
    refuse: None,
    // As sqlx writes it.
    creation: |rows| {
        let (time, now, bytes) = match rows.backend {
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
            rows.table
        )
    },
    empty_schema: None,
    columns: &[
        Column::Other("version"),
        Column::Text("description"),
        Column::Other("success"),
        Column::Hex("checksum"),
    ],
    compare: |path, files, rows| {
        let applied: Vec<Applied> = rows.iter().map(applied).collect::<Result<_, _>>()?;
        compare(path, files, &applied)
    },
    refuse_file: None,
    transaction: |file, dialect| match file.usual_transaction() {
        _ if dialect.commits_schema_changes => FileTransaction::RowFirst,
        FileTransaction::RowLast if dialect.one_by_one.is_some() => FileTransaction::RowFirst,
        usual => usual,
    },
    session: None,
    row: |rows, file, moment| {
        Ok(match moment {
            RowMoment::Before => insert(rows, file, Duration::ZERO, "FALSE"),
            RowMoment::After(elapsed) => insert(rows, file, elapsed, "TRUE"),
            RowMoment::Completed(elapsed) => format!(
                "UPDATE {} SET success = TRUE, execution_time = {} WHERE version = {}",
                rows.table,
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
fn insert(rows: &RowSql<'_>, file: &MigrationFile, elapsed: Duration, success: &str) -> String {
    let checksum = rows.bytes(&file.checksum);
    let text = rows.text(&file.label);
    format!(
        "INSERT INTO {} (version, description, success, checksum, execution_time) \
         VALUES ({}, {text}, {success}, {checksum}, {})",
        rows.table,
        file.version,
        elapsed.as_nanos()
    )
}

/// A row.
struct Applied {
    version: i64,
    /// The rest of the file's name.
    description: String,
    /// False if it was started and not finished.
    success: bool,
    /// SHA-384 of the file.
    checksum: Vec<u8>,
}

fn applied(row: &TextRow) -> Result<Applied, MigrationError> {
    let (version, checksum) = (row.text(0), row.text(3));
    let (Ok(number), Some(digest)) = (version.parse(), unhex(&checksum)) else {
        let found = format!("version {version:?}, checksum {checksum:?}");
        return Err(unexpected_row(TABLE, &found, "sqlx-cli"));
    };
    Ok(Applied {
        version: number,
        description: row.text(1),
        success: row.flag(2),
        checksum: digest,
    })
}

/// Reads the folder as sqlx does: links are followed, everything with another name is ignored.
fn read(path: &Path) -> Result<Vec<MigrationFile>, MigrationError> {
    let found = resolve_blocking(path).map_err(|error| unreadable(path, &error))?;
    let files: Vec<_> = found
        .into_iter()
        .map(|(migration, file)| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            MigrationFile {
                name: name.clone().into_owned(),
                shown: path.join(&*name).display().to_string(),
                runs: !migration.migration_type.is_down_migration(),
                version: migration.version,
                label: migration.description.into_owned(),
                checksum: migration.checksum.into_owned(),
                text: migration.sql.as_str().to_owned(),
                has_no_transaction: migration.no_tx,
                ..MigrationFile::default()
            }
            .whole()
        })
        .collect();
    refuse_twins(&files)?;
    Ok(files)
}

fn unreadable(path: &Path, error: &(dyn std::error::Error + 'static)) -> MigrationError {
    let source = error.source();
    let said = error.to_string();
    // sqlx usually includes the source's words in its own.
    let why = source.map(ToString::to_string);
    let why = why.filter(|why| !said.contains(why));
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    if let Some(name) = unversioned(&said) {
        return MigrationError::migration(
            format!(
                "{}: its name does not start with a version",
                path.join(name).display()
            ),
            format!(
                "rename it to {}_{name}, or move it out of the folder",
                next_version(path)
            ),
        );
    }
    let hint = match source.and_then(|e| e.downcast_ref()).map(io::Error::kind) {
        Some(io::ErrorKind::InvalidData) => "save the file as UTF-8",
        Some(io::ErrorKind::PermissionDenied) => {
            "give the user who runs the steps read access to the folder and its files"
        }
        _ => "pass a folder with files such as 1_guests.sql or 20260131120000_guests.up.sql",
    };
    MigrationError::migration(
        format!(
            "failed to read the migrations in {}: {said}{why}",
            path.display()
        ),
        hint,
    )
}

/// The table can't hold two files of one version.
fn refuse_twins(files: &[MigrationFile]) -> Result<(), MigrationError> {
    let ups: Vec<_> = files.iter().filter(|file| file.runs).collect();
    let twins = ups.windows(2).find(|two| two[0].version == two[1].version);
    let Some([file, next]) = twins else {
        return Ok(());
    };
    Err(MigrationError::migration(
        format!(
            "{} and {} have the same version, {}",
            file.shown, next.name, file.version
        ),
        "give the newer one a different version",
    ))
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

/// More missing files than this are only counted: the message must fit into the recorded output.
const NAMED: usize = 5;

/// Compares, and changes nothing. Every applied file is checked before any is applied.
///
/// # Errors
/// A migration that was begun and never finished; an applied one that is missing or was changed.
fn compare<'a>(
    path: &Path,
    files: &'a [MigrationFile],
    applied: &[Applied],
) -> Result<MigrationPlan<'a>, MigrationError> {
    let shown = path.display();
    let name_of = |row: &Applied| {
        files
            .iter()
            .find(|file| file.version == row.version)
            .map_or_else(
                || format!("version {} ({})", row.version, row.description),
                |file| file.shown.clone(),
            )
    };
    if let Some(row) = applied.iter().find(|row| !row.success) {
        let version = row.version;
        return Err(MigrationError::migration(
            format!("{} was started but never finished", name_of(row)),
            format!(
                "undo its changes in the database, then run `DELETE FROM {TABLE} WHERE version = {version}`; \
                 or finish it by hand, then run `UPDATE {TABLE} SET success = true WHERE version = {version}`"
            ),
        ));
    }
    let mut missing = applied
        .iter()
        .filter(|row| !files.iter().any(|file| file.version == row.version));
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
        return Err(MigrationError::migration(
            format!(
                "applied to this database but missing from {shown}: version {}{more}",
                named.join(", ")
            ),
            RESTORE,
        ));
    }
    let by_version: HashMap<i64, &Applied> = applied.iter().map(|row| (row.version, row)).collect();
    let newest = applied.iter().map(|row| row.version).max();
    let mut plan = MigrationPlan {
        applied: applied.len(),
        ..MigrationPlan::default()
    };
    for file in files.iter().filter(|file| file.runs) {
        match by_version.get(&file.version) {
            Some(row) if *row.checksum == *file.checksum => {}
            Some(row) => return Err(changed(file, row)),
            None => {
                if let Some(newest) = newest.filter(|newest| file.version < *newest) {
                    let newer = format!("the newer version {newest}");
                    let late = PlanWarning::out_of_order(file, &newer, "sqlx-cli");
                    plan.warnings.push(late);
                }
                plan.pending.push(file);
            }
        }
    }
    Ok(plan)
}

fn changed(file: &MigrationFile, row: &Applied) -> MigrationError {
    if differs_in_line_endings_only(file, &row.checksum) {
        return MigrationError::migration(
            format!(
                "the line endings of {} changed after it was applied",
                file.shown
            ),
            "restore them; `*.sql text eol=lf` in .gitattributes keeps git from changing them",
        );
    }
    MigrationError::migration(
        format!("{} was changed after it was applied", file.shown),
        "restore its original contents, and put the change in a new file with a newer version",
    )
}

/// Whether the applied file had the same lines with other line endings.
fn differs_in_line_endings_only(file: &MigrationFile, applied: &[u8]) -> bool {
    let unix = file.text.replace("\r\n", "\n");
    let windows = unix.replace('\n', "\r\n");
    [unix, windows]
        .iter()
        .any(|text| Sha384::digest(text.as_bytes())[..] == *applied)
}
