//! The lock, held: the only way to write to the ledger as a run.

use std::{os::fd::BorrowedFd, time::Duration};

use tokio::time::Instant;

use super::{
    Error, Target,
    begun_run::{BegunRun, DroppedLedger, beat},
    error::RecordError,
    fault::Meaning,
    ledger::{Ledger, NewRun, REVISION_MAX, RunOutcome, RunState},
    ledger_connection::LedgerConnection,
    ledger_creation::{CreationTime, LedgerCreation},
    lock::{OnWait, RunEnd, TakenLock},
    place::Found,
};

/// The lock. Dropping it releases the lock too, without closing the connection cleanly.
pub struct Locked {
    pub(super) taken: TakenLock,
    pub(super) ledger: LedgerConnection,
    run: Option<BegunRun>,
}

/// Whether the lock is exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A second connection tried and failed to take it.
    Proven,
    /// No second connection could be had in time, for this reason.
    Unproven(String),
}

/// What came of appending the `running` row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// The row is there: the steps may run once the lock is confirmed.
    Running,
    /// Another run of this app has a `running` row: its lock does not exclude this one, as on two nodes
    /// of a cluster that replicates rows but not locks.
    Busy,
}

/// Whether the end of a run is in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is.
    Written,
    /// The steps failed and left no database to write it to.
    NoDatabase,
}

/// What one renewal found out about the two guards.
#[derive(Debug)]
pub struct Renewal {
    /// The lock: [`Locked::confirm`].
    pub lock: Result<(), Error>,
    /// The lease; news of a ledger that a step dropped. `Lost` where the row is not `running` any more.
    pub lease: Result<Option<DroppedLedger>, Error>,
}

impl Locked {
    pub(super) fn new(taken: TakenLock, target: Target) -> Self {
        let bound = target.holder_call();
        let mut ledger = LedgerConnection::new(target, bound);
        ledger.ascii = !taken.is_unicode;
        Self {
            taken,
            ledger,
            run: None,
        }
    }

