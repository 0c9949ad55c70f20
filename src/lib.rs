//! launchgate runs the database migration once per release and then becomes the server.
//!
//! ```text
//! argv, environment, launchgate.toml
//!   → Settings      every value knows its origin
//!   → Plan          data: steps, server, revision, deadlines
//!   → prepare       the start commands in front of the gate
//!   → gate          wait for the database → ledger → lock → ledger again → steps → record
//!   → warm-up       the start commands behind it
//!   → launch        restore what was inherited, exec, or stay in front of the server (`--init`)
//! ```
//!
//! `ARCHITECTURE.md` says which room holds what, and why. This file is the table of contents:
//! [`main`] reads the process's arguments and environment, once, and carries out the command.

#[macro_use]
mod enums;

pub mod cli;
pub mod commands;
pub mod convert;
pub mod db;
pub mod exit;
pub mod gate;
pub mod output;
pub mod placeholder;
pub mod plan;
pub mod redact;
pub mod settings;
pub mod shell_words;
pub mod steps;
pub mod sys;

use std::ffi::OsString;
use std::sync::Arc;

use cli::{CommandLine, Parsed, Verb};
use commands::{
    check, embedded, generate, init, init_loop, print_ddl, probe, resolve, run, status, wait,
};
use exit::{Failure, FailureKind, Problem};
use output::log::{Event, LAST_WORDS, Log, Paint};
use output::print;
use output::termination;
use redact::Secrets;
use settings::{Command, Settings, Sources};
use sys::clock::Moment;
use sys::environment::Environment;
use sys::host::Host;
use sys::inherited::{self, Inherited};
use sys::output::Output;

/// Runs the command line and returns the exit code. Does not return if it starts a server.
pub fn main(args: &'static [OsString]) -> u8 {
    // 0. After the gate: launchgate executed itself to use less memory.
    if let Some(code) = init_loop::resume(args) {
        return code;
    }
    // 1. Record what was inherited, before anything changes it.
    let environment: &'static Environment = Box::leak(Box::new(inherited::environment()));
    sys::panic::exit_with(FailureKind::Bug.code(), |what| {
        leave_bug(args, environment, what);
    });
    inherited::replace_environment(environment);
    let captured = Inherited::capture();
    let line = CommandLine::new(args, environment);
    let stderr = Arc::new(Output::stderr());
    let mut log = Log::new(Arc::clone(&stderr));
    log.format = line.log_format(environment);
    log.paint = paint(stderr.number(), environment);
    log.hide(|secrets| secrets.add_variables(entries(environment)));
    let host = match captured.and_then(|inherited| Host::new(inherited, stderr)) {
        Ok(host) => host,
        Err(error) => {
            // Writing a file takes a descriptor too.
            inherited::close_input();
            let what = format!("failed to set up signal handling: {error}");
            return fail(&log, line, environment, &Failure::no_descriptor(what));
        }
    };
    // 2. Resolve and run the command. If it becomes the server, this does not return.
    let done = match line.parse() {
        Ok(Parsed::Print(text)) => print::print(&host, text),
        Ok(Parsed::Command(raw)) => Sources::new(&raw, environment)
            .and_then(|sources| resolve_settings(&mut log, &sources))
            .and_then(|settings| carry_out(&host, &log, &settings)),
        Err(failure) => Err(failure),
    };
    // 3. Report why it did not.
    let code = match done {
        Ok(()) => 0,
        Err(failure) => fail(&log, line, environment, &failure),
    };
    // Waits until the last lines are written.
    host.stdout.drain(Moment::now() + LAST_WORDS);
    host.stderr.drain(Moment::now() + LAST_WORDS);
    code
}

/// Resolves the settings. The log uses its own settings as soon as they are known.
fn resolve_settings(log: &mut Log, sources: &Sources<'_>) -> Result<Settings, Failure> {
    (log.verbosity, log.format) = sources.log()?;
    for problem in sources.unknown_variables() {
        log.warn(Event::ConfigWarning, &problem, &[]);
    }
    sources.resolve()
}

