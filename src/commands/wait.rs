//! `launchgate wait`: until the ledger says that this revision succeeded, then the server.
//! Reads only.

use crate::commands::run;
use crate::commands::server;
use crate::exit::Failure;
use crate::gate::Gate;
use crate::gate::runtime;
use crate::output::health::Health;
use crate::output::live::Live;
use crate::output::log::{Event, Log};
use crate::plan::coordination::{self, Coordination};
use crate::plan::{self, run_plan};
use crate::settings::Sources;
use crate::steps;
use crate::sys::host::Host;

/// Waits, then becomes the server; returns where there is none.
///
/// # Errors
/// Refused, or too late, or a signal.
pub fn wait(host: &Host, log: &Log, sources: &Sources<'_>) -> Result<(), Failure> {
    let mut server = plan::server(sources)?;
    if sources.skip()? {
        return run::run(host, log, sources);
    }
    let health = run_plan::external(sources)?;
    let coordination = coordination::resolve(sources, log)?;
    let Coordination::Gate(gate_plan) = coordination else {
        return Err(coordination::no_database("launchgate wait"));
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
    let health = Health::open(health.as_ref(), log)?;
    let live = Live::start(host, log);
    let gate = Gate::new(*gate_plan, log.clone());
    let waited = runtime::run(host, &mut |_| None, |link| gate.wait_for_success(link));
    drop(live);
    log.summarize();
    waited?;
    drop(health);
    log.say(Event::GateDone, "the gate is open", &[]);
    run::leave(host, log, program.as_ref())
}
