//! What every start of a replica does around the gate: the start commands, and becoming the server.

use crate::commands::init_loop;
use crate::exit::{Failure, Problem};
use crate::output::health;
use crate::output::log::{Event, LAST_WORDS, Log};
use crate::output::options::HealthAddress;
use crate::plan::every_start::EveryStart;
use crate::settings::ServerSettings;
use crate::steps::{self, ReadyEveryStart, ReadyServer};
use crate::sys::clock::Moment;
use crate::sys::environment::Environment;
use crate::sys::host::Host;
use crate::sys::launch::{self, NotLaunched};
use crate::sys::signals::Stop;

/// Plans it.
///
/// # Errors
/// An invalid setting.
pub fn plan(
    log: &Log,
    environment: &Environment,
    settings: &ServerSettings,
) -> Result<EveryStart, Failure> {
    EveryStart::new(environment, settings, &mut |problem| {
        log.warn(Event::ConfigWarning, &problem, &[]);
    })
}

/// Set --parent-death-signal from here on.
pub fn watch_parent(planned: &EveryStart) {
    if let Some(server) = &planned.server {
        init_loop::prepare(server);
    }
}

/// Goes to the server without a gate, as `LAUNCHGATE_SKIP` asks.
///
/// # Errors
/// A start command failed, or the server can't be started.
pub fn skip_gate(host: &Host, log: &Log, planned: EveryStart) -> Result<(), Failure> {
    let ready = steps::find_every_start(planned, log)?;
    let problem = Problem::new(
        "LAUNCHGATE_SKIP is set, skipping all steps",
        "unset it when the emergency is over",
    );
    log.warn(Event::GateSkipped, &problem, &[]);
    around(host, log, &ready, || Ok(()))?;
    leave(host, log, ready.server.as_ref())
}

/// Runs the start commands around the gate.
fn around(
    host: &Host,
    log: &Log,
    ready: &ReadyEveryStart,
    gate: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    steps::run_start_commands(host, log, &ready.prepare)?;
    gate()?;
    steps::run_start_commands(host, log, &ready.warm_up)
}

/// Goes through the start commands and the gate, answering health checks meanwhile, and becomes the
/// server, where there is one.
///
/// # Errors
/// Everything that keeps a gate closed.
pub fn go_through(
    host: &Host,
    log: &Log,
    ready: &ReadyEveryStart,
    health: Option<&HealthAddress>,
    gate: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let health = health.map(|wanted| health::open(wanted, log)).transpose()?;
    let passed = around(host, log, ready, gate);
    log.summarize();
    passed?;
    // The server may want that address.
    drop(health);
    leave(host, log, ready.server.as_ref())
}

/// Becomes the server, where there is one, unless a stop arrived.
fn leave(host: &Host, log: &Log, server: Option<&ReadyServer>) -> Result<(), Failure> {
    let Some(ready) = server else {
        log.say(Event::GateDone, "done", &[]);
        return Ok(());
    };
    match host.signals.next_stop() {
        Some(stop) => Err(server_stopped(stop)),
        None => start(host, log, ready),
    }
}

/// Becomes the server, or starts it and stays in front of it. The point of no return is in
/// `sys::launch`. With `--init`, every signal from here on is the server's.
///
/// # Errors
/// The server can't be started, or a stop arrived.
pub fn start(host: &Host, log: &Log, ready: &ReadyServer) -> Result<(), Failure> {
    let ReadyServer { plan, program } = ready;
    log.say(
        Event::ServerStarting,
        "starting the server",
        &[("command", &plan.text)],
    );
    host.stdout.drain(Moment::now() + LAST_WORDS);
    host.stderr.drain(Moment::now() + LAST_WORDS);
    let identity = plan.identity.as_ref();
    let why = match &plan.init {
        None => launch::launch(program, identity, &host.inherited, &host.signals),
        Some(init) => NotLaunched::Exec(init_loop::serve(host, log, ready, init)),
    };
    Err(match why {
        NotLaunched::Stopped(stop) => server_stopped(stop),
        NotLaunched::Exec(error) => steps::server_not_started(ready, &error),
    })
}

fn server_stopped(stop: Stop) -> Failure {
    steps::stopped(stop, "starting the server")
}
