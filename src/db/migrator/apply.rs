//! Applying files, one after the other, on one connection.
//!
//! Each file goes to the server as it is, by the simple query protocol, in a transaction with its row
//! in the table, or as its layout says. Whatever can be waited for (a database file that another process
//! has locked, a deadlock) is an [`Error::NotYet`], after which it goes on from where it stopped.

use std::{path::Path, time::Duration};

use tokio::time::Instant;

use super::{
    dialect::{FileTransaction, MigrationDialect},
    error::{MigrationError, refused, sql_failure},
    file::MigrationFile,
    layout::{History, LayoutKind, MigrationPlan, RowMoment},
    layouts::MigrationFolder,
    progress::{Progress, Stage},
    send::MigrationConnection,
    statements::statements,
    transactions::commits,
};
use crate::{
    db::{
        Error, Target,
        fault::{Fault, Meaning},
        purpose::ConnectionPurpose,
        target::CALL,
    },
    exit::{Failure, FailureKind},
};

/// The time limit for launchgate's own statements, which wait only for the server.
pub(super) const OWN: Duration = Duration::from_mins(10);

/// A connection for migrations of one layout.
pub struct Migrator {
    pub(super) target: Target,
    pub(super) connection: Box<dyn MigrationConnection>,
    pub(super) dialect: &'static MigrationDialect,
    pub(super) history: History,
    /// How many transactions are still to come, with the one that is being applied.
    units: usize,
}

