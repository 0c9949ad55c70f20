//! What a step learns about its run, in its environment.

use super::RunIdentity;
use crate::plan::{Step, Steps};
use crate::settings::RESULT_FD;
use crate::sys::environment::Environment;
use crate::sys::result::ResultSlot;

/// The variable by which a step's processes are known: no other run has its value.
const RUN_ID: &str = "LAUNCHGATE_RUN_ID";

/// The entry that all processes of this run's steps have, and no others.
pub(super) fn mark(identity: &RunIdentity) -> Vec<u8> {
    format!("{RUN_ID}={}", identity.run_id).into_bytes()
}

pub(super) fn own_variables(
    steps: &Steps,
    identity: &RunIdentity,
    step: &Step,
    result: Option<&ResultSlot>,
) -> Environment {
    let mut environment = steps.environment_of(step).clone();
    for (name, value) in [
        ("LAUNCHGATE_APP", identity.app.as_str()),
        ("LAUNCHGATE_RELEASE", &identity.release),
        ("LAUNCHGATE_REVISION", &identity.revision),
        (RUN_ID, &identity.run_id),
        ("LAUNCHGATE_STEP", &step.name),
        ("LAUNCHGATE_ATTEMPT", &identity.attempt.to_string()),
    ] {
        // Inherited ones were removed, and `--step-env` may not name them.
        environment.append(name.as_bytes(), value.as_bytes());
    }
    if let Some(result) = result {
        environment.append(RESULT_FD.as_bytes(), result.number().to_string().as_bytes());
    }
    if step.kind.is_embedded()
        && let Some(embedded) = &steps.embedded
    {
        for (name, value) in embedded.variables(step.kind) {
            environment.set(name.as_bytes(), value.as_bytes());
        }
    }
    if let Some(name) = &identity.application_name
        && !steps.names_sessions
    {
        environment.set(b"PGAPPNAME", name.as_bytes());
    }
    environment
}
