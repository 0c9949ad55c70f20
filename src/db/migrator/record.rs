//! A file's row in the table: written, completed, and looked for where the file interfered with it.

use super::{
    apply::{Migrator, OWN},
    dialect::FileTransaction,
    error::MigrationError,
    file::MigrationFile,
    layout::RowMoment,
    progress::{Progress, Stage},
};

impl Migrator {
    /// Writes the file's row and, where it is the last of its transaction, commits.
    ///
    /// # Errors
    /// Also where the file itself hides the table, or undid its row.
    pub(super) async fn record(
        &mut self,
        file: &MigrationFile,
        progress: &mut Progress,
        is_last: bool,
    ) -> Result<(), MigrationError> {
        let elapsed = progress.elapsed;
        let transaction = self.transaction(file);
        let mut sql = match transaction {
            // The row is in it already.
            FileTransaction::RowLast if progress.stage == Stage::Commit => "SELECT 1".to_owned(),
            FileTransaction::None | FileTransaction::RowLast => {
                self.row(file, RowMoment::After(elapsed))?
            }
            // A commit that waits for readers is asked for again, which comes to the same.
            FileTransaction::RowFirst | FileTransaction::Marked => {
                self.row(file, RowMoment::Completed(elapsed))?
            }
        };
        // A file may have begun a transaction where changes of the schema end them.
        if transaction.is_open() && is_last || self.dialect.commits_schema_changes {
            sql.push_str("; COMMIT");
        }
        if let Some(after) = (self.dialect.after_file)(self.target.url.database()) {
            sql = format!("{sql}; {after}");
        }
        match self.connection.run(sql, OWN).await {
            Ok(0) if progress.stage == Stage::Record => Err(self.undone(file)),
            Ok(_) => Ok(()),
            // It ended the transaction itself: with its row in it, all of it is there.
            Err(fault) if (self.dialect.is_committed_already)(&fault) => {
                if self.has_row(file).await.unwrap_or(false) {
                    Ok(())
                } else {
                    Err(self.undone(file))
                }
            }
            Err(fault) => match self.dialect.hidden_table_hint {
                // As pg_dump output does.
                Some(hint) if fault.is_missing_table() => Err(MigrationError::migration(
                    format!(
                        "{}: after this migration the table {} can no longer be found: {}",
                        file.shown, self.history.table, fault.message
                    ),
                    hint,
                )),
                _ => Err(self.unrecorded(file, progress, fault).await),
            },
        }
    }

    fn undone(&self, file: &MigrationFile) -> MigrationError {
        MigrationError::migration(
            format!(
                "{}: the file runs ROLLBACK, which also undoes its row in {}",
                file.shown, self.history.table
            ),
            "remove the ROLLBACK, undo the file's remaining changes by hand, and start again",
        )
    }
}
