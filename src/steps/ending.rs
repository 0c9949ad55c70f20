//! What the end of a step means.

use std::io;

use super::result::{OWN_FAILURES, StepResult};
use super::{ReadyServer, Verdict};
use crate::exit::{Failure, FailureKind};
use crate::output::log::{Event, Field, Log};
use crate::output::timeline::seconds;
use crate::plan::{Stage, Step};
use crate::sys::child;
use crate::sys::signals::Stop;
use crate::sys::signals::{self, signal_code};
use crate::sys::step::{StepReport, StopReason};
use crate::sys::wait::Ended;

/// Whether a step may start: the right to run is not `lost`, and no stop arrived.
pub(super) fn may_start(
    name: &str,
    lost: Option<String>,
    stop: Option<Stop>,
) -> Result<(), Verdict> {
    let stopped = stop.map(|stop| stopped(stop, &format!("starting {name}")));
    match (lost, stopped) {
        (Some(why), failure) => Err(Verdict::Lost(failure.unwrap_or_else(|| lock_lost(&why)))),
        (None, Some(failure)) => Err(Verdict::Stopped {
            failure,
            done: false,
        }),
        (None, None) => Ok(()),
    }
}

/// Logs how a step ended; the verdict where it did not succeed. One that succeeded although a
/// stop arrived is a success: its row says so.
pub(super) fn step_result(
    log: &Log,
    step: &Step,
    report: &StepReport,
    stop: Option<Stop>,
    result: Option<&StepResult>,
) -> Result<(), Verdict> {
    log_ended(log, step, report);
    let stopped = stop.map(|stop| stopped_step(stop, step));
    match (&report.stop_reason, stopped) {
        (Some(StopReason::Lost(why)), stopped) => {
            Err(Verdict::Lost(stopped.unwrap_or_else(|| lock_lost(why))))
        }
        // A step past its limit has failed, whatever its exit code.
        (Some(StopReason::Stop(_)) | None, _) if report.ended == Ended::Code(0) => Ok(()),
        (_, Some(failure)) => Err(Verdict::Stopped {
            failure,
            done: false,
        }),
        (Some(StopReason::Timeout), None) => Err(Verdict::Failed(timed_out(step))),
        (Some(StopReason::Stop(_)) | None, None) => {
            let failure = failed(step, report.ended, result);
            Err(match failure.kind() {
                FailureKind::Unreachable | FailureKind::Usage => Verdict::Interrupted(failure),
                _ => Verdict::Failed(failure),
            })
        }
    }
}

/// The lock was lost; `why` says how it is known.
pub fn lock_lost(why: &str) -> Failure {
    Failure::because(
        FailureKind::LockLost,
        format!("{why}; this run is over"),
        "start again: whichever replica holds the lock will continue",
    )
}

/// A stop closed the gate during `phase`.
pub fn stopped(stop: Stop, phase: &str) -> Failure {
    Failure::because(
        FailureKind::Stopped(stop),
        format!("stopped by {stop} while {phase}"),
        "nothing to fix; the next start will continue",
    )
}

/// A stop closed the gate while a step ran, which did not succeed. What it had asked of a database may
/// still be carried out.
fn stopped_step(stop: Stop, step: &Step) -> Failure {
    let what = format!("stopped by {stop} during {}", step.name);
    let hint = match step.kind.definition().stage {
        Stage::BeforeGate | Stage::AfterGate => {
            "the next start runs this command again; what it sent to a database may still be running there"
        }
        Stage::InGate => {
            "the next start runs the steps again; a statement that this step sent may still be running in the database"
        }
    };
    Failure::because(FailureKind::Stopped(stop), what, hint)
}

/// A stop arrived after something else had closed the gate: the exit code is the signal's, the
/// message covers both.
pub fn stopped_after(stop: Stop, failure: Failure) -> Failure {
    if matches!(failure.kind(), FailureKind::Stopped(_) | FailureKind::Bug) {
        return failure;
    }
    let (what, hint) = (failure.problem().what(), failure.problem().hint());
    Failure::because(
        FailureKind::Stopped(stop),
        format!("stopped by {stop}; before that, {what}"),
        hint,
    )
}

fn log_ended(log: &Log, step: &Step, report: &StepReport) {
    let (name, seconds) = (&step.name, seconds(report.elapsed));
    let mut fields: Vec<Field<'_>> = vec![("step", name), ("seconds", &seconds)];
    let event = match &report.ended {
        Ended::Code(0) => Event::StepSucceeded,
        Ended::Code(code) => {
            fields.push(("code", code));
            Event::StepFailed
        }
        Ended::Signal(number) => {
            fields.push(("signal", number));
            Event::StepFailed
        }
    };
    log.say(event, &how(name, report.ended), &fields);
}

fn how(name: &str, ended: Ended) -> String {
    match ended {
        Ended::Code(0) => format!("{name} succeeded"),
        Ended::Code(code) => format!("{name} exited with code {code}"),
        Ended::Signal(number) => format!("{name} was killed by {}", signals::name(number)),
    }
}

fn timed_out(step: &Step) -> Failure {
    let limit = humantime::format_duration(step.timeout.unwrap_or_default());
    let name = &step.name;
    Failure::because(
        FailureKind::StepTimeout,
        format!("{name} ran past {limit} and was stopped"),
        "raise --migrate-timeout, or split the migration",
    )
}

/// What to do about a program that was killed.
const OUT_OF_MEMORY: &str = "check whether it hit the memory limit, or what sent the signal";

fn failed(step: &Step, ended: Ended, result: Option<&StepResult>) -> Failure {
    let name = &step.name;
    if let (Ended::Code(code), Some(Err(problem))) = (ended, result) {
        let own = OWN_FAILURES
            .iter()
            .find(|own| i32::from(own.code()) == code);
        let kind = own.map_or(FailureKind::Step(ended.shell_code()), |own| *own);
        let what = format!("{name}: {}", problem.what());
        return Failure::because(kind, what, problem.hint());
    }
    let command = format!("the command was `{}`", step.text);
    let hint = match ended {
        // As a shell reports it.
        Ended::Code(137) => format!(
            "it usually means that a program was killed by SIGKILL: {OUT_OF_MEMORY}; {command}"
        ),
        Ended::Code(_) => {
            format!("see its output above, fix the cause and start again; {command}")
        }
        Ended::Signal(number) if signal_code(number) == 137 => OUT_OF_MEMORY.to_owned(),
        Ended::Signal(_) => {
            "its output above may say why: it crashed, or something sent the signal".to_owned()
        }
    };
    let kind = FailureKind::Step(ended.shell_code());
    Failure::because(kind, how(name, ended), hint)
}

pub(super) fn not_started(step: &Step, error: &io::Error) -> Failure {
    let what = format!("{}: failed to start {}: {error}", step.origin, step.name);
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => Failure::because(
            FailureKind::System,
            what,
            "raise the process or memory limit",
        ),
        _ if child::is_out_of_descriptors(error) => Failure::no_descriptor(what),
        _ => exec_failed(what, error),
    }
}

/// execve refused the server after everything was looked up.
pub fn server_not_started(server: &ReadyServer, error: &io::Error) -> Failure {
    let (called, path) = (server.plan.called, server.program.path.to_string_lossy());
    let what = format!("failed to start the {called} {path}: {error}");
    exec_failed(what, error)
}

fn exec_failed(what: String, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::NotFound {
        let hint = "it existed a moment ago; find out what removed it";
        return Failure::because(FailureKind::NotFound, what, hint);
    }
    Failure::because(
        FailureKind::NotExecutable,
        what,
        "check that its file system allows execution and that it was built for this machine",
    )
}
