//! `launchgate run` and `launchgate job`: the gate, then the server, where there is one.

use std::time::Duration;

use crate::commands::server;
use crate::exit::{Failure, Problem};
use crate::gate::{self, Passed};
use crate::output::health::Health;
use crate::output::live::Live;
use crate::output::log::{Event, Log};
use crate::plan;
use crate::plan::coordination::Coordination;
use crate::plan::gate_plan::GatePlan;
use crate::plan::revision::RevisionInfo;
use crate::plan::run_plan::RunPlan;
use crate::settings::{RunSettings, Settings};
use crate::steps::{self, ReadyServer, ReadySteps, RunIdentity};
use crate::sys::clock::Moment;
use crate::sys::host::Host;
use crate::sys::launch::{self, NotLaunched};

/// How long the last lines of the log may wait for a reader before they are left behind.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs the gate, then becomes the server; returns where there is none.
///
/// # Errors
/// Everything that keeps a gate closed.
pub fn run(
    host: &Host,
    log: &Log,
    settings: &Settings,
    command: &RunSettings,
) -> Result<(), Failure> {
    let server = plan::server(&settings.environment, &command.server, &mut |problem| {
        log.warn(Event::ConfigWarning, &problem, &[]);
    })?;
    if let Some(server) = &server {
        server::prepare(server);
    }
    let Some(gate) = &command.gate else {
        return skip(host, log, server.as_ref());
    };
    let RunPlan {
        steps,
        server,
        coordination,
    } = RunPlan::new(settings, gate, server, log)?;
    // Everything that is to be executed is looked up before anything runs or connects.
    let steps = steps::find(steps, log)?;
    let program = server
        .as_ref()
        .map(|s| steps::find_server(s, log))
        .transpose()?;
    if steps.list.is_empty() {
        let problem = Problem::new(
            "no step is named, so there is nothing to run",
            "name the migration with --migrate",
        );
        log.warn(Event::ConfigWarning, &problem, &[]);
    } else {
        let health = Health::open(gate.external.health.as_ref(), log)?;
        let passed = match coordination {
            Coordination::Alone { app, name } => alone(host, log, &steps, app, name),
            Coordination::Gate(plan) => together(host, log, *plan, &steps),
        };
        log.summarize();
        passed?;
        // The server may want that address.
        drop(health);
    }
    leave(host, log, program.as_ref())
}

/// Goes straight to the server, as `LAUNCHGATE_SKIP` asks.
///
/// # Errors
/// The server can't be started.
pub fn skip(host: &Host, log: &Log, server: Option<&plan::Server>) -> Result<(), Failure> {
    let program = server.map(|s| steps::find_server(s, log)).transpose()?;
    let problem = Problem::new(
        "LAUNCHGATE_SKIP is set, no step is run",
        "unset it when the emergency is over",
    );
    log.warn(Event::GateSkipped, &problem, &[]);
    leave(host, log, program.as_ref())
}

fn alone(
    host: &Host,
    log: &Log,
    steps: &ReadySteps,
    app: String,
    name: RevisionInfo,
) -> Result<(), Failure> {
    let identity = RunIdentity {
        app,
        release: name.release.unwrap_or_default(),
        revision: name.revision.unwrap_or_default(),
        run_id: steps::new_run_id()?,
        attempt: 1,
        application_name: None,
    };
    gate::pass_alone(host, log, steps, &identity)
}

fn together(host: &Host, log: &Log, plan: GatePlan, steps: &ReadySteps) -> Result<(), Failure> {
    let live = Live::start(host, log);
    let passed = gate::pass_together(host, log, plan, steps);
    drop(live);
    log.say(
        Event::GateDone,
        match passed? {
            Passed::Already => "the gate is open",
            Passed::Here => "the gate is open, the steps ran here",
        },
        &[],
    );
    Ok(())
}

/// Becomes the server, where there is one. The point of no return is in `sys::launch`.
pub fn leave(host: &Host, log: &Log, server: Option<&ReadyServer>) -> Result<(), Failure> {
    let Some(ready) = server else {
        log.say(Event::GateDone, "done", &[]);
        return Ok(());
    };
    let ReadyServer { program, text, .. } = ready;
    log.say(
        Event::ServerStarting,
        "starting the server",
        &[("command", text)],
    );
    host.stdout.drain(Moment::now() + LAST_WORDS);
    host.stderr.drain(Moment::now() + LAST_WORDS);
    let identity = ready.identity.as_ref();
    let why = match &ready.init {
        None => launch::launch(program, identity, &host.inherited, &host.signals),
        Some(init) => server::serve(host, log, ready, init),
    };
    Err(match why {
        NotLaunched::Stopped(stop) => steps::stopped(stop, "start"),
        NotLaunched::Exec(error) => steps::server_not_started(ready, &error),
    })
}
