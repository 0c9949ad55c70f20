//! `launchgate run` and `launchgate job`: the gate, then the server, where there is one.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::Verb;
use crate::commands::embedded::Embedded;
use crate::commands::server;
use crate::db::DatabaseUrl;
use crate::exit::{Failure, Problem};
use crate::gate::outcome;
use crate::gate::runtime::{self, Progress, StepAnnounced, StepsRequest};
use crate::gate::{self, Gate, Passed};
use crate::output::health::Health;
use crate::output::live::Live;
use crate::output::log::{Event, Log};
use crate::output::options::HealthAddress;
use crate::plan::coordination::{self, Coordination};
use crate::plan::revision::RevisionInfo;
use crate::plan::{self, Steps};
use crate::settings::{DatabaseChoice, Sources};
use crate::steps::{self, OutputCapture, Ready, ReadyServer, RunIdentity};
use crate::sys::clock::Moment;
use crate::sys::host::{Host, Wake};
use crate::sys::launch::{self, NotLaunched};
use crate::sys::wakeup::Wakeup;

/// How long the last lines of the log may wait for a reader before they are left behind.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a step's start may wait for its line in the ledger of a file: longer than a call
/// of the database takes.
const LEDGER: Duration = Duration::from_secs(12);

/// Runs the gate, then becomes the server; returns where there is none.
///
/// # Errors
/// Everything that keeps a gate closed.
pub fn run(host: &Host, log: &Log, sources: &Sources<'_>) -> Result<(), Failure> {
    let server = plan::server(sources)?;
    if server.is_none() && sources.raw.verb == Verb::Run {
        return Err(Failure::usage(
            "no server to start",
            "write `--` and the server's command behind the flags, or use `launchgate job`",
        ));
    }
    if let Some(server) = &server {
        server::prepare(server);
    }
    if sources.skip()? {
        let program = server
            .as_ref()
            .map(|s| steps::find_server(s, log))
            .transpose()?;
        let problem = Problem::new(
            "LAUNCHGATE_SKIP is set, no step is run",
            "unset it when the emergency is over",
        );
        log.warn(Event::GateSkipped, &problem, &[]);
        return leave(host, log, program.as_ref(), None);
    }
    let Planned {
        mut steps,
        coordination,
        health,
    } = plan(sources, log)?;
    let url = match &coordination {
        Coordination::Gate(gate) => Some(gate.target.url.clone()),
        Coordination::Alone { .. } => None,
    };
    if let Some(url) = &url {
        hide_secrets(&mut steps, url);
    }
    // Everything that is to be executed is looked up before anything runs or connects.
    let ready = steps::find(&steps, log)?;
    let program = server
        .as_ref()
        .map(|s| steps::find_server(s, log))
        .transpose()?;
    if ready.is_empty() {
        let problem = Problem::new(
            "no step is named, so there is nothing to run",
            "name the migration with --migrate",
        );
        log.warn(Event::ConfigWarning, &problem, &[]);
    } else {
        let health = Health::open(health.as_ref(), log)?;
        let passed = match coordination {
            Coordination::Alone { app, name } => alone(host, log, (&steps, &ready), app, name),
            Coordination::Gate(gate) => together(host, log, (&steps, &ready), *gate),
        };
        log.summarize();
        passed?;
        // The server may want that address.
        drop(health);
    }
    leave(host, log, program.as_ref(), url.as_ref())
}

/// What `run` is going to do.
pub struct Planned {
    /// The steps.
    pub steps: Steps,
    /// What coordinates the replicas.
    pub coordination: Coordination,
    /// Where health checks are answered meanwhile.
    pub health: Option<HealthAddress>,
}

/// Everything that can be wrong with a setting is found here.
pub fn plan(sources: &Sources<'_>, log: &Log) -> Result<Planned, Failure> {
    let settings = sources.steps()?;
    let health = external(sources)?;
    let mut steps = plan::steps(sources, &settings, &mut |problem| {
        log.warn(Event::ConfigWarning, &problem, &[]);
    })?;
    // A mistyped variable must not start a server on a schema that nobody migrated.
    if steps.list.is_empty() && !matches!(sources.database()?.choice, DatabaseChoice::Declined(_)) {
        return Err(Failure::usage(
            "no step is named, so there is nothing to gate",
            "name the migration with --migrate; or use `launchgate wait` where another job migrates, or --no-database",
        ));
    }
    let coordination = coordination::resolve(sources, log)?;
    if steps.list.iter().any(|step| step.kind.is_embedded()) {
        steps.embedded = Some(Embedded::plan(sources, &settings, &coordination)?);
    }
    if let Coordination::Gate(gate) = &coordination
        && gate.target.backend().names_sessions()
        && steps.names_sessions
    {
        let problem = Problem::new(
            "--step-env sets PGAPPNAME, so sessions that a dead step leaves in the database can't be recognised",
            "leave PGAPPNAME to launchgate",
        );
        log.warn(Event::ConfigWarning, &problem, &[]);
    }
    Ok(Planned {
        steps,
        coordination,
        health,
    })
}

