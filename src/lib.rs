//! launchgate runs the database migration once per release and then becomes the server.
//!
//! ```text
//! argv, environment, launchgate.toml
//!   → Settings      every value knows its origin
//!   → Plan          pure: steps, server, revision, deadlines
//!   → gate          wait for the database → ledger → lock → ledger again → steps → record
//!   → launch        restore what was inherited, exec
//! ```
//!
//! `ARCHITECTURE.md` says which room holds what, and why. This file is the table of contents:
//! [`main`] reads the process's arguments and environment, once, and carries out the command.

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
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cli::{Parsed, PreParsedArgs, Raw, Verb};
use commands::run::LAST_WORDS;
use commands::{check, embedded, generate, probe, resolve, run, server, status, wait};
use exit::{Failure, FailureKind, Problem};
use output::log::{Event, Log, Paint};
use output::options::Verbosity;
use output::termination;
use settings::Sources;
use settings::file::SettingsFile;
use sys::clock::Moment;
use sys::environment::{self, Environment};
use sys::host::Host;
use sys::inherited::{self, Inherited};

/// Carries out the command line and returns the exit code. Where a server is started it does
/// not return.
#[must_use]
pub fn main(args: &[OsString]) -> u8 {
    // 0. Behind the gate already: launchgate executed itself to be small.
    if let Some(code) = server::resume(args) {
        return code;
    }
    // 1. What was inherited, before anything changes it.
    sys::panic::exit_with(70);
    let environment = inherited::environment();
    let host = match Inherited::capture().and_then(Host::new) {
        Ok(host) => host,
        Err(error) => return no_host(&error),
    };
    let log = Log::new(Arc::clone(&host.stderr), Verbosity::Normal)
        .in_format(PreParsedArgs::new(args).log_format(&environment))
        .painted(paint(host.stderr.number(), &environment));
    // 2. What is asked.
    let raw = match cli::parse(args) {
        Ok(Parsed::Command(raw)) => raw,
        Ok(Parsed::Print(text)) => return print(&host, &text),
        Err(failure) => return fail(&host, &log, args, &environment, &failure),
    };
    let read_file = |path: &Path| sys::files::read_up_to(path, settings::file::LIMIT);
    let (file, unfit) = match settings_file(&raw, &environment) {
        Ok(file) => (file, None),
        Err(failure) => (None, Some(failure)),
    };
    let sources = Sources {
        raw: &raw,
        environment: &environment,
        file: file.as_ref(),
        read_file: &read_file,
        find_user: &sys::user::find,
        own_user: &sys::user::own_name,
    };
    let said = match unfit {
        Some(failure) => Err(failure),
        None => sources
            .verbosity()
            .and_then(|verbosity| Ok((verbosity, sources.log_format()?.value))),
    };
    let (log, done) = match said {
        Ok((verbosity, format)) => {
            let log = Log::new(Arc::clone(&host.stderr), verbosity)
                .in_format(format)
                .painted(log.paint());
            warn_of_unknown_variables(&environment, &log);
            // 3. Doing it. Where there is a server to become, this does not return.
            let done = carry_out(&host, &log, &sources);
            (log, done)
        }
        Err(failure) => (log, Err(failure)),
    };
    // 4. Why it did not.
    match done {
        Ok(()) => {
            host.stderr.drain(Moment::now() + LAST_WORDS);
            0
        }
        Err(failure) if raw.verb == Verb::Embedded => {
            log.fail_step(&failure);
            end(&host, failure.code())
        }
        Err(failure) => fail(&host, &log, args, &environment, &failure),
    }
}

/// Colours are for a terminal alone, and not where `NO_COLOR` is set (<https://no-color.org>)
/// or the terminal knows none.
fn paint(number: i32, environment: &Environment) -> Paint {
    if !inherited::is_terminal(number) {
        return Paint::Pipe;
    }
    match environment.get_filled("TERM") {
        None => Paint::Plain,
        // It could not take a line away either.
        Some(kind) if kind == "dumb" => Paint::Pipe,
        Some(_) if environment.get_filled("NO_COLOR").is_some() => Paint::Plain,
        Some(_) => Paint::Colour,
    }
}

/// Not even the descriptors to say it in order.
fn no_host(error: &std::io::Error) -> u8 {
    let output = sys::output::Output::stderr();
    let failure = Failure::new(
        FailureKind::System,
        Problem::new(
            format!("failed to take over signals: {error}"),
            "raise the limit of open files",
        ),
    );
    Log::new(Arc::new(output), Verbosity::Normal).fail(&failure);
    failure.code()
}

fn carry_out(host: &Host, log: &Log, sources: &Sources<'_>) -> Result<(), Failure> {
    match sources.raw.verb {
        Verb::Run | Verb::Job => run::run(host, log, sources),
        Verb::Wait => wait::wait(host, log, sources),
        Verb::Status => status::status(host, log, sources),
        Verb::Resolve => resolve::resolve(host, log, sources),
        Verb::Check => check::check(host, log, sources),
        Verb::Probe => probe::probe(host, log, sources),
        Verb::PrintDdl => resolve::print_ddl(host, sources),
        Verb::Convert => convert::convert(host, sources.raw),
        Verb::Generate => generate::print(host, sources.raw),
        Verb::Embedded => embedded::carry_out(host, log, sources),
    }
}

/// For the commands that read settings.
fn settings_file(raw: &Raw, environment: &Environment) -> Result<Option<SettingsFile>, Failure> {
    if matches!(
        raw.verb,
        Verb::PrintDdl | Verb::Generate | Verb::Convert | Verb::Embedded
    ) {
        return Ok(None);
    }
    SettingsFile::load(raw, environment, &read_settings)
}

/// Where the reason of a failure is left, where somebody said so; told without the settings,
/// which may be what failed.
fn termination_log(pre_parsed: PreParsedArgs<'_>, environment: &Environment) -> Option<PathBuf> {
    let id = "termination_log";
    let given = pre_parsed.given(id, environment).map(PathBuf::from);
    given.or_else(|| {
        let file = SettingsFile::peek(pre_parsed, environment, &read_settings, id);
        file.map(PathBuf::from)
    })
}

fn read_settings(path: &Path) -> std::io::Result<Vec<u8>> {
    sys::files::read_regular(path, settings::file::LIMIT)
}

fn warn_of_unknown_variables(environment: &Environment, log: &Log) {
    if !environment.has_own() {
        return;
    }
    let names = environment.names_with(environment::OWN);
    let known: Vec<String> = cli::keys()
        .iter()
        .map(|key| settings::variable(&key.id))
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
    match host.print(text.as_bytes()) {
        Ok(()) => u8::from(host.stdout.has_failed() && !host.stdout.is_unread()),
        Err(number) => sys::signals::signal_code(number),
    }
}

/// Says why, also where a platform looks for it.
fn fail(
    host: &Host,
    log: &Log,
    args: &[OsString],
    environment: &Environment,
    failure: &Failure,
) -> u8 {
    let pre_parsed = PreParsedArgs::new(args);
    if matches!(pre_parsed.verb(), Some(Verb::Run | Verb::Job | Verb::Wait)) {
        termination::write(termination_log(pre_parsed, environment), failure, log);
    }
    log.fail(failure);
    end(host, failure.code())
}

/// With the last words of this code.
fn end(host: &Host, code: u8) -> u8 {
    host.stdout.drain(Moment::now() + LAST_WORDS);
    host.stderr.drain(Moment::now() + LAST_WORDS);
    code
}
