//! What a step learns about its run, in its environment.

use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;

use super::{RunIdentity, new_run_id};
use crate::plan::{Step, Steps};
use crate::settings::{RESULT_FD, RunVariable};
use crate::sys::environment::Environment;
use crate::sys::family::Foreign;

/// The variable by which a step's processes are known.
const RUN_ID: &str = RunVariable::RunId.as_str();

/// The entry that all processes of this run's steps have, and no others.
pub(super) fn mark(identity: &RunIdentity) -> Vec<u8> {
    format!("{RUN_ID}={}", identity.run_id).into_bytes()
}

/// The environment of a command that no ledger records, and the entry that marks its processes. It
/// sees nothing of launchgate's, unless the mark is needed to tell its processes from those that
/// were there before.
pub(super) fn unrecorded(steps: &Steps, step: &Step, foreign: &Foreign) -> (Environment, Vec<u8>) {
    let mut environment = steps.environment_of(step).clone();
    if matches!(foreign, Foreign::Nobody) {
        return (environment, Vec::new());
    }
    let id = new_run_id().unwrap_or_else(|_| std::process::id().to_string());
    environment.append(RUN_ID.as_bytes(), id.as_bytes());
    (environment, format!("{RUN_ID}={id}").into_bytes())
}

pub(super) fn own_variables(
    steps: &Steps,
    identity: &RunIdentity,
    step: &Step,
    result: Option<&UnixDatagram>,
) -> Environment {
    let mut environment = steps.environment_of(step).clone();
    let attempt = identity.attempt.to_string();
    for variable in RunVariable::ALL {
        let value = match variable {
            RunVariable::App => &identity.app,
            RunVariable::Release => &identity.release,
            RunVariable::Revision => &identity.revision,
            RunVariable::RunId => &identity.run_id,
            RunVariable::Step => &step.name,
            RunVariable::Attempt => &attempt,
        };
        // Inherited ones were removed, and `--step-env` may not name them.
        environment.append(variable.as_str().as_bytes(), value.as_bytes());
    }
    if let Some(result) = result {
        environment.append(
            RESULT_FD.as_bytes(),
            result.as_raw_fd().to_string().as_bytes(),
        );
    }
    if step.kind.is_embedded()
        && let Some(embedded) = &steps.embedded
    {
        for (name, value) in embedded.variables(step.kind) {
            environment.set(name.as_bytes(), value.as_bytes());
        }
    }
    if let Some((variable, name)) = &identity.session_name
        && !steps.names_sessions
    {
        environment.set(variable.as_bytes(), name.as_bytes());
    }
    environment
}