/// Colours are only for a terminal that has them, and not if `NO_COLOR` is set
/// (<https://no-color.org>).
fn paint(number: i32, environment: &Environment) -> Paint {
    if !inherited::is_terminal(number) {
        return Paint::Pipe;
    }
    match environment.get_filled("TERM") {
        None => Paint::Plain,
        // It can't erase a line either.
        Some(kind) if kind == "dumb" => Paint::Pipe,
        Some(_) if environment.get_filled("NO_COLOR").is_some() => Paint::Plain,
        Some(_) => Paint::Colour,
    }
}

/// The entries of an environment, in which secrets may be.
fn entries(environment: &Environment) -> impl Iterator<Item = &[u8]> {
    environment.entries().iter().map(|entry| entry.to_bytes())
}

/// The part of a panic's report that a platform reads. Without the log, whose lock may be held.
fn leave_bug(args: &[OsString], environment: &Environment, what: &str) {
    let mut secrets = Secrets::default();
    secrets.add_variables(entries(environment));
    let line = CommandLine::new(args, environment);
    let _ = leave_reason(line, environment, &Failure::bug(what), &secrets);
}

/// Leaves the reason why a gate stays closed where a platform looks for it.
fn leave_reason(
    line: CommandLine<'_>,
    environment: &Environment,
    failure: &Failure,
    secrets: &Secrets,
) -> Result<(), Problem> {
    if !has_gate(line) {
        return Ok(());
    }
    let file = settings::termination_log_without_settings(line, environment);
    termination::write(file, failure, secrets)
}

fn has_gate(line: CommandLine<'_>) -> bool {
    matches!(line.verb(), Some(Verb::Run | Verb::Job | Verb::Wait))
}

fn carry_out(host: &Host, log: &Log, settings: &Settings) -> Result<(), Failure> {
    let environment = &settings.environment;
    match &settings.command {
        Command::Run(command) => run::run(host, log, settings, command),
        Command::Wait(command) => wait::wait(host, log, environment, command),
        Command::Init(server) => init::init(host, log, environment, server),
        Command::Check(command) => check::check(host, log, settings, command),
        Command::Status { ledger, json } => status::status(host, log, ledger, *json),
        Command::Resolve(command) => resolve::resolve(host, log, command),
        Command::Probe { pid, words } => probe::probe(host, log, environment, (*pid, words)),
        Command::PrintDdl(settings) => print_ddl::print_ddl(host, settings),
        Command::Convert(words) => commands::convert::convert(host, words, environment),
        Command::Generate(document) => generate::print(host, *document),
        Command::Embedded(command) => embedded::carry_out(host, log, command),
    }
}

/// Reports a failure, also to the platform, and returns its exit code.
fn fail(log: &Log, line: CommandLine<'_>, environment: &Environment, failure: &Failure) -> u8 {
    let event = match line.verb() {
        Some(Verb::Embedded) => Event::EmbeddedFailed,
        _ => Event::GateFailed,
    };
    if let Err(problem) = leave_reason(line, environment, failure, &log.secrets()) {
        log.warn(Event::ConfigWarning, &problem, &[]);
    }
    log.fail(event, failure);
    failure.code()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::ffi::CString;
    use std::fs;

    use super::*;

    /// "every gate that fails, whatever the reason, writes one short paragraph there" (contract, section 3)
    #[test]
    fn a_panic_leaves_its_reason_where_a_gate_does() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("why");
        let entry = |text: String| Cow::Owned(CString::new(text).unwrap());
        let environment = Environment::new(vec![
            entry(format!("LAUNCHGATE_TERMINATION_LOG={}", file.display())),
            entry("TOKEN=in-the-message".to_owned()),
        ]);
        let panic = |verb: &str| {
            let args = ["launchgate", verb, "--", "server"].map(OsString::from);
            leave_bug(&args, &environment, "panicked at x.rs:1:2: in-the-message");
        };
        panic("probe");
        assert!(!file.exists());
        panic("run");
        let text = fs::read_to_string(&file).unwrap();
        let wanted = "launchgate: panicked at x.rs:1:2: ***; a bug in launchgate: report it (exit code 70)\n";
        assert_eq!(text, wanted);
    }
}
