//! The steps: what each one is, as text on the command line, in a variable or in the settings file, or
//! there as words, with settings of its own; and what they share.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use super::file::{Item, SettingsFile, Value};
use super::parse::{parse_duration, parse_name};
use super::rows::{Rows, limit};
use super::server::{UserSetting, find_user};
use super::sources::{Sources, a_path};
use super::{Origin, Pair, Setting};
use crate::cli::{SettingId, Shape};
use crate::db::url::DatabaseUrl;
use crate::exit::{Failure, Problem};

/// What the steps are and how they run.
#[derive(Debug, Clone)]
pub struct StepSettings {
    /// Before the first migrate step.
    pub backup: Option<Setting<StepSpec>>,
    /// In order.
    pub migrate: Vec<Setting<StepSpec>>,
    /// Before the first migrate step: a copy of the `SQLite` database goes there.
    pub snapshot: Option<Setting<OsString>>,
    /// After the migrate commands: the folder of migrations.
    pub sql: Option<Setting<OsString>>,
    /// After the migrate steps.
    pub verify: Option<Setting<StepSpec>>,
    /// Through `/bin/sh -c`.
    pub shell: Setting<bool>,
    /// Expand variables.
    pub expand_env: Setting<bool>,
    /// `None`: no limit.
    pub migrate_timeout: Setting<Option<Duration>>,
    /// Between TERM and KILL.
    pub stop_grace: Setting<Duration>,
    /// Name and value.
    pub step_env: Vec<Pair>,
    /// The variables whose values come from others.
    pub step_env_from: Vec<Setting<StepVariable>>,
    /// Who runs them, where that is set.
    pub user: Option<UserSetting>,
    /// The database that only the steps see, where there is one, for those that launchgate carries
    /// out itself.
    pub own_url: Option<DatabaseUrl>,
}

/// A variable of the steps that gets its value from another one.
#[derive(Debug, Clone)]
pub struct StepVariable {
    /// What the steps call it.
    pub name: Vec<u8>,
    /// The variable that has the value.
    pub source: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

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
    pub command: StepCommand,
    /// Its own name.
    pub name: Option<Setting<String>>,
    /// Its own limit; the inner `None` is no limit.
    pub timeout: Option<Setting<Option<Duration>>>,
    /// Variables of its own, in order.
    pub environment: Vec<Pair>,
    /// Who runs it.
    pub identity: Option<UserSetting>,
}

/// What to run.
#[derive(Debug, Clone)]
pub enum StepCommand {
    /// A text to split, or for the shell.
    Text(OsString),
    /// Words, the program first.
    Words(Vec<OsString>),
}

impl StepCommand {
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

fn from_text(setting: Setting<OsString>) -> Setting<StepSpec> {
    Setting {
        value: StepCommand::Text(setting.value).into(),
        origin: setting.origin,
    }
}

impl Sources<'_> {
    pub(super) fn steps(&self) -> Result<StepSettings, Failure> {
        let snapshot = self.one(SettingId::Snapshot)?.map(a_path).transpose()?;
        let sql = self.sql()?;
        let step_env = self.pairs(SettingId::StepEnv)?;
        let step_env_from = self.step_env_from()?;
        let own_url = if snapshot.is_some() || sql.is_some() {
            self.own_url(&step_env, &step_env_from)?
        } else {
            None
        };
        Ok(StepSettings {
            backup: self.step_command(SettingId::Backup)?,
            migrate: self.step_commands(SettingId::Migrate)?,
            snapshot,
            sql,
            verify: self.step_command(SettingId::Verify)?,
            shell: self.switch(SettingId::Shell)?,
            expand_env: self.switch(SettingId::ExpandEnv)?,
            migrate_timeout: self.limit(SettingId::MigrateTimeout)?,
            stop_grace: self.stop_grace()?,
            step_env,
            step_env_from,
            user: match self.user(SettingId::StepUser)? {
                Some(user) => Some(user),
                None => self.user(SettingId::User)?,
            },
            own_url,
        })
    }

    pub(super) fn sql(&self) -> Result<Option<Setting<OsString>>, Failure> {
        self.one(SettingId::Sql)?.map(a_path).transpose()
    }

    fn step_env_from(&self) -> Result<Vec<Setting<StepVariable>>, Failure> {
        let pairs = self.pairs(SettingId::StepEnvFrom)?.into_iter();
        let variable = |pair: Pair| {
            let (name, source) = pair.value;
            let origin = pair.origin;
            let Some(value) = self.environment.get(&source) else {
                let source = String::from_utf8_lossy(&source);
                return Err(Failure::usage(
                    format!("{origin}: the variable {source} is not set"),
                    format!("set {source}, or name the variable that holds the value"),
                ));
            };
            let value = StepVariable {
                value: value.as_bytes().to_vec(),
                name,
                source,
            };
            Ok(Setting { value, origin })
        };
        pairs.map(variable).collect()
    }

