//! Running the planned steps, one after the other, until one does not succeed.
//!
//! Invariant: no step starts once the right to run is lost or a stop has arrived.

mod ending;
mod finding;
pub mod result;
mod running;
mod variables;

use std::ffi::CString;

pub use ending::{lock_lost, server_not_started, stopped, stopped_after};
use ending::{may_start, not_started, step_result};
pub use finding::{find, find_every_start, find_server};
use running::log_event;
use variables::{mark, own_variables, unrecorded};

use crate::exit::{Failure, FailureKind};
use crate::output::log::Log;
use crate::output::timeline::Phase;
use crate::plan::{ServerPlan, Step, Steps};
use crate::steps::result::{StepResult, decode};
use crate::sys::child::Program;
use crate::sys::clock::Moment;
use crate::sys::host::Host;
use crate::sys::result::{channel, receive};
use crate::sys::step::{AlwaysPermitted, RunPermit, StepProcess, StepReport};

/// How much of the end of a step's output a ledger keeps: 4 KiB.
pub const TAIL: usize = 4096;

/// What the steps of one run learn about it.
#[derive(Debug, Clone)]
pub struct RunIdentity {
    /// The app.
    pub app: String,
    /// The release id, or nothing.
    pub release: String,
    /// What the ledger is keyed by, or nothing.
    pub revision: String,
    /// 32 hexadecimal digits.
    pub run_id: String,
    /// 1 for the first.
    pub attempt: i32,
    /// The name of the steps' database sessions, and the variable that gives it to their clients.
    pub session_name: Option<(&'static str, String)>,
}

/// The planned steps, with their executables found.
#[derive(Debug)]
pub struct ReadySteps {
    /// What the steps share.
    pub plan: Steps,
    /// In the order they run.
    pub list: Vec<ReadyStep>,
}

/// A step whose executable was found.
#[derive(Debug, Clone)]
pub struct ReadyStep {
    /// The step.
    pub step: Step,
    path: CString,
    argv: Vec<CString>,
}

impl ReadyStep {
    /// The file that will be executed.
    pub fn path(&self) -> &CString {
        &self.path
    }
}

/// What runs at every start, with its executables found.
#[derive(Debug)]
pub struct ReadyEveryStart {
    /// Before anything connects.
    pub prepare: ReadySteps,
    /// Once the gate is open.
    pub warm_up: ReadySteps,
    /// At last; `job` has none.
    pub server: Option<ReadyServer>,
}

impl ReadyEveryStart {
    /// Whether there is nothing but the server.
    pub fn has_no_commands(&self) -> bool {
        self.prepare.list.is_empty() && self.warm_up.list.is_empty()
    }
}

/// A server whose executable was found.
#[derive(Debug, Clone)]
pub struct ReadyServer {
    /// The plan.
    pub plan: ServerPlan,
    /// What will be executed.
    pub program: Program,
}

/// A new run's id: 128 random bits.
///
/// # Errors
/// The system gives no random numbers.
pub fn new_run_id() -> Result<String, Failure> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        Failure::because(
            FailureKind::System,
            format!("failed to get random numbers: {error}"),
            "allow getrandom(2) in the container's seccomp profile",
        )
    })?;
    Ok(format!("{:032x}", u128::from_be_bytes(bits)))
}

/// What became of the steps.
#[derive(Debug)]
pub struct StepsOutcome {
    /// The last step that ran, and how it ended; none where there was none to run.
    pub last: Option<(Step, StepReport)>,
    /// How the run ended.
    pub verdict: Verdict,
}

/// How a run of steps ended.
#[derive(Debug)]
pub enum Verdict {
    /// Every step succeeded.
    Done,
    /// A step failed by itself.
    Failed(Failure),
    /// No attempt: an embedded step did not reach its database, or found it busy for too long, or
    /// refused its settings.
    Interrupted(Failure),
    /// A signal stopped the gate; `done` where the last step succeeded in spite of it.
    Stopped {
        /// Why the gate stays closed.
        failure: Failure,
        /// Whether every step succeeded.
        done: bool,
    },
    /// The right to run was lost.
    Lost(Failure),
}

impl Verdict {
    /// Why the gate stays closed; `None` if every step succeeded and no stop arrived.
    pub fn into_failure(self) -> Option<Failure> {
        match self {
            Self::Done => None,
            Self::Failed(failure)
            | Self::Interrupted(failure)
            | Self::Stopped { failure, .. }
            | Self::Lost(failure) => Some(failure),
        }
    }
}

/// Runs start commands: without lock, record or variables of their own.
///
/// # Errors
/// One failed, or a stop arrived.
pub fn run_start_commands(host: &Host, log: &Log, commands: &ReadySteps) -> Result<(), Failure> {
    let permit = &mut AlwaysPermitted;
    let outcome = run(host, log, commands, None, None, permit, &mut |_| {});
    log.timeline.enter(Phase::Starting);
    outcome.verdict.into_failure().map_or(Ok(()), Err)
}

