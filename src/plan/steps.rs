//! The plan of the steps that run once per revision.

use std::time::Duration;

use super::embedded::EmbeddedPlan;
use super::planner::{self, Planner};
use super::step::{Stage, Step};
use crate::exit::{Failure, Problem};
use crate::settings::{StepSettings, StepValue};
use crate::sys::environment::Environment;
use crate::sys::identity::Identity;

/// Steps that run one after the other, and everything they share.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    /// In the order they run.
    pub list: Vec<Step>,
    /// Their environment, without what launchgate adds per run.
    pub environment: Environment,
    /// Whether a setting names their database sessions.
    pub names_sessions: bool,
    /// The time between TERM and KILL.
    pub grace: Duration,
    /// What the embedded steps work on.
    pub embedded: Option<EmbeddedPlan>,
}

impl Steps {
    /// What a step sees, without what launchgate adds per run.
    pub fn environment_of<'a>(&'a self, step: &'a Step) -> &'a Environment {
        step.environment.as_ref().unwrap_or(&self.environment)
    }
}

/// Plans the steps that run once per revision. Warnings go to `warn`.
///
/// # Errors
/// A setting that can't be meant.
pub fn steps(
    inherited: &Environment,
    settings: &StepSettings,
    warn: &mut dyn FnMut(Problem),
) -> Result<Steps, Failure> {
    planner::check_style(&settings.style)?;
    let identity = settings.user.as_ref().map(|setting| &setting.value.1);
    let environment_as =
        |identity: Option<&Identity>| step_environment(inherited, settings, identity);
    let environment = environment_as(identity);
    let list = Planner {
        stage: Stage::InGate,
        style: &settings.style,
        environment: &environment,
        environment_as: &environment_as,
        identity,
        timeout: settings.migrate_timeout,
        explain: &planner::of_the_step,
        warn,
    }
    .plan(&settings.values)?;
    let own = settings.values.iter().filter_map(|(_, value)| match value {
        StepValue::Command(command) => Some(&command.value.environment),
        StepValue::Folder(_) => None,
    });
    let shared = settings.step_env.iter().chain(&settings.step_env_from);
    let mut set = shared.chain(own.flatten());
    let names_sessions = set.any(|pair| planner::names_sessions(&pair.value.0));
    Ok(Steps {
        list,
        environment,
        names_sessions,
        grace: settings.style.stop_grace,
        embedded: None,
    })
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
