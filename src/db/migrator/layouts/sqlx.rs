//! sqlx-cli's and `sqlx::migrate!`'s: `<VERSION>_<DESCRIPTION>.sql`, `.up.sql` and `.down.sql`; the table
//! `_sqlx_migrations`.
//!
//! sqlx's own resolver reads the folder, and sqlx's own statement creates the table. The rest is plain
//! SQL of ours, since sqlx's migrator prepares statements, which a pooler loses, takes a lock that
//! blocks, and reports neither file nor line.

use std::{collections::HashMap, ffi::OsString, io, path::Path, time::Duration};

use sha2::{Digest, Sha384};
use sqlx::migrate::resolve_blocking;

use crate::db::{
    Backend, Error,
    hex::unhex,
    migrator::{
        dialect::{FileTransaction, MigrationDialect, TableName},
        error::MigrationError,
        file::MigrationFile,
        layout::{Creation, EmptySchema, Layout, MigrationPlan, PlanWarning, RowSql},
    },
    rows::TextRow,
};

const TABLE: &str = "_sqlx_migrations";

pub(super) struct Sqlx;

impl Layout for Sqlx {
    fn table(&self, _backend: Backend) -> TableName {
        TableName {
            schema: None,
            name: TABLE,
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<MigrationFile>, MigrationError> {
        read(path)
    }

    fn refuse(&self, _path: &Path, _backend: Backend) -> Result<(), MigrationError> {
        Ok(())
    }

    fn is_own(&self, _has_dirty: bool) -> bool {
        true
    }

    fn creation(&self, _rows: &RowSql<'_>) -> Creation {
        Creation::BySqlx
    }

    fn empty_schema(&self, _rows: &RowSql<'_>) -> Option<EmptySchema> {
        None
    }

    fn columns(&self, dialect: &dyn MigrationDialect) -> String {
        let (version, success) = (dialect.as_text("version"), dialect.as_text("success"));
        let checksum = dialect.as_hex("checksum");
        format!("{version}, description, {success}, {checksum}")
    }

    fn compare<'a>(
        &self,
        path: &Path,
        files: &'a [MigrationFile],
        rows: &[TextRow],
    ) -> Result<MigrationPlan<'a>, MigrationError> {
        let applied: Vec<Applied> = rows.iter().map(applied).collect::<Result<_, _>>()?;
        compare(path, files, &applied)
    }

    fn transaction(&self, file: &MigrationFile, dialect: &dyn MigrationDialect) -> FileTransaction {
        dialect.sqlx_transaction(file.has_no_transaction)
    }

    fn session(&self, _backend: Backend, _pending: &[&MigrationFile]) -> Option<&'static str> {
        None
    }

    fn begin_row(&self, rows: &RowSql<'_>, file: &MigrationFile) -> Result<String, Error> {
        Ok(insert(rows, file, Duration::ZERO, "FALSE"))
    }

    fn finish_row(&self, rows: &RowSql<'_>, file: &MigrationFile, elapsed: Duration) -> String {
        let (nanos, table) = (elapsed.as_nanos(), rows.table);
        let row = self.row_of(rows, file);
        format!("UPDATE {table} SET success = TRUE, execution_time = {nanos} WHERE {row}")
    }

    fn whole_row(
        &self,
        rows: &RowSql<'_>,
        file: &MigrationFile,
        elapsed: Duration,
    ) -> Result<String, Error> {
        Ok(insert(rows, file, elapsed, "TRUE"))
    }

    fn failed_row(
        &self,
        _rows: &RowSql<'_>,
        _file: &MigrationFile,
        _words: &str,
    ) -> Option<String> {
        None
    }

    fn failed_hint(&self, _file: &MigrationFile) -> Option<String> {
        None
    }

    fn no_transaction_hint(&self) -> Option<&'static str> {
        Some("begin the file with the line `-- no-transaction`")
    }

    fn row_words(&self, file: &MigrationFile) -> String {
        format!("a row of version {}", file.version)
    }

    fn row_of(&self, _rows: &RowSql<'_>, file: &MigrationFile) -> String {
        format!("version = {}", file.version)
    }

    fn done_row_of(&self, _rows: &RowSql<'_>, file: &MigrationFile) -> String {
        format!("version = {} AND success", file.version)
    }
}

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
    /// False where it was begun and not finished.
    success: bool,
    /// SHA-384 of the file.
    checksum: Vec<u8>,
}

fn applied(row: &TextRow) -> Result<Applied, MigrationError> {
    let version = row.text(0);
    let checksum = row.text(3);
    match (version.parse(), unhex(&checksum)) {
        (Ok(version), Some(checksum)) => Ok(Applied {
            version,
            description: row.text(1),
            success: row.flag(2),
            checksum,
        }),
        _ => Err(Error::refused(
            format!(
                "the table {TABLE} has another shape: version {version:?}, checksum {checksum:?}"
            ),
            format!("compare {TABLE} with the one that sqlx-cli makes"),
        )
        .into()),
    }
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
                parts: Vec::new(),
                has_no_transaction: migration.no_tx,
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
            "let the user who runs the steps read the folder and its files"
        }
        _ => "name a folder with files such as 1_guests.sql or 20260131120000_guests.up.sql",
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
        "give the newer one another version",
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
        return Err(MigrationError::Migration {
            what: format!("{} was begun and never finished", name_of(row)),
            hint: format!(
                "undo what it has done in the database, then `DELETE FROM {TABLE} WHERE version = {version}`; \
                 or finish it by hand, then `UPDATE {TABLE} SET success = true WHERE version = {version}`"
            ),
        });
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
        warnings: Vec::new(),
        is_one_transaction: false,
    };
    for file in files.iter().filter(|file| file.runs) {
        match by_version.get(&file.version) {
            Some(row) if *row.checksum == *file.checksum => {}
            Some(row) => return Err(changed(file, row)),
            None => {
                if let Some(newest) = newest.filter(|newest| file.version < *newest) {
                    plan.warnings.push(late(file, newest));
                }
                plan.pending.push(file);
            }
        }
    }
    Ok(plan)
}

fn changed(file: &MigrationFile, row: &Applied) -> MigrationError {
    if differs_in_line_endings_only(file, &row.checksum) {
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

/// sqlx-cli applies such a file too.
fn late(file: &MigrationFile, newest: i64) -> PlanWarning {
    PlanWarning {
        what: format!(
            "{} is out of order: the newer version {newest} is already applied; applying it now, as sqlx-cli does",
            file.shown
        ),
        hint: "give it a newer version number if it depends on newer migrations".to_owned(),
    }
}

/// Whether the applied file had the same lines with other line endings.
fn differs_in_line_endings_only(file: &MigrationFile, applied: &[u8]) -> bool {
    let unix = file.text.replace("\r\n", "\n");
    let windows = unix.replace('\n', "\r\n");
    [unix, windows]
        .iter()
        .any(|text| Sha384::digest(text.as_bytes())[..] == *applied)
}

/// The ends of names that sqlx knows, in lower case.
const SIMPLE: &str = ".sql";
const DOWN: &str = ".down.sql";

/// What reading only the names of a folder found.
pub(super) enum Quick {
    All(Vec<OsString>),
    /// More than are wanted.
    More,
    /// Ask the resolver.
    Unsure,
}

pub(super) fn quick_names(path: &Path, most: usize) -> Quick {
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
            // Another layout's, perhaps.
            if text.ends_with(SIMPLE) {
                return None;
            }
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
