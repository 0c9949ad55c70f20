//! One step: a command given as text on the command line, in a variable or in the settings file; or
//! in the file a table with the step's own settings.

use std::ffi::OsString;
use std::fmt::Display;
use std::time::Duration;

use super::file::Item;
use super::origin::{Origin, Pair, Setting, UserSetting};
use super::parse::{parse_limit, parse_name, parse_user};
use super::rows::Row;
use super::sources::Sources;
use super::values::pair;
use crate::cli::{SettingId, StepKey};
use crate::exit::{Failure, Problem};

/// A step: its command, and settings that override the shared ones.
#[derive(Debug, Clone)]
pub struct StepSpec {
    /// The command.
    pub command: StepCommand,
    /// Its name in log and ledger.
    pub name: Option<Setting<String>>,
    /// How long it may run; the inner `None` is no limit.
    pub timeout: Option<Setting<Option<Duration>>>,
    /// Variables for this step, in order.
    pub environment: Vec<Pair>,
    /// The user that runs it.
    pub identity: Option<UserSetting>,
}

/// A command as the user wrote it.
#[derive(Debug, Clone)]
pub enum StepCommand {
    /// Text, to be split into words or handed to the shell.
    Text(OsString),
    /// A list of words, the program first.
    Words(Vec<OsString>),
}

impl StepCommand {
    /// The command as text, quoted where necessary.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.to_string_lossy().trim().to_owned(),
            Self::Words(words) => {
                let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
                let words = words.iter().map(AsRef::as_ref);
                // Only a NUL can't be quoted, and no word has one.
                shlex::try_join(words).unwrap_or_default()
            }
        }
    }
}

impl From<StepCommand> for StepSpec {
    fn from(command: StepCommand) -> Self {
        Self {
            command,
            name: None,
            timeout: None,
            environment: Vec::new(),
            identity: None,
        }
    }
}

impl Sources<'_> {
    /// The commands of a setting, which takes one or several.
    pub(super) fn step_commands(&self, id: SettingId) -> Result<Vec<Setting<StepSpec>>, Failure> {
        let commands = self.find_commands(id)?;
        self.show_all(id, commands.iter().flat_map(|step| rows(id, step)));
        Ok(commands)
    }

    fn find_commands(&self, id: SettingId) -> Result<Vec<Setting<StepSpec>>, Failure> {
        if let Some(settings) = self.given(id)? {
            let of_text = |text| StepCommand::Text(text).into();
            return Ok(settings.into_iter().map(|text| text.map(of_text)).collect());
        }
        let items = self.all_in_file(id).into_iter();
        items.map(|item| self.step(item)).collect()
    }

    /// Reads a step from the settings file, with the names in braces of its variables replaced.
    fn step(&self, item: Item) -> Result<Setting<StepSpec>, Failure> {
        let mut step = step(item)?;
        self.expand_pairs(&mut step.value.environment)?;
        Ok(step)
    }
}

/// Reads a step from the settings file.
fn step(item: Item) -> Result<Setting<StepSpec>, Failure> {
    let Some(pairs) = item.table() else {
        let (value, origin) = (command(item)?.into(), item.origin());
        return Ok(Setting { value, origin });
    };
    let mut command_at = None;
    let mut spec = StepSpec::from(StepCommand::Words(Vec::new()));
    for (key, item) in pairs {
        let text = || item.filled(key);
        let Some(known) = StepKey::named(key) else {
            let problem = Problem::new("is not a valid step key", "remove it");
            return Err(item.wrong(problem.of(key)));
        };
        match known {
            StepKey::Command => {
                spec.command = command(item)?;
                command_at = Some(item.origin());
            }
            StepKey::Name => {
                let name = text()?.try_map(|text| parse_name(text).map_err(|p| p.of(key)));
                spec.name = Some(name?);
            }
            StepKey::Timeout => {
                let limit = text()?.try_map(|text| {
                    parse_limit(text).map_err(|p| p.of(format_args!("{key} `{text}`")))
                });
                spec.timeout = Some(limit?);
            }
            StepKey::Env => spec.environment = environment(item)?,
            StepKey::User => spec.identity = Some(text()?.map(str::to_owned).parse(parse_user)?),
        }
    }
    let Some(origin) = command_at else {
        return Err(item.wrong(Problem::new(
            "the step has no command",
            "add `command = [\"PROGRAM\", \"ARGUMENT\"]`",
        )));
    };
    let value = spec;
    Ok(Setting { value, origin })
}

fn command(item: Item) -> Result<StepCommand, Failure> {
    let Some(items) = item.list() else {
        return Ok(StepCommand::Text(item.filled("the command")?.value.into()));
    };
    let word = |item: Item| Ok(item.text("a word of the command")?.value.into());
    let words: Vec<OsString> = items
        .into_iter()
        .map(word)
        .collect::<Result<_, Failure>>()?;
    if words.first().is_none_or(|program| program.is_empty()) {
        return Err(item.wrong(Problem::new(
            "the command has no program",
            "write the program to run as its first word",
        )));
    }
    Ok(StepCommand::Words(words))
}

fn environment(item: Item) -> Result<Vec<Pair>, Failure> {
    let Some(pairs) = item.table() else {
        return Err(item.wrong(Problem::new(
            "env is not a table",
            "write `env = { NAME = \"value\" }`",
        )));
    };
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, item)| pair(SettingId::StepEnv, item.pair(name)?))
        .collect()
}

/// The rows of a step and of its own settings.
fn rows(id: SettingId, step: &Setting<StepSpec>) -> Vec<Row> {
    let spec = &step.value;
    let mut rows = vec![Row::new(id.name(), &spec.command.shown(), &step.origin)];
    let mut own = |key: &str, value: &dyn Display, origin: &Origin| {
        rows.push(Row::new(format!("{}.{key}", id.name()), value, origin));
    };
    if let Some(name) = &spec.name {
        own("name", &name.value, &name.origin);
    }
    if let Some(Setting { value, origin }) = &spec.timeout {
        match value {
            Some(limit) => own("timeout", &humantime::format_duration(*limit), origin),
            None => own("timeout", &"no limit", origin),
        }
    }
    for variable in &spec.environment {
        // The value may be a secret.
        let name = String::from_utf8_lossy(&variable.value.0);
        own("env", &format_args!("{name}=***"), &variable.origin);
    }
    if let Some(user) = &spec.identity {
        own("user", &user.value.0, &user.origin);
    }
    rows
}
