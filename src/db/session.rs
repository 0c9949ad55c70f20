//! A connection that holds no lock: it looks, it tries to lock, it takes an operator's decision.

use super::{
    Backend, Error, Locked, Target,
    error::Fault,
    ledger::{Ledger, LedgerRow, Run, RunState},
    ledger_connection::{LedgerConnection, Link},
    locked::Hold,
    mysql, postgres,
    sql::{Sql, hex},
    sqlite,
    target::CALL,
    wire::{Row, Wire},
};

/// The column of a look that counts the looks.
const LOOKS: usize = 8;

/// A connection.
pub struct Session {
    pub(super) target: Target,
    pub(super) link: Link,
    /// Knows the ledger's schema once it had to be looked for.
    pub(super) sql: Sql,
}

/// What came of trying to lock.
pub enum Attempt {
    /// The lock is ours.
    Locked(Locked),
    /// Somebody else has it.
    Busy(Session),
}

impl Session {
    pub(super) fn new(target: Target, link: Link) -> Self {
        let sql = target.sql();
        Self { target, link, sql }
    }

    /// Asks the ledger, and where the `search_path` finds none, one that is elsewhere.
    async fn ask(&mut self, statement: impl Fn(&Self) -> String) -> Result<Vec<Row>, Fault> {
        match self.link.rows(statement(self), CALL).await {
            Err(fault) if fault.is_missing_table() && self.find_elsewhere().await? => {
                self.link.rows(statement(self), CALL).await
            }
            answer => answer,
        }
    }

    /// Whether there is a ledger that only had to be looked for.
    async fn find_elsewhere(&mut self) -> Result<bool, Fault> {
        if self.sql.backend != Backend::Postgres || self.sql.schema.is_some() {
            return Ok(false);
        }
        let ask = postgres::schema::find_elsewhere();
        let rows = self.link.rows(ask, CALL).await?;
        let Some(schema) = rows.last().and_then(|row| row.opt(0)) else {
            return Ok(false);
        };
        self.sql = Sql::new(Backend::Postgres, Some(&schema));
        Ok(true)
    }

    /// Looks at the ledger: one round trip, one statement, nothing written, no lock. Only a ledger
    /// that the `search_path` does not find takes two more.
    pub async fn read_ledger(&mut self, revision: Option<&str>) -> Result<Ledger, Error> {
        let look = |own: &Self| own.sql.look(&own.target.app, revision);
        ledger(self.ask(look).await)
    }

    /// The same for who waits, and how many looks are connected at this moment, this one
    /// among them, where the server tells: Postgres does, of sessions of the same role.
    pub async fn read_ledger_and_count(
        &mut self,
        revision: Option<&str>,
    ) -> Result<(Ledger, Option<u32>), Error> {
        let look = |own: &Self| own.sql.look_around(&own.target.app, revision);
        let answer = self.ask(look).await;
        let first = answer.as_ref().ok().and_then(|rows| rows.first());
        let looks = first.and_then(|row| row.opt(LOOKS)?.parse().ok());
        Ok((ledger(answer)?, looks))
    }

    /// Tries to take the lock, without waiting for it.
    pub async fn try_lock(self) -> Result<Attempt, Error> {
        let Self { target, link, .. } = self;
        match link {
            Link::File(store) => {
                let path = target.url.sqlite_path().unwrap_or(std::path::Path::new(""));
                match sqlite::try_lock(path, &target.app)? {
                    Some((hold, lock_id)) => {
                        let book = LedgerConnection::new(target.clone(), target.sql());
                        Ok(Attempt::Locked(Locked::new(
                            Hold::Sqlite(hold),
                            book,
                            lock_id,
                        )))
                    }
                    None => Ok(Attempt::Busy(Self::new(target, Link::File(store)))),
                }
            }
            Link::Wire(wire) => try_lock_wire(target, wire).await,
        }
    }

    /// Whether somebody holds the lock now. Does not touch it.
    pub async fn is_locked(&mut self) -> Result<bool, Error> {
        let ask = match self.target.backend() {
            Backend::Postgres => postgres::is_held(&self.target),
            Backend::Mysql => mysql::is_held(&self.target),
            Backend::Sqlite => return Ok(self.target.lock_free()? == Some(false)),
        };
        let rows = self.link.rows(ask, CALL).await?;
        Ok(rows.last().is_some_and(|row| row.flag(0)))
    }

