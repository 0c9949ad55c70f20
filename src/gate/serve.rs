//! The first thread's part of the gate: running the steps, with or without a ledger.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::{Gate, Passed, error, record};
use crate::exit::Failure;
use crate::gate::runtime::{self, Progress, StepAnnounced, StepsRequest};
use crate::output::log::Log;
use crate::plan::Step;
use crate::plan::gate_plan::GatePlan;
use crate::steps::{self, OutputCapture, ReadySteps, RunIdentity};
use crate::sys::clock::Moment;
use crate::sys::host::Host;
use crate::sys::step::NoGuard;
use crate::sys::wakeup::Wakeup;

/// How long a step waits to start while its name is written into the ledger of a file: longer
/// than a call of the database takes.
const LEDGER_WRITE: Duration = Duration::from_secs(12);

/// Runs the steps with no lock and no ledger.
///
/// # Errors
/// A step failed, or a signal stopped the gate.
pub fn pass_alone(
    host: &Host,
    log: &Log,
    steps: &ReadySteps,
    identity: &RunIdentity,
) -> Result<(), Failure> {
    let outcome = steps::run(
        host,
        log,
        steps,
        Some(identity),
        OutputCapture::Nothing,
        &mut NoGuard,
        &mut |_| {},
    );
    outcome.verdict.into_result()
}

/// Passes the gate that `plan` describes, together with the other replicas.
///
/// # Errors
/// Everything that keeps a gate closed.
pub fn pass_together(
    host: &Host,
    log: &Log,
    plan: GatePlan,
    steps: &ReadySteps,
) -> Result<Passed, Failure> {
    // A file has one writer at a time, and while a step runs that is the step.
    let waits_for_ledger = plan.target.backend().single_writer();
    let written = Arc::new(Wakeup::new().map_err(|error| error::no_descriptor(&error))?);
    let capture = OutputCapture::Tail(record::captured(&plan.target.url));
    let mut serve = |request: StepsRequest| {
        let StepsRequest {
            identity,
            mut guard,
            progress,
            reply,
        } = request;
        let mut announce = |step: &Step| {
            written.lower();
            // If the flow is gone nobody writes the ledger; the guard knows.
            let _ = progress.send(Progress {
                step: step.name.clone(),
                command: step.text.clone(),
                announced: StepAnnounced(Arc::clone(&written)),
            });
            if waits_for_ledger {
                // Whatever ends the wait, `steps::run` checks for a stop next.
                let _ = host.wait(Some(written.as_fd()), Some(Moment::now() + LEDGER_WRITE));
            }
        };
        let outcome = steps::run(
            host,
            log,
            steps,
            Some(&identity),
            capture,
            &mut guard,
            &mut announce,
        );
        let _ = reply.send(outcome);
    };
    let reference = plan.reference.clone();
    let gate = Gate::new(plan, log.clone());
    runtime::run_with_steps(host, &mut serve, |link| gate.pass(link))
        .map_err(|failure| reference.locate(failure))
}
