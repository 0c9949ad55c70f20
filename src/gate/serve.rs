//! The first thread's part of the gate: running the steps, with or without a ledger.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::{Gate, Passed, error, record};
use crate::exit::Failure;
use crate::gate::decide::Attempts;
use crate::gate::delay_wait::log_delay;
use crate::gate::own_tries::{OwnTries, counted};
use crate::gate::runtime::{self, Progress, StepAnnounced, StepsRequest};
use crate::output::log::Log;
use crate::output::timeline::Phase;
use crate::plan::Step;
use crate::plan::gate_plan::{GatePlan, Limits};
use crate::steps::{self, ReadySteps, RunIdentity, Verdict};
use crate::sys::clock::Moment;
use crate::sys::host::{Host, Wake};
use crate::sys::step::AlwaysPermitted;
use crate::sys::wakeup::Wakeup;

/// How long a step waits to start while its name is written into the ledger of a file: longer
/// than a call of the database takes.
const LEDGER_WRITE: Duration = Duration::from_secs(12);

/// Runs the steps with no lock and no ledger. `identity` is that of the first try.
///
/// # Errors
/// A step failed, or a signal stopped the gate.
pub fn pass_alone(
    host: &Host,
    log: &Log,
    steps: &ReadySteps,
    mut identity: RunIdentity,
    limits: &Limits,
) -> Result<(), Failure> {
    // Each start counts its own attempts.
    let most = limits.retries.saturating_add(1);
    let most = limits.max_attempts.map_or(most, |max| max.min(most));
    let attempts = Attempts {
        max: Some(most),
        delay: limits.retry_delay,
    };
    let mut tries = OwnTries::new(most - 1, attempts);
    loop {
        let outcome = steps::run(
            host,
            log,
            steps,
            Some(&identity),
            None,
            &mut AlwaysPermitted,
            &mut |_| {},
        );
        let failure = match outcome.verdict {
            Verdict::Failed(failure) if limits.retries > 0 => failure,
            verdict => return verdict.into_failure().map_or(Ok(()), Err),
        };
        let failure = counted(failure, tries.failed + 1, attempts, None);
        tries.again(failure, log)?;
        wait_alone(host, log, &tries)?;
        identity.run_id = steps::new_run_id()?;
        identity.attempt += 1;
    }
}

fn wait_alone(host: &Host, log: &Log, tries: &OwnTries) -> Result<(), Failure> {
    let Some(delay) = tries.delay() else {
        return Ok(());
    };
    let end = Moment::now() + delay.remaining;
    log.timeline.enter(Phase::Delay(end));
    log_delay(log, delay, None);
    match host.wait(None, Some(end)) {
        Wake::Stop(stop) => Err(steps::stopped(stop, "waiting before the next attempt")),
        Wake::Ready | Wake::Time => Ok(()),
    }
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
    let waits_for_ledger = plan.target.backend().driver().is_file;
    let written = Arc::new(Wakeup::new().map_err(|error| error::no_descriptor(&error))?);
    let tail = record::captured(&log.secrets());
    let mut serve = |request: StepsRequest| {
        let StepsRequest {
            identity,
            mut permit,
            progress,
            reply,
        } = request;
        let mut announce = |step: &Step| {
            written.lower();
            // If the flow is gone nobody writes the ledger; the permit knows.
            let _ = progress.send(Progress {
                step: step.name.clone(),
                command: log.secrets().redact(&step.text).into_owned(),
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
            Some(tail),
            &mut permit,
            &mut announce,
        );
        let _ = reply.send(outcome);
    };
    let reference = plan.reference.clone();
    let gate = Gate::new(plan, log.clone());
    runtime::run_with_steps(host, &mut serve, |link| gate.pass(link))
        .map_err(|failure| reference.locate(failure))
}
