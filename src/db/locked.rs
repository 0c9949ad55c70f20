//! The lock, held: the only way to write to the ledger as a run.

use std::os::fd::BorrowedFd;

use super::{
    Error, Target,
    error::RecordError,
    ledger::{Ledger, NewRun, Orphan, REVISION_MAX, RunOutcome},
    ledger_connection::{LedgerConnection, LedgerCreation},
    lock::{Exclusion, HeldLock, RowWriter, TakenLock, not_running},
    rows,
};

/// The lock. Dropping it releases the lock too, without closing the connection cleanly.
pub struct Locked {
    lock: Box<dyn HeldLock>,
    ledger: LedgerConnection,
    lock_id: String,
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

/// What one renewal found out about the two guards.
#[derive(Debug)]
pub struct Renewal {
    /// The lock: [`Locked::confirm`].
    pub lock: Result<(), Error>,
    /// The lease: [`Locked::heartbeat`].
    pub lease: Result<(), Error>,
}

impl Locked {
    pub(super) fn new(taken: TakenLock, target: Target) -> Self {
        Self {
            lock: taken.lock,
            ledger: LedgerConnection::new(target, taken.sql),
            lock_id: taken.lock_id,
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
        &self.lock_id
    }

    /// The variable that names the sessions of the steps of `run_id`, and their name, where the
    /// server shows such names.
    #[must_use]
    pub fn session_name(&self, run_id: &str) -> Option<(&'static str, String)> {
        let names = self.target().backend().session_names()?;
        Some((
            names.variable,
            format!("launchgate/{}/{run_id}", self.lock_id),
        ))
    }

    /// A lock file for the steps to inherit: the lock then lasts as long as they do.
    #[must_use]
    pub fn inheritable(&self) -> Option<BorrowedFd<'_>> {
        self.lock.inheritable()
    }

    /// Opens the ledger's own connection, the second one, where it is not open. Every other call that
    /// needs it does so too.
    pub async fn open_ledger(&mut self) -> Result<(), Error> {
        self.ledger.open(self.ledger.call()).await
    }

    /// Reads the ledger again, on its own connection.
    pub async fn read_ledger(&mut self, revision: Option<&str>) -> Result<Ledger, Error> {
        let ledger = &mut self.ledger;
        let sql = ledger.sql.read(&ledger.target.app, revision);
        rows::ledger(ledger.try_rows(sql, ledger.call()).await?)
    }

