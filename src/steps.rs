//! Running the planned steps, one after the other, until one does not end well.
//!
//! May touch `sys` and `log`; never SQL or system calls.

mod ending;
mod finding;
mod variables;

use std::ffi::CString;

use ending::{judge, no_report, not_begun, not_started, tell};
pub use ending::{lock_lost, server_not_started, stopped, stopped_after};
pub use finding::{find, find_server};
use variables::{mark, own_variables};

use crate::commands::embedded;
use crate::exit::{Failure, FailureKind, Problem};
use crate::output::log::Log;
use crate::output::timeline::Phase;
use crate::plan::{Step, StepKind, Steps};
use crate::sys::child::Program;
use crate::sys::clock::Moment;
use crate::sys::forwarding::Init;
use crate::sys::host::Host;
use crate::sys::identity::Identity;
use crate::sys::signals::Signal;
use crate::sys::step::{Guard, StepProcess, StepReport};

/// The longest part of a step's output that a ledger keeps: 4 KiB.
pub const TAIL: usize = 4096;

/// What each step of one run is told about it.
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
    /// `PGAPPNAME`, where the steps' sessions are to be recognised.
    pub application_name: Option<String>,
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
    #[must_use]
    pub fn path(&self) -> &CString {
        &self.path
    }
}

/// A server whose executable was found.
#[derive(Debug, Clone)]
pub struct ReadyServer {
    /// What it is called where something is said of it.
    pub called: &'static str,
    /// What will be executed.
    pub program: Program,
    /// Who executes it; `None`: whoever this is.
    pub identity: Option<Identity>,
    /// How launchgate stays in front of it; `None`: it becomes it.
    pub init: Option<Init>,
    /// Its command as it was written.
    pub text: String,
}

/// A new run's id: 128 random bits.
///
/// # Errors
/// The system gives no random numbers.
pub fn new_run_id() -> Result<String, Failure> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        Failure::new(
            FailureKind::System,
            Problem::new(
                format!("failed to get random numbers: {error}"),
                "allow getrandom(2) in the container's seccomp profile",
            ),
        )
    })?;
    Ok(format!("{:032x}", u128::from_be_bytes(bits)))
}

/// What became of the steps.
#[derive(Debug)]
pub struct StepsOutcome {
    /// The last step that ran, and how it ended; none where there was none to run.
    pub last: Option<(Step, StepReport)>,
    /// How it all ended.
    pub verdict: Verdict,
}

impl StepsOutcome {
    /// The signal that stops the gate, where one came.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        match &self.verdict {
            Verdict::Stopped { failure, .. } | Verdict::Lost(failure) => failure.signal(),
            Verdict::Done | Verdict::Failed(_) => None,
        }
    }
}

/// How a run of steps ended.
#[derive(Debug)]
pub enum Verdict {
    /// Every step ended well.
    Done,
    /// A step failed by itself.
    Failed(Failure),
    /// A signal stopped the gate; `done` where the last step ended well in spite of it.
    Stopped {
        /// Why the gate stays closed.
        failure: Failure,
        /// Whether every step ended well.
        done: bool,
    },
    /// The right to run was lost.
    Lost(Failure),
}

/// Whether a run keeps what the steps print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputCapture {
    /// The streams are handed over as they are.
    Nothing,
    /// This many last bytes, passed on meanwhile.
    Tail(usize),
}

/// Runs the steps in order. `before` is called before each is started, and returns the signal
/// that stops the gate, where one came meanwhile.
pub fn run(
    host: &Host,
    log: &Log,
    ReadySteps {
        plan: steps,
        list: ready,
    }: &ReadySteps,
    identity: &RunIdentity,
    keep: OutputCapture,
    guard: &mut dyn Guard,
    before: &mut dyn FnMut(&Step) -> Option<Signal>,
) -> StepsOutcome {
    let mut last = None;
    let mut restore_hint = None;
    for (number, ready) in ready.iter().enumerate() {
        let signal = before(&ready.step);
        let environment = own_variables(steps, identity, &ready.step);
        let process = StepProcess {
            program: Program {
                path: ready.path.clone(),
                argv: ready.argv.clone(),
                environment: environment.entries().to_vec(),
            },
            identity: ready.step.identity.clone(),
            timeout: ready.step.timeout,
            grace: steps.grace,
            mark: mark(identity),
        };
        let name = ready.step.name.as_str();
        // A signal that came between two steps, or was inherited as pending, finds none to stop.
        let signal = signal.or_else(|| host.signals.next_stop());
        // A machine that was frozen since the last look thaws here: no step may start then.
        let lost = guard.lost(Moment::now());
        if let Some(verdict) = not_begun(name, lost, signal) {
            return StepsOutcome { last, verdict };
        }
        log.timeline().enter(Phase::Step(name.to_owned()));
        let tail = match keep {
            OutputCapture::Nothing => None,
            OutputCapture::Tail(len) => Some(len),
        };
        let output = log.step_output(name, tail, ready.step.kind.is_embedded());
        let report = host.supervise(&process, output, guard, &mut |news| {
            tell(log, name, &ready.step, steps, &news);
        });
        log.timeline().enter(Phase::Recording);
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                let failure = not_started(&ready.step, &error);
                return StepsOutcome {
                    last: Some((ready.step.clone(), no_report(&failure))),
                    verdict: Verdict::Failed(failure),
                };
            }
        };
        let is_last = number + 1 == steps.list.len();
        let verdict = judge(log, &ready.step, &report, is_last);
        if ready.step.kind == StepKind::Snapshot {
            restore_hint = embedded::restore_hint(&report.tail);
        }
        last = Some((ready.step.clone(), report));
        if let Some(mut verdict) = verdict {
            if let (Verdict::Failed(failure), Some(restore_hint)) = (&mut verdict, &restore_hint) {
                failure.add_hint(restore_hint);
            }
            return StepsOutcome { last, verdict };
        }
    }
    StepsOutcome {
        last,
        verdict: Verdict::Done,
    }
}
