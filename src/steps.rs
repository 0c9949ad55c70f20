//! Running the planned steps, one after the other, until one does not end well.
//!
//! May touch `sys` and `log`; never SQL or system calls.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::environment::{Environment, until_nul};
use crate::exit::{Failure, Problem, signal_code};
use crate::log::{Event, Log};
use crate::plan::{Server, Step, Steps};
use crate::sys::child::{Ended, Program};
use crate::sys::lookup::{self, Unfit};
use crate::sys::signals;
use crate::sys::supervise::{Cut, Guard, Host, News, Order, Report};

/// The longest part of a step's output that a ledger keeps: 4 KiB.
pub const TAIL: usize = 4096;

/// The variables that a step is told and that are no settings; a launchgate that runs as
/// somebody's step finds them in its environment.
pub const TOLD: [&str; 4] = [
    "LAUNCHGATE_REVISION",
    "LAUNCHGATE_RUN_ID",
    "LAUNCHGATE_STEP",
    "LAUNCHGATE_ATTEMPT",
];

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

/// A step whose executable was found.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The step.
    pub step: Step,
    path: CString,
    argv: Vec<CString>,
}

impl Ready {
    /// The file that will be executed.
    #[must_use]
    pub fn path(&self) -> &CString {
        &self.path
    }
}

/// What became of the steps.
#[derive(Debug)]
pub struct Outcome {
    /// The last step that ran, and how it ended; none where there was none to run.
    pub last: Option<(Step, Report)>,
    /// How it all ended.
    pub verdict: Verdict,
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

/// Finds the executables of all steps.
///
/// # Errors
/// One is not there or can't be executed.
pub fn find(steps: &Steps, log: &Log) -> Result<Vec<Ready>, Failure> {
    let path = steps.environment.get(b"PATH");
    steps
        .list
        .iter()
        .map(|step| {
            let what = format!("{}: {} step", step.origin, step.kind.as_str());
            let found = lookup::find(step.argv.program(), path).map_err(|u| unfit(&what, u))?;
            let argv = words(step.argv.words());
            lookup::measure(&argv, steps.environment.entries()).map_err(|u| unfit(&what, u))?;
            say_found(log, &what, &found);
            Ok(Ready {
                step: step.clone(),
                path: c_path(&found),
                argv,
            })
        })
        .collect()
}

/// Finds the server's executable.
///
/// # Errors
/// It is not there or can't be executed.
pub fn find_server(server: &Server, log: &Log) -> Result<Program, Failure> {
    let path = server.environment.get(b"PATH");
    let found = lookup::find(server.argv.program(), path).map_err(|u| unfit("server", u))?;
    let argv = words(server.argv.words());
    let environment = server.environment.entries().to_vec();
    lookup::measure(&argv, &environment).map_err(|u| unfit("server", u))?;
    say_found(log, "server", &found);
    Ok(Program {
        path: c_path(&found),
        argv,
        environment,
    })
}

fn say_found(log: &Log, what: &str, path: &Path) {
    log.say(
        Event::ProgramFound,
        "found the executable",
        &[("of", &what), ("path", &path.display())],
    );
}

fn words(words: &[std::ffi::OsString]) -> Vec<CString> {
    words
        .iter()
        .map(|word| until_nul(word.as_bytes().to_vec()))
        .collect()
}

fn c_path(path: &Path) -> CString {
    until_nul(path.as_os_str().as_bytes().to_vec())
}

fn unfit(what: &str, unfit: Unfit) -> Failure {
    match unfit {
        Unfit::NotFound { what: why, hint } => {
            Failure::NotFound(Problem::new(format!("{what}: {why}"), hint))
        }
        Unfit::NotExecutable { what: why, hint } => {
            Failure::NotExecutable(Problem::new(format!("{what}: {why}"), hint))
        }
    }
}

/// Whether a run keeps what the steps print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The streams are handed over as they are.
    Nothing,
    /// This many last bytes, passed on meanwhile.
    Tail(usize),
}

/// Runs the steps in order. `before` is called before each is started; where it fails, the
/// right to run is lost.
pub fn run(
    host: &Host,
    log: &Log,
    (steps, ready): (&Steps, &[Ready]),
    identity: &RunIdentity,
    keep: Keep,
    guard: &mut dyn Guard,
    before: &mut dyn FnMut(&Step) -> Result<(), Failure>,
) -> Outcome {
    let mut last = None;
    for (number, ready) in ready.iter().enumerate() {
        if let Err(failure) = before(&ready.step) {
            return Outcome {
                last,
                verdict: Verdict::Lost(failure),
            };
        }
        let environment = own_variables(&steps.environment, identity, &ready.step);
        let order = Order {
            program: Program {
                path: ready.path.clone(),
                argv: ready.argv.clone(),
                environment: environment.entries().to_vec(),
            },
            timeout: steps.timeout,
            grace: steps.grace,
            tail: match keep {
                Keep::Nothing => None,
                Keep::Tail(len) => Some(len),
            },
        };
        let name = ready.step.kind.as_str();
        let report = host.supervise(&order, guard, &mut |news| {
            tell(log, name, &ready.step, steps, &news);
        });
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                return Outcome {
                    last,
                    verdict: Verdict::Failed(not_started(&ready.step, &error)),
                };
            }
        };
        let is_last = number + 1 == steps.list.len();
        let verdict = judge(log, &ready.step, steps, &report, is_last);
        last = Some((ready.step.clone(), report));
        if let Some(verdict) = verdict {
            return Outcome { last, verdict };
        }
    }
    Outcome {
        last,
        verdict: Verdict::Done,
    }
}

