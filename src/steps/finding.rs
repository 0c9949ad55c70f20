//! Finds every executable before anything runs or connects.

mod mistakes;

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use mistakes::{CommandOf, likely_mistake};

use super::{ReadyEveryStart, ReadyServer, ReadyStep, ReadySteps};
use crate::exit::{Failure, FailureKind};
use crate::output::log::{Event, Log};
use crate::plan::every_start::EveryStart;
use crate::plan::{ServerPlan, Stage, Step, Steps};
use crate::sys::child::Program;
use crate::sys::environment::until_nul;
use crate::sys::lookup::{self, Unfit};
use crate::sys::own;
use crate::sys::user::{self, LauncherRole, NotFound};

/// Finds the executables of all steps.
///
/// # Errors
/// One does not exist or can't be executed.
pub fn find(steps: Steps, log: &Log) -> Result<ReadySteps, Failure> {
    let found = steps.list.iter().map(|step| find_step(&steps, step, log));
    let list = found.collect::<Result<_, Failure>>()?;
    Ok(ReadySteps { plan: steps, list })
}

fn find_step(steps: &Steps, step: &Step, log: &Log) -> Result<ReadyStep, Failure> {
    let (noun, user) = match step.kind.definition().stage {
        Stage::InGate => ("step", "--step-user or --user"),
        Stage::BeforeGate | Stage::AfterGate => ("command", "--user"),
    };
    let what = format!("{}: {} {noun}", step.origin, step.name);
    let environment = steps.environment_of(step);
    let path = environment.get(b"PATH");
    let identity = step.identity.as_ref();
    let look_up = |program: &OsStr| {
        user::look_up(identity, program, path, LauncherRole::Watch)
            .map_err(|error| likely_mistake(program, &CommandOf::Step, error))
            .map_err(|error| not_found(&what, user, error))
    };
    let found = match (step.kind.is_embedded(), identity) {
        (true, None) => own::program(),
        (true, Some(_)) => look_up(own::program().as_os_str())?,
        (false, _) => look_up(step.argv.program())?,
    };
    let argv = words(step.argv.words());
    lookup::measure(&argv, environment.entries()).map_err(|u| unfit(&what, u))?;
    say_found(log, &what, &found);
    Ok(ReadyStep {
        step: step.clone(),
        path: c_path(&found),
        argv,
    })
}

/// Finds the executables of what runs at every start.
///
/// # Errors
/// One does not exist or can't be executed.
pub fn find_every_start(planned: EveryStart, log: &Log) -> Result<ReadyEveryStart, Failure> {
    let EveryStart {
        prepare,
        warm_up,
        server,
    } = planned;
    Ok(ReadyEveryStart {
        prepare: find(prepare, log)?,
        warm_up: find(warm_up, log)?,
        server: server.map(|s| find_server(s, log)).transpose()?,
    })
}

/// Finds the server's executable.
///
/// # Errors
/// It does not exist or can't be executed.
pub fn find_server(plan: ServerPlan, log: &Log) -> Result<ReadyServer, Failure> {
    let path = plan.environment.get(b"PATH");
    let part = match plan.init {
        Some(_) => LauncherRole::Watch,
        None => LauncherRole::Become,
    };
    let (called, name) = (plan.called, plan.argv.program());
    let found = user::look_up(plan.identity.as_ref(), name, path, part)
        .map_err(|error| likely_mistake(name, &CommandOf::Server(plan.argv.words()), error))
        .map_err(|error| not_found(called, "--user", error))?;
    let argv = words(plan.argv.words());
    let environment = plan.environment.entries().to_vec();
    lookup::measure(&argv, &environment).map_err(|u| unfit(called, u))?;
    say_found(log, called, &found);
    let path = c_path(&found);
    let program = Program {
        path,
        argv,
        environment,
    };
    Ok(ReadyServer { plan, program })
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

fn not_found(what: &str, setting: &str, error: NotFound) -> Failure {
    match error {
        NotFound::Unfit(error) => unfit(what, error),
        NotFound::Refused(error) => Failure::because(
            FailureKind::System,
            format!("{what}: failed to switch to the user of {setting}: {error}"),
            "start launchgate as root with the capabilities SETUID and SETGID, or as that user, \
                 or remove the setting",
        ),
        NotFound::OutOfReach(error) => Failure::because(
            FailureKind::System,
            format!("{what}: failed to signal processes of the user of {setting}: {error}"),
            "also give launchgate the capability KILL, or start it as that user, or remove the setting",
        ),
    }
}

fn unfit(of: &str, unfit: Unfit) -> Failure {
    let kind = if unfit.is_missing {
        FailureKind::NotFound
    } else {
        FailureKind::NotExecutable
    };
    Failure::because(kind, format!("{of}: {}", unfit.what), unfit.hint)
}
