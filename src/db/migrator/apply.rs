//! Applying files, one after the other, on one connection.
//!
//! Each file goes to the server as it is, by the simple query protocol, in a transaction with its row
//! in the table, or as its layout says. Whatever can be waited for (a database file that another process
//! has locked, a deadlock) is an [`Error::NotYet`]: the same call goes on from where it stopped.

use std::time::Duration;

use super::{
    dialect::{FileTransaction, MigrationConnection, MigrationDialect},
    error::MigrationError,
    failure::{FailedFile, ends_transaction, has_secret, hint, place, without_quotes, words},
    file::MigrationFile,
    folder::MigrationFolder,
    history,
    layout::{Creation, EmptySchema, Layout, LayoutKind, MigrationPlan, RowSql},
    layouts::layout,
    partial_effects::PartialEffects,
    progress::{Progress, Stage},
    retry::{Executed, Retry, changes_rows_only, retry},
    statements::{Statement, line, statements},
    tables::layout_in,
};
use crate::db::{
    Error, Target,
    connection::Connection,
    fault::{Fault, FaultKind, FaultPhase},
    purpose::ConnectionPurpose,
    target::CALL,
};

/// The time limit for launchgate's own statements, which wait only for the server.
pub(super) const OWN: Duration = Duration::from_mins(10);

/// A connection for migrations of one layout.
pub struct Migrator {
    pub(super) target: Target,
    pub(super) connection: Box<dyn MigrationConnection>,
    pub(super) dialect: &'static dyn MigrationDialect,
    kind: LayoutKind,
    pub(super) layout: &'static dyn Layout,
    /// The table's name, as far as it has to be qualified.
    pub(super) table: String,
}

/// The table's name in statements.
fn table(target: &Target, layout: &dyn Layout) -> String {
    let dialect = target.backend().driver().migrations();
    dialect.table(layout.table(target.backend()), &target.url)
}

/// Refuses to create a history beside another table, where the tool does.
async fn refuse_not_empty(
    connection: &mut dyn Connection,
    EmptySchema { ask, refused }: EmptySchema,
    table: &str,
) -> Result<(), MigrationError> {
    match connection.rows(ask, CALL).await {
        Ok(rows) => match rows.first() {
            Some(other) => Err(refused(&other.text(0))),
            None => Ok(()),
        },
        // There is no file yet.
        Err(fault) if fault.is_missing_table() => Ok(()),
        Err(fault) => Err(history::refused(&fault, table).into()),
    }
}

impl Migrator {
    /// One attempt to connect. A database file that is missing is created.
    ///
    /// `name`: what a server shows for the session, so that one that outlives its client is known for
    /// what it is.
    pub async fn connect(
        target: &Target,
        name: &str,
        folder: &MigrationFolder,
    ) -> Result<Self, Error> {
        let connection = target.open_to_migrate(name, CALL).await?;
        let layout = layout(folder.layout);
        Ok(Self {
            target: target.clone(),
            connection,
            dialect: target.backend().driver().migrations(),
            kind: folder.layout,
            layout,
            table: table(target, layout),
        })
    }

