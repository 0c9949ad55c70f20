//! The gate: everything that happens before the server starts.
//!
//! May touch `db`, `sys` and `log`; never SQL or system calls.

use crate::exit::Failure;
use crate::log::{Event, Log};
use crate::plan::Steps;
use crate::steps::{self, Keep, Ready, RunIdentity, Verdict};
use crate::sys::supervise::{Host, NoGuard};

/// Runs the steps with no lock and no ledger.
///
/// # Errors
/// A step failed, or a signal stopped the gate.
pub fn pass_alone(
    host: &Host,
    log: &Log,
    steps: &Steps,
    ready: &[Ready],
    identity: &RunIdentity,
) -> Result<(), Failure> {
    let outcome = steps::run(
        host,
        log,
        (steps, ready),
        identity,
        Keep::Nothing,
        &mut NoGuard,
        &mut |_| Ok(()),
    );
    match outcome.verdict {
        Verdict::Done => Ok(()),
        Verdict::Failed(failure) | Verdict::Stopped { failure, .. } | Verdict::Lost(failure) => {
            Err(failure)
        }
    }
}

/// Says that nothing coordinates the replicas, where nobody asked for that.
pub fn warn_alone(log: &Log) {
    log.warn(
        Event::GateUncoordinated,
        &crate::exit::Problem::new(
            "no database is named, so the steps run at every start, in every replica",
            "set DATABASE_URL or --database-url, or --no-database if that is meant",
        ),
        &[],
    );
}
