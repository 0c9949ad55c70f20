//! `launchgate wait`: until the ledger says that this revision succeeded, then the server.
//! Reads only.

use crate::commands::run;
use crate::commands::server;
use crate::exit::Failure;
use crate::gate::decide::Decision;
use crate::gate::runtime::{self, GateLink};
use crate::gate::{Gate, LedgerPoll};
use crate::output::health::Health;
use crate::output::live::Live;
use crate::output::log::{Event, Log};
use crate::output::timeline::Phase;
use crate::plan;
use crate::plan::coordination::{self, Coordination};
use crate::settings::Sources;
use crate::steps;
use crate::sys::host::Host;

/// Waits, then becomes the server; returns where there is none.
///
/// # Errors
/// Refused, or too late, or a signal.
pub fn wait(host: &Host, log: &Log, sources: &Sources<'_>) -> Result<(), Failure> {
    let server = plan::server(sources)?;
    if sources.skip()? {
        return run::run(host, log, sources);
    }
    let health = run::external(sources)?;
    let coordination = coordination::resolve(sources, log)?;
    let Coordination::Gate(gate) = coordination else {
        return Err(coordination::no_database("launchgate wait"));
    };
    if gate.name.revision.is_none() && gate.reading.is_none() {
        return Err(Failure::usage(
            "no revision is named, so there is nothing to wait for",
            "name it with --release or --fingerprint, as the job that migrates does",
        ));
    }
    if let Some(server) = &server {
        server::prepare(server);
    }
    let program = server
        .as_ref()
        .map(|s| steps::find_server(s, log))
        .transpose()?;
    let url = gate.target.url.clone();
    let health = Health::open(health.as_ref(), log)?;
    let live = Live::start(host, log);
    let waited = runtime::run(host, &mut |_| None, |link| until_succeeded(*gate, link));
    drop(live);
    log.summarize();
    waited?;
    drop(health);
    log.say(Event::GateDone, "the gate is open", &[]);
    run::leave(host, log, program.as_ref(), Some(&url))
}

async fn until_succeeded(mut gate: Gate, mut link: GateLink) -> Result<(), Failure> {
    let mut early = gate.find_name(&mut link).await?;
    let mut looks = LedgerPoll::new(&gate, Phase::Release);
    loop {
        let (session, ledger) = looks.next(&mut link, early.take()).await?;
        session.close().await;
        let revision = gate.name.revision.as_deref();
        match crate::gate::decide::decide(&ledger, revision, gate.policy.max_attempts) {
            Decision::Start => return Ok(()),
            Decision::Refuse(refusal) => return Err(gate.refuse(&refusal)),
            Decision::Wait(entry) => looks.next_poll(&mut link, Some(&entry)).await?,
            Decision::Run { .. } => looks.for_release(&mut link).await?,
        }
    }
}
