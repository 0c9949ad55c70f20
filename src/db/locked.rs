//! The lock, held: the only way to write to the ledger as a run.

use std::{os::fd::BorrowedFd, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    Backend, Error,
    ledger::{Ledger, NewRun, Orphan, REVISION_MAX, RunOutcome},
    ledger_connection::LedgerConnection,
    mysql, postgres,
    session::ledger,
    sqlite,
};

/// The lock. Dropping it gives the lock back as well, without a goodbye.
pub struct Locked {
    hold: Hold,
    pub(super) book: LedgerConnection,
    lock_id: String,
}

pub(super) enum Hold {
    Postgres(postgres::Hold),
    Mysql(mysql::Hold),
    Sqlite(sqlite::Hold),
}

/// Whether the lock excludes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A second connection tried and failed to take it.
    Proven,
    /// No second connection could be had in time, for this reason.
    Unproven(String),
}

/// What one renewal found out about the two guards.
#[derive(Debug)]
pub struct Renewal {
    /// The lock: [`Locked::confirm`].
    pub lock: Result<(), Error>,
    /// The lease: [`Locked::heartbeat`].
    pub lease: Result<(), Error>,
}

/// Why the end of a run is not in the ledger for certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    /// It certainly is not.
    NotRecorded(Error),
    /// The answer to the commit did not come: [`super::Target::run_state`] tells.
    Unknown(Error),
}

impl Locked {
    pub(super) fn new(hold: Hold, book: LedgerConnection, lock_id: String) -> Self {
        Self {
            hold,
            book,
            lock_id,
        }
    }

    /// 16 hexadecimal digits that stand for app and database: the LOCK of
    /// `PGAPPNAME=launchgate/LOCK/RUN`.
    #[must_use]
    pub fn lock_id(&self) -> &str {
        &self.lock_id
    }

    /// What the sessions of the steps of `run_id` are called, where the server shows such names.
    #[must_use]
    pub fn session_name(&self, run_id: &str) -> Option<String> {
        let names = self.book.target.backend().names_sessions();
        names.then(|| format!("launchgate/{}/{run_id}", self.lock_id))
    }

