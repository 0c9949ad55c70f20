//! A file's row in the table: written, completed, and looked for where the file was in its way.

use std::time::Duration;

use super::{
    MigrationError, MigrationFile, Migrator, TABLE, apply::OWN, failure::hint, history,
    partial_effects::PartialEffects, place::statements,
};
use crate::db::{
    Backend, Error,
    error::{Fault, FaultKind},
    sql::{Sql, hex},
    target::CALL,
};

impl Migrator {
    /// Writes the file's row and commits.
    ///
    /// # Errors
    /// Also where the file itself hides the table, or undid its row.
    pub async fn record(
        &mut self,
        file: &MigrationFile,
        elapsed: Duration,
    ) -> Result<(), MigrationError> {
        let (backend, table) = (self.wire.backend(), &self.table);
        let (nanos, version) = (elapsed.as_nanos(), file.version());
        let done = format!(
            "UPDATE {table} SET success = TRUE, execution_time = {nanos} WHERE version = {version}; COMMIT"
        );
        let sql = match (backend, file.has_no_transaction()) {
            // The next file starts in the URL's database, wherever this one went.
            (Backend::Mysql, _) => match self.target.url.database() {
                Some(name) => format!("{done}; USE {}", back_quoted(name)),
                None => done,
            },
            (_, true) => self.row(file, elapsed, "TRUE"),
            (Backend::Postgres, false) => format!("{}; COMMIT", self.row(file, elapsed, "TRUE")),
            // A commit that waits for readers is asked again, which comes to the same.
            (Backend::Sqlite, false) => done,
        };
        match self.wire.run(sql, OWN).await {
            Ok(done) if done.affected == 0 => Err(undone(file)),
            Ok(_) => Ok(()),
            // It ended the transaction itself: with its row in it, all of it is there.
            Err(fault)
                if backend == Backend::Sqlite
                    && fault.message.contains("no transaction is active") =>
            {
                if self.has_row(version).await {
                    Ok(())
                } else {
                    Err(undone(file))
                }
            }
            // As what pg_dump writes does.
            Err(fault) if fault.is_missing_table() && backend == Backend::Postgres => {
                Err(MigrationError::Migration {
                    what: format!(
                        "{}: behind it the table {TABLE} is not found any more: {}",
                        file.shown, fault.message
                    ),
                    hint: "where the file sets search_path, end it with `RESET search_path;`"
                        .to_owned(),
                })
            }
            Err(fault) => Err(self.unrecorded(file, fault).await),
        }
    }

    async fn has_row(&mut self, version: i64) -> bool {
        let asked = format!(
            "SELECT success FROM {} WHERE version = {version}",
            self.table
        );
        let answer = self.wire.rows(asked, CALL).await;
        answer.is_ok_and(|rows| rows.first().is_some_and(|row| row.flag(0)))
    }

    /// What only shows at its commit, such as a deferred constraint, is the file's own failure.
    async fn unrecorded(&mut self, file: &MigrationFile, fault: Fault) -> MigrationError {
        if fault.kind != FaultKind::Server {
            return history::refused(&fault).into();
        }
        if let error @ Error::NotYet(_) = fault.clone().into() {
            return error.into();
        }
        let all = statements(file.sql(), self.wire.backend());
        let stays = PartialEffects::of(file, self.wire.backend(), &all, all.len());
        let rest = self.undo(file, stays).await;
        MigrationError::Migration {
            what: format!("{}: at its commit: {}{rest}", file.shown, fault.message),
            hint: hint(self.wire.backend(), file, &fault, false, stays),
        }
    }

    /// The statement for the file's row. The time is what it took until here, in nanoseconds.
    pub(super) fn row(&self, file: &MigrationFile, elapsed: Duration, success: &str) -> String {
        let backend = self.wire.backend();
        let sql = Sql::new(backend, None);
        let checksum = hex(&file.migration.checksum);
        let checksum = match backend {
            Backend::Postgres => format!("decode('{checksum}', 'hex')"),
            Backend::Mysql | Backend::Sqlite => format!("X'{checksum}'"),
        };
        format!(
            "INSERT INTO {} (version, description, success, checksum, execution_time) \
             VALUES ({}, {}, {success}, {checksum}, {})",
            self.table,
            file.version(),
            sql.text(&file.migration.description),
            elapsed.as_nanos()
        )
    }
}

fn undone(file: &MigrationFile) -> MigrationError {
    MigrationError::Migration {
        what: format!(
            "{}: the file undoes its transaction with ROLLBACK, and its row in {TABLE} with it",
            file.shown
        ),
        hint: "take the ROLLBACK out, undo by hand what stays of the file, and start again"
            .to_owned(),
    }
}

/// `name` as a quoted identifier of MySQL.
pub(super) fn back_quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
