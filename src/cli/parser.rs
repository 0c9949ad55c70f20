//! The clap definitions, generated from the table of settings.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command, ValueHint};

use super::operand::Operand;
use super::table::{Definition, Group, SETTINGS, Shape};
use super::verb::Verb;

/// The whole command line, with the texts for help. A subcommand is built only when it is used:
/// building all of them takes longer than everything else before the first step.
pub fn command() -> Command {
    let for_users = Verb::ALL.into_iter().filter(|verb| *verb != Verb::Embedded);
    for_users.map(subcommand).fold(
        Command::new("launchgate")
            .version(env!("CARGO_PKG_VERSION"))
            .about("Runs the database migration once per release, then becomes the server")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .disable_help_subcommand(true)
            .after_help(AFTER_HELP),
        Command::subcommand,
    )
}

const AFTER_HELP: &str = "\
Every flag can also be set by a variable or in the settings file launchgate.toml:
for --migrate-timeout, LAUNCHGATE_MIGRATE_TIMEOUT and migrate-timeout.

  launchgate run --migrate \"node migrate.js\" -- node server.js";

/// A subcommand with the texts for help, built when it is used.
pub(super) fn subcommand(verb: Verb) -> Command {
    Command::new(verb.as_str())
        .about(verb.about())
        .defer(|command| {
            let verb = Verb::named(command.get_name());
            verb.map_or(command.clone(), |verb| {
                let (last, first): (Vec<Operand>, Vec<Operand>) = Operand::of(verb)
                    .iter()
                    .partition(|&&o| o == Operand::Server);
                let flags = flags(verb).map(|(row, group, help)| describe(row, group, help));
                let first = first.into_iter().map(|operand| operand.arg(verb));
                let last = last.into_iter().map(|operand| operand.arg(verb));
                first.chain(flags).chain(last).fold(command, Command::arg)
            })
        })
}

/// A subcommand with only what is needed to parse these words, if they are valid: of the flags, those
/// that occur in them. Defining the others would take a third of a start's instructions.
pub(super) fn parser(verb: Verb, words: &[OsString]) -> Command {
    let words = words.iter().map(|word| word.as_bytes());
    let flags: Vec<&[u8]> = words.filter(|word| word.starts_with(b"-")).collect();
    let occurs = |row: &Definition| {
        let flag = row.flag.as_bytes();
        let is_long = |rest: &[u8]| rest.first().is_none_or(|&byte| byte == b'=');
        flags.iter().any(|word| {
            // `-qv` are two flags.
            word.strip_prefix(flag).is_some_and(is_long)
                || row.short.is_some() && !word.starts_with(b"--")
        })
    };
    let rows = SETTINGS.iter().filter(|row| occurs(row));
    let rows = rows.filter(|row| row.belongs_to(verb));
    let operands = Operand::of(verb).iter().map(|operand| operand.arg(verb));
    Command::new(verb.as_str())
        .disable_help_flag(true)
        .args(rows.map(arg))
        .args(operands)
}

/// The flags of a command, each with its heading and its help; those with a meaning of their own come last.
fn flags(verb: Verb) -> impl Iterator<Item = (&'static Definition, Group, &'static str)> {
    let shared = SETTINGS.iter().filter(move |row| row.verbs.contains(&verb));
    let own = SETTINGS.iter().flat_map(move |row| {
        let variants = row.variants.iter().filter(move |other| other.verb == verb);
        variants.map(move |other| (row, other.group, other.help))
    });
    shared.map(|row| (row, row.group, row.help)).chain(own)
}

/// The argument, with only what parsing needs.
fn arg(row: &'static Definition) -> Arg {
    let mut arg = Arg::new(row.name)
        .long(row.name)
        .value_parser(ValueParser::os_string());
    if let Some(short) = row.short {
        arg = arg.short(short);
    }
    match row.shape {
        Shape::Switch => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        shape if shape.is_repeatable() => arg.action(ArgAction::Append),
        _ => arg.action(ArgAction::Set),
    }
}

/// The argument, with what help, completions and error messages need.
fn describe(row: &'static Definition, group: Group, help: &str) -> Arg {
    let hint = match row.value_name {
        "DIR" => ValueHint::DirPath,
        "FILE" => ValueHint::FilePath,
        "URL" => ValueHint::Url,
        _ => ValueHint::Unknown,
    };
    arg(row)
        .value_name(row.value_name)
        .value_hint(hint)
        .help(row.help_with_default(help))
        .help_heading(Some(group.as_str()).filter(|heading| !heading.is_empty()))
}