    /// `SQLite`'s lock file, for the steps to inherit: the lock then lasts as long as they do.
    #[must_use]
    pub fn inheritable(&self) -> Option<BorrowedFd<'_>> {
        match &self.hold {
            Hold::Sqlite(hold) => Some(hold.inheritable()),
            _ => None,
        }
    }

    /// Opens the ledger's own connection, the second one, where it is not open. Every other
    /// call that needs it does so too.
    pub async fn open_ledger(&mut self) -> Result<(), Error> {
        self.book.open(self.book.call()).await
    }

    /// Looks at the ledger again, on its own connection.
    pub async fn read_ledger(&mut self, revision: Option<&str>) -> Result<Ledger, Error> {
        let sql = self.book.sql.look(&self.book.target.app, revision);
        ledger(self.book.try_rows(sql, self.book.call()).await?)
    }

    /// Proves that the lock excludes: the ledger's connection must fail to take it, and must
    /// see that it is this holder's.
    pub async fn prove(&mut self) -> Result<Proof, Error> {
        if self.book.sql.backend != Backend::Sqlite && !self.book.is_open() {
            match self.open_ledger().await {
                Ok(()) => {}
                Err(Error::NotYet(why) | Error::Full(why) | Error::Broken(why)) => {
                    return Ok(Proof::Unproven(why));
                }
                Err(refused) => return Err(refused),
            }
        }
        let excludes = match &self.hold {
            Hold::Postgres(hold) => hold.excludes(&mut self.book).await,
            Hold::Mysql(hold) => hold.excludes(&mut self.book).await,
            Hold::Sqlite(hold) => hold.excludes(),
        };
        match excludes {
            Ok(true) => Ok(Proof::Proven),
            Ok(false) => Err(Error::refused(
                "the lock does not exclude: a second connection could take it, or reached another server",
                "connect past the pooler or load balancer, or let it use transaction or session pooling to one server",
            )),
            Err(Error::NotYet(why) | Error::Full(why) | Error::Broken(why)) => {
                Ok(Proof::Unproven(why))
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the ledger where it is missing; one that is there is used whatever this role may
    /// create. Either way it must have its columns and this role the right to write them: a
    /// run that can't be recorded must not begin.
    pub async fn create_ledger(&mut self) -> Result<(), Error> {
        let bound = self.book.call();
        self.book.create(bound).await?;
        let sql = self.book.sql.may_finish();
        self.book.run_again(&sql, bound).await.map(drop)
    }

    /// Marks dead runs. A row whose lease is not over stays as it is. Returns how many were.
    pub async fn interrupt(&mut self, run_ids: &[String], note: &str) -> Result<u64, Error> {
        if run_ids.is_empty() {
            return Ok(0);
        }
        let sql = self.book.sql.interrupt(run_ids, note);
        Ok(self.book.run_again(&sql, self.book.call()).await?.affected)
    }

    /// Appends the `running` row, its lease counted from now. Returns its id.
    pub async fn append(&mut self, run: &NewRun) -> Result<i64, Error> {
        if run.revision.chars().count() > REVISION_MAX {
            return Err(Error::refused(
                format!("the revision has more than {REVISION_MAX} characters"),
                "name the release with --release, or use --fingerprint",
            ));
        }
        let bound = self.book.call();
        let LedgerConnection { target, sql, .. } = &self.book;
        if let Hold::Mysql(hold) = &mut self.hold {
            return hold.append(target, sql, run, bound).await;
        }
        let insert = sql.append(&target.app, run, target.lease, None);
        if sql.backend == Backend::Sqlite {
            return Ok(self.book.run(insert, bound).await?.insert_id);
        }
        let rows = self.book.rows(insert, bound).await?;
        rows.last()
            .ok_or_else(|| Error::Broken("the server gave no id for the run".to_owned()))?
            .int(0)
    }

    /// Proves on the lock's own connection, in one round trip, that the lock is still held; on
    /// `SQLite`, that the file which others lock is still the one that this holder has.
    ///
    /// # Errors
    ///
    /// `Lost` where it certainly is not; `Broken` where no answer came in time: the lock may
    /// be held, and the next call may prove it.
    pub async fn confirm(&mut self) -> Result<(), Error> {
        let bound = self.book.target.beat();
        self.hold.confirm(bound).await
    }

    /// Renews the lease, on the ledger's connection, which is opened anew where it broke.
    ///
    /// # Errors
    /// `Lost` where the row is not `running` any more.
    pub async fn heartbeat(&mut self, run_id: &str) -> Result<(), Error> {
        beat(&mut self.book, run_id, None).await
    }

    /// [`Self::confirm`] and [`Self::heartbeat`] at the same time; `news`, the step that runs now
    /// and its command without secrets, go into the ledger with it. `row_waits` is called when the
    /// first is through and the second, on an open connection, perhaps not.
    pub async fn renew(
        &mut self,
        run_id: &str,
        news: Option<(&str, &str)>,
        row_waits: impl FnOnce(),
    ) -> Renewal {
        let Self { hold, book, .. } = self;
        let bound = book.target.beat();
        let is_open = book.is_open();
        let confirm = async {
            let lock = hold.confirm(bound).await;
            if lock.is_ok() && is_open {
                row_waits();
            }
            lock
        };
        let (lock, lease) = tokio::join!(confirm, beat(book, run_id, news));
        Renewal { lock, lease }
    }

    /// Records how the run ended, by the connection that holds the lock, and gives the lock
    /// back. Where it fails the lock is given back too, or lost.
    pub async fn record(self, run_id: &str, outcome: &RunOutcome) -> Result<(), RecordError> {
        let Self { hold, mut book, .. } = self;
        let bound = book.call();
        let answer = match hold {
            Hold::Postgres(hold) => hold.record(&book.sql, run_id, outcome, bound).await,
            Hold::Mysql(hold) => hold.record(&book.sql, run_id, outcome, bound).await,
            // held until the row is written
            Hold::Sqlite(held) => match held.confirm() {
                Err(lost @ Error::Lost(_)) => Err(RecordError::NotRecorded(lost)),
                _ => record_in_file(&mut book, run_id, outcome).await,
            },
        };
        book.close().await;
        answer
    }

    /// Gives the lock back without a record. Bounded in time, and done in any case.
    pub async fn release(self) {
        let bound = self.book.call();
        match self.hold {
            Hold::Postgres(hold) => hold.release(bound).await,
            Hold::Mysql(hold) => hold.release(bound).await,
            Hold::Sqlite(hold) => drop(hold),
        }
        self.book.close().await;
    }

    /// Sessions that steps of earlier runs left on the server: active, or in a transaction
    /// begun before this holder took the lock. Postgres only; none elsewhere.
    pub async fn orphans(&mut self) -> Result<Vec<Orphan>, Error> {
        match &self.hold {
            Hold::Postgres(hold) => hold.orphans(&mut self.book, &self.lock_id).await,
            _ => Ok(Vec::new()),
        }
    }

    /// Ends those of them that `run_ids` left idle in a transaction; how many, as far as this
    /// role may.
    pub async fn end_idle_orphans(&mut self, run_ids: &[String]) -> Result<u32, Error> {
        match &self.hold {
            Hold::Postgres(hold) => {
                hold.end_idle_orphans(&mut self.book, &self.lock_id, run_ids)
                    .await
            }
            _ => Ok(0),
        }
    }
}

impl Hold {
    async fn confirm(&mut self, bound: Duration) -> Result<(), Error> {
        match self {
            Self::Postgres(hold) => hold.confirm(bound).await,
            Self::Mysql(hold) => hold.confirm(bound).await,
            Self::Sqlite(hold) => hold.confirm(),
        }
    }
}

async fn beat(
    book: &mut LedgerConnection,
    run_id: &str,
    news: Option<(&str, &str)>,
) -> Result<(), Error> {
    let is_file = book.sql.backend == Backend::Sqlite;
    // A file needs no heartbeat, and nothing presses.
    let bound = match (is_file, news) {
        (true, None) => return Ok(()),
        (true, Some(_)) => book.call(),
        (false, _) => book.target.beat(),
    };
    let sql = book.sql.heartbeat(run_id, news, book.target.lease);
    match book.run_again(&sql, bound).await?.affected {
        1 => Ok(()),
        _ => Err(not_running()),
    }
}

fn not_running() -> Error {
    Error::Lost("the run's row is not `running` any more".to_owned())
}

/// How long a success waits for a file that is busy or full: nobody else can run meanwhile.
const PATIENCE: Duration = Duration::from_mins(1);

/// With the lock file held, nothing presses.
async fn record_in_file(
    book: &mut LedgerConnection,
    run_id: &str,
    outcome: &RunOutcome,
) -> Result<(), RecordError> {
    let since = Instant::now();
    let mut asked_before = false;
    loop {
        let sql = book.sql.finish(run_id, outcome, None);
        match book.run(sql, book.call()).await {
            Ok(done) if done.affected == 1 => return Ok(()),
            Ok(_) => {
                let gone = not_running();
                return Err(if asked_before {
                    RecordError::Unknown(gone)
                } else {
                    RecordError::NotRecorded(gone)
                });
            }
            Err(Error::NotYet(_) | Error::Broken(_)) if since.elapsed() < PATIENCE => {
                asked_before = true;
                sleep(Duration::from_millis(300)).await;
            }
            Err(error) => return Err(RecordError::NotRecorded(error)),
        }
    }
}
