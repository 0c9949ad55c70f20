//! The step commands as they were written: as text on the command line, in a variable or in
//! the settings file; or there as words, with settings of their own.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use super::file::{Item, SettingsFile, Value};
use super::parse::{parse_duration, parse_name};
use super::{Origin, Pair, Setting, Sources};
use crate::cli::Shape;
use crate::exit::{Failure, Problem};
use crate::sys::identity::Identity;

/// A key of a step's table in the settings file.
#[derive(Debug)]
pub struct StepKey {
    /// Its name.
    pub name: &'static str,
    /// What a value looks like.
    pub shape: Shape,
    /// What it means.
    pub help: &'static str,
}

/// The keys of a step's table.
pub static STEP_KEYS: [StepKey; 5] = [
    StepKey {
        name: "command",
        shape: Shape::Command,
        help: "The command, or its words, which nothing splits",
    },
    StepKey {
        name: "name",
        shape: Shape::Text,
        help: "Its name in log and ledger, instead of backup, migrate or verify",
    },
    StepKey {
        name: "timeout",
        shape: Shape::Duration,
        help: "Stop this step if it runs longer, and fail [default: migrate-timeout]",
    },
    StepKey {
        name: "env",
        shape: Shape::Table,
        help: "Set for this step only",
    },
    StepKey {
        name: "user",
        shape: Shape::Text,
        help: "Run this step as this user [default: step-user]",
    },
];

/// A step command. Each of its own settings stands in a line of its own.
#[derive(Debug, Clone)]
pub struct StepSpec {
    /// What to run.
    pub command: Command,
    /// Its own name.
    pub name: Option<Setting<String>>,
    /// Its own limit; the inner `None` is no limit.
    pub timeout: Option<Setting<Option<Duration>>>,
    /// Variables of its own, in order.
    pub environment: Vec<Pair>,
    /// Who runs it.
    pub identity: Option<Setting<(String, Identity)>>,
}

/// What to run.
#[derive(Debug, Clone)]
pub enum Command {
    /// A text to split, or for the shell.
    Text(OsString),
    /// Words, the program first.
    Words(Vec<OsString>),
}

impl Command {
    /// As a person would write it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.to_string_lossy().trim().to_owned(),
            Self::Words(words) => {
                let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
                let words = words.iter().map(AsRef::as_ref);
                // A word with a NUL in it, which no quoting has, is refused where it is read.
                shlex::try_join(words).unwrap_or_default()
            }
        }
    }
}

impl From<Command> for StepSpec {
    fn from(command: Command) -> Self {
        Self {
            command,
            name: None,
            timeout: None,
            environment: Vec::new(),
            identity: None,
        }
    }
}

fn from_text(setting: Setting<OsString>) -> Setting<StepSpec> {
    Setting {
        value: Command::Text(setting.value).into(),
        origin: setting.origin,
    }
}

