//! What is said while a step runs, and what its end means.

use super::{ReadyServer, Verdict};
use crate::commands::embedded;
use crate::exit::{Failure, FailureKind, Problem};
use crate::output::log::{Event, Field, Log};
use crate::plan::{Step, Steps};
use crate::sys::family::Stray;
use crate::sys::signals::{self, Signal, signal_code};
use crate::sys::step::{StepEvent, StepReport, StopReason};
use crate::sys::wait::Ended;

pub(super) fn tell(log: &Log, name: &str, step: &Step, steps: &Steps, news: &StepEvent<'_>) {
    match news {
        StepEvent::Started(pid) => log.say(
            Event::StepStarted,
            &format!("{name} started"),
            &[("step", &name), ("pid", pid), ("command", &step.text)],
        ),
        StepEvent::Running(elapsed) => log.say(
            Event::StepRunning,
            &format!("{name} still runs"),
            &[("step", &name), ("seconds", &elapsed.as_secs())],
        ),
        StepEvent::Stopping(cut) => {
            let why = match cut {
                StopReason::Stop(number) => format!("{} arrived", signals::name(*number)),
                StopReason::Timeout => "it ran past its limit, --migrate-timeout".to_owned(),
                StopReason::Lost(why) => why.clone(),
            };
            let grace = humantime::format_duration(steps.grace);
            log.say(
                Event::StepStopping,
                &format!("stopping {name}: {why}"),
                &[("step", &name), ("grace", &grace)],
            );
        }
        StepEvent::Killing => log.say(
            Event::StepKilled,
            &format!("{name} is not gone after --stop-grace, killing it"),
            &[("step", &name)],
        ),
        StepEvent::Leftovers(count) => {
            let mut fields: Vec<Field<'_>> = vec![("step", &name)];
            fields.extend(
                count
                    .iter()
                    .map(|count| -> Field<'_> { ("processes", count) }),
            );
            let message = format!("{name} ended and left processes running, stopping them");
            log.say(Event::StepLeftovers, &message, &fields);
        }
        StepEvent::Unwritable(stream, error) => {
            let (stream, words) = match stream {
                1 => ("stdout", "standard output"),
                _ => ("stderr", "standard error"),
            };
            let problem = Problem::new(
                format!("{words} can't be written, what {name} prints there is lost"),
                "make room where it leads, or let it lead elsewhere",
            );
            let fields: [Field<'_>; 3] = [("step", &name), ("stream", &stream), ("error", error)];
            log.warn(Event::StepOutputLost, &problem, &fields);
        }
        StepEvent::OutOfReach(stray) => out_of_reach(log, name, *stray),
    }
}

fn out_of_reach(log: &Log, name: &str, stray: Stray) {
    let mut fields: Vec<Field<'_>> = vec![("step", &name)];
    let Stray::Refused { pid, user, state } = &stray else {
        let problem = Problem::new(
            format!("what {name} left can't be found, waiting for its end"),
            "mount the /proc of this PID namespace, without hidepid, or end it by hand",
        );
        return log.warn(Event::StepOutOfReach, &problem, &fields);
    };
    fields.push(("pid", pid));
    fields.extend(user.iter().map(|user| -> Field<'_> { ("user", user) }));
    fields.push(("state", state));
    let problem = Problem::new(
        format!("a process of {name} may not be signalled, waiting for its end"),
        "end it by hand, or start launchgate as its user or with the capability KILL",
    );
    log.warn(Event::StepOutOfReach, &problem, &fields);
}

/// Why a step is not even started; `None` where it may be.
pub(super) fn not_begun(
    name: &str,
    lost: Option<String>,
    signal: Option<Signal>,
) -> Option<Verdict> {
    let stopped = signal.map(|number| stopped(number, &format!("the start of {name}")));
    match (lost, stopped) {
        (Some(why), failure) => Some(Verdict::Lost(failure.unwrap_or_else(|| lock_lost(&why)))),
        (None, Some(failure)) => Some(Verdict::Stopped {
            failure,
            done: false,
        }),
        (None, None) => None,
    }
}

/// `None` where the step ended well and the next may run.
pub(super) fn judge(log: &Log, step: &Step, report: &StepReport, is_last: bool) -> Option<Verdict> {
    let name = step.name.as_str();
    let well = report.ended == Ended::Code(0);
    say_ended(log, step, report);
    if let Some(StopReason::Lost(why)) = &report.cut {
        let failure = match report.signal {
            Some(number) => stopped(number, name),
            None => lock_lost(why),
        };
        return Some(Verdict::Lost(failure));
    }
    let timed_out = report.cut == Some(StopReason::Timeout);
    if let Some(number) = report.signal {
        let failure = stopped(number, name);
        // A step past its limit has failed, whatever came later.
        return Some(Verdict::Stopped {
            failure,
            done: well && is_last && !timed_out,
        });
    }
    if timed_out {
        let limit = humantime::format_duration(step.timeout.unwrap_or_default());
        return Some(Verdict::Failed(Failure::new(
            FailureKind::StepTimeout,
            Problem::new(
                format!("{name} ran past {limit} and was stopped"),
                "raise --migrate-timeout, or split the migration",
            ),
        )));
    }
    (!well).then(|| {
        Verdict::Failed(
            embedded::failure(step.kind, report).unwrap_or_else(|| failed(step, report.ended)),
        )
    })
}

/// The lock was lost; `why` says how it is known.
#[must_use]
pub fn lock_lost(why: &str) -> Failure {
    Failure::new(
        FailureKind::LockLost,
        Problem::new(
            format!("{why}; every step of this run is stopped"),
            "start it again: whoever holds the lock then goes on",
        ),
    )
}

/// A signal stopped the gate while it was at `phase`.
#[must_use]
pub fn stopped(number: i32, phase: &str) -> Failure {
    let name = signals::name(number);
    Failure::new(
        FailureKind::Stopped(number),
        Problem::new(
            format!("stopped by {name} during {phase}"),
            "nothing to mend; the next start goes on",
        ),
    )
}

/// A signal stopped the gate when something else had closed it already: the code is the
/// signal's, the words are about both.
#[must_use]
pub fn stopped_after(number: i32, failure: Failure) -> Failure {
    if matches!(failure.kind(), FailureKind::Stopped(_) | FailureKind::Bug) {
        return failure;
    }
    let (what, hint) = (failure.problem().what(), failure.problem().hint());
    let name = signals::name(number);
    Failure::new(
        FailureKind::Stopped(number),
        Problem::new(format!("stopped by {name}; before that, {what}"), hint),
    )
}

fn say_ended(log: &Log, step: &Step, report: &StepReport) {
    let name = step.name.as_str();
    let elapsed = report.elapsed;
    let seconds = format!("{}.{:03}", elapsed.as_secs(), elapsed.subsec_millis());
    match report.ended {
        Ended::Code(0) => log.say(
            Event::StepSucceeded,
            &format!("{name} succeeded"),
            &[("step", &name), ("seconds", &seconds)],
        ),
        Ended::Code(code) => log.say(
            Event::StepFailed,
            &format!("{name} exited with code {code}"),
            &[("step", &name), ("seconds", &seconds), ("code", &code)],
        ),
        Ended::Signal(number) => log.say(
            Event::StepFailed,
            &format!("{name} was ended by {}", signals::name(number)),
            &[("step", &name), ("seconds", &seconds), ("signal", &number)],
        ),
    }
}

fn failed(step: &Step, ended: Ended) -> Failure {
    let name = step.name.as_str();
    let (how, hint) = match ended {
        Ended::Code(code) => (
            format!("exited with code {code}"),
            format!(
                "its own output above says why; mend it and start again; the command was `{}`",
                step.text
            ),
        ),
        Ended::Signal(libc_kill) if signal_code(libc_kill) == 137 => (
            "was killed by SIGKILL".to_owned(),
            "look for an out-of-memory kill (memory limit), or who sent it".to_owned(),
        ),
        Ended::Signal(number) => (
            format!("was ended by {}", signals::name(number)),
            "its own output above says why; a crash, or someone sent the signal".to_owned(),
        ),
    };
    let problem = Problem::new(format!("{name} {how}"), hint);
    Failure::new(FailureKind::Step(ended.shell_code()), problem)
}

/// What the ledger keeps of a step that could not be started: a shell's exit code for it.
pub(super) fn no_report(failure: &Failure) -> StepReport {
    StepReport {
        ended: Ended::Code(i32::from(failure.code())),
        cut: None,
        signal: None,
        elapsed: std::time::Duration::ZERO,
        tail: Vec::new(),
    }
}

pub(super) fn not_started(step: &Step, error: &std::io::Error) -> Failure {
    let name = step.name.as_str();
    let what = format!("{}: failed to start {name}: {error}", step.origin);
    match error.kind() {
        std::io::ErrorKind::NotFound => Failure::new(
            FailureKind::NotFound,
            Problem::new(what, "it was there a moment ago; look for who removed it"),
        ),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::OutOfMemory => Failure::new(
            FailureKind::System,
            Problem::new(what, "raise the limit of processes or memory"),
        ),
        _ => Failure::new(
            FailureKind::NotExecutable,
            Problem::new(
                what,
                "see whether its file system allows execution and it was built for this machine",
            ),
        ),
    }
}

/// execve refused the server after everything was looked up.
#[must_use]
pub fn server_not_started(server: &ReadyServer, error: &std::io::Error) -> Failure {
    let what = format!(
        "failed to start the {} {}: {error}",
        server.called,
        server.program.path.to_string_lossy()
    );
    if error.kind() == std::io::ErrorKind::NotFound {
        return Failure::new(
            FailureKind::NotFound,
            Problem::new(what, "it was there a moment ago; look for who removed it"),
        );
    }
    Failure::new(
        FailureKind::NotExecutable,
        Problem::new(
            what,
            "see whether its file system allows execution and it was built for this machine",
        ),
    )
}
