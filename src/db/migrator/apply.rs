//! Applying files, one after the other, on one connection.
//!
//! Each file goes to the server as it is, by the simple query protocol, in a transaction with its
//! row in the table. Whatever can be waited for (a `SQLite` file that another process has
//! locked) is an [`Error::NotYet`], and nothing was changed by the call that it ended.
//!
//! MySQL commits by itself, and on `SQLite` a file may end the transaction that was begun for it. So
//! there the row comes first, as one that did not come to its end: what a file left half done is
//! never taken for applied.

use std::time::Duration;

use sqlx::migrate::Migrate;

use super::{
    History, MigrationError, MigrationFile, MigrationFolder, MigrationPlan, TABLE, compare,
    failure::{ends_session, has_secret, hint, place, without_quotes, words},
    history,
    partial_effects::PartialEffects,
    place::{Statement, line, statements},
    record::back_quoted,
    send::{send, send_one_by_one},
};
use crate::db::{
    Backend, Error, Target,
    error::{Fault, FaultKind, FaultPhase},
    ledger_connection::Link,
    target::{CALL, ConnectionPurpose},
    wire::Wire,
};

/// A statement of ours that waits for nobody but the server.
pub(super) const OWN: Duration = Duration::from_mins(10);

/// How long the driver of `SQLite` waits for a lock before it says so.
const LITE_OPEN: Duration = Duration::from_secs(2);

/// A connection for migrations.
pub struct Migrator {
    pub(super) target: Target,
    pub(super) wire: Wire,
    /// The table's name; with its database where a file can change to another one.
    pub(super) table: String,
}

/// How far a file's execution came.
#[derive(Debug, Default)]
pub struct FileProgress {
    /// So many statements came to their end.
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
    /// One attempt to connect. A `SQLite` file that is missing is made.
    ///
    /// `name`: what a Postgres server shows for the session, so that one that outlives its
    /// client is known for what it is.
    pub async fn connect(target: &Target, name: &str) -> Result<Self, Error> {
        let wire = match target.link(ConnectionPurpose::Migrate(name), CALL).await? {
            Link::Wire(wire) => wire,
            Link::File(mut store) => {
                store.create = true;
                store.open(LITE_OPEN).await?
            }
        };
        let table = match (wire.backend(), target.url.database()) {
            (Backend::Mysql, Some(name)) => format!("{}.{TABLE}", back_quoted(name)),
            _ => TABLE.to_owned(),
        };
        Ok(Self {
            target: target.clone(),
            wire,
            table,
        })
    }

    /// What was applied, without changing anything; a `SQLite` file that is missing is not made.
    pub async fn look(target: &Target) -> Result<History, Error> {
        let mut link = target.link(ConnectionPurpose::Look, CALL).await?;
        let history = match &mut link {
            Link::Wire(wire) => history::read(wire).await,
            Link::File(store) => match store.open(LITE_OPEN).await {
                Ok(mut wire) => {
                    let history = history::read(&mut wire).await;
                    wire.close().await;
                    history
                }
                Err(fault) => history::from_answer(Err(fault)),
            },
        };
        link.close().await;
        history
    }

