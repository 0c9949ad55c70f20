//! The plan of the steps of one stage: their words, their environment, their user.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use super::embedded::EmbeddedPlan;
use super::step::{STEPS, Stage, Step, StepDefinition, StepKind};
use crate::cli::{SettingId, Verb};
use crate::db::Backend;
use crate::exit::{Failure, Problem};
use crate::redact;
use crate::settings::{
    CommandStyle, Origin, RunVariable, ServerSettings, Setting, StepCommand, StepSpec, StepValue,
};
use crate::shell_words::{self, Argv, Expansion, RefusalKind, SplitRefusal};
use crate::sys::environment::{Environment, OWN};
use crate::sys::identity::Identity;

/// Steps that run one after the other, and everything they share.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    /// In the order they run.
    pub list: Vec<Step>,
    /// Their environment, without what launchgate adds per run.
    pub environment: Environment,
    /// Whether a setting names their database sessions.
    pub names_sessions: bool,
    /// The time between TERM and KILL.
    pub grace: Duration,
    /// What the embedded steps work on.
    pub embedded: Option<EmbeddedPlan>,
}

impl Steps {
    /// What a step sees, without what launchgate adds per run.
    pub fn environment_of<'a>(&'a self, step: &'a Step) -> &'a Environment {
        step.environment.as_ref().unwrap_or(&self.environment)
    }
}

/// Everything that the plan of a stage needs.
pub(super) struct Planner<'a> {
    pub(super) stage: Stage,
    /// How commands are read.
    pub(super) style: &'a CommandStyle,
    /// What one sees that runs as this user.
    pub(super) environment_as: &'a dyn Fn(Option<&Identity>) -> Environment,
    /// Who runs those that name no user; `None`: launchgate's own.
    pub(super) identity: Option<&'a Identity>,
    /// The time limit of those that have none of their own.
    pub(super) timeout: Option<Duration>,
    /// The settings that keep variables from them, where they see what the server sees.
    pub(super) server: Option<&'a ServerSettings>,
    pub(super) warn: &'a mut dyn FnMut(Problem),
}

impl Planner<'_> {
    /// Plans the steps of this stage, in the order of the table.
    pub(super) fn plan(mut self, values: &[(SettingId, StepValue)]) -> Result<Steps, Failure> {
        check_style(self.style)?;
        let mut steps = Steps {
            environment: (self.environment_as)(self.identity),
            grace: self.style.stop_grace,
            ..Steps::default()
        };
        let stage = self.stage;
        for row in STEPS.iter().filter(|row| row.stage == stage) {
            for (_, value) in values.iter().filter(|(id, _)| *id == row.setting) {
                let step = match value {
                    StepValue::Command(command) => {
                        self.command(*row, command, &steps.environment)?
                    }
                    StepValue::Folder(folder) => self.embedded(*row, folder)?,
                };
                steps.list.push(step);
            }
        }
        Ok(steps)
    }

    /// Plans a command.
    fn command(
        &mut self,
        row: StepDefinition,
        setting: &Setting<StepSpec>,
        shared: &Environment,
    ) -> Result<Step, Failure> {
        let (spec, origin) = (&setting.value, &setting.origin);
        let identity = match &spec.identity {
            Some(setting) => Some(&setting.value.1),
            None => self.identity,
        };
        let environment = self.own_environment(spec, identity);
        let shown = spec.command.shown();
        let seen = environment.as_ref().unwrap_or(shared);
        let argv = self.words(row.kind, spec, &shown, origin, seen)?;
        let name = spec.name.as_ref().map(|name| name.value.clone());
        let timeout = spec.timeout.as_ref().map(|limit| limit.value);
        Ok(Step {
            kind: row.kind,
            name: name.unwrap_or_else(|| row.kind.as_str().to_owned()),
            argv,
            text: redact::passwords(&shown).into_owned(),
            origin: origin.clone(),
            timeout: timeout.unwrap_or(self.timeout),
            identity: identity.cloned(),
            environment,
        })
    }

    /// The environment of a step, if it differs from that of the others.
    fn own_environment(&self, spec: &StepSpec, identity: Option<&Identity>) -> Option<Environment> {
        if spec.environment.is_empty() && spec.identity.is_none() {
            return None;
        }
        let mut environment = (self.environment_as)(identity);
        for setting in &spec.environment {
            environment.set(&setting.value.0, &setting.value.1);
        }
        Some(environment)
    }

    fn words(
        &mut self,
        kind: StepKind,
        spec: &StepSpec,
        shown: &str,
        origin: &Origin,
        environment: &Environment,
    ) -> Result<Argv, Failure> {
        let words = match &spec.command {
            StepCommand::Text(text) if self.style.shell.value => {
                if text.as_bytes().trim_ascii().is_empty() {
                    Vec::new()
                } else {
                    vec!["/bin/sh".into(), "-c".into(), text.clone()]
                }
            }
            StepCommand::Text(text) => return self.split(kind, text, shown, origin, environment),
            StepCommand::Words(words) if self.style.expand_env.value => {
                expand(words, environment, &origin.to_string(), self.server)?
            }
            StepCommand::Words(words) => words.clone(),
        };
        Argv::new(words).ok_or_else(|| refused(kind, shown, origin, &no_command()))
    }

    fn split(
        &mut self,
        kind: StepKind,
        text: &OsStr,
        shown: &str,
        origin: &Origin,
        environment: &Environment,
    ) -> Result<Argv, Failure> {
        let get = |name: &[u8]| environment.get(name).map(|value| value.as_bytes().to_vec());
        let expansion = if self.style.expand_env.value {
            Expansion::On(&get)
        } else {
            Expansion::Off
        };
        let split = shell_words::split(text.as_bytes(), expansion)
            .map_err(|refusal| explain(refusal, shown, self.server))
            .map_err(|refusal| refused(kind, shown, origin, &refusal))?;
        if let Some(name) = split.unexpanded {
            let name = redact::part(shown, &name);
            (self.warn)(Problem::new(
                format!(
                    "{origin}: `{name}` is not expanded, because this command runs without a shell"
                ),
                "use `--expand-env` to expand it, or single quotes if you mean it literally",
            ));
        }
        Ok(split.argv)
    }

    /// Plans a step whose program is launchgate itself.
    fn embedded(&self, row: StepDefinition, setting: &Setting<OsString>) -> Result<Step, Failure> {
        let (kind, folder) = (row.kind, setting.value.clone());
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
            timeout: self.timeout,
            identity: self.identity.cloned(),
            environment: None,
        })
    }
}

