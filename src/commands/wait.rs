//! `launchgate wait`: until the ledger says that this revision succeeded, then the server.
//! Reads only.

use crate::cli::Verb;
use crate::commands::run;
use crate::commands::server;
use crate::exit::Failure;
use crate::gate::Gate;
use crate::gate::runtime;
use crate::output::health::Health;
use crate::output::live::Live;
use crate::output::log::{Event, Log};
use crate::plan;
use crate::plan::coordination::{self, Coordination};
use crate::settings::{DatabaseChoice, WaitSettings};
use crate::steps;
use crate::sys::environment::Environment;
use crate::sys::host::Host;

/// Waits, then becomes the server; returns where there is none.
///
/// # Errors
/// Refused, or too late, or a signal.
pub fn wait(
    host: &Host,
    log: &Log,
    environment: &Environment,
    settings: &WaitSettings,
) -> Result<(), Failure> {
    let mut server = plan::server(environment, &settings.server, &mut |problem| {
        log.warn(Event::ConfigWarning, &problem, &[]);
    })?;
    let Some((external, ledger)) = &settings.gate else {
        if let Some(server) = &server {
            server::prepare(server);
        }
        return run::skip(host, log, server.as_ref());
    };
    if matches!(ledger.database.choice, DatabaseChoice::Unnamed) {
        return Err(coordination::no_database(Verb::Wait));
    }
    let coordination = coordination::resolve(environment, ledger, log)?;
    let Coordination::Gate(gate_plan) = coordination else {
        return Err(coordination::no_database(Verb::Wait));
    };
    if !gate_plan.names_revision() {
        return Err(Failure::usage(
            "no revision is named, so there is nothing to wait for",
            "name it with --release or --fingerprint, as the job that migrates does",
        ));
    }
    if let Some(server) = &mut server {
        server.text = gate_plan.target.url.redact(&server.text);
        server::prepare(server);
    }
    let program = server
        .as_ref()
        .map(|s| steps::find_server(s, log))
        .transpose()?;
    let health = Health::open(external.health.as_ref(), log)?;
    let live = Live::start(host, log);
    let gate = Gate::new(*gate_plan, log.clone());
    let waited = runtime::run(host, |link| gate.wait_for_success(link));
    drop(live);
    log.summarize();
    waited?;
    drop(health);
    log.say(Event::GateDone, "the gate is open", &[]);
    run::leave(host, log, program.as_ref())
}
