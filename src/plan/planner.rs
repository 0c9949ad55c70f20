//! The plan of one step: its words, its environment, who runs it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::{Step, StepKind, expand, step_environment};
use crate::cli::Verb;
use crate::command::{self, Argv, Expansion, Refusal};
use crate::conceal;
use crate::environment::Environment;
use crate::exit::{Failure, Problem};
use crate::identity::Identity;
use crate::settings::written::{Command, Written};
use crate::settings::{Origin, Setting, Sources, StepSettings};

/// Everything that the plan of one step needs.
pub(super) struct Planner<'a> {
    pub(super) sources: &'a Sources<'a>,
    pub(super) settings: &'a StepSettings,
    pub(super) environment: &'a Environment,
    pub(super) identity: Option<&'a Identity>,
    pub(super) warn: &'a mut dyn FnMut(Problem),
}

impl Planner<'_> {
    /// Of a command.
    pub(super) fn command(
        &mut self,
        kind: StepKind,
        setting: &Setting<Written>,
    ) -> Result<Step, Failure> {
        let (written, origin) = (&setting.value, &setting.origin);
        let identity = match &written.identity {
            Some(setting) => Some(&setting.value.1),
            None => self.identity,
        };
        let environment = self.own_environment(written, identity)?;
        let seen = environment.as_ref().unwrap_or(self.environment);
        let shown = written.command.shown();
        let argv = match &written.command {
            Command::Text(text) => self.split(text, &shown, origin, seen)?,
            Command::Words(words) if self.settings.expand_env.value => {
                let words = expand(words.clone(), seen, &origin.to_string())?;
                Argv::new(words).ok_or_else(|| refused(&shown, origin, &no_command()))?
            }
            Command::Words(words) => {
                Argv::new(words.clone()).ok_or_else(|| refused(&shown, origin, &no_command()))?
            }
        };
        Ok(Step {
            kind,
            name: written
                .name
                .as_ref()
                .map_or_else(|| kind.as_str().to_owned(), |name| name.value.clone()),
            argv,
            text: conceal::passwords(&shown).into_owned(),
            origin: origin.clone(),
            timeout: written
                .timeout
                .as_ref()
                .map_or(self.settings.migrate_timeout.value, |limit| limit.value),
            identity: identity.cloned(),
            environment,
        })
    }

    /// The environment of a step that has settings of its own.
    fn own_environment(
        &self,
        written: &Written,
        identity: Option<&Identity>,
    ) -> Result<Option<Environment>, Failure> {
        if written.environment.is_empty() && written.identity.is_none() {
            return Ok(None);
        }
        let mut environment = step_environment(self.sources, self.settings, identity)?;
        for setting in &written.environment {
            environment.set(&setting.value.0, &setting.value.1);
        }
        Ok(Some(environment))
    }

    fn split(
        &mut self,
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
            return Argv::new(words).ok_or_else(|| refused(shown, origin, &no_command()));
        }
        let get = |name: &[u8]| environment.get(name).map(|value| value.as_bytes().to_vec());
        let expansion = if self.settings.expand_env.value {
            Expansion::On(&get)
        } else {
            Expansion::Off
        };
        let split = command::split(bytes, expansion).map_err(|r| refused(shown, origin, &r))?;
        if let Some(name) = split.unexpanded {
            (self.warn)(Problem::new(
                format!("{origin}: `${name}` stays as it is, since no shell is involved"),
                "use `--expand-env` to have it expanded, or single quotes to mean it",
            ));
        }
        Ok(split.argv)
    }

    /// Of a step whose program is launchgate itself.
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
            .ok_or_else(|| refused(&text, &setting.origin, &no_command()))?;
        Ok(Step {
            kind,
            name: kind.as_str().to_owned(),
            argv,
            text,
            origin: setting.origin.clone(),
            timeout: self.settings.migrate_timeout.value,
            identity: self.identity.cloned(),
            environment: None,
        })
    }
}

fn no_command() -> Refusal {
    Refusal {
        found: "no command".into(),
        instead: "write the program to run".into(),
    }
}

fn refused(command: &str, origin: &Origin, refusal: &Refusal) -> Failure {
    // Which of several it is. Not the rest, which may hold a password, nor `NAME=value`.
    let program = command.split_whitespace().next().unwrap_or_default();
    let of = if program.is_empty() || program.contains(['=', '`', '$']) {
        String::new()
    } else {
        format!(" in the command of `{program}`")
    };
    Failure::usage(
        format!("{origin}: found {}{of}", refusal.found),
        &refusal.instead,
    )
}
