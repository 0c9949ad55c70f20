//! A file's row in the table: written, completed, and looked for where the file interfered with it.

use std::time::Duration;

use super::{
    TABLE,
    apply::{Migrator, OWN},
    dialect::FileTransaction,
    error::MigrationError,
    failure::{hint, partial_effects},
    folder::MigrationFile,
    history,
    statements::statements,
};
use crate::db::{
    Error,
    fault::{Fault, FaultKind},
    hex::hex,
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
        let (nanos, version) = (elapsed.as_nanos(), file.version());
        let finish = match self.dialect.transaction(file.has_no_transaction()) {
            FileTransaction::None => self.row(file, elapsed, "TRUE"),
            FileTransaction::RowLast(_) => format!("{}; COMMIT", self.row(file, elapsed, "TRUE")),
            // A commit that waits for readers is asked for again, which comes to the same.
            FileTransaction::RowFirst(_) => format!(
                "UPDATE {} SET success = TRUE, execution_time = {nanos} WHERE version = {version}; COMMIT",
                self.table
            ),
        };
        let sql = match self.dialect.after_file(self.target.url.database()) {
            Some(after) => format!("{finish}; {after}"),
            None => finish,
        };
        match self.connection.run(sql, OWN).await {
            Ok(0) => Err(undone(file)),
            Ok(_) => Ok(()),
            // It ended the transaction itself: with its row in it, all of it is there.
            Err(fault) if self.dialect.is_committed_already(&fault) => {
                if self.has_row(version).await {
                    Ok(())
                } else {
                    Err(undone(file))
                }
            }
            Err(fault) => match self.dialect.hidden_table_hint() {
                // As pg_dump output does.
                Some(hint) if fault.is_missing_table() => Err(MigrationError::Migration {
                    what: format!(
                        "{}: after it the table {TABLE} is not found any more: {}",
                        file.shown, fault.message
                    ),
                    hint: hint.to_owned(),
                }),
                _ => Err(self.unrecorded(file, fault).await),
            },
        }
    }

    async fn has_row(&mut self, version: i64) -> bool {
        let asked = format!(
            "SELECT success FROM {} WHERE version = {version}",
            self.table
        );
        let answer = self.connection.rows(asked, CALL).await;
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
        let all = statements(file.sql(), self.dialect.lexical_rules());
        let effects = partial_effects(file, self.dialect, &all, all.len());
        let rest = self.undo(file, effects).await;
        MigrationError::Migration {
            what: format!("{}: at its commit: {}{rest}", file.shown, fault.message),
            hint: hint(self.dialect, file, &fault, false, effects),
        }
    }

    /// The statement for the file's row. The time is what it took until here, in nanoseconds.
    pub(super) fn row(&self, file: &MigrationFile, elapsed: Duration, success: &str) -> String {
        let checksum = self.dialect.bytes(&hex(&file.migration.checksum));
        let text = self.target.sql().text(&file.migration.description);
        format!(
            "INSERT INTO {} (version, description, success, checksum, execution_time) \
             VALUES ({}, {text}, {success}, {checksum}, {})",
            self.table,
            file.version(),
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
        hint: "take the ROLLBACK out, undo by hand what remains of the file, and start again"
            .to_owned(),
    }
}