    /// Proves that the lock excludes: a second connection must fail to take it, and must see that it
    /// is this holder's.
    pub async fn prove(&mut self) -> Result<Proof, Error> {
        match self.excludes().await {
            Ok(true) => Ok(Proof::Proven),
            Ok(false) => {
                // A lock that was lost since excludes nobody, and is taken anew.
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

    async fn excludes(&mut self) -> Result<bool, Error> {
        match self.lock.exclusion()? {
            Exclusion::Known(excludes) => Ok(excludes),
            Exclusion::Ask(question) => {
                self.open_ledger().await?;
                let rows = self.ledger.rows(question, self.ledger.call()).await?;
                Ok(rows.last().is_some_and(|row| row.flag(0)))
            }
        }
    }

    /// Creates the ledger where it is missing; one that exists is used whatever this role may create.
    /// Either way it must have its columns, and this role the right to write them: a run that can't be
    /// recorded must not begin.
    pub async fn create_ledger(&mut self) -> Result<LedgerCreation, Error> {
        let bound = self.ledger.call();
        let creation = self.ledger.create(bound).await?;
        let sql = self.ledger.sql.may_finish();
        self.ledger.run_again(&sql, bound).await?;
        Ok(creation)
    }

    /// Marks dead runs. A row whose lease is not over stays as it is. Returns how many were marked.
    pub async fn interrupt(&mut self, run_ids: &[String], note: &str) -> Result<u64, Error> {
        if run_ids.is_empty() {
            return Ok(0);
        }
        let sql = self.ledger.sql.interrupt(run_ids, note);
        self.ledger.run_again(&sql, self.ledger.call()).await
    }

    /// Appends the `running` row, its lease counted from now.
    pub async fn append(&mut self, run: &NewRun) -> Result<Appended, Error> {
        if run.revision.chars().count() > REVISION_MAX {
            return Err(Error::refused(
                format!("the revision has more than {REVISION_MAX} characters"),
                "set a shorter name with --release, or use --fingerprint",
            ));
        }
        let bound = self.ledger.call();
        let LedgerConnection { target, sql, .. } = &self.ledger;
        let answer = match self.lock.append(sql, target, run, bound) {
            RowWriter::OnLock(appended) => appended.await,
            RowWriter::OnLedger(insert) => self.ledger.try_run(insert, bound).await?,
        };
        match answer {
            Ok(1) => Ok(Appended::Running),
            Ok(_) => Err(Error::Lost(
                "the session that writes the ledger does not hold the lock".to_owned(),
            )),
            Err(fault) if fault.is_duplicate() => Ok(Appended::Busy),
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
        self.lock.confirm(bound).await
    }

    /// Renews the lease, on the ledger's connection, which is reopened if it broke.
    ///
    /// # Errors
    /// `Lost` where the row is not `running` any more.
    pub async fn heartbeat(&mut self, run_id: &str) -> Result<(), Error> {
        beat(&mut self.ledger, run_id, None).await
    }

    /// [`Self::confirm`] and [`Self::heartbeat`] at the same time. `step` is the step that runs now
    /// and its command without secrets: the ledger gets them too. `row_waits` is called once the lock
    /// is confirmed, while the heartbeat, on an open connection, may still be waiting.
    pub async fn renew(
        &mut self,
        run_id: &str,
        step: Option<(&str, &str)>,
        row_waits: impl FnOnce(),
    ) -> Renewal {
        let Self { lock, ledger, .. } = self;
        let bound = ledger.target.beat();
        let is_open = ledger.is_open();
        let confirm = async {
            let lock = lock.confirm(bound).await;
            if lock.is_ok() && is_open {
                row_waits();
            }
            lock
        };
        let (lock, lease) = tokio::join!(confirm, beat(ledger, run_id, step));
        Renewal { lock, lease }
    }

    /// Records how the run ended, by what holds the lock, and gives the lock back. Where it fails the
    /// lock is given back too, or lost.
    pub async fn record(self, run_id: &str, outcome: &RunOutcome) -> Result<(), RecordError> {
        let Self { lock, ledger, .. } = self;
        let answer = lock
            .record(&ledger.sql, run_id, outcome, ledger.call())
            .await;
        ledger.close().await;
        answer
    }

    /// Gives the lock back without a record. Limited in time, and done in any case.
    pub async fn release(self) {
        self.lock.release(self.ledger.call()).await;
        self.ledger.close().await;
    }

    /// Sessions that steps of earlier runs left on the server: active, or in a transaction begun
    /// before this holder took the lock. None where a server does not show them.
    pub async fn orphans(&mut self) -> Result<Vec<Orphan>, Error> {
        let Self {
            lock,
            ledger,
            lock_id,
        } = self;
        let Some(ask) = lock.orphans(&ledger.sql, lock_id, true) else {
            return Ok(Vec::new());
        };
        let answer = match ledger.try_rows(ask, ledger.call()).await? {
            // no ledger, no closed runs
            Err(fault) if fault.is_missing_table() => {
                let ask = lock.orphans(&ledger.sql, lock_id, false);
                ledger.rows(ask.unwrap_or_default(), ledger.call()).await?
            }
            answer => answer?,
        };
        answer.iter().map(rows::orphan).collect()
    }

    /// Ends those of them that `run_ids` left idle in a transaction. Returns how many, as far as this
    /// role may.
    pub async fn end_idle_orphans(&mut self, run_ids: &[String]) -> Result<u32, Error> {
        let Self {
            lock,
            ledger,
            lock_id,
        } = self;
        if run_ids.is_empty() {
            return Ok(0);
        }
        let Some(end) = lock.end_idle_orphans(&ledger.sql, lock_id, run_ids) else {
            return Ok(0);
        };
        match ledger.try_rows(end, ledger.call()).await? {
            Ok(rows) => {
                let count = rows.last().map_or(Ok(0), |row| row.int(0))?;
                Ok(u32::try_from(count).unwrap_or(0))
            }
            Err(fault) if fault.is_privilege() => Ok(0),
            Err(fault) => Err(fault.into()),
        }
    }
}

async fn beat(
    ledger: &mut LedgerConnection,
    run_id: &str,
    step: Option<(&str, &str)>,
) -> Result<(), Error> {
    // Without a lease there is no heartbeat, and no hurry to say which step runs.
    let bound = match (ledger.target.backend().has_lease(), step) {
        (false, None) => return Ok(()),
        (false, Some(_)) => ledger.call(),
        (true, _) => ledger.target.beat(),
    };
    let sql = ledger.sql.heartbeat(run_id, step, ledger.target.lease);
    match ledger.run_again(&sql, bound).await? {
        1 => Ok(()),
        _ => Err(not_running()),
    }
}
