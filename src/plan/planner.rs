//! The plan of one step: its words, its environment, its user.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::{Step, StepKind, expand, step_environment};
use crate::cli::Verb;
use crate::exit::{Failure, Problem};
use crate::redact;
use crate::settings::{Origin, Setting, StepCommand, StepSettings, StepSpec};
use crate::shell_words::{self, Argv, Expansion, RefusalKind, SplitRefusal};
use crate::sys::environment::{Environment, OWN};
use crate::sys::identity::Identity;

/// Everything that the plan of one step needs.
pub(super) struct Planner<'a> {
    pub(super) inherited: &'a Environment,
    pub(super) settings: &'a StepSettings,
    pub(super) environment: &'a Environment,
    pub(super) identity: Option<&'a Identity>,
    pub(super) warn: &'a mut dyn FnMut(Problem),
}

impl Planner<'_> {
    /// Plans a command.
    pub(super) fn command(
        &mut self,
        kind: StepKind,
        setting: &Setting<StepSpec>,
    ) -> Result<Step, Failure> {
        let (written, origin) = (&setting.value, &setting.origin);
        let identity = match &written.identity {
            Some(setting) => Some(&setting.value.1),
            None => self.identity,
        };
        let environment = self.own_environment(written, identity);
        let seen = environment.as_ref().unwrap_or(self.environment);
        let shown = written.command.shown();
        let argv = match &written.command {
            StepCommand::Text(text) => self.split(kind, text, &shown, origin, seen)?,
            StepCommand::Words(words) => {
                let words = if self.settings.expand_env.value {
                    expand(words.clone(), seen, &origin.to_string(), &of_the_step)?
                } else {
                    words.clone()
                };
                Argv::new(words).ok_or_else(|| refused(kind, &shown, origin, &no_command()))?
            }
        };
        Ok(Step {
            kind,
            name: written
                .name
                .as_ref()
                .map_or_else(|| kind.as_str().to_owned(), |name| name.value.clone()),
            argv,
            text: redact::passwords(&shown).into_owned(),
            origin: origin.clone(),
            timeout: written
                .timeout
                .as_ref()
                .map_or(self.settings.migrate_timeout.value, |limit| limit.value),
            identity: identity.cloned(),
            environment,
        })
    }

    /// The environment of a step, if it differs from that of the others.
    fn own_environment(
        &self,
        written: &StepSpec,
        identity: Option<&Identity>,
    ) -> Option<Environment> {
        if written.environment.is_empty() && written.identity.is_none() {
            return None;
        }
        let mut environment = step_environment(self.inherited, self.settings, identity);
        for setting in &written.environment {
            environment.set(&setting.value.0, &setting.value.1);
        }
        Some(environment)
    }

    fn split(
        &mut self,
        kind: StepKind,
        text: &OsStr,
        shown: &str,
        origin: &Origin,
        environment: &Environment,
    ) -> Result<Argv, Failure> {
        let bytes = text.as_bytes();
        if self.settings.shell.value {
            let words = ["/bin/sh".into(), "-c".into(), text.to_owned()];
            let words = if bytes.trim_ascii().is_empty() {
                Vec::new()
            } else {
                words.to_vec()
            };
            return Argv::new(words).ok_or_else(|| refused(kind, shown, origin, &no_command()));
        }
        let get = |name: &[u8]| environment.get(name).map(|value| value.as_bytes().to_vec());
        let expansion = if self.settings.expand_env.value {
            Expansion::On(&get)
        } else {
            Expansion::Off
        };
        let split = shell_words::split(bytes, expansion)
            .map_err(|refusal| refused(kind, shown, origin, &of_the_step(refusal)))?;
        if let Some(name) = split.unexpanded {
            (self.warn)(Problem::new(
                format!("{origin}: `${name}` stays as it is, since no shell runs this command"),
                "use `--expand-env` to expand it, or single quotes if you mean it literally",
            ));
        }
        Ok(split.argv)
    }

    /// Plans a step whose program is launchgate itself.
    pub(super) fn embedded(
        &self,
        kind: StepKind,
        setting: &Setting<OsString>,
    ) -> Result<Step, Failure> {
        let folder = setting.value.clone();
        let text = format!("--{} {}", kind.as_str(), folder.to_string_lossy());
        let words = ["launchgate", Verb::Embedded.as_str(), kind.as_str(), "--"];
        let words = words.map(OsString::from).into_iter().chain([folder]);
        let argv = Argv::new(words.collect())
            .ok_or_else(|| refused(kind, &text, &setting.origin, &no_command()))?;
        Ok(Step {
            kind,
            name: kind.as_str().to_owned(),
            argv,
            text: redact::passwords(&text).into_owned(),
            origin: setting.origin.clone(),
            timeout: self.settings.migrate_timeout.value,
            identity: self.identity.cloned(),
            environment: None,
        })
    }
}

/// Variables that launchgate sets when a step starts, after the step's command was expanded.
const TOLD: [&[u8]; 7] = [
    b"LAUNCHGATE_APP",
    b"LAUNCHGATE_RELEASE",
    b"LAUNCHGATE_REVISION",
    b"LAUNCHGATE_RUN_ID",
    b"LAUNCHGATE_STEP",
    b"LAUNCHGATE_ATTEMPT",
    b"PGAPPNAME",
];

/// Explains an unset variable better if it is one that nobody can set.
fn of_the_step(refusal: SplitRefusal) -> SplitRefusal {
    let RefusalKind::Unset(name) = &refusal.kind else {
        return refusal;
    };
    let shown = String::from_utf8_lossy(name);
    if TOLD.contains(&name.as_slice()) {
        return SplitRefusal::new(
            format!(
                "`{shown}`, a variable that is not set: launchgate sets it when the step starts"
            ),
            "have the program read it from its environment, or use `--shell`, which expands it at that time",
        );
    }
    if name.starts_with(OWN) {
        return SplitRefusal::new(
            format!(
                "`{shown}`, a variable that is not set: steps don't get this variable of launchgate's"
            ),
            "remove it, or give the value another name with `--step-env`",
        );
    }
    refusal
}

fn no_command() -> SplitRefusal {
    SplitRefusal::new("no command", "write the program to run")
}

fn refused(kind: StepKind, command: &str, origin: &Origin, refusal: &SplitRefusal) -> Failure {
    // Names the program, to tell several steps apart. Not the rest, which may contain a password, nor
    // `NAME=value`.
    let program = command.split_whitespace().next().unwrap_or_default();
    let of = if program.is_empty() || program.contains(['=', '`', '$']) {
        String::new()
    } else {
        format!(" in the command of `{program}`")
    };
    let instead = match kind {
        StepKind::Migrate => refusal.instead.clone(),
        _ => refusal.instead_of_one(),
    };
    Failure::usage(format!("{origin}: found {}{of}", refusal.found), instead)
}
