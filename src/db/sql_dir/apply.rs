//! Applying files, one after the other, on one connection.
//!
//! Each file goes to the server as it is, by the simple query protocol, in a transaction with its
//! row in the table. Whatever can be waited for (a `SQLite` file that another process has
//! locked) is an [`Error::NotYet`] of [`Migrator::begin`] or [`Migrator::record`], and nothing
//! was changed by it.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Either, Executor,
    migrate::Migrate,
    mysql::MySqlDatabaseError,
    postgres::{PgDatabaseError, PgErrorPosition},
};

use super::{
    File, Folder, History, Plan, TABLE, Trouble, compare, history,
    place::{byte_of_character, line, statements},
    stays::Stays,
};
use crate::db::{
    Backend, Error, Target,
    book::Link,
    error::{Fault, Phase},
    sql::{Sql, hex},
    target::{CALL, Purpose},
    wire::Wire,
};

/// A statement of ours that waits for nobody but the server.
const OWN: Duration = Duration::from_mins(10);

/// How long the driver of `SQLite` waits for a lock before it says so.
const LITE_OPEN: Duration = Duration::from_secs(2);

/// How much of a failed statement is shown.
const SHOWN: usize = 160;

/// A connection for migrations.
pub struct Migrator {
    target: Target,
    wire: Wire,
}

impl Migrator {
    /// One attempt to connect. A `SQLite` file that is missing is made.
    ///
    /// `name`: what a Postgres server shows for the session, so that one that outlives its
    /// client is known for what it is.
    pub async fn connect(target: &Target, name: &str) -> Result<Self, Error> {
        let wire = match target.link(Purpose::Migrate(name), CALL).await? {
            Link::Wire(wire) => wire,
            Link::File(mut store) => {
                store.create = true;
                store.open(LITE_OPEN).await?
            }
        };
        Ok(Self {
            target: target.clone(),
            wire,
        })
    }

