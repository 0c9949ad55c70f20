//! Applying files, one after the other, on one connection.
//!
//! Each file goes to the server as it is, by the simple query protocol, in a transaction with its row
//! in the table. Whatever can be waited for (a database file that another process has locked) is an
//! [`Error::NotYet`], and the call that it ended has changed nothing.

use std::time::Duration;

use super::{
    TABLE,
    compare::{MigrationPlan, compare},
    dialect::{FileTransaction, MigrationConnection, MigrationDialect},
    error::MigrationError,
    failure::{has_secret, hint, partial_effects, place, without_quotes, words},
    folder::{MigrationFile, MigrationFolder},
    history::{self, History},
    partial_effects::PartialEffects,
    statements::{Statement, line, statements},
};
use crate::db::{
    Error, Target,
    fault::{Fault, FaultKind, FaultPhase},
    purpose::ConnectionPurpose,
    target::CALL,
};

/// The time limit for launchgate's own statements, which wait only for the server.
pub(super) const OWN: Duration = Duration::from_mins(10);

/// A connection for migrations.
pub struct Migrator {
    pub(super) target: Target,
    pub(super) connection: Box<dyn MigrationConnection>,
    pub(super) dialect: &'static dyn MigrationDialect,
    /// The table's name, as far as it has to be qualified.
    pub(super) table: String,
}

/// How far the execution of a file got.
#[derive(Debug, Default)]
pub struct FileProgress {
    /// So many statements were executed.
    done: usize,
}

impl FileProgress {
    /// Whether anything was done.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.done > 0
    }
}

impl Migrator {
    /// One attempt to connect. A database file that is missing is created.
    ///
    /// `name`: what a server shows for the session, so that one that outlives its client is known for
    /// what it is.
    pub async fn connect(target: &Target, name: &str) -> Result<Self, Error> {
        let connection = target.open_to_migrate(name, CALL).await?;
        let dialect = target.backend().driver().migrations();
        Ok(Self {
            target: target.clone(),
            connection,
            dialect,
            table: dialect.table(target.url.database()),
        })
    }

    /// What was applied, without changing anything; a database file that is missing is not created.
    pub async fn look(target: &Target) -> Result<History, Error> {
        let mut connection = target.open(ConnectionPurpose::Read, CALL).await?;
        let dialect = target.backend().driver().migrations();
        let history = history::read(connection.as_mut(), dialect).await;
        connection.close().await;
        history
    }