/// Both `--shell` and `--expand-env` are set.
fn check_style(style: &CommandStyle) -> Result<(), Failure> {
    if style.shell.value && style.expand_env.value {
        return Err(Failure::usage(
            format!(
                "{} and {} together",
                style.shell.origin.or_flag("--shell"),
                style.expand_env.origin.or_flag("--expand-env")
            ),
            "remove `--expand-env`: the shell expands variables itself",
        ));
    }
    Ok(())
}

/// Expands variables in words. `server`: as in [`Planner`].
pub(super) fn expand(
    words: &[OsString],
    environment: &Environment,
    of: &str,
    server: Option<&ServerSettings>,
) -> Result<Vec<OsString>, Failure> {
    let get = |name: &[u8]| environment.get(name).map(|value| value.as_bytes().to_vec());
    let expanded = words.iter().map(|word| {
        let expanded = shell_words::expand(word.as_bytes(), &get).map(OsString::from_vec);
        expanded.map_err(|refusal| {
            let word = word.to_string_lossy();
            let SplitRefusal { found, instead, .. } = explain(refusal, &word, server);
            Failure::usage(format!("{of}: found {found} in `{word}`"), instead)
        })
    });
    expanded.collect()
}

/// Whether launchgate sets this variable when a step starts, after the step's command was expanded.
fn is_set_at_start(name: &[u8]) -> bool {
    let of_the_run = RunVariable::ALL.map(RunVariable::as_str);
    of_the_run.iter().any(|known| known.as_bytes() == name) || names_sessions(name)
}

/// Whether a client of some database takes the name of its sessions from this variable.
pub(super) fn names_sessions(variable: &[u8]) -> bool {
    let mut names = Backend::ALL
        .into_iter()
        .filter_map(|backend| backend.driver().session_names);
    names.any(|names| names.variable.as_bytes() == variable)
}

/// Explains an unset variable better if it is one that nobody can set, or that a setting keeps from the server
/// and the start commands. Its name may be part of a password with a plain dollar in it.
fn explain(refusal: SplitRefusal, text: &str, server: Option<&ServerSettings>) -> SplitRefusal {
    let RefusalKind::Unset(name) = &refusal.kind else {
        return refusal;
    };
    let shown = String::from_utf8_lossy(name);
    if !redact::passwords(text).contains(&*shown) {
        return SplitRefusal::new(
            "an unset variable inside a password",
            "write `$$` for a literal dollar sign, or %24 in a URL",
        );
    }
    let mut hidden = server.into_iter().flat_map(|server| &server.hidden);
    if let Some(Setting { origin, .. }) = hidden.find(|hidden| hidden.value == *name) {
        return SplitRefusal::new(
            format!("`{shown}`, which {origin} removes from the server's environment"),
            format!("remove it from the command, or from {origin}"),
        );
    }
    if server.is_none() && is_set_at_start(name) {
        return SplitRefusal::new(
            format!("`{shown}`, which launchgate sets only when the step starts"),
            "have the program read it from its environment, or use `--shell`, which expands it then",
        );
    }
    if !name.starts_with(OWN) {
        return refusal;
    }
    let (whom, with) = match server {
        Some(_) => ("the server", ""),
        None => ("steps", " with `--step-env`"),
    };
    SplitRefusal::new(
        format!("`{shown}`, which launchgate does not pass to {whom}"),
        format!("remove it, or pass the value under another name{with}"),
    )
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
    let instead = if kind.definition().setting.definition().shape.is_repeatable() {
        refusal.instead.clone()
    } else {
        refusal.instead_of_one()
    };
    Failure::usage(format!("{origin}: found {}{of}", refusal.found), instead)
}
