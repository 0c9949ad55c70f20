//! A file that can't go on: tried again, refused, or undone and explained.

use super::{
    apply::Migrator,
    dialect::FileTransaction,
    error::{MigrationError, sql_failure},
    failure::{FailedFile, PartialEffects},
    file::MigrationFile,
    progress::{Progress, Stage},
    retry::Retry,
    send::StatementFault,
    transactions::changes_rows_only,
};
use crate::db::{
    Error,
    fault::{Fault, FaultKind, FaultPhase, Meaning},
    target::CALL,
};

impl Migrator {
    /// What to do about a statement that failed: try again, or give up.
    pub(super) async fn interrupted(
        &mut self,
        file: &MigrationFile,
        progress: &mut Progress,
        error: StatementFault,
    ) -> MigrationError {
        let failed = self.failed_file(file, progress);
        if error.fault.means(Meaning::Transient) {
            match failed.retry() {
                Retry::Unit => {
                    let _ = self.run("ROLLBACK".to_owned()).await;
                    *progress = Progress::default();
                    return Error::NotYet(error.fault.message).into();
                }
                Retry::Part => {
                    progress.done = 0;
                    return Error::NotYet(error.fault.message).into();
                }
                Retry::Statement => return Error::NotYet(error.fault.message).into(),
                Retry::Nothing => {}
            }
        }
        self.failed(&failed, &error).await
    }

    /// What only shows at its commit, such as a deferred constraint, is the file's own failure.
    pub(super) async fn unrecorded(
        &mut self,
        file: &MigrationFile,
        progress: &mut Progress,
        fault: Fault,
    ) -> MigrationError {
        if fault.kind != FaultKind::Server {
            return self.refused(&fault).into();
        }
        let transaction = self.transaction(file);
        if let error @ Error::NotYet(_) = fault.clone().into() {
            if transaction == FileTransaction::RowLast {
                progress.stage = Stage::Commit;
            }
            return error.into();
        }
        if fault.means(Meaning::Transient) {
            if transaction.is_open() && !progress.has_committed {
                let _ = self.run("ROLLBACK".to_owned()).await;
                *progress = Progress::default();
            }
            return Error::NotYet(fault.message).into();
        }
        let failed = self.failed_file(file, progress);
        self.failed(&failed, &fault.into()).await
    }

    /// What became of a file whose next statement could not wait any longer.
    pub(super) async fn give_up(
        &mut self,
        file: &MigrationFile,
        progress: &Progress,
        why: String,
    ) -> MigrationError {
        let failed = self.failed_file(file, progress);
        let fault = Fault {
            codes: self.target.backend().driver().codes,
            phase: FaultPhase::Call,
            kind: FaultKind::Server,
            code: String::new(),
            message: why,
        };
        self.failed(&failed, &fault.into()).await
    }

    fn failed_file<'a>(&self, file: &'a MigrationFile, progress: &Progress) -> FailedFile<'a> {
        FailedFile::new(file, self.dialect, self.transaction(file), progress)
    }

    /// Undoes what can be undone, and says what failed, where, what remains and what to do.
    async fn failed(&mut self, failed: &FailedFile<'_>, error: &StatementFault) -> MigrationError {
        // Nobody knows what a lost connection has done; the server undoes its transaction.
        let fault = &error.fault;
        let effects = if fault.kind != FaultKind::Server || fault.means(Meaning::SessionEnded) {
            None
        } else {
            let effects = self.undo(failed).await;
            // The note that the tool would leave. Without it the failure is the same.
            if let (FileTransaction::Marked, Some(note)) =
                (failed.transaction, self.history.layout.failed_row)
            {
                let note = note(&self.history, failed.file, &failed.words(error));
                let _ = self.run(note).await;
            }
            Some(effects)
        };
        let what = failed.what(error, effects);
        let hint = failed.hint(fault, effects, self.history.layout, &self.history.table);
        sql_failure(self.target.url.redact(&what), hint).into()
    }

    /// If a file without a transaction leaves one of its own open, the file would appear applied, but
    /// closing the connection would roll back the file and its row.
    pub(super) async fn refuse_open(&mut self, file: &MigrationFile) -> Result<(), MigrationError> {
        let asked = (self.dialect.has_open_transaction)(self.connection.as_mut());
        let is_open = asked.await.map_err(|fault| self.refused(&fault))?;
        if !is_open {
            return Ok(());
        }
        let _ = self.run("ROLLBACK".to_owned()).await;
        Err(sql_failure(
            format!(
                "{}: the file begins a transaction and never commits it, so that part was rolled back",
                file.shown
            ),
            "end it with COMMIT, or remove the BEGIN and let launchgate run the file in a transaction",
        )
        .into())
    }

    /// Undoes what can be undone, and says what remains.
    async fn undo(&mut self, failed: &FailedFile<'_>) -> PartialEffects {
        // Where the file ended the transaction itself there is nothing to undo.
        let _ = self.run("ROLLBACK".to_owned()).await;
        if !self.dialect.commits_schema_changes {
            return failed.partial_effects();
        }
        let remains = match failed.transaction {
            // Whatever was committed took the row along.
            FileTransaction::RowFirst => self.has_row(failed.file).await.unwrap_or(true),
            FileTransaction::RowLast => {
                let mut executed = failed.executed();
                failed.has_committed || failed.has_ended() || !executed.all(changes_rows_only)
            }
            FileTransaction::None | FileTransaction::Marked => {
                failed.part > 0 || failed.executed().next().is_some()
            }
        };
        if remains {
            PartialEffects::SchemaChanges
        } else {
            PartialEffects::Nothing
        }
    }

    /// Whether the file has a row.
    pub(super) async fn has_row(&mut self, file: &MigrationFile) -> Result<bool, Fault> {
        let row = (self.history.layout.row_key)(&self.history, file);
        let asked = format!("SELECT 1 FROM {} WHERE {row}", self.history.table);
        let rows = self.connection.rows(asked, CALL).await?;
        Ok(!rows.is_empty())
    }
}