    /// What is to be done; the table is created where it is missing.
    pub async fn plan<'a>(
        &mut self,
        folder: &'a MigrationFolder,
    ) -> Result<MigrationPlan<'a>, MigrationError> {
        let history = history::read(self.connection.as_mut(), self.dialect).await?;
        if history == History::Missing {
            self.create().await?;
        }
        compare(folder, history.rows())
    }

    /// Only if it is missing: IF NOT EXISTS requires the CREATE privilege even if the table exists.
    async fn create(&mut self) -> Result<(), Error> {
        let created = self.connection.create_table(TABLE).await;
        created.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => history::refused(&self.fault(&error)),
            other => Error::Broken(other.to_string()),
        })
    }

    fn fault(&self, error: &sqlx::Error) -> Fault {
        let codes = self.target.backend().driver().codes();
        Fault::new(codes, FaultPhase::Call, error)
    }

    /// Opens the file's transaction, where it has one.
    pub async fn begin(&mut self, file: &MigrationFile) -> Result<(), Error> {
        let begin = match self.dialect.transaction(file.has_no_transaction()) {
            FileTransaction::None => return Ok(()),
            FileTransaction::RowLast(begin) => begin.to_owned(),
            FileTransaction::RowFirst(begin) => {
                format!("{begin}; {}", self.row(file, Duration::ZERO, "FALSE"))
            }
        };
        let begun = self.run(begin).await;
        if begun.is_err() {
            let _ = self.run("ROLLBACK".to_owned()).await;
        }
        begun
    }

    /// Executes the file, from where `progress` says that an earlier call got to.
    ///
    /// # Errors
    /// A statement failed: what the transaction holds is undone. [`Error::NotYet`]: the next statement
    /// has to wait for another process and was not begun.
    pub async fn execute(
        &mut self,
        file: &MigrationFile,
        progress: &mut FileProgress,
    ) -> Result<(), MigrationError> {
        let sql = file.sql();
        if let Some(at) = sql.find('\0').filter(|_| !self.dialect.allows_nul()) {
            let _ = self.run("ROLLBACK".to_owned()).await;
            return Err(MigrationError::Migration {
                what: format!(
                    "{}:{}: a NUL byte, which is not SQL",
                    file.shown,
                    line(sql, at)
                ),
                hint: "save the file as UTF-8 text without it and start again".to_owned(),
            });
        }
        let all = statements(sql, self.dialect.lexical_rules());
        let alone = file.has_no_transaction();
        let sent = self.connection.send(sql, &all, alone, &mut progress.done);
        let Err(error) = sent.await else {
            return self.refuse_open(file).await;
        };
        let fault = self.fault(&error);
        if alone
            && self.dialect.can_repeat_statement()
            && let Error::NotYet(why) = fault.clone().into()
        {
            return Err(Error::NotYet(why).into());
        }
        Err(self.failed(file, &all, progress, (&error, &fault)).await)
    }

    /// What became of a file whose next statement could not wait any longer.
    pub async fn give_up(
        &mut self,
        file: &MigrationFile,
        progress: &FileProgress,
        why: &str,
    ) -> MigrationError {
        let all = statements(file.sql(), self.dialect.lexical_rules());
        let error = sqlx::Error::Protocol(why.to_owned());
        let fault = Fault {
            kind: FaultKind::Server,
            message: why.to_owned(),
            ..self.fault(&error)
        };
        self.failed(file, &all, progress, (&error, &fault)).await
    }

    /// Undoes what can be undone, and says what failed, where, what remains and what to do.
    async fn failed(
        &mut self,
        file: &MigrationFile,
        all: &[Statement],
        progress: &FileProgress,
        (error, fault): (&sqlx::Error, &Fault),
    ) -> MigrationError {
        // Nobody knows what a lost connection has done; the server undoes its transaction.
        let is_lost = fault.kind != FaultKind::Server || fault.ends_session();
        let effects = partial_effects(file, self.dialect, all, progress.done);
        let rest = if is_lost {
            ""
        } else {
            self.undo(file, effects).await
        };
        let statement = all.get(progress.done).or(all.last()).copied();
        let (line, shown) = place(file, self.dialect, statement, error);
        let words = words(self.dialect, error, fault);
        let words = match statement {
            Some(statement) if has_secret(file.sql(), statement) => without_quotes(&words),
            _ => &words,
        };
        let what = format!("{}:{line}: {words}{rest}{shown}", file.shown);
        MigrationError::Migration {
            what: self.target.url.redact(&what),
            hint: hint(self.dialect, file, fault, is_lost, effects),
        }
    }

    /// If a `-- no-transaction` file leaves its own transaction open, the file would appear
    /// applied, but closing the connection would roll back the file and its row.
    async fn refuse_open(&mut self, file: &MigrationFile) -> Result<(), MigrationError> {
        if !file.has_no_transaction() {
            return Ok(());
        }
        let asked = self.dialect.has_open_transaction(self.connection.as_mut());
        let is_open = asked.await.map_err(|fault| history::refused(&fault))?;
        if !is_open {
            return Ok(());
        }
        let _ = self.run("ROLLBACK".to_owned()).await;
        Err(MigrationError::Migration {
            what: format!(
                "{}: the file begins a transaction and does not end it, so nothing of that remains",
                file.shown
            ),
            hint: "end it with COMMIT, or leave `-- no-transaction` out: then launchgate does both"
                .to_owned(),
        })
    }

    /// Undoes what can be undone, and says what remains.
    pub(super) async fn undo(
        &mut self,
        file: &MigrationFile,
        effects: PartialEffects,
    ) -> &'static str {
        // Where the file ended the transaction itself there is nothing to undo.
        let _ = self.run("ROLLBACK".to_owned()).await;
        if !self.dialect.commits_schema_changes() {
            return effects.words();
        }
        let begun = match history::read(self.connection.as_mut(), self.dialect).await {
            Ok(history) => history
                .rows()
                .iter()
                .any(|row| row.version == file.version()),
            Err(_) => true,
        };
        if begun {
            "; this database commits every change of the schema at once, so what came before this statement remains"
        } else {
            PartialEffects::Nothing.words()
        }
    }

    async fn run(&mut self, sql: String) -> Result<(), Error> {
        match self.connection.run(sql, OWN).await {
            Ok(_) => Ok(()),
            Err(fault) => Err(history::refused(&fault)),
        }
    }

    /// Says goodbye; `SQLite` then tidies its write-ahead log.
    pub async fn close(self) {
        self.connection.close().await;
    }
}