/// Runs the steps in order; `identity` is what they learn about their run. `tail`: how many of the last
/// bytes of their output are kept; with `None` they inherit launchgate's own streams. `announce` is
/// called before each is started.
pub fn run(
    host: &Host,
    log: &Log,
    steps: &ReadySteps,
    identity: Option<&RunIdentity>,
    tail: Option<usize>,
    permit: &mut dyn RunPermit,
    announce: &mut dyn FnMut(&Step),
) -> StepsOutcome {
    let mut run = StepsRun {
        host,
        log,
        plan: &steps.plan,
        identity,
        tail,
        last: None,
        restore_hint: None,
    };
    for ready in &steps.list {
        if let Some(failure) = run.stopped_during_last() {
            let done = false;
            return run.end(Verdict::Stopped { failure, done });
        }
        announce(&ready.step);
        if let Err(verdict) = run.step(ready, permit) {
            return run.end(verdict);
        }
    }
    match run.stopped_during_last() {
        Some(failure) => run.end(Verdict::Stopped {
            failure,
            done: true,
        }),
        None => run.end(Verdict::Done),
    }
}

/// A run of steps in progress.
struct StepsRun<'a> {
    host: &'a Host,
    log: &'a Log,
    plan: &'a Steps,
    identity: Option<&'a RunIdentity>,
    tail: Option<usize>,
    last: Option<(Step, StepReport)>,
    /// How to go back to the snapshot that one of the steps took.
    restore_hint: Option<String>,
}

impl StepsRun<'_> {
    /// Runs one step; the verdict where the next one may not run.
    fn step(&mut self, ready: &ReadyStep, permit: &mut dyn RunPermit) -> Result<(), Verdict> {
        let step = &ready.step;
        // A stop signal may have arrived between two steps, or have been pending at start.
        let _ = self.host.signals.next_stop();
        // A machine that was suspended since the last check resumes here: no step may start then.
        let lost = permit.lost(Moment::now());
        may_start(&step.name, lost, self.host.signals.stopped())?;
        self.log.timeline.enter(Phase::Step(step.name.clone()));
        let started = self.supervise(ready, permit);
        self.log.timeline.enter(Phase::Recording);
        let (report, result) = match started {
            Ok(ended) => ended,
            Err(error) => {
                let failure = not_started(step, &error);
                let report = StepReport::not_started(failure.code());
                self.last = Some((step.clone(), report));
                return Err(Verdict::Failed(failure));
            }
        };
        let stop = self.host.signals.stopped();
        let ended = step_result(self.log, step, &report, stop, result.as_ref());
        if let Some(Ok(Some(restore_hint))) = result {
            self.restore_hint = Some(restore_hint);
        }
        self.last = Some((step.clone(), report));
        ended
    }

    /// Starts the step and waits for its end.
    fn supervise(
        &self,
        ready: &ReadyStep,
        permit: &mut dyn RunPermit,
    ) -> std::io::Result<(StepReport, Option<StepResult>)> {
        let step = &ready.step;
        let ends = step.kind.is_embedded().then(channel).transpose()?;
        let (receiver, slot) = ends.unzip();
        let (environment, mark) = match self.identity {
            Some(identity) => {
                let environment = own_variables(self.plan, identity, step, slot.as_ref());
                (environment, mark(identity))
            }
            None => unrecorded(self.plan, step, &self.host.foreign),
        };
        let process = StepProcess {
            program: Program {
                path: ready.path.clone(),
                argv: ready.argv.clone(),
                environment: environment.entries().to_vec(),
            },
            identity: step.identity.clone(),
            timeout: step.timeout,
            grace: self.plan.grace,
            mark,
            result: slot,
        };
        let is_embedded = step.kind.is_embedded();
        let output = self.log.step_output(&step.name, self.tail, is_embedded);
        let report = self
            .host
            .supervise(&process, output, permit, &mut |event| {
                log_event(self.log, step, self.plan.grace, &event);
            })?;
        let message = receiver.and_then(|receiver| receive(&receiver));
        Ok((report, message.and_then(|message| decode(&message))))
    }

    /// Why the gate stays closed, if a stop arrived while the last step ran.
    fn stopped_during_last(&self) -> Option<Failure> {
        let (step, _) = self.last.as_ref()?;
        let stop = self.host.signals.stopped()?;
        Some(stopped(stop, &format!("{} ran", step.name)))
    }

    fn end(self, mut verdict: Verdict) -> StepsOutcome {
        if let (Verdict::Failed(failure) | Verdict::Interrupted(failure), Some(hint)) =
            (&mut verdict, &self.restore_hint)
        {
            failure.add_hint(hint);
        }
        StepsOutcome {
            last: self.last,
            verdict,
        }
    }
}