    /// What was applied, without changing anything; a `SQLite` file that is missing is not made.
    pub async fn look(target: &Target) -> Result<History, Error> {
        let mut link = target.link(Purpose::Look, CALL).await?;
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
    pub async fn plan<'a>(&mut self, folder: &'a Folder) -> Result<Plan<'a>, Trouble> {
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
                history::refused(&Fault::new(self.wire.backend(), Phase::Call, &error))
            }
            other => Error::Broken(other.to_string()),
        })
    }

    /// Opens the file's transaction, where it has one.
    pub async fn begin(&mut self, file: &File) -> Result<(), Error> {
        let begin = match (self.wire.backend(), file.has_no_transaction()) {
            // MySQL's row says that it was begun, whatever the file commits.
            (Backend::Mysql, _) => format!("BEGIN; {}", self.row(file, Duration::ZERO, "FALSE")),
            (Backend::Postgres, false) => "BEGIN".to_owned(),
            // All writing waits at one place, where nothing was done yet.
            (Backend::Sqlite, false) => "BEGIN IMMEDIATE".to_owned(),
            (_, true) => return Ok(()),
        };
        self.run(begin).await
    }

    /// Executes the file.
    ///
    /// # Errors
    /// A statement failed: what the transaction holds is undone.
    pub async fn execute(&mut self, file: &File) -> Result<(), Trouble> {
        let (done, answer) = self.send(file).await;
        let Err(error) = answer else {
            return self.refuse_open(file).await;
        };
        // What a lost connection has done is not known; its transaction is undone by the server.
        let backend = self.wire.backend();
        let fault = Fault::new(backend, Phase::Call, &error);
        let is_lost = !matches!(error, sqlx::Error::Database(_)) || ends_session(&fault);
        let stays = Stays::of(file, backend, &statements(file.sql(), backend), done);
        let rest = if is_lost {
            ""
        } else {
            self.undo(file, stays).await
        };
        let (place, statement) = place(file, backend, done, &error);
        let words = words(&error, &fault);
        let what = format!("{}:{place}: {words}{rest}", file.shown);
        Err(Trouble::Migration {
            what: self
                .target
                .url
                .redact(&format!("{what}{}", Self::shown(&statement))),
            hint: hint(backend, file, &fault, is_lost, stays),
        })
    }

    /// How many statements came to their end, and what stopped the next.
    async fn send(&mut self, file: &File) -> (usize, sqlx::Result<()>) {
        let mut done = 0;
        let sql = sqlx::raw_sql(AssertSqlSafe(file.sql()));
        macro_rules! count {
            ($conn:expr) => {{
                let mut answers = $conn.fetch_many(sql);
                loop {
                    match answers.try_next().await {
                        Ok(Some(Either::Left(_))) => done += 1,
                        Ok(Some(Either::Right(_))) => {}
                        Ok(None) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                }
            }};
        }
        let answer = match &mut self.wire {
            Wire::Postgres(conn) => count!(conn),
            Wire::Mysql(conn) => count!(conn),
            Wire::Sqlite(conn) => count!(conn),
        };
        (done, answer)
    }

    /// A transaction that a file without one of ours begins and does not end would take the
    /// file's row along when the connection closes, and all would look applied.
    async fn refuse_open(&mut self, file: &File) -> Result<(), Trouble> {
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
        Err(Trouble::Migration {
            what: format!(
                "{}: the file begins a transaction and does not end it, so nothing of that stays",
                file.shown
            ),
            hint: "end it with COMMIT, or leave `-- no-transaction` out: then launchgate does both"
                .to_owned(),
        })
    }

    /// Undoes what can be undone, and says what stays.
    async fn undo(&mut self, file: &File, stays: Stays) -> &'static str {
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
            Stays::Nothing.words()
        }
    }

    /// Writes the file's row and commits.
    ///
    /// # Errors
    /// Also where the file itself hides the table.
    pub async fn record(&mut self, file: &File, elapsed: Duration) -> Result<(), Trouble> {
        let nanos = elapsed.as_nanos();
        let version = file.version();
        let row = self.row(file, elapsed, "TRUE");
        let sql = match (self.wire.backend(), file.has_no_transaction()) {
            (Backend::Mysql, _) => format!(
                "UPDATE {TABLE} SET success = TRUE, execution_time = {nanos} WHERE version = {version}; COMMIT"
            ),
            (_, true) => row,
            (Backend::Postgres, false) => format!("{row}; COMMIT"),
            // A commit that waits for readers is asked again: without the row, which stands.
            (Backend::Sqlite, false) => {
                let once = row.replacen("INSERT", "INSERT OR IGNORE", 1);
                format!("{once}; COMMIT")
            }
        };
        match self.wire.run(sql, OWN).await {
            Ok(_) => Ok(()),
            // As what pg_dump writes does.
            Err(fault) if fault.is_missing_table() && self.wire.backend() == Backend::Postgres => {
                Err(Trouble::Migration {
                    what: format!(
                        "{}: behind it the table {TABLE} is not found any more: {}",
                        file.shown, fault.message
                    ),
                    hint: "where the file sets search_path, end it with `RESET search_path;`"
                        .to_owned(),
                })
            }
            Err(fault) => Err(history::refused(&fault).into()),
        }
    }

    /// The statement for the file's row. The time is what it took until here, in nanoseconds.
    fn row(&self, file: &File, elapsed: Duration, success: &str) -> String {
        let backend = self.wire.backend();
        let sql = Sql::new(backend, None);
        let checksum = hex(&file.migration.checksum);
        let checksum = match backend {
            Backend::Postgres => format!("decode('{checksum}', 'hex')"),
            Backend::Mysql | Backend::Sqlite => format!("X'{checksum}'"),
        };
        format!(
            "INSERT INTO {TABLE} (version, description, success, checksum, execution_time) \
             VALUES ({}, {}, {success}, {checksum}, {})",
            file.version(),
            sql.text(&file.migration.description),
            elapsed.as_nanos()
        )
    }

    async fn run(&mut self, sql: String) -> Result<(), Error> {
        match self.wire.run(sql, OWN).await {
            Ok(_) => Ok(()),
            Err(fault) => Err(history::refused(&fault)),
        }
    }

    /// A statement that runs in no transaction can't be asked twice, so `SQLite` itself waits.
    pub async fn patient(&mut self, file: &File, limit: Option<Duration>) -> Result<(), Error> {
        if self.wire.backend() != Backend::Sqlite || !file.has_no_transaction() {
            return Ok(());
        }
        let limit = limit.map_or(i32::MAX.cast_unsigned().into(), |limit| limit.as_millis());
        let limit = limit.min(i32::MAX.cast_unsigned().into());
        self.run(format!("PRAGMA busy_timeout = {limit}")).await
    }

    fn shown(statement: &str) -> String {
        let lower = statement.to_ascii_lowercase();
        // A role's password has no place in a log.
        if statement.is_empty() || lower.contains("password") || lower.contains("identified") {
            return String::new();
        }
        let cut = statement.len().min(SHOWN);
        let cut = statement.floor_char_boundary(cut);
        let more = if cut < statement.len() { "…" } else { "" };
        format!("; at `{}{more}`", &statement[..cut])
    }

    /// Says goodbye; `SQLite` tidies its write-ahead log.
    pub async fn close(self) {
        self.wire.close().await;
    }
}