    /// Where this lock is.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.ledger.target
    }

    /// 16 hexadecimal digits that stand for app and database: the LOCK in the name of a step's
    /// session, `launchgate/LOCK/RUN`.
    #[must_use]
    pub fn lock_id(&self) -> &str {
        &self.taken.lock_id
    }

    /// The kind of cluster whose other nodes don't know of this lock.
    #[must_use]
    pub fn cluster(&self) -> Option<&'static str> {
        self.taken.cluster
    }

    /// A lock file for the steps to inherit: the lock then lasts as long as they do.
    #[must_use]
    pub fn inheritable(&self) -> Option<BorrowedFd<'_>> {
        self.taken.lock.inheritable()
    }

    /// Reads the ledger again, on its own connection, the second one, which every call that needs it opens.
    pub async fn read_ledger(&mut self, revision: Option<&str>) -> Result<Ledger, Error> {
        self.ledger.read(revision).await
    }

    /// Proves that the lock excludes: a second connection must fail to take it, and must see that it
    /// is this holder's.
    pub async fn prove(&mut self) -> Result<Proof, Error> {
        match self.taken.lock.excludes(&mut self.ledger).await {
            Ok(true) => Ok(Proof::Proven),
            Ok(false) => {
                // A lock that was lost since excludes nobody, and is taken again.
                self.confirm().await?;
                Err(Error::refused(
                    "the lock is not exclusive: a second connection could also take it, or reached a \
                     different server",
                    "bypass the pooler or load balancer, or configure it for transaction or session \
                     pooling to a single server",
                ))
            }
            Err(Error::NotYet(why) | Error::Full(why) | Error::Broken(why)) => {
                Ok(Proof::Unproven(why))
            }
            Err(error) => Err(error),
        }
    }

    /// Creates the ledger where it is missing, unless that comes after the steps; one that exists is used
    /// whatever this role may create. Either way this role must be able to write it: a run that can't be
    /// recorded must not begin.
    pub async fn create_ledger(&mut self) -> Result<LedgerCreation, Error> {
        let creation = self.ledger.create(CreationTime::BeforeSteps).await?;
        if let Some(sql) = self.ledger.sql() {
            let sql = sql.may_finish();
            self.ledger.run_again(&sql).await?;
        } else {
            let (target, connection) = self.ledger.opened().await?;
            let describe = target.backend().driver().describe;
            let info = describe(connection, target, &Found::default()).await?;
            if let Some(why) = info.unfit {
                return Err(why);
            }
        }
        Ok(creation)
    }

    /// Marks dead runs. A row whose lease is not over stays as it is. Returns how many were marked.
    pub async fn interrupt(&mut self, run_ids: &[String], note: &str) -> Result<u64, Error> {
        if run_ids.is_empty() {
            return Ok(0);
        }
        if self.ledger.sql().is_none() {
            self.ledger.find().await?;
        }
        let mut marked = 0;
        for sql in self.ledger.ledgers().to_vec() {
            let sql = sql.interrupt(run_ids, note);
            marked += self.ledger.run_again(&sql).await?;
        }
        Ok(marked)
    }

    /// Appends the `running` row, its lease counted from now.
    pub async fn append(&mut self, run: &NewRun) -> Result<Appended, Error> {
        if run.revision.chars().count() > REVISION_MAX {
            return Err(Error::refused(
                format!("the revision has more than {REVISION_MAX} characters"),
                "set a shorter name with --release, or use --fingerprint",
            ));
        }
        let begun = BegunRun {
            new: run.clone(),
            began: Instant::now(),
            has_row: self.ledger.sql().is_some(),
        };
        self.run = Some(begun);
        let Some(sql) = self.ledger.sql().cloned() else {
            return Ok(Appended::Running);
        };
        let Target { app, lease, .. } = &self.ledger.target;
        let (app, lease) = (app.clone(), *lease);
        let row = |guard: Option<&str>| sql.append(&app, run, Duration::ZERO, lease, guard);
        match self.taken.lock.append(&mut self.ledger, &row).await {
            Ok(1) => Ok(Appended::Running),
            Ok(_) => Err(Error::Lost(
                "the session that writes the ledger does not hold the lock".to_owned(),
            )),
            Err(fault) if fault.means(Meaning::Duplicate) => Ok(Appended::Busy),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Proves in one round trip that the lock is still held: on the lock's own connection, or by
    /// whether the lock file is still the one that others lock.
    ///
    /// # Errors
    ///
    /// `Lost` where it certainly is not; `Broken` where no answer came in time: the lock may still be
    /// held, and the next call may prove it.
    pub async fn confirm(&mut self) -> Result<(), Error> {
        let bound = self.target().beat();
        self.taken.lock.confirm(bound).await
    }

    /// Before the end of the run is recorded: writes the row again if a step dropped the ledger.
    pub async fn keep_row(&mut self, run_id: &str) -> Result<Option<DroppedLedger>, Error> {
        let Self { ledger, run, .. } = self;
        if ledger.target.backend().driver().has_lease {
            return beat(ledger, run.as_mut(), run_id, None, CreationTime::Anytime).await;
        }
        // Under the lock of a file nobody else changes the rows of this app: where this one is gone, a
        // step dropped the table, or put another file in the place of this one.
        let Some(run) = run.as_mut() else {
            return Ok(None);
        };
        ledger.find().await?;
        let rows = ledger.ask(|sql| sql.state_of(run_id)).await?;
        let had_row = std::mem::replace(&mut run.has_row, !rows.is_empty());
        Ok((had_row && rows.is_empty()).then_some(DroppedLedger::CreatedAfterSteps))
    }

    /// [`Self::confirm`], and at the same time the heartbeat, which renews the lease on the ledger's connection.
    /// `step` is the step that runs now and its command without secrets: the ledger gets them too. `row_waits` is
    /// called once the lock is confirmed, while the heartbeat, on an open connection, may still be waiting.
    pub async fn renew(
        &mut self,
        run_id: &str,
        step: Option<(&str, &str)>,
        row_waits: impl FnOnce(),
    ) -> Renewal {
        let Self { taken, ledger, run } = self;
        let bound = ledger.target.beat();
        let is_open = ledger.is_open();
        let confirm = async {
            let lock = taken.lock.confirm(bound).await;
            if lock.is_ok() && is_open {
                row_waits();
            }
            lock
        };
        let beat = beat(ledger, run.as_mut(), run_id, step, CreationTime::DuringStep);
        let (lock, lease) = tokio::join!(confirm, beat);
        Renewal { lock, lease }
    }

    /// Records how the run ended, by what holds the lock, and gives the lock back. Where it fails the
    /// lock is given back too, or lost. `on_wait` hears why a file is waited for; a server is not.
    pub async fn record(
        self,
        run_id: &str,
        outcome: &RunOutcome,
        on_wait: OnWait<'_>,
    ) -> Result<Recorded, RecordError> {
        let Self { taken, ledger, run } = self;
        let (bound, backend) = (ledger.bound, ledger.target.backend());
        let dialect = ledger.target.dialect();
        let without_row = run.filter(|run| !run.has_row && backend.driver().is_file);
        let file = ledger.target.url.sqlite_path();
        if without_row.is_some()
            && outcome.state != RunState::Succeeded
            && file.is_some_and(|file| !file.exists())
        {
            taken.lock.release(bound).await;
            return Ok(Recorded::NoDatabase);
        }
        let sql = ledger.sql().cloned();
        let new = || ledger.target.plain_sql();
        let recreate = without_row.map(|run| {
            let mut statements = match &sql {
                Some(_) => Vec::new(),
                None => dialect.for_table(dialect.create, None),
            };
            let sql = sql.clone().unwrap_or_else(new);
            let app = &ledger.target.app;
            statements.push(sql.append_ended(app, &run.new, run.began.elapsed(), outcome));
            statements
        });
        let sql = sql.unwrap_or_else(new);
        let end = RunEnd {
            sql: &sql,
            run_id,
            outcome,
            recreate,
            on_wait,
        };
        let answer = taken.lock.record(end, bound).await;
        ledger.close().await;
        answer.map(|()| Recorded::Written)
    }

    /// Gives the lock back without a record. Limited in time, and done in any case.
    pub async fn release(self) {
        self.taken.lock.release(self.ledger.bound).await;
        self.ledger.close().await;
    }
}