    /// The newest rows of this app, newest first; none where there is no ledger.
    pub async fn history(&mut self, limit: u32) -> Result<Vec<Run>, Error> {
        let newest = |own: &Self| own.sql.history(&own.target.app, limit);
        match self.ask(newest).await {
            Ok(rows) => rows.iter().map(run).collect(),
            Err(fault) if fault.is_missing_table() => Ok(Vec::new()),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Appends an operator's decision (`Succeeded`, `Blocked` or `Reset`) about a revision, and
    /// makes the ledger where it is missing. Returns the new row's run id.
    pub async fn decide_by_operator(
        &mut self,
        revision: &str,
        state: RunState,
        note: Option<&str>,
        who: &str,
    ) -> Result<String, Error> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random)
            .map_err(|error| Error::Broken(format!("no random numbers: {error}")))?;
        let run_id = hex(&random);
        let mut book = LedgerConnection::new(self.target.clone(), self.target.sql());
        book.find(CALL).await?;
        book.create(CALL).await?;
        let app = &self.target.app;
        book.run_text(
            |sql| sql.decide(app, revision, state, &run_id, note, who),
            CALL,
        )
        .await?;
        book.close().await;
        Ok(run_id)
    }

    /// Says goodbye to the server; dropping does as well, less politely.
    pub async fn close(self) {
        self.link.close().await;
    }
}

async fn try_lock_wire(target: Target, wire: Wire) -> Result<Attempt, Error> {
    let (hold, sql, lock_id) = match wire.backend() {
        Backend::Postgres => match postgres::try_lock(wire, &target).await? {
            Ok((hold, facts)) => (Hold::Postgres(hold), facts.sql, facts.lock_id),
            Err(wire) => {
                return Ok(Attempt::Busy(Session::new(target, Link::Wire(wire))));
            }
        },
        _ => match mysql::try_lock(wire, &target).await? {
            Ok((hold, facts)) => (Hold::Mysql(hold), facts.sql, facts.lock_id),
            Err(wire) => {
                return Ok(Attempt::Busy(Session::new(target, Link::Wire(wire))));
            }
        },
    };
    Ok(Attempt::Locked(Locked::new(
        hold,
        LedgerConnection::new(target, sql),
        lock_id,
    )))
}

/// What a look's answer says.
pub(super) fn ledger(answer: Result<Vec<Row>, Fault>) -> Result<Ledger, Error> {
    match answer {
        Ok(rows) => rows
            .iter()
            .map(entry)
            .collect::<Result<_, _>>()
            .map(Ledger::Rows),
        Err(fault) if fault.is_missing_table() => Ok(Ledger::Missing),
        Err(fault) => Err(fault.into()),
    }
}

fn entry(row: &Row) -> Result<LedgerRow, Error> {
    Ok(LedgerRow {
        id: row.int(0)?,
        revision: row.text(1),
        run_id: row.text(2),
        state: RunState::parse(&row.text(3)),
        lease_live: row.flag(4),
        holder: row.text(5),
        age_ms: row.milliseconds(6)?,
        note: row.opt(7),
    })
}

fn run(row: &Row) -> Result<Run, Error> {
    Ok(Run {
        id: row.int(0)?,
        app: row.text(1),
        revision: row.text(2),
        release_id: row.opt(3),
        release_source: row.opt(4),
        run_id: row.text(5),
        attempt: row.opt_int(6).unwrap_or_default(),
        state: row.text(7),
        step: row.opt(8),
        exit_code: row.opt_int(9),
        term_signal: row.opt_int(10),
        command: row.opt(11),
        holder: row.text(12),
        version: row.text(13),
        note: row.opt(14),
        output_tail: row.opt(15),
        started_at: row.text(16),
        heartbeat_at: row.opt(17),
        lease_until: row.opt(18),
        finished_at: row.opt(19),
        duration_ms: row.int(20).unwrap_or_default(),
        lease_live: row.flag(21),
    })
}