/// The server's last words: somebody ended the session, or the server itself
/// (PostgreSQL, "Error Codes", class 57; MariaDB, "Error Codes").
fn ends_session(fault: &Fault) -> bool {
    match fault.backend {
        Backend::Postgres => matches!(
            fault.code.as_str(),
            "57P01" | "57P02" | "57P03" | "57P04" | "57P05"
        ),
        Backend::Mysql => matches!(fault.code.as_str(), "1053" | "1927"),
        Backend::Sqlite => false,
    }
}

/// The line, and the text that stands there.
fn place(file: &File, backend: Backend, done: usize, error: &sqlx::Error) -> (usize, String) {
    let sql = file.sql();
    let all = statements(sql, backend);
    let statement = all.get(done).or(all.last()).copied();
    let mut at = statement.map_or(0, |s| s.word);
    if let sqlx::Error::Database(error) = error {
        if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
            if let Some(PgErrorPosition::Original(position)) = error.position() {
                at = byte_of_character(sql, position);
            }
        } else if let Some(statement) = statement {
            let text = &sql[statement.from..statement.end];
            at = inside(text, error.message()).map_or(at, |inside| statement.from + inside);
        }
    }
    let number = line(sql, at);
    let text = sql.lines().nth(number - 1).unwrap_or_default();
    (number, text.trim().to_owned())
}

/// Where in a statement the words of `SQLite` (`near "x"`) or of `MySQL` (`at line 3`) point to.
fn inside(statement: &str, message: &str) -> Option<usize> {
    if let Some(number) = message.rsplit_once(" at line ").map(|(_, number)| number) {
        let number: usize = number.trim().parse().ok()?;
        let before = statement.split_inclusive('\n').take(number - 1);
        let start: usize = before.map(str::len).sum();
        let blank = statement.get(start..)?;
        return Some(start + blank.len() - blank.trim_start().len());
    }
    let near = message.strip_prefix("near \"")?.split('"').next()?;
    let mut places = statement.match_indices(near);
    match (places.next(), places.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

/// The database's own words, all that it has.
fn words(error: &sqlx::Error, fault: &Fault) -> String {
    let said = &fault.message;
    let sqlx::Error::Database(error) = error else {
        return said.clone();
    };
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        let more: String = [("detail", error.detail()), ("hint", error.hint())]
            .iter()
            .filter_map(|(name, more)| Some(format!(" ({name}: {})", (*more)?)))
            .collect();
        return format!("{said}{more} [{}]", error.code());
    }
    match error.try_downcast_ref::<MySqlDatabaseError>() {
        Some(error) => format!("{said} [{}]", error.number()),
        None => said.clone(),
    }
}

fn hint(backend: Backend, file: &File, fault: &Fault, is_lost: bool, stays: Stays) -> String {
    let version = file.version();
    if is_lost {
        return "see in the database what it did, and in the server's log why the connection broke; then start again".to_owned();
    }
    match (backend, fault.code.as_str()) {
        (Backend::Postgres, "25001") if file.has_no_transaction() => {
            "have this statement alone in its file: several in one file are one transaction"
                .to_owned()
        }
        (Backend::Postgres, "25001") => {
            "begin the file with the line `-- no-transaction`, and have that statement alone in it"
                .to_owned()
        }
        _ if file.has_byte_order_mark() => {
            "save the file as UTF-8 without a byte order mark (BOM), which is no SQL, and start again"
                .to_owned()
        }
        (Backend::Mysql, _) => format!(
            "mend the file and start again; where {TABLE} has a row of version {version}, undo by hand what stays and delete that row first"
        ),
        _ => stays.hint().to_owned(),
    }
}
