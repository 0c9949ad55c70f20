//! The command line: the table of settings, and the parser that is generated from it.
//!
//! Parsing yields raw values. `settings` decides which of flag, variable, file and default wins, and
//! parses that one, so that an error can name where it came from. This module is pure: it depends
//! only on its arguments.

mod document;
mod nested;
mod operand;
mod parser;
mod pre_parsed;
mod step_keys;
mod table;
mod verb;

use std::ffi::OsString;
use std::mem::ManuallyDrop;

use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::RawValues;

pub use document::Document;
pub use nested::CommandLine;
pub use operand::Operand;
pub use parser::command;
pub use step_keys::StepKey;
pub use table::{DefaultValue, Definition, Group, SETTINGS, SettingId, Shape, Variant};
pub use verb::Verb;

use crate::exit::Failure;

/// A command line that was parsed.
#[derive(Debug)]
pub struct Raw {
    /// The command.
    pub verb: Verb,
    /// Not dropped, and neither is the parser: freeing them takes longer than resolving the steps' settings,
    /// and exec frees them anyway.
    matches: ManuallyDrop<ArgMatches>,
    /// The settings in there. Most are not, and a start asks for all of them.
    settings: Vec<SettingId>,
    /// The command line around it, which gives the settings that this one leaves out.
    outer: Option<Box<Self>>,
}

/// The result of parsing.
#[derive(Debug)]
pub enum Parsed {
    /// A command to run.
    Command(Box<Raw>),
    /// Help or version: print it, exit 0.
    Print(String),
}

impl Raw {
    fn new(verb: Verb, matches: ArgMatches) -> Self {
        let names = matches.ids().map(clap::Id::as_str);
        let rows = names.filter_map(|name| SETTINGS.iter().find(|row| row.name == name));
        Self {
            verb,
            settings: rows.map(|row| row.id).collect(),
            matches: ManuallyDrop::new(matches),
            outer: None,
        }
    }

    fn given(&self, name: &str) -> Option<RawValues<'_>> {
        // A name that the parser does not know was not given.
        self.matches.try_get_raw(name).ok().flatten()
    }

    /// The values of a setting's flag, in order; `None` if it is not given.
    pub fn values(&self, id: SettingId) -> Option<RawValues<'_>> {
        self.giver(id)?.given(id.name())
    }

    /// The command line that gives a setting: this one, else the one around it.
    fn giver(&self, id: SettingId) -> Option<&Self> {
        if self.settings.contains(&id) {
            return Some(self);
        }
        let outer = self.outer.as_deref()?;
        let mut alternatives = nested::ALTERNATIVES.iter().filter(|ids| ids.contains(&id));
        let is_overridden = alternatives.any(|ids| ids.iter().any(|id| self.settings.contains(id)));
        let is_ours = id.definition().belongs_to(self.verb) && !is_overridden;
        Some(outer).filter(|outer| is_ours && outer.settings.contains(&id))
    }

    /// The values of an argument that is not a setting; none if it is not given.
    pub fn words(&self, operand: Operand) -> Vec<OsString> {
        let words = self.given(operand.as_str()).into_iter().flatten();
        words.map(ToOwned::to_owned).collect()
    }
}

/// Parses the process's arguments, the program's name first.
///
/// # Errors
/// A usage failure that says what was found and what to write.
pub fn parse(args: &[OsString]) -> Result<Parsed, Failure> {
    let verb = args.get(1).and_then(|word| Verb::named(word.to_str()?));
    if let Some(verb) = verb {
        let mut parser = ManuallyDrop::new(parser::parser(verb, &args[2..]));
        if let Ok(matches) = parser.try_get_matches_from_mut(&args[1..]) {
            return Ok(Parsed::Command(Box::new(Raw::new(verb, matches))));
        }
    }
    // Only the full definition includes the help and error texts.
    let mut whole = command();
    if let Some(Verb::Embedded) = verb {
        whole = whole.subcommand(parser::subcommand(Verb::Embedded));
    }
    let error = match whole.try_get_matches_from_mut(args) {
        Ok(mut matches) => {
            let command = matches.remove_subcommand();
            let named = command.and_then(|(name, matches)| Some((Verb::named(&name)?, matches)));
            let Some((verb, matches)) = named else {
                return Err(Failure::usage("no command", "see `launchgate --help`"));
            };
            return Ok(Parsed::Command(Box::new(Raw::new(verb, matches))));
        }
        Err(error) => error,
    };
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return Ok(Parsed::Print(error.to_string()));
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Err(Failure::usage("no command", "see `launchgate --help`"));
    }
    if let Some((flag, value)) = pre_parsed::dashed(args, &error) {
        return Err(Failure::usage(
            format!("{flag} needs a value: {value} begins with a dash, so it was read as a flag"),
            format!("if {value} is the value, write `{flag}={value}`; otherwise add a value"),
        ));
    }
    if let (None, Some(first)) = (verb, args.get(1).and_then(|word| word.to_str()))
        && is_flag_or_dashes(first)
    {
        return Err(Failure::usage(
            format!("no command before {first}"),
            format!("did you mean `launchgate run {first} …`?"),
        ));
    }
    Err(usage(&error, verb))
}

/// Whether a word would belong after `run`: a setting's flag, or the `--` before the server.
fn is_flag_or_dashes(word: &str) -> bool {
    let flag = word.split('=').next().unwrap_or_default();
    word == "--" || SETTINGS.iter().any(|row| row.flag == flag)
}

