//! The plan of the steps that run once per revision.

use super::planner::{self, Planner, Steps};
use super::step::Stage;
use crate::exit::{Failure, Problem};
use crate::settings::{StepSettings, StepValue};
use crate::sys::environment::Environment;
use crate::sys::identity::Identity;

/// Plans the steps that run once per revision. Warnings go to `warn`.
///
/// # Errors
/// A setting that can't be meant.
pub fn steps(
    inherited: &Environment,
    settings: &StepSettings,
    warn: &mut dyn FnMut(Problem),
) -> Result<Steps, Failure> {
    let mut steps = Planner {
        stage: Stage::InGate,
        style: &settings.style,
        environment_as: &|identity| step_environment(inherited, settings, identity),
        identity: settings.user.as_ref().map(|setting| &setting.value.1),
        timeout: settings.migrate_timeout,
        server: None,
        warn,
    }
    .plan(&settings.values)?;
    let own = settings.values.iter().filter_map(|(_, value)| match value {
        StepValue::Command(command) => Some(&command.value.environment),
        StepValue::Folder(_) => None,
    });
    let shared = settings.step_env.iter().chain(&settings.step_env_from);
    let mut set = shared.chain(own.flatten());
    steps.names_sessions = set.any(|pair| planner::names_sessions(&pair.value.0));
    Ok(steps)
}

fn step_environment(
    inherited: &Environment,
    settings: &StepSettings,
    identity: Option<&Identity>,
) -> Environment {
    let mut environment = inherited.clone();
    if let Some(identity) = identity {
        environment.set(b"HOME", &identity.home);
    }
    for pair in settings.step_env.iter().chain(&settings.step_env_from) {
        environment.set(&pair.value.0, &pair.value.1);
    }
    environment
}
