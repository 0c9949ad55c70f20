//! `launchgate run` and `launchgate job`: the gate, then the server, where there is one.

use crate::commands::every_start;
use crate::exit::{Failure, Problem};
use crate::gate::{self, Passed};
use crate::output::live;
use crate::output::log::{Event, Log};
use crate::plan::coordination::Coordination;
use crate::plan::gate_plan::{GatePlan, Limits};
use crate::plan::revision::RevisionInfo;
use crate::plan::run_plan::RunPlan;
use crate::settings::{RunSettings, Settings};
use crate::steps::{self, ReadySteps, RunIdentity};
use crate::sys::host::Host;

/// Runs the gate, then becomes the server; returns if there is none.
///
/// # Errors
/// Everything that keeps a gate closed.
pub fn run(
    host: &Host,
    log: &Log,
    settings: &Settings,
    command: &RunSettings,
) -> Result<(), Failure> {
    let every_start = every_start::plan(log, &settings.environment, &command.server)?;
    every_start::watch_parent(&every_start);
    let Some(gate) = &command.gate else {
        return every_start::skip_gate(host, log, every_start);
    };
    let RunPlan {
        steps,
        every_start,
        coordination,
    } = RunPlan::new(settings, gate, every_start, log)?;
    // Everything that is to be executed is looked up before anything runs or connects.
    let steps = steps::find(steps, log)?;
    let every_start = steps::find_every_start(every_start, log)?;
    let is_idle = steps.list.is_empty() && every_start.has_no_commands();
    let health = gate.health.as_ref().filter(|_| !is_idle);
    every_start::go_through(host, log, &every_start, health, || match coordination {
        _ if steps.list.is_empty() => {
            warn_of_no_step(log);
            Ok(())
        }
        Coordination::Alone { app, name, limits } => alone(host, log, &steps, app, name, limits),
        Coordination::Gate(plan) => together(host, log, *plan, &steps),
    })
}

fn warn_of_no_step(log: &Log) {
    let problem = Problem::new(
        "no steps are configured, so there is nothing to run",
        "set the migration command with --migrate",
    );
    log.warn(Event::ConfigWarning, &problem, &[]);
}

fn alone(
    host: &Host,
    log: &Log,
    steps: &ReadySteps,
    app: String,
    name: RevisionInfo,
    limits: Limits,
) -> Result<(), Failure> {
    let identity = RunIdentity {
        app,
        release: name.release.unwrap_or_default(),
        revision: name.revision.unwrap_or_default(),
        run_id: steps::new_run_id()?,
        attempt: 1,
        session_name: None,
    };
    gate::pass_alone(host, log, steps, identity, &limits)
}

fn together(host: &Host, log: &Log, plan: GatePlan, steps: &ReadySteps) -> Result<(), Failure> {
    let live = live::start(host, log);
    let passed = gate::pass_together(host, log, plan, steps);
    drop(live);
    log.say(
        Event::GateDone,
        match passed? {
            Passed::Already => "the gate is open",
            Passed::Here => "the gate is open; this replica ran the steps",
        },
        &[],
    );
    Ok(())
}