fn own_variables(environment: &Environment, identity: &RunIdentity, step: &Step) -> Environment {
    let mut environment = environment.clone();
    for (name, value) in [
        ("LAUNCHGATE_APP", identity.app.as_str()),
        ("LAUNCHGATE_RELEASE", &identity.release),
        ("LAUNCHGATE_REVISION", &identity.revision),
        ("LAUNCHGATE_RUN_ID", &identity.run_id),
        ("LAUNCHGATE_STEP", step.kind.as_str()),
        ("LAUNCHGATE_ATTEMPT", &identity.attempt.to_string()),
    ] {
        environment.set(name.as_bytes(), value.as_bytes());
    }
    if let Some(name) = &identity.application_name {
        environment.set(b"PGAPPNAME", name.as_bytes());
    }
    environment
}

fn tell(log: &Log, name: &str, step: &Step, steps: &Steps, news: &News<'_>) {
    match news {
        News::Started(pid) => log.say(
            Event::StepStarted,
            &format!("{name} started"),
            &[("step", &name), ("pid", pid), ("command", &step.text)],
        ),
        News::Running(elapsed) => log.say(
            Event::StepRunning,
            &format!("{name} still runs"),
            &[("step", &name), ("seconds", &elapsed.as_secs())],
        ),
        News::Stopping(cut) => {
            let why = match cut {
                Cut::Stop(number) => format!("{} arrived", signals::name(*number)),
                Cut::Timeout => "it ran past --migrate-timeout".to_owned(),
                Cut::Lost(why) => why.clone(),
            };
            let grace = humantime::format_duration(steps.grace);
            log.say(
                Event::StepStopping,
                &format!("stopping {name}: {why}"),
                &[("step", &name), ("grace", &grace)],
            );
        }
        News::Killing => log.say(
            Event::StepKilled,
            &format!("{name} is not gone after --stop-grace, killing it"),
            &[("step", &name)],
        ),
        News::Leftovers(count) => log.say(
            Event::StepLeftovers,
            &format!("{name} ended and left processes running, stopping them"),
            &[("step", &name), ("processes", count)],
        ),
    }
}

/// `None` where the step ended well and the next may run.
fn judge(log: &Log, step: &Step, steps: &Steps, report: &Report, is_last: bool) -> Option<Verdict> {
    let name = step.kind.as_str();
    let well = report.ended == Ended::Code(0);
    say_ended(log, step, report);
    if let Some(Cut::Lost(why)) = &report.cut {
        let failure = match report.signal {
            Some(number) => stopped(number, name),
            None => lock_lost(why),
        };
        return Some(Verdict::Lost(failure));
    }
    let timed_out = report.cut == Some(Cut::Timeout);
    if let Some(number) = report.signal {
        let failure = stopped(number, name);
        // A step past its limit has failed, whatever came later.
        return Some(Verdict::Stopped {
            failure,
            done: well && is_last && !timed_out,
        });
    }
    if timed_out {
        let limit = humantime::format_duration(steps.timeout.unwrap_or_default());
        return Some(Verdict::Failed(Failure::StepTimeout(Problem::new(
            format!("{name} ran past {limit} and was stopped; the server is not started"),
            "raise --migrate-timeout, or split the migration",
        ))));
    }
    (!well).then(|| Verdict::Failed(failed(step, report.ended)))
}

/// The lock was lost; `why` says how it is known.
#[must_use]
pub fn lock_lost(why: &str) -> Failure {
    Failure::LockLost(Problem::new(
        format!("{why}; the step was stopped and the server is not started"),
        "start it again: whoever holds the lock then goes on",
    ))
}

/// A signal stopped the gate while it was at `phase`.
#[must_use]
pub fn stopped(number: i32, phase: &str) -> Failure {
    let name = signals::name(number);
    Failure::Stopped(
        Problem::new(
            format!("stopped by {name} during {phase}; the server is not started"),
            "nothing to mend; the next start goes on",
        ),
        number,
    )
}

fn say_ended(log: &Log, step: &Step, report: &Report) {
    let name = step.kind.as_str();
    let seconds = format!("{:.3}", report.elapsed.as_secs_f64());
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
    let name = step.kind.as_str();
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
    let problem = Problem::new(format!("{name} {how}; the server is not started"), hint);
    Failure::Step(problem, ended.shell_code())
}

fn not_started(step: &Step, error: &std::io::Error) -> Failure {
    let name = step.kind.as_str();
    let what = format!("{}: failed to start {name}: {error}", step.origin);
    match error.kind() {
        std::io::ErrorKind::NotFound => Failure::NotFound(Problem::new(
            what,
            "it was there a moment ago; look for who removed it",
        )),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::OutOfMemory => {
            Failure::System(Problem::new(what, "raise the limit of processes or memory"))
        }
        _ => Failure::NotExecutable(Problem::new(
            what,
            "see whether its file system allows execution and it was built for this machine",
        )),
    }
}

/// execve refused the server after everything was looked up.
#[must_use]
pub fn server_not_started(program: &Program, error: &std::io::Error) -> Failure {
    let what = format!(
        "failed to start the server {}: {error}",
        program.path.to_string_lossy()
    );
    if error.kind() == std::io::ErrorKind::NotFound {
        return Failure::NotFound(Problem::new(
            what,
            "it was there a moment ago; look for who removed it",
        ));
    }
    Failure::NotExecutable(Problem::new(
        what,
        "see whether its file system allows execution and it was built for this machine",
    ))
}
