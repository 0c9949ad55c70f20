//! A file that can't go on: tried again, refused, or undone and explained.

use super::{
    apply::Migrator,
    dialect::FileTransaction,
    error::MigrationError,
    failure::{FailedFile, has_secret, hint, place, without_quotes, words},
    file::MigrationFile,
    partial_effects::PartialEffects,
    progress::Progress,
    retry::{Executed, Retry, retry},
    statements::{Statement, line, statements},
};
use crate::db::{
    Error,
    fault::{Fault, FaultKind},
    target::CALL,
};

impl Migrator {
    /// What to do about a statement that failed: try again, or give up.
    pub(super) async fn interrupted(
        &mut self,
        file: &MigrationFile,
        all: &[Statement],
        progress: &mut Progress,
        error: &sqlx::Error,
    ) -> MigrationError {
        let fault = self.fault(error);
        if fault.is_transient() {
            let executed = Executed {
                sql: file.part(progress.part),
                all,
                done: progress.done,
                has_committed: progress.has_committed,
            };
            let transaction = self.transaction(file);
            match retry(self.dialect, transaction, executed) {
                Retry::Unit => {
                    let _ = self.run("ROLLBACK".to_owned()).await;
                    *progress = Progress::default();
                    return Error::NotYet(fault.message).into();
                }
                Retry::Part => {
                    progress.done = 0;
                    return Error::NotYet(fault.message).into();
                }
                Retry::Statement => return Error::NotYet(fault.message).into(),
                Retry::Nothing => {}
            }
        }
        self.failed(file, all, progress, (error, &fault)).await
    }

    pub(super) async fn refuse_nul(&mut self, file: &MigrationFile) -> Result<(), MigrationError> {
        let Some(at) = file.text.find('\0').filter(|_| !self.dialect.allows_nul) else {
            return Ok(());
        };
        let _ = self.run("ROLLBACK".to_owned()).await;
        Err(MigrationError::migration(
            format!(
                "{}:{}: NUL byte in the file",
                file.shown,
                line(&file.text, at)
            ),
            "remove the NUL byte, save the file as UTF-8 and start again",
        ))
    }

    /// What became of files whose next statement could not wait any longer.
    pub async fn give_up(
        &mut self,
        unit: &[&MigrationFile],
        progress: &Progress,
        why: &str,
    ) -> Option<MigrationError> {
        let file = unit.get(progress.file)?;
        let all = statements(file.part(progress.part), self.dialect.lexical_rules);
        let error = sqlx::Error::Protocol(why.to_owned());
        let fault = Fault {
            kind: FaultKind::Server,
            message: why.to_owned(),
            ..self.fault(&error)
        };
        Some(self.failed(file, &all, progress, (&error, &fault)).await)
    }

    /// Undoes what can be undone, and says what failed, where, what remains and what to do.
    async fn failed(
        &mut self,
        file: &MigrationFile,
        all: &[Statement],
        progress: &Progress,
        (error, fault): (&sqlx::Error, &Fault),
    ) -> MigrationError {
        let failed = self.failed_file(file, all, progress);
        // Nobody knows what a lost connection has done; the server undoes its transaction.
        let is_lost = fault.kind != FaultKind::Server || fault.ends_session();
        let effects = failed.partial_effects();
        let words = words(self.dialect, error, fault);
        let words = match failed.statement() {
            Some(statement) if has_secret(file.part(progress.part), statement) => {
                without_quotes(&words)
            }
            _ => &words,
        };
        let rest = if is_lost {
            ""
        } else {
            self.undo(&failed, effects).await
        };
        if !is_lost {
            self.note_failure(&failed, words).await;
        }
        let (line, shown) = place(&failed, error);
        let what = format!("{}:{line}: {words}{rest}{shown}", file.shown);
        let hint = hint(&failed, fault, is_lost, effects, &self.history.table);
        MigrationError::migration(self.target.url.redact(&what), hint)
    }

    pub(super) fn failed_file<'a>(
        &self,
        file: &'a MigrationFile,
        all: &'a [Statement],
        progress: &Progress,
    ) -> FailedFile<'a> {
        FailedFile {
            file,
            layout: self.history.layout,
            dialect: self.dialect,
            transaction: self.transaction(file),
            all,
            part: progress.part.min(file.parts.len().saturating_sub(1)),
            done: progress.done,
            has_committed: progress.has_committed,
        }
    }

    /// Leaves the note that the tool would leave. Without it the failure is the same.
    pub(super) async fn note_failure(&mut self, failed: &FailedFile<'_>, words: &str) {
        if failed.transaction != FileTransaction::Marked {
            return;
        }
        if let Some(note) = failed.layout.failed_row {
            let _ = self.run(note(&self.rows(), failed.file, words)).await;
        }
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
        Err(MigrationError::migration(
            format!(
                "{}: the file begins a transaction and never commits it, so that part was rolled back",
                file.shown
            ),
            "end it with COMMIT, or remove the BEGIN and let launchgate run the file in a transaction",
        ))
    }

    /// Undoes what can be undone, and says what remains.
    pub(super) async fn undo(
        &mut self,
        failed: &FailedFile<'_>,
        effects: PartialEffects,
    ) -> &'static str {
        // Where the file ended the transaction itself there is nothing to undo.
        let _ = self.run("ROLLBACK".to_owned()).await;
        if !self.dialect.commits_schema_changes {
            return effects.words();
        }
        let sql = failed.file.part(failed.part);
        let executed = &failed.all[..failed.done.min(failed.all.len())];
        let remains = match failed.transaction {
            // Whatever was committed took the row along.
            FileTransaction::RowFirst => {
                let row = self.history.layout.row_of(&self.rows(), failed.file);
                self.has_row(&row).await.unwrap_or(true)
            }
            FileTransaction::RowLast => failed.has_committed || self.commits(sql, executed),
            FileTransaction::None | FileTransaction::Marked => {
                failed.part > 0 || !executed.is_empty()
            }
        };
        if remains {
            "; this database commits each schema change immediately, so the changes before this statement remain"
        } else {
            PartialEffects::Nothing.words()
        }
    }

    pub(super) async fn has_row(&mut self, condition: &str) -> Result<bool, Fault> {
        let asked = format!("SELECT 1 FROM {} WHERE {condition}", self.history.table);
        let rows = self.connection.rows(asked, CALL).await?;
        Ok(!rows.is_empty())
    }
}