impl Sources<'_> {
    /// The step command of a setting that takes one.
    pub(super) fn written(&self, id: &str) -> Result<Option<Setting<StepSpec>>, Failure> {
        if let Some(setting) = self.given(id)? {
            return Ok(Some(from_text(setting)));
        }
        let Some((file, item)) = self.in_file(id) else {
            return Ok(None);
        };
        self.step(Place { file, id }, item).map(Some)
    }

    /// The step commands of a setting that takes several.
    pub(super) fn all_written(&self, id: &str) -> Result<Vec<Setting<StepSpec>>, Failure> {
        if let Some(settings) = self.given_many(id)? {
            return Ok(settings.into_iter().map(from_text).collect());
        }
        let Some((file, item)) = self.in_file(id) else {
            return Ok(Vec::new());
        };
        let place = Place { file, id };
        match &item.value {
            Value::List(items) => items.iter().map(|item| self.step(place, item)).collect(),
            _ => Ok(vec![self.step(place, item)?]),
        }
    }

    fn step(&self, place: Place<'_>, item: &Item) -> Result<Setting<StepSpec>, Failure> {
        let Value::Table(pairs) = &item.value else {
            return Ok(Setting {
                value: command(place, item)?.into(),
                origin: place.origin(item),
            });
        };
        let mut command_at = None;
        let mut written = StepSpec::from(Command::Words(Vec::new()));
        for (key, item) in pairs {
            let origin = place.origin(item);
            let wrong = |problem: Problem| {
                let what = format!("{key} {}", problem.what());
                place.wrong(item, &Problem::new(what, problem.hint()))
            };
            let text = || {
                let text = item.value.filled().map_err(wrong)?;
                text.into_string()
                    .map_err(|_| wrong(Problem::new("is not UTF-8", "write UTF-8")))
            };
            match key.as_str() {
                "command" => {
                    written.command = command(place, item)?;
                    command_at = Some(origin);
                }
                "name" => {
                    let value = parse_name(&text()?).map_err(wrong)?;
                    written.name = Some(Setting { value, origin });
                }
                "timeout" => {
                    let limit = text()?;
                    let limit = parse_duration(&limit).map_err(|p| {
                        wrong(Problem::new(format!("`{limit}` {}", p.what()), p.hint()))
                    })?;
                    let value = Some(limit).filter(|limit| !limit.is_zero());
                    written.timeout = Some(Setting { value, origin });
                }
                "env" => written.environment = environment(place, item)?,
                _ => {
                    let value = self.find(text()?, &origin)?;
                    written.identity = Some(Setting { value, origin });
                }
            }
        }
        let Some(origin) = command_at else {
            return Err(place.wrong(
                item,
                &Problem::new(
                    "the step has no command",
                    "add `command = [\"PROGRAM\", \"ARGUMENT\"]`",
                ),
            ));
        };
        Ok(Setting {
            value: written,
            origin,
        })
    }
}

/// Whose value an item of the file is.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a SettingsFile,
    id: &'a str,
}

impl Place<'_> {
    fn origin(self, item: &Item) -> Origin {
        self.file.origin_of(self.id, item)
    }

    fn wrong(self, item: &Item, problem: &Problem) -> Failure {
        let origin = self.origin(item);
        Failure::usage(format!("{origin}: {}", problem.what()), problem.hint())
    }
}

fn command(place: Place<'_>, item: &Item) -> Result<Command, Failure> {
    let wrong = |item: &Item, of: &str, p: &Problem| {
        place.wrong(item, &Problem::new(format!("{of} {}", p.what()), p.hint()))
    };
    let Value::List(items) = &item.value else {
        let text = item.value.filled();
        return text
            .map(Command::Text)
            .map_err(|p| wrong(item, "the command", &p));
    };
    let words: Vec<OsString> = items
        .iter()
        .map(|word| {
            let text = word.value.one();
            text.map_err(|p| wrong(word, "a word of the command", &p))
        })
        .collect::<Result<_, _>>()?;
    if words.first().is_none_or(|program| program.is_empty()) {
        return Err(place.wrong(
            item,
            &Problem::new(
                "the command has no program",
                "write the program to run as its first word",
            ),
        ));
    }
    Ok(Command::Words(words))
}

fn environment(place: Place<'_>, item: &Item) -> Result<Vec<Pair>, Failure> {
    let Value::Table(pairs) = &item.value else {
        return Err(place.wrong(
            item,
            &Problem::new("env is no table", "write `env = { NAME = \"value\" }`"),
        ));
    };
    pairs
        .iter()
        .map(|(name, item)| {
            let value = variable(name, item).map_err(|p| {
                let what = format!("env has {}", p.what());
                place.wrong(item, &Problem::new(what, p.hint()))
            })?;
            Ok(Setting {
                value: (name.clone().into_bytes(), value.into_vec()),
                origin: place.origin(item),
            })
        })
        .collect()
}

fn variable(name: &str, item: &Item) -> Result<OsString, Problem> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(Problem::new(
            format!("`{name}`, which can't be a variable's name"),
            "write `env = { NAME = \"value\" }`",
        ));
    }
    if name.starts_with("LAUNCHGATE_") {
        return Err(Problem::new(
            format!("{name}, which is launchgate's own"),
            "choose a name that does not begin with LAUNCHGATE_",
        ));
    }
    let value = item.value.one();
    value.map_err(|p| Problem::new(format!("{name}, which {}", p.what()), p.hint()))
}
