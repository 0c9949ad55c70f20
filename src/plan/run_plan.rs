//! The whole plan of `run` and `job`: steps, gate, and what runs at every start. Every mistake in a
//! setting is found here, before anything runs or connects.

use super::embedded::EmbeddedPlan;
use super::every_start::EveryStart;
use super::planner::Steps;
use super::steps::steps;
use crate::db::SessionNames;
use crate::exit::{Failure, Problem};
use crate::output::log::{Event, Log};
use crate::plan::coordination::{self, Coordination};
use crate::plan::revision;
use crate::settings::{DatabaseChoice, GateSettings, Settings, StepSettings};

/// What `run` is going to do.
pub struct RunPlan {
    /// The steps.
    pub steps: Steps,
    /// The start commands and the server.
    pub every_start: EveryStart,
    /// What coordinates the replicas.
    pub coordination: Coordination,
}

impl RunPlan {
    /// Plans everything but what runs at every start, which was planned already.
    ///
    /// # Errors
    /// A setting that can't be meant.
    pub fn new(
        settings: &Settings,
        gate_settings: &GateSettings,
        every_start: EveryStart,
        log: &Log,
    ) -> Result<Self, Failure> {
        let environment = &settings.environment;
        let GateSettings {
            steps: own, ledger, ..
        } = gate_settings;
        let mut steps = steps(environment, own, &mut |problem| {
            log.warn(Event::ConfigWarning, &problem, &[]);
        })?;
        // A mistyped variable must not start a server on a schema that nobody migrated.
        if steps.list.is_empty() && !matches!(ledger.database.choice, DatabaseChoice::Declined(_)) {
            return Err(Failure::usage(
                "no steps are configured, so there is nothing to gate",
                "set the migration command with --migrate; or use `launchgate wait` where another job \
                 migrates, or --no-database",
            ));
        }
        let coordination = coordination::resolve(environment, ledger, log)?;
        let gate = match &coordination {
            Coordination::Gate(gate) => Some(&**gate),
            Coordination::Alone { .. } => None,
        };
        if gate.is_some_and(|gate| !gate.names_revision()) {
            revision::warn_missing(log);
        }
        steps.embedded = EmbeddedPlan::new(own, log, gate)?;
        let names = gate.and_then(|gate| gate.target.backend().driver().session_names);
        if let Some(SessionNames { variable, .. }) = names
            && steps.names_sessions
        {
            let problem = Problem::new(
                format!(
                    "--step-env sets {variable}, so launchgate can't recognize sessions that a dead \
                     step leaves in the database"
                ),
                format!("let launchgate set {variable}"),
            );
            log.warn(Event::ConfigWarning, &problem, &[]);
        }
        hide_secrets(&steps, &coordination, own, log);
        Ok(Self {
            steps,
            every_start,
            coordination,
        })
    }
}

/// No log line and no ledger row shows a secret of the database's URL or of a step's environment.
fn hide_secrets(steps: &Steps, coordination: &Coordination, settings: &StepSettings, log: &Log) {
    log.hide(|secrets| {
        let own = steps
            .list
            .iter()
            .filter_map(|step| step.environment.as_ref());
        for environment in own.chain([&steps.environment]) {
            // The log knows the inherited ones.
            secrets.add_variables(environment.added());
        }
        for variable in &settings.step_env_from {
            secrets.add_variable_value(&String::from_utf8_lossy(&variable.value.1));
        }
        if let Coordination::Gate(gate) = coordination {
            secrets.add_all(gate.target.url.secrets());
        }
    });
}
