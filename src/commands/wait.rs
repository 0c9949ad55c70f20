//! `launchgate wait`: until the ledger says that this revision succeeded, then the server.
//! Reads only.

use crate::cli::Verb;
use crate::commands::every_start;
use crate::exit::Failure;
use crate::gate::Gate;
use crate::gate::runtime;
use crate::output::live;
use crate::output::log::{Event, Log};
use crate::plan::coordination::{self, Coordination};
use crate::plan::gate_plan::GatePlan;
use crate::settings::{DatabaseChoice, LedgerSettings, WaitSettings};
use crate::steps;
use crate::sys::environment::Environment;
use crate::sys::host::Host;

/// Waits, then becomes the server; returns if there is none.
///
/// # Errors
/// Refused, or too late, or a signal.
pub fn wait(
    host: &Host,
    log: &Log,
    environment: &Environment,
    settings: &WaitSettings,
) -> Result<(), Failure> {
    let every_start = every_start::plan(log, environment, &settings.server)?;
    every_start::watch_parent(&every_start);
    let Some((health, ledger)) = &settings.gate else {
        return every_start::skip_gate(host, log, every_start);
    };
    let plan = gate_plan(log, environment, ledger)?;
    log.hide(|secrets| secrets.add_all(plan.target.url.secrets()));
    let every_start = steps::find_every_start(every_start, log)?;
    let wait = || until_succeeded(host, log, plan);
    every_start::go_through(host, log, &every_start, health.as_ref(), wait)
}

/// A database and a revision are needed here.
fn gate_plan(
    log: &Log,
    environment: &Environment,
    ledger: &LedgerSettings,
) -> Result<GatePlan, Failure> {
    let choice = &ledger.database.choice;
    if matches!(choice, DatabaseChoice::Unnamed { .. }) {
        return Err(coordination::no_database(Verb::Wait, choice));
    }
    let Coordination::Gate(plan) = coordination::resolve(environment, ledger, log)? else {
        return Err(coordination::no_database(Verb::Wait, choice));
    };
    if !plan.names_revision() {
        return Err(Failure::usage(
            "no revision is set, so there is nothing to wait for",
            "set --release or --fingerprint, to the same value as in the job that migrates",
        ));
    }
    Ok(*plan)
}

fn until_succeeded(host: &Host, log: &Log, plan: GatePlan) -> Result<(), Failure> {
    let live = live::start(host, log);
    let reference = plan.reference.clone();
    let gate = Gate::new(plan, log.clone());
    let waited = runtime::run(host, |link| gate.wait_for_success(link));
    drop(live);
    waited.map_err(|failure| reference.locate(failure))?;
    log.say(Event::GateDone, "the gate is open", &[]);
    Ok(())
}