/// The settings of what the outside sees while the gate is closed, and where it failed. They are
/// read up front like all others, so that every start reports a mistake in one.
pub fn external(sources: &Sources<'_>) -> Result<Option<HealthAddress>, Failure> {
    sources.termination_log()?;
    Ok(sources.health()?.map(|setting| setting.value))
}

/// No log line and no ledger row shows the password of the database's URL.
fn hide_secrets(steps: &mut Steps, url: &DatabaseUrl) {
    for step in &mut steps.list {
        step.text = url.redact(&step.text);
    }
}

fn alone(
    host: &Host,
    log: &Log,
    (steps, ready): (&Steps, &[Ready]),
    app: String,
    name: RevisionInfo,
) -> Result<(), Failure> {
    let identity = RunIdentity {
        app,
        release: name.release.unwrap_or_default(),
        revision: name.revision.unwrap_or_default(),
        run_id: outcome::run_id()?,
        attempt: 1,
        application_name: None,
    };
    gate::pass_alone(host, log, steps, ready, &identity)
}

fn together(
    host: &Host,
    log: &Log,
    (steps, ready): (&Steps, &[Ready]),
    gate: Gate,
) -> Result<(), Failure> {
    // A file has one writer at a time, and that is the step while it runs.
    let waits_for_ledger = gate.target.backend().single_writer();
    let told = Arc::new(Wakeup::new().map_err(|error| outcome::no_event(&error))?);
    let keep = OutputCapture::Tail(outcome::kept(&gate.target.url));
    let mut serve = |request: StepsRequest| {
        let StepsRequest {
            identity,
            mut guard,
            progress,
            reply,
        } = request;
        let mut before = |step: &plan::Step| {
            told.lower();
            // A flow that is gone has nothing to tell; the guard knows.
            let _ = progress.send(Progress {
                step: step.name.clone(),
                command: step.text.clone(),
                told: StepAnnounced(Arc::clone(&told)),
            });
            if !waits_for_ledger {
                return None;
            }
            match host.wait(Some(told.as_fd()), Some(Moment::now() + LEDGER)) {
                Wake::Stop(number) => Some(number),
                Wake::Ready | Wake::Time => None,
            }
        };
        let outcome = steps::run(
            host,
            log,
            (steps, ready),
            &identity,
            keep,
            &mut guard,
            &mut before,
        );
        let signal = outcome.signal();
        let _ = reply.send(outcome);
        signal
    };
    let live = Live::start(host, log);
    let passed = runtime::run(host, &mut serve, |link| gate.pass(link));
    drop(live);
    let passed = passed?;
    log.say(
        Event::GateDone,
        match passed {
            Passed::Already => "the gate is open",
            Passed::Here => "the gate is open, the steps ran here",
        },
        &[],
    );
    Ok(())
}

/// Becomes the server, where there is one. The point of no return is in `sys::launch`.
pub fn leave(
    host: &Host,
    log: &Log,
    server: Option<&ReadyServer>,
    url: Option<&DatabaseUrl>,
) -> Result<(), Failure> {
    let Some(ready) = server else {
        log.say(Event::GateDone, "done", &[]);
        return Ok(());
    };
    let ReadyServer { program, text, .. } = ready;
    let command = url.map_or_else(|| text.clone(), |url| url.redact(text));
    log.say(
        Event::ServerStarting,
        "starting the server",
        &[("command", &command)],
    );
    host.stdout.drain(Moment::now() + LAST_WORDS);
    host.stderr.drain(Moment::now() + LAST_WORDS);
    let identity = ready.identity.as_ref();
    let why = match &ready.init {
        None => launch::launch(program, identity, &host.inherited, &host.signals),
        Some(init) => server::serve(host, log, ready, init),
    };
    Err(match why {
        NotLaunched::Stopped(number) => steps::stopped(number, "start"),
        NotLaunched::Exec(error) => steps::server_not_started(ready, &error),
    })
}