    /// What is to be done; the table is made where it is missing.
    pub async fn plan<'a>(
        &mut self,
        folder: &'a MigrationFolder,
    ) -> Result<MigrationPlan<'a>, MigrationError> {
        let history = history::read(&mut self.wire).await?;
        if history == History::Missing {
            self.create().await?;
        }
        compare(folder, history.rows())
    }

    /// Only where it is missing: IF NOT EXISTS asks for the right to create all the same.
    async fn create(&mut self) -> Result<(), Error> {
        let made = match &mut self.wire {
            Wire::Postgres(conn) => conn.ensure_migrations_table(TABLE).await,
            Wire::Mysql(conn) => conn.ensure_migrations_table(TABLE).await,
            Wire::Sqlite(conn) => conn.ensure_migrations_table(TABLE).await,
        };
        made.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => {
                history::refused(&Fault::new(self.wire.backend(), FaultPhase::Call, &error))
            }
            other => Error::Broken(other.to_string()),
        })
    }

    /// Opens the file's transaction, where it has one.
    pub async fn begin(&mut self, file: &MigrationFile) -> Result<(), Error> {
        let begin = match (self.wire.backend(), file.has_no_transaction()) {
            (Backend::Mysql, _) => format!("BEGIN; {}", self.row(file, Duration::ZERO, "FALSE")),
            (Backend::Postgres, false) => "BEGIN".to_owned(),
            // All writing waits at one place, where nothing was done yet.
            (Backend::Sqlite, false) => {
                let row = self.row(file, Duration::ZERO, "FALSE");
                format!("BEGIN IMMEDIATE; {row}")
            }
            (_, true) => return Ok(()),
        };
        let begun = self.run(begin).await;
        if begun.is_err() && self.wire.backend() == Backend::Sqlite {
            let _ = self.run("ROLLBACK".to_owned()).await;
        }
        begun
    }

    /// Executes the file, from where `progress` says that an earlier call came to.
    ///
    /// # Errors
    /// A statement failed: what the transaction holds is undone. [`Error::NotYet`]: `SQLite` has the
    /// next statement wait for another process, and it was not begun.
    pub async fn execute(
        &mut self,
        file: &MigrationFile,
        progress: &mut FileProgress,
    ) -> Result<(), MigrationError> {
        let (sql, backend) = (file.sql(), self.wire.backend());
        if let Some(at) = sql.find('\0').filter(|_| backend != Backend::Mysql) {
            let _ = self.run("ROLLBACK".to_owned()).await;
            return Err(MigrationError::Migration {
                what: format!(
                    "{}:{}: a NUL byte, which is no SQL",
                    file.shown,
                    line(sql, at)
                ),
                hint: "save the file as UTF-8 text without it and start again".to_owned(),
            });
        }
        let all = statements(sql, backend);
        let alone = file.has_no_transaction();
        let answer = match &mut self.wire {
            Wire::Sqlite(conn) => send_one_by_one(conn, sql, &all, alone, &mut progress.done).await,
            wire => send(wire, sql, &mut progress.done).await,
        };
        let Err(error) = answer else {
            return self.refuse_open(file).await;
        };
        let fault = Fault::new(backend, FaultPhase::Call, &error);
        if backend == Backend::Sqlite
            && alone
            && let Error::NotYet(why) = fault.clone().into()
        {
            return Err(Error::NotYet(why).into());
        }
        Err(self.failed(file, &all, progress, (&error, &fault)).await)
    }

    /// What became of a file whose next statement could not be waited for any longer.
    pub async fn give_up(
        &mut self,
        file: &MigrationFile,
        progress: &FileProgress,
        why: &str,
    ) -> MigrationError {
        let all = statements(file.sql(), self.wire.backend());
        let error = sqlx::Error::Protocol(why.to_owned());
        let fault = Fault {
            backend: self.wire.backend(),
            phase: FaultPhase::Call,
            kind: FaultKind::Server,
            code: String::new(),
            message: why.to_owned(),
        };
        self.failed(file, &all, progress, (&error, &fault)).await
    }

    /// Undoes what can be undone, and says what failed, where, what stays and what to do.
    async fn failed(
        &mut self,
        file: &MigrationFile,
        all: &[Statement],
        progress: &FileProgress,
        (error, fault): (&sqlx::Error, &Fault),
    ) -> MigrationError {
        let backend = self.wire.backend();
        // What a lost connection has done is not known; its transaction is undone by the server.
        let is_lost = fault.kind != FaultKind::Server || ends_session(fault);
        let stays = PartialEffects::of(file, backend, all, progress.done);
        let rest = if is_lost {
            ""
        } else {
            self.undo(file, stays).await
        };
        let statement = all.get(progress.done).or(all.last()).copied();
        let (line, shown) = place(file, statement, error);
        let words = words(error, fault);
        let words = match statement {
            Some(statement) if has_secret(file.sql(), statement) => without_quotes(&words),
            _ => &words,
        };
        let what = format!("{}:{line}: {words}{rest}{shown}", file.shown);
        MigrationError::Migration {
            what: self.target.url.redact(&what),
            hint: hint(backend, file, fault, is_lost, stays),
        }
    }

    /// A transaction that a file without one of ours begins and does not end would take the
    /// file's row along when the connection closes, and all would look applied.
    async fn refuse_open(&mut self, file: &MigrationFile) -> Result<(), MigrationError> {
        if !file.has_no_transaction() {
            return Ok(());
        }
        let is_open = match self.wire.backend() {
            Backend::Mysql => false,
            // A transaction's clock stands still from its beginning.
            Backend::Postgres => {
                let asked = "SELECT transaction_timestamp() < statement_timestamp()";
                let answer = self.wire.rows(asked.to_owned(), CALL).await;
                let rows = answer.map_err(|fault| history::refused(&fault))?;
                rows.first().is_some_and(|row| row.flag(0))
            }
            Backend::Sqlite => {
                let answer = self.wire.run("BEGIN; COMMIT".to_owned(), CALL).await;
                answer.is_err_and(|fault| fault.message.contains("within a transaction"))
            }
        };
        if !is_open {
            return Ok(());
        }
        let _ = self.run("ROLLBACK".to_owned()).await;
        Err(MigrationError::Migration {
            what: format!(
                "{}: the file begins a transaction and does not end it, so nothing of that stays",
                file.shown
            ),
            hint: "end it with COMMIT, or leave `-- no-transaction` out: then launchgate does both"
                .to_owned(),
        })
    }

    /// Undoes what can be undone, and says what stays.
    pub(super) async fn undo(
        &mut self,
        file: &MigrationFile,
        stays: PartialEffects,
    ) -> &'static str {
        // Where the file ended the transaction itself there is nothing to undo.
        let _ = self.run("ROLLBACK".to_owned()).await;
        if self.wire.backend() != Backend::Mysql {
            return stays.words();
        }
        let begun = match history::read(&mut self.wire).await {
            Ok(history) => history
                .rows()
                .iter()
                .any(|row| row.version == file.version()),
            Err(_) => true,
        };
        if begun {
            "; MySQL and MariaDB commit at every change of the schema, so what came before this statement stays"
        } else {
            PartialEffects::Nothing.words()
        }
    }

    async fn run(&mut self, sql: String) -> Result<(), Error> {
        match self.wire.run(sql, OWN).await {
            Ok(_) => Ok(()),
            Err(fault) => Err(history::refused(&fault)),
        }
    }

    /// Says goodbye; `SQLite` tidies its write-ahead log.
    pub async fn close(self) {
        self.wire.close().await;
    }
}