    /// What is to be done, and the table's name, without changing anything; a database file that is missing is not created.
    pub async fn look<'a>(
        target: &Target,
        folder: &'a MigrationFolder,
    ) -> Result<(MigrationPlan<'a>, LayoutKind, String), MigrationError> {
        let mut connection = target.open(ConnectionPurpose::Read, CALL).await?;
        let dialect = target.backend().driver().migrations();
        let kind = layout_in(connection.as_mut(), target, folder).await?;
        let layout = layout(kind);
        let table = table(target, layout);
        let rows = RowSql::of(target, &table);
        layout.refuse(&folder.path, target.backend())?;
        let found = history::read(connection.as_mut(), dialect, layout, &table).await?;
        if found.is_none()
            && let Some(empty) = layout.empty_schema(&rows)
        {
            refuse_not_empty(connection.as_mut(), empty, &table).await?;
        }
        connection.close().await;
        let found = found.unwrap_or_default();
        let plan = layout.compare(&folder.path, folder.files_for(kind), &found)?;
        Ok((plan, kind, table))
    }

    /// What is to be done; the table is created where it is missing.
    pub async fn plan<'a>(
        &mut self,
        folder: &'a MigrationFolder,
    ) -> Result<MigrationPlan<'a>, MigrationError> {
        self.kind = layout_in(self.connection.as_mut(), &self.target, folder).await?;
        self.layout = layout(self.kind);
        self.table = table(&self.target, self.layout);
        self.layout.refuse(&folder.path, self.target.backend())?;
        let rows = history::read(
            self.connection.as_mut(),
            self.dialect,
            self.layout,
            &self.table,
        )
        .await?;
        if rows.is_none() {
            self.create().await?;
        }
        let rows = rows.unwrap_or_default();
        let files = folder.files_for(self.kind);
        let plan = self.layout.compare(&folder.path, files, &rows)?;
        if let Some(session) = self.layout.session(self.target.backend(), &plan.pending) {
            self.run(session.to_owned()).await?;
        }
        Ok(plan)
    }

    /// Whose layout the folder has in this database.
    #[must_use]
    pub fn layout(&self) -> LayoutKind {
        self.kind
    }

    /// The table's name, for messages.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    pub(super) fn rows(&self) -> RowSql<'_> {
        RowSql::of(&self.target, &self.table)
    }

    /// Only if it is missing: IF NOT EXISTS requires the CREATE privilege even if the table exists.
    async fn create(&mut self) -> Result<(), MigrationError> {
        if let Some(empty) = self.layout.empty_schema(&self.rows()) {
            refuse_not_empty(self.connection.as_mut(), empty, &self.table).await?;
        }
        match self.layout.creation(&self.rows()) {
            Creation::BySqlx => {
                let name = self.layout.table(self.target.backend()).name;
                let created = self.connection.create_table(name).await;
                let error = match created {
                    Ok(()) => return Ok(()),
                    Err(sqlx::migrate::MigrateError::Execute(error)) => {
                        self.refused(&self.fault(&error))
                    }
                    Err(other) => Error::Broken(other.to_string()),
                };
                Err(error.into())
            }
            Creation::Statements(all) => {
                for statement in all {
                    self.run(statement).await?;
                }
                Ok(())
            }
        }
    }

    fn fault(&self, error: &sqlx::Error) -> Fault {
        let codes = self.target.backend().driver().codes();
        Fault::new(codes, FaultPhase::Call, error)
    }

    pub(super) fn refused(&self, fault: &Fault) -> Error {
        history::refused(fault, &self.table)
    }

    /// Applies files that share a transaction, or one, from where `progress` says that an earlier call got
    /// to.
    ///
    /// # Errors
    /// [`Error::NotYet`]: what comes next has to wait for somebody else, and `progress` says what that is.
    /// A statement failed: what the transaction holds is undone.
    pub async fn apply(
        &mut self,
        unit: &[&MigrationFile],
        progress: &mut Progress,
    ) -> Result<(), MigrationError> {
        while let Some(file) = unit.get(progress.file).copied() {
            match progress.stage {
                Stage::Begin => {
                    self.begin(file, progress.file == 0).await?;
                    progress.begun();
                }
                Stage::Execute => {
                    self.execute(file, progress).await?;
                    progress.executed();
                }
                Stage::Record | Stage::Commit => {
                    let is_last = progress.file + 1 == unit.len();
                    self.record(file, progress, is_last).await?;
                    progress.recorded();
                }
            }
        }
        Ok(())
    }

    /// Opens the file's transaction, where it has one, and writes its row, where that comes first.
    async fn begin(&mut self, file: &MigrationFile, is_first: bool) -> Result<(), Error> {
        let begin = self.dialect.begin();
        let rows = RowSql::of(&self.target, &self.table);
        let sql = match self.layout.transaction(file, self.dialect) {
            FileTransaction::RowLast if is_first => begin.to_owned(),
            FileTransaction::None | FileTransaction::RowLast => return Ok(()),
            FileTransaction::RowFirst => {
                format!("{begin}; {}", self.layout.begin_row(&rows, file)?)
            }
            FileTransaction::Marked => self.layout.begin_row(&rows, file)?,
        };
        let begun = self.run(sql).await;
        if begun.is_err() {
            let _ = self.run("ROLLBACK".to_owned()).await;
        }
        begun
    }

    async fn execute(
        &mut self,
        file: &MigrationFile,
        progress: &mut Progress,
    ) -> Result<(), MigrationError> {
        self.refuse_nul(file).await?;
        let transaction = self.layout.transaction(file, self.dialect);
        while progress.part < file.parts.len() {
            let sql = file.part(progress.part);
            let all = statements(sql, self.dialect.lexical_rules());
            let alone = !transaction.is_open();
            // MySQL refuses a message of nothing but comments.
            let sent = if all.is_empty() {
                Ok(())
            } else {
                let send = self.connection.send(sql, &all, alone, &mut progress.done);
                send.await
            };
            if let Err(error) = sent {
                return Err(self.interrupted(file, &all, progress, &error).await);
            }
            progress.has_committed |= self.commits(sql, &all);
            progress.part += 1;
            progress.done = 0;
        }
        if transaction.is_open() {
            Ok(())
        } else {
            self.refuse_open(file).await
        }
    }

    /// Whether these statements end the transaction that they are executed in.
    fn commits(&self, sql: &str, all: &[Statement]) -> bool {
        let rollback_ends = self.dialect.rollback_ends_transaction();
        let changes_commit = self.dialect.commits_schema_changes();
        all.iter().map(|s| &sql[s.word..s.end]).any(|statement| {
            ends_transaction(statement, rollback_ends)
                || changes_commit && !changes_rows_only(statement)
        })
    }

    /// What to do about a statement that failed: try again, or give up.
    async fn interrupted(
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
            let transaction = self.layout.transaction(file, self.dialect);
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

    async fn refuse_nul(&mut self, file: &MigrationFile) -> Result<(), MigrationError> {
        let Some(at) = file.text.find('\0').filter(|_| !self.dialect.allows_nul()) else {
            return Ok(());
        };
        let _ = self.run("ROLLBACK".to_owned()).await;
        Err(MigrationError::migration(
            format!(
                "{}:{}: a NUL byte, which is not SQL",
                file.shown,
                line(&file.text, at)
            ),
            "save the file as UTF-8 text without it and start again",
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
        let all = statements(file.part(progress.part), self.dialect.lexical_rules());
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
        let hint = hint(&failed, fault, is_lost, effects, &self.table);
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
            layout: self.layout,
            dialect: self.dialect,
            transaction: self.layout.transaction(file, self.dialect),
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
        if let Some(note) = self.layout.failed_row(&self.rows(), failed.file, words) {
            let _ = self.run(note).await;
        }
    }

    /// If a file without a transaction leaves one of its own open, the file would appear applied, but
    /// closing the connection would roll back the file and its row.
    async fn refuse_open(&mut self, file: &MigrationFile) -> Result<(), MigrationError> {
        let asked = self.dialect.has_open_transaction(self.connection.as_mut());
        let is_open = asked.await.map_err(|fault| self.refused(&fault))?;
        if !is_open {
            return Ok(());
        }
        let _ = self.run("ROLLBACK".to_owned()).await;
        Err(MigrationError::migration(
            format!(
                "{}: the file begins a transaction and does not end it, so nothing of that remains",
                file.shown
            ),
            "end it with COMMIT, or take the BEGIN out and let the file have a transaction: then launchgate does both",
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
        if !self.dialect.commits_schema_changes() {
            return effects.words();
        }
        let sql = failed.file.part(failed.part);
        let executed = &failed.all[..failed.done.min(failed.all.len())];
        let remains = match failed.transaction {
            // Whatever was committed took the row along.
            FileTransaction::RowFirst => self.has_row(failed.file).await,
            FileTransaction::RowLast => failed.has_committed || self.commits(sql, executed),
            FileTransaction::None | FileTransaction::Marked => {
                failed.part > 0 || !executed.is_empty()
            }
        };
        if remains {
            "; this database commits every change of the schema at once, so what came before this statement remains"
        } else {
            PartialEffects::Nothing.words()
        }
    }

    async fn has_row(&mut self, file: &MigrationFile) -> bool {
        let row = self.layout.row_of(&self.rows(), file);
        let asked = format!("SELECT 1 FROM {} WHERE {row}", self.table);
        let answer = self.connection.rows(asked, CALL).await;
        answer.map_or(true, |rows| !rows.is_empty())
    }

    pub(super) async fn run(&mut self, sql: String) -> Result<(), Error> {
        match self.connection.run(sql, OWN).await {
            Ok(_) => Ok(()),
            Err(fault) => Err(self.refused(&fault)),
        }
    }

    /// Says goodbye; `SQLite` then tidies its write-ahead log.
    pub async fn close(self) {
        self.connection.close().await;
    }
}