    /// The database that `DATABASE_URL` names for steps alone.
    fn own_url(
        &self,
        step_env: &[Pair],
        step_env_from: &[Setting<StepVariable>],
    ) -> Result<Option<DatabaseUrl>, Failure> {
        const NAME: &[u8] = b"DATABASE_URL";
        // As in the steps' environment: the value from another variable wins.
        let from = step_env_from.iter().rfind(|pair| pair.value.name == NAME);
        let from = from.map(|pair| (&pair.value.value, &pair.origin));
        let set = step_env.iter().rfind(|pair| pair.value.0 == NAME);
        let set = set.map(|pair| (&pair.value.1, &pair.origin));
        let Some((value, origin)) = from.or(set) else {
            return Ok(None);
        };
        match DatabaseUrl::parse(&String::from_utf8_lossy(value)) {
            Ok(url) => Ok(Some(self.with_own_user(url))),
            Err(error) => Err(Failure::usage(
                format!("{origin}: the steps' DATABASE_URL: {error}"),
                error.hint(),
            )),
        }
    }

    /// The step command of a setting that takes one.
    fn step_command(&self, id: SettingId) -> Result<Option<Setting<StepSpec>>, Failure> {
        if let Some(setting) = self.given(id)? {
            return Ok(Some(from_text(setting)));
        }
        let Some((file, item)) = self.in_file(id) else {
            return Ok(None);
        };
        step(Place { file, id }, item).map(Some)
    }

    /// The step commands of a setting that takes several.
    pub(super) fn step_commands(&self, id: SettingId) -> Result<Vec<Setting<StepSpec>>, Failure> {
        if let Some(settings) = self.given_many(id)? {
            return Ok(settings.into_iter().map(from_text).collect());
        }
        let Some((file, item)) = self.in_file(id) else {
            return Ok(Vec::new());
        };
        let place = Place { file, id };
        match &item.value {
            Value::List(items) => items.iter().map(|item| step(place, item)).collect(),
            _ => Ok(vec![step(place, item)?]),
        }
    }
}

fn step(place: Place<'_>, item: &Item) -> Result<Setting<StepSpec>, Failure> {
    let Value::Table(pairs) = &item.value else {
        return Ok(Setting {
            value: command(place, item)?.into(),
            origin: place.origin(item),
        });
    };
    let mut command_at = None;
    let mut written = StepSpec::from(StepCommand::Words(Vec::new()));
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
                let value = find_user(text()?, &origin)?;
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

/// Whose value an item of the file is.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a SettingsFile,
    id: SettingId,
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

fn command(place: Place<'_>, item: &Item) -> Result<StepCommand, Failure> {
    let wrong = |item: &Item, of: &str, p: &Problem| {
        place.wrong(item, &Problem::new(format!("{of} {}", p.what()), p.hint()))
    };
    let Value::List(items) = &item.value else {
        let text = item.value.filled();
        return text
            .map(StepCommand::Text)
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
    Ok(StepCommand::Words(words))
}

fn environment(place: Place<'_>, item: &Item) -> Result<Vec<Pair>, Failure> {
    let Value::Table(pairs) = &item.value else {
        return Err(place.wrong(
            item,
            &Problem::new("env is not a table", "write `env = { NAME = \"value\" }`"),
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

impl StepSettings {
    pub(super) fn rows(&self, rows: &mut Rows) {
        let folder = |rows: &mut Rows, id, folder: Option<&Setting<OsString>>| {
            if let Some(folder) = folder {
                rows.text(id, folder);
            }
        };
        if let Some(step) = &self.backup {
            step_rows(rows, SettingId::Backup, step);
        }
        folder(rows, SettingId::Snapshot, self.snapshot.as_ref());
        for step in &self.migrate {
            step_rows(rows, SettingId::Migrate, step);
        }
        folder(rows, SettingId::Sql, self.sql.as_ref());
        if let Some(step) = &self.verify {
            step_rows(rows, SettingId::Verify, step);
        }
        rows.switch(SettingId::Shell, &self.shell);
        rows.switch(SettingId::ExpandEnv, &self.expand_env);
        rows.limit(SettingId::MigrateTimeout, &self.migrate_timeout);
        rows.duration(SettingId::StopGrace, &self.stop_grace);
        let shown = String::from_utf8_lossy;
        for Setting { value, origin } in &self.step_env {
            // The value may be a secret.
            rows.push(SettingId::StepEnv, shown(&value.0) + "=***", origin);
        }
        for Setting { value, origin } in &self.step_env_from {
            let pair = format!("{}={}", shown(&value.name), shown(&value.source));
            rows.push(SettingId::StepEnvFrom, pair, origin);
        }
    }
}

/// A step command, and what it has of its own.
fn step_rows(rows: &mut Rows, id: SettingId, step: &Setting<StepSpec>) {
    let Setting {
        value: spec,
        origin,
    } = step;
    rows.push(id, spec.command.shown(), origin);
    let own = |key: &str| format!("{}.{key}", id.name());
    if let Some(name) = &spec.name {
        rows.named(own("name"), &*name.value, &name.origin);
    }
    if let Some(timeout) = &spec.timeout {
        rows.named(own("timeout"), limit(timeout.value), &timeout.origin);
    }
    for variable in &spec.environment {
        // The value may be a secret.
        let name = String::from_utf8_lossy(&variable.value.0);
        rows.named(own("env"), format!("{name}=***"), &variable.origin);
    }
    if let Some(user) = &spec.identity {
        rows.named(own("user"), &*user.value.0, &user.origin);
    }
}