/// Reduces clap's multi-line error to one line and a hint.
fn usage(error: &clap::Error, verb: Option<Verb>) -> Failure {
    let text = error.to_string();
    let what = text
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    let what = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing))
            if error.kind() == ErrorKind::MissingRequiredArgument =>
        {
            format!("missing {}", missing.join(", "))
        }
        _ => what.replace('\'', "`").trim_end_matches(':').to_owned(),
    };
    let stray = matches!(
        (error.kind(), error.get(ContextKind::InvalidArg)),
        (ErrorKind::UnknownArgument, Some(ContextValue::String(arg))) if !arg.starts_with('-')
    );
    let tip = of_another_command(error, verb).or_else(|| tip(error));
    let is_missing = error.kind() == ErrorKind::MissingRequiredArgument;
    let hint = if stray && verb == Some(Verb::Job) {
        "quote the step's command; to start a server, use `launchgate run`".to_owned()
    } else if stray {
        "write `--` before the server's command, and quote a step's command".to_owned()
    } else if let (true, Some(Verb::Resolve)) = (is_missing, verb) {
        "write `launchgate resolve REVISION --as retry`, `--as succeeded` or `--as blocked`"
            .to_owned()
    } else if let (true, Some(Verb::PrintDdl)) = (is_missing, verb) {
        "write `launchgate print-ddl --database postgres`, `mysql` or `sqlite`".to_owned()
    } else {
        tip.unwrap_or_else(|| "see `launchgate --help`".to_owned())
    };
    Failure::usage(what, hint)
}

/// What clap suggests.
fn tip(error: &clap::Error) -> Option<String> {
    match (
        error.get(ContextKind::SuggestedArg),
        error.get(ContextKind::ValidValue),
    ) {
        (Some(ContextValue::String(arg)), _) => Some(format!("did you mean `{arg}`?")),
        (_, Some(ContextValue::Strings(values))) if !values.is_empty() => {
            Some(format!("write one of {}", values.join(", ")))
        }
        _ => None,
    }
}

/// For a flag that another command has.
fn of_another_command(error: &clap::Error, verb: Option<Verb>) -> Option<String> {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let row = SETTINGS.iter().find(|row| row.flag == *flag)?;
    let other = Verb::ALL.into_iter().find(|verb| row.belongs_to(*verb))?;
    let (verb, other) = (verb?.as_str(), other.as_str());
    Some(format!(
        "`launchgate {verb}` has no {flag}; `launchgate {other}` has it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Parsed, Failure> {
        let words = std::iter::once("launchgate").chain(words.iter().copied());
        parse(&words.map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_definitions_hold_together() {
        command().debug_assert();
    }

    #[test]
    fn values_come_raw_and_in_order() {
        let Ok(Parsed::Command(raw)) = parsed(&[
            "run",
            "--migrate",
            "a",
            "--shell",
            "--migrate=b",
            "--expand-env=off",
            "--",
            "s",
            "-x",
        ]) else {
            panic!("it parses");
        };
        let given = |id| raw.values(id).unwrap().collect::<Vec<_>>();
        assert_eq!(given(SettingId::Migrate), ["a", "b"]);
        assert_eq!(given(SettingId::Shell), ["true"]);
        assert_eq!(given(SettingId::ExpandEnv), ["off"]);
        assert!(raw.values(SettingId::Verify).is_none());
        assert_eq!(raw.words(Operand::Server), ["s", "-x"]);
    }

    #[test]
    fn a_server_without_dashes_is_told_where_they_go() {
        let failure = parsed(&["run", "--migrate", "a", "node", "x.js"]).unwrap_err();
        assert_eq!(failure.code(), 64);
        assert!(failure.problem().hint().contains("`--`"), "{failure:?}");
    }

    #[test]
    fn a_job_is_not_told_of_a_server_to_put_behind_dashes() {
        let failure = parsed(&["job", "--migrate", "node", "x.js"]).unwrap_err();
        let hint = failure.problem().hint();
        assert!(
            hint.contains("quote") && !hint.contains("`--`"),
            "{failure:?}"
        );
    }

    #[test]
    fn a_value_with_a_dash_in_front_is_told_how_it_is_written() {
        for (words, flag, hint) in [
            (
                &["job", "--max-attempts", "-1"][..],
                "--max-attempts",
                "`--max-attempts=-1`",
            ),
            (&["job", "--release", "-r1"], "--release", "`--release=-r1`"),
            (&["job", "--release", "-v"], "--release", "`--release=-v`"),
            (
                &["job", "--release", "--bogus"],
                "--release",
                "`--release=--bogus`",
            ),
            (
                &["job", "-v", "--migrate", "-c x"],
                "--migrate",
                "`--migrate=-c x`",
            ),
            (&["resolve", "x", "--as", "-retry"], "--as", "`--as=-retry`"),
        ] {
            let failure = parsed(words).unwrap_err();
            let problem = failure.problem();
            assert!(problem.what().starts_with(flag), "{words:?} {failure:?}");
            assert!(problem.hint().contains(hint), "{words:?} {failure:?}");
        }
        for words in [
            &["job", "--shell", "-x"][..],
            &["job", "--release=1", "-x"],
            &["job", "--release"],
            &["job", "--bogus", "-x"],
        ] {
            let failure = parsed(words).unwrap_err();
            let what = failure.problem().what();
            assert!(
                !what.contains("begins with a dash"),
                "{words:?} {failure:?}"
            );
        }
    }

    #[test]
    fn a_mistyped_flag_is_told_the_nearest() {
        let failure = parsed(&["run", "--migrat", "a", "--", "x"]).unwrap_err();
        assert!(
            failure.problem().hint().contains("--migrate"),
            "{failure:?}"
        );
    }
}