/// What would be applied, in which layout, and into which table.
pub struct MigrationList {
    /// The tool.
    pub layout: LayoutKind,
    /// Its history table.
    pub table: String,
    /// The names of the files, in order.
    pub pending: Vec<String>,
    /// How many are applied.
    pub applied: usize,
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
        Ok(Self {
            target: target.clone(),
            connection: target.open_to_migrate(name, CALL).await?,
            dialect: target.backend().driver().migrations,
            history: History::new(folder.layout, target),
            units: 0,
        })
    }

    /// What is to be done, without changing anything; a database file that is missing is not created.
    pub async fn look(
        target: &Target,
        folder: &Path,
        layout: Option<LayoutKind>,
    ) -> Result<MigrationList, MigrationError> {
        let folder = MigrationFolder::read(folder, layout)?;
        let mut connection = target.open(ConnectionPurpose::Read, CALL).await?;
        let (history, rows) = History::find(connection.as_mut(), target, &folder).await?;
        connection.close().await;
        let plan = history.plan(&folder, rows)?;
        Ok(MigrationList {
            layout: history.kind,
            table: history.table,
            pending: plan.pending.iter().map(|file| file.name.clone()).collect(),
            applied: plan.applied,
        })
    }

    /// What is to be done; the table is created if it is missing.
    pub async fn plan<'a>(
        &mut self,
        folder: &'a MigrationFolder,
    ) -> Result<MigrationPlan<'a>, MigrationError> {
        let found = History::find(self.connection.as_mut(), &self.target, folder).await?;
        let (history, rows) = found;
        self.history = history;
        // IF NOT EXISTS would require the CREATE privilege even if the table exists.
        if rows.is_none() {
            self.create().await?;
        }
        let plan = self.history.plan(folder, rows)?;
        self.units = plan.units().count();
        if let Some(off) = self.dialect.foreign_keys_off
            && (self.history.layout.without_foreign_keys)(&plan.pending)
        {
            self.run(off.to_owned()).await?;
        }
        Ok(plan)
    }

    /// Whose layout the folder has in this database.
    #[must_use]
    pub fn layout(&self) -> LayoutKind {
        self.history.kind
    }

    /// The table's name, for messages.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.history.table
    }

    pub(super) fn transaction(&self, file: &MigrationFile) -> FileTransaction {
        (self.history.layout.transaction)(file, self.dialect)
    }

    /// The statement that writes the file's row.
    pub(super) fn row(&self, file: &MigrationFile, moment: RowMoment) -> Result<String, Error> {
        (self.history.layout.row)(&self.history, file, moment)
    }

    /// Creates the table, in a transaction that the next commit flushes.
    async fn create(&mut self) -> Result<(), Error> {
        let begin = self.dialect.begin_unflushed;
        let create = (self.history.layout.creation)(&self.history);
        let created = self.run(format!("{begin}; {create}; COMMIT")).await;
        if created.is_err() {
            let _ = self.run("ROLLBACK".to_owned()).await;
        }
        created
    }

    pub(super) fn refused(&self, fault: &Fault) -> Error {
        refused(fault, &self.history.table)
    }

    /// Applies files that share a transaction, or one. `wait` is called where what comes next has to wait for
    /// another session, and fails once that has taken too long.
    ///
    /// # Errors
    /// A statement failed, or could not wait any longer: what the transaction holds is undone.
    pub async fn apply(
        &mut self,
        unit: &[&MigrationFile],
        mut wait: impl AsyncFnMut(Error) -> Result<(), Failure>,
    ) -> Result<(), MigrationError> {
        let mut progress = Progress::default();
        loop {
            let error = match self.go_on(unit, &mut progress).await {
                Err(MigrationError::Database(error @ Error::NotYet(_))) => error,
                done => return done,
            };
            let why = error.to_string();
            let Err(failure) = wait(error).await else {
                continue;
            };
            return Err(match unit.get(progress.file) {
                Some(file)
                    if failure.kind() == FailureKind::Unreachable
                        && (progress.part > 0 || progress.done > 0) =>
                {
                    self.give_up(file, &progress, why).await
                }
                _ => MigrationError::Folder(failure),
            });
        }
    }

    /// From where `progress` says that an earlier call got to.
    ///
    /// # Errors
    /// [`Error::NotYet`]: what comes next has to wait, and `progress` says what that is.
    async fn go_on(
        &mut self,
        unit: &[&MigrationFile],
        progress: &mut Progress,
    ) -> Result<(), MigrationError> {
        while let Some(file) = unit.get(progress.file).copied() {
            match progress.stage {
                Stage::Begin => {
                    self.begin(file, progress.file == 0).await?;
                    progress.started = Some(Instant::now());
                    progress.stage = Stage::Execute;
                }
                Stage::Execute => {
                    self.execute(file, progress).await?;
                    let started = progress.started;
                    progress.elapsed = started.map_or(Duration::ZERO, |it| it.elapsed());
                    progress.stage = Stage::Record;
                }
                Stage::Record | Stage::Commit => {
                    let is_last = progress.file + 1 == unit.len();
                    self.record(file, progress, is_last).await?;
                    *progress = Progress {
                        file: progress.file + 1,
                        has_committed: progress.has_committed,
                        ..Progress::default()
                    };
                }
            }
        }
        self.units = self.units.saturating_sub(1);
        Ok(())
    }

    /// Opens the file's transaction, where it has one, and writes its row, where that comes first.
    async fn begin(&mut self, file: &MigrationFile, is_first: bool) -> Result<(), Error> {
        let begin = if self.units > 1 {
            self.dialect.begin_unflushed
        } else {
            self.dialect.begin
        };
        let sql = match self.transaction(file) {
            FileTransaction::RowLast if is_first => begin.to_owned(),
            FileTransaction::None | FileTransaction::RowLast => return Ok(()),
            FileTransaction::RowFirst => {
                format!("{begin}; {}", self.row(file, RowMoment::Before)?)
            }
            FileTransaction::Marked => self.row(file, RowMoment::Before)?,
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
        let has_none = !self.transaction(file).is_open();
        while progress.part < file.parts.len() {
            let sql = file.part(progress.part);
            let all = statements(sql, self.dialect.lexer);
            let done = &mut progress.done;
            let sent = self
                .connection
                .send(self.dialect, sql, &all, has_none, done);
            if let Err(error) = sent.await {
                return Err(self.interrupted(file, progress, error).await);
            }
            progress.has_committed |= commits(self.dialect, sql, &all);
            progress.part += 1;
            progress.done = 0;
        }
        if has_none {
            self.refuse_open(file).await?;
        }
        Ok(())
    }

    /// Writes the file's row and, where it is the last of its transaction, commits.
    ///
    /// # Errors
    /// Also where the file itself hides the table, or undid its row.
    async fn record(
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
                Some(hint) if fault.means(Meaning::MissingTable) => Err(sql_failure(
                    format!(
                        "{}: after this migration the table {} can no longer be found: {}",
                        file.shown, self.history.table, fault.message
                    ),
                    hint,
                )
                .into()),
                _ => Err(self.unrecorded(file, progress, fault).await),
            },
        }
    }

    fn undone(&self, file: &MigrationFile) -> MigrationError {
        sql_failure(
            format!(
                "{}: the file runs ROLLBACK, which also undoes its row in {}",
                file.shown, self.history.table
            ),
            "remove the ROLLBACK, undo the file's remaining changes by hand, and start again",
        )
        .into()
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
