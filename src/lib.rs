//! launchgate runs the database migration once per release and then becomes the server.
//!
//! ```text
//! argv, environment
//!   → Settings      every value knows its origin
//!   → Plan          pure: steps, server, revision, deadlines
//!   → gate          wait for the database → ledger → lock → ledger again → steps → record
//!   → launch        restore what was inherited, exec
//! ```
//!
//! `ARCHITECTURE.md` says which room holds what, and why. This file is the table of contents:
//! [`main`] reads the process's arguments and environment, once, and carries out the command.

pub mod cli;
pub mod command;
pub mod db;
pub mod environment;
pub mod exit;
pub mod gate;
pub mod generate;
pub mod log;
pub mod plan;
pub mod release;
pub mod report;
pub mod settings;
pub mod steps;
pub mod sys;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use cli::{Parsed, Verb};
use environment::Environment;
use exit::{Failure, Problem};
use log::{Event, Log};
use settings::{DatabaseChoice, Sources, Verbosity};
use sys::clock::Moment;
use sys::inherited::{self, Inherited};
use sys::launch::{self, NotLaunched};
use sys::supervise::Host;

/// How long the last lines of the log may wait for a reader before they are left behind.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Carries out the command line and returns the exit code. Where a server is started it does
/// not return.
#[must_use]
pub fn main(args: Vec<OsString>) -> u8 {
    // 1. What was inherited, before anything changes it.
    let Ok(host) = Inherited::capture().and_then(Host::new) else {
        return Failure::System(Problem::new("", "")).code();
    };
    let environment = inherited::environment();
    // 2. What is asked.
    let raw = match cli::parse(args) {
        Ok(Parsed::Command(raw)) => raw,
        Ok(Parsed::Print(text)) => return print(&host, &text),
        Err(failure) => {
            return fail(
                &host,
                &Log::new(Arc::clone(&host.stderr), Verbosity::Normal),
                &failure,
            );
        }
    };
    let read_file = |path: &std::path::Path| std::fs::read(path);
    let sources = Sources {
        raw: &raw,
        environment: &environment,
        read_file: &read_file,
    };
    let verbosity = sources.verbosity();
    let log = Log::new(
        Arc::clone(&host.stderr),
        *verbosity.as_ref().unwrap_or(&Verbosity::Normal),
    );
    // 3. Doing it.
    let done = verbosity.and_then(|_| {
        warn_of_unknown_variables(&environment, &log);
        carry_out(&host, &log, &sources)
    });
    match done {
        Ok(()) => {
            host.stderr.drain(Moment::now() + LAST_WORDS);
            0
        }
        Err(failure) => fail(&host, &log, &failure),
    }
}

fn carry_out(host: &Host, log: &Log, sources: &Sources<'_>) -> Result<(), Failure> {
    match sources.raw.verb {
        Verb::Run | Verb::Job => run(host, log, sources),
        Verb::Check => report::check(host, log, sources),
        Verb::Generate => generate::print(host, sources.raw),
        Verb::Wait | Verb::Status | Verb::Resolve | Verb::PrintDdl => {
            Err(Failure::usage("not yet", "later"))
        }
    }
}

/// The gate, then the server, where there is one.
fn run(host: &Host, log: &Log, sources: &Sources<'_>) -> Result<(), Failure> {
    let server = plan::server(sources)?;
    if server.is_none() && sources.raw.verb == Verb::Run {
        return Err(Failure::usage(
            "no server to start",
            "write `--` and the server's command behind the flags, or use `launchgate job`",
        ));
    }
    let skip = sources.skip()?;
    let steps = match skip {
        true => None,
        false => Some(plan_steps(log, sources)?),
    };
    // Everything that is to be executed is looked up before anything runs or connects.
    let program = server
        .as_ref()
        .map(|server| steps::find_server(server, log))
        .transpose()?;
    match steps {
        None => log.warn(
            Event::GateSkipped,
            &Problem::new(
                "LAUNCHGATE_SKIP is set, no step is run",
                "unset it when the emergency is over",
            ),
            &[],
        ),
        Some(steps) => pass(host, log, sources, &steps)?,
    }
    match program {
        Some(program) => launch(host, log, &program),
        None => {
            log.say(Event::GateDone, "done", &[]);
            Ok(())
        }
    }
}

fn plan_steps(log: &Log, sources: &Sources<'_>) -> Result<plan::Steps, Failure> {
    let settings = sources.steps()?;
    plan::steps(sources, &settings, &mut |problem| {
        log.warn(Event::ConfigWarning, &problem, &[])
    })
}

fn pass(host: &Host, log: &Log, sources: &Sources<'_>, steps: &plan::Steps) -> Result<(), Failure> {
    let database = sources.database()?;
    let ready = steps::find(steps, log)?;
    if let DatabaseChoice::Unnamed = database.choice {
        gate::warn_alone(log);
    }
    let identity = steps::RunIdentity {
        app: database.app.value,
        release: String::new(),
        revision: String::new(),
        run_id: String::new(),
        attempt: 1,
        application_name: None,
    };
    gate::pass_alone(host, log, steps, &ready, &identity)
}

/// The point of no return is in `sys::launch`.
fn launch(host: &Host, log: &Log, program: &sys::child::Program) -> Result<(), Failure> {
    let command = program
        .argv
        .iter()
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ");
    log.say(
        Event::ServerStarting,
        "starting the server",
        &[("command", &command)],
    );
    host.stdout.drain(Moment::now() + LAST_WORDS);
    host.stderr.drain(Moment::now() + LAST_WORDS);
    Err(
        match launch::launch(program, &host.inherited, &host.signals) {
            NotLaunched::Stopped(number) => steps::stopped(number, "start"),
            NotLaunched::Exec(error) => steps::server_not_started(program, &error),
        },
    )
}

fn warn_of_unknown_variables(environment: &Environment, log: &Log) {
    let mut names = environment.names_with(b"LAUNCHGATE_").peekable();
    if names.peek().is_none() {
        return;
    }
    let known: Vec<String> = cli::setting_ids()
        .iter()
        .map(|id| settings::variable(id))
        .collect();
    for name in names {
        let name = String::from_utf8_lossy(name);
        if name != settings::SKIP
            && !known.iter().any(|k| *k == name)
            && !steps::TOLD.contains(&&*name)
        {
            log.warn(
                Event::ConfigWarning,
                &Problem::new(
                    format!("the variable {name} means nothing to launchgate"),
                    "see `launchgate run --help` for the names, or unset it",
                ),
                &[],
            );
        }
    }
}

fn print(host: &Host, text: &str) -> u8 {
    host.stdout.write(text.as_bytes());
    host.stdout.drain(Moment::now() + Duration::from_secs(3600));
    u8::from(host.stdout.has_failed() && !host.stdout.is_unread())
}

fn fail(host: &Host, log: &Log, failure: &Failure) -> u8 {
    log.fail(failure);
    host.stdout.drain(Moment::now() + LAST_WORDS);
    host.stderr.drain(Moment::now() + LAST_WORDS);
    failure.code()
}
