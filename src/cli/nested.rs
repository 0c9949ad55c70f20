//! launchgate as the server of launchgate: a command given to an image whose ENTRYPOINT is
//! `launchgate run … --`.
//!
//! `docker run IMAGE launchgate status` must not pass the gate first, so the inner command runs
//! instead of the outer one, and inherits the flags it doesn't set itself. A gate inside a gate
//! would migrate twice, so it is refused.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::{Parsed, SettingId, Verb, parse};
use crate::exit::Failure;
use crate::sys::environment::Environment;
use crate::sys::own;

/// The process's arguments, taken apart.
#[derive(Debug, Clone, Copy)]
pub struct CommandLine<'a> {
    /// The command to carry out, starting with the program's name.
    args: &'a [OsString],
    /// The outer command's words, without its `--`.
    outer: Option<&'a [OsString]>,
}

impl<'a> CommandLine<'a> {
    /// Takes the process's arguments apart. The `PATH` decides whether a name is this program's.
    pub fn new(args: &'a [OsString], environment: &Environment) -> Self {
        let split = split(args).filter(|(_, inner)| is_own(inner, environment));
        match split {
            Some((outer, inner)) => Self {
                args: inner,
                outer: Some(outer),
            },
            None => Self { args, outer: None },
        }
    }

    /// The words that give settings: up to the `--` of the command, then those in front of it.
    pub(super) fn words(self) -> [&'a [OsString]; 2] {
        let end = self.args.iter().position(|word| word == "--");
        let own = &self.args[..end.unwrap_or(self.args.len())];
        [own, self.outer.unwrap_or_default()]
    }

    /// Parses it.
    ///
    /// # Errors
    /// A usage failure that says what was found and what to write.
    pub fn parse(self) -> Result<Parsed, Failure> {
        if let (Some(_), Some(verb @ (Verb::Run | Verb::Job | Verb::Wait))) =
            (self.outer, verb_of(self.args))
        {
            return Err(two_gates(verb));
        }
        let mut parsed = parse(self.args)?;
        if let (Some(outer), Parsed::Command(inner)) = (self.outer, &mut parsed)
            && let Parsed::Command(outer) = parse(outer)?
        {
            inner.outer = Some(outer);
        }
        Ok(parsed)
    }

    /// The command, if its word is one.
    pub fn verb(self) -> Option<Verb> {
        verb_of(self.args)
    }
}

fn verb_of(args: &[OsString]) -> Option<Verb> {
    Verb::named(args.get(1)?.to_str()?)
}

/// The words on both sides of the `--` of a command that becomes a server.
fn split(args: &[OsString]) -> Option<(&[OsString], &[OsString])> {
    let at = args.iter().position(|word| word == "--")?;
    let (outer, inner) = (&args[..at], &args[at + 1..]);
    matches!(verb_of(outer), Some(Verb::Run | Verb::Wait)).then_some((outer, inner))
}

/// Whether these words run a launchgate command other than `init`, which counts as a server like
/// any other.
fn is_own(words: &[OsString], environment: &Environment) -> bool {
    let Some(program) = words.first() else {
        return false;
    };
    let name = program.as_bytes().rsplit(|&byte| byte == b'/').next();
    match verb_of(words) {
        Some(Verb::Init) => false,
        // A renamed binary is recognized by its file.
        Some(_) => {
            name == Some(b"launchgate") || own::is_file_of(program, environment.get(b"PATH"))
        }
        None => name == Some(b"launchgate"),
    }
}

fn two_gates(inner: Verb) -> Failure {
    let inner = inner.as_str();
    Failure::usage(
        format!(
            "`launchgate {inner}` comes after the `--` of another launchgate command; gates can't be nested"
        ),
        format!(
            "the ENTRYPOINT already runs launchgate: pass only the server's command, and put the \
             flags in the ENTRYPOINT or in LAUNCHGATE_* variables; or override the ENTRYPOINT, as in \
             `docker run --entrypoint launchgate IMAGE {inner} …`"
        ),
    )
}

/// Mutually exclusive settings: if the inner command sets one, ignore all of the outer's.
pub(super) const ALTERNATIVES: [&[SettingId]; 3] = [
    &[
        SettingId::DatabaseUrl,
        SettingId::DatabaseUrlEnv,
        SettingId::DatabaseUrlFile,
        SettingId::NoDatabase,
    ],
    &[SettingId::Release, SettingId::Fingerprint],
    &[SettingId::Verbose, SettingId::Quiet],
];
