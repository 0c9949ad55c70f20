//! The row of a run, while the run goes on.

use tokio::time::Instant;

use super::{
    Error, Target,
    fault::Meaning,
    hints,
    ledger::NewRun,
    ledger_connection::LedgerConnection,
    ledger_creation::{CreationTime, LedgerCreation},
    ledger_sql::TABLE,
    lock::not_running,
};

/// The run that this holder began.
pub(super) struct BegunRun {
    pub(super) new: NewRun,
    pub(super) began: Instant,
    /// Whether the ledger has a row of it: not where the table is created after the steps, or was dropped
    /// by one.
    pub(super) has_row: bool,
}

/// What became of the row of a run whose step dropped the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DroppedLedger {
    /// The ledger was recreated here and has the row again.
    Recreated(String),
    /// It is created after the steps, to keep out of their way. Until then only the lock protects
    /// the run.
    CreatedAfterSteps,
}

/// Renews the lease. If a step dropped the ledger, writes the row again.
pub(super) async fn beat(
    ledger: &mut LedgerConnection,
    run: Option<&mut BegunRun>,
    run_id: &str,
    step: Option<(&str, &str)>,
    time: CreationTime,
) -> Result<Option<DroppedLedger>, Error> {
    // Without a lease there is no heartbeat, and no hurry to say which step runs.
    let has_lease = ledger.target.backend().driver().has_lease;
    if !has_lease && step.is_none() {
        return Ok(None);
    }
    let usual = ledger.bound;
    if has_lease {
        ledger.bound = ledger.target.beat();
    }
    let done = beat_within_bound(ledger, run, run_id, step, time).await;
    ledger.bound = usual;
    done
}

async fn beat_within_bound(
    ledger: &mut LedgerConnection,
    run: Option<&mut BegunRun>,
    run_id: &str,
    step: Option<(&str, &str)>,
    time: CreationTime,
) -> Result<Option<DroppedLedger>, Error> {
    let has_row = run.as_ref().is_none_or(|run| run.has_row);
    if !has_row && time == CreationTime::DuringStep {
        return Ok(None);
    }
    if has_row {
        let sql = ledger.existing()?;
        let sql = sql.heartbeat(run_id, step, ledger.target.lease);
        match ledger.run_again(&sql).await {
            Ok(1) => return Ok(None),
            Ok(_) => return Err(not_running()),
            Err(fault) if fault.means(Meaning::MissingSchema) => {}
            // A trigger may miss another one.
            Err(fault) if fault.means(Meaning::MissingTable) && fault.message.contains(TABLE) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    match run {
        Some(run) if ledger.target.backend().driver().has_lease => {
            rewrite_row(ledger, run, time).await.map(Some)
        }
        Some(run) => {
            run.has_row = false;
            Ok(Some(DroppedLedger::CreatedAfterSteps))
        }
        None => Err(Error::refused("the ledger is missing", hints::TABLE_GONE)),
    }
}

/// A step dropped the ledger: recreates it, with the row that says who runs.
///
/// The lock still decides whether this holder may go on. If it is lost too, and another replica began a
/// run meanwhile, that run's row keeps this one away.
async fn rewrite_row(
    ledger: &mut LedgerConnection,
    run: &mut BegunRun,
    time: CreationTime,
) -> Result<DroppedLedger, Error> {
    run.has_row = false;
    if ledger.create(time).await? == LedgerCreation::AfterSteps {
        return Ok(DroppedLedger::CreatedAfterSteps);
    }
    let sql = ledger.existing()?;
    let table = sql.table.clone();
    let Target { app, lease, .. } = &ledger.target;
    let row = sql.append(app, &run.new, run.began.elapsed(), *lease, None);
    match ledger.run(row).await {
        Ok(_) => {
            run.has_row = true;
            Ok(DroppedLedger::Recreated(table))
        }
        Err(fault) if fault.means(Meaning::Duplicate) => Err(not_running()),
        Err(fault) => Err(fault.into()),
    }
}
