//! The steps and the start commands: what each setting that names one gives, and what they share.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::origin::{Pair, Setting, UserSetting};
use super::parse::{parse_layout, parse_limit};
use super::sources::Sources;
use super::step_spec::StepSpec;
use super::values::a_path;
use crate::cli::{SETTINGS, SettingId, Shape, Verb};
use crate::db::migrator::LayoutKind;
use crate::db::url::{self, DatabaseUrl};
use crate::exit::Failure;
use crate::redact;

/// The steps and how they run.
#[derive(Debug, Clone)]
pub struct StepSettings {
    /// What each setting gives, in the order of the table of settings.
    pub values: Vec<(SettingId, StepValue)>,
    /// How their commands are read and stopped.
    pub style: CommandStyle,
    /// How long a step may run; `None` is no limit.
    pub migrate_timeout: Option<Duration>,
    /// Variables for the steps, with their values.
    pub step_env: Vec<Pair>,
    /// Variables for the steps whose values come from other variables, with those values. None of them is
    /// in `step_env` too.
    pub step_env_from: Vec<Pair>,
    /// The user that runs the steps, by `--step-user`, else by `--user`.
    pub user: Option<UserSetting>,
    /// Which tool's folder `--sql` has, where the user says so.
    pub sql_layout: Option<LayoutKind>,
    /// The `DATABASE_URL` that is set for steps alone, if any. The embedded steps work on it.
    pub own_url: Option<DatabaseUrl>,
}

/// What a setting that names a step gives.
#[derive(Debug, Clone)]
pub enum StepValue {
    /// A command.
    Command(Box<Setting<StepSpec>>),
    /// The folder of an embedded step.
    Folder(Setting<OsString>),
}

/// What the start commands are: what runs at every start of every replica, before and after the gate.
#[derive(Debug, Clone)]
pub struct StartCommandSettings {
    /// What each setting gives, in the order of the table of settings.
    pub values: Vec<(SettingId, StepValue)>,
    /// How they are read and stopped.
    pub style: CommandStyle,
}

/// How commands are read, and how they are stopped.
#[derive(Debug, Clone)]
pub struct CommandStyle {
    /// Whether they go through `/bin/sh -c`.
    pub shell: Setting<bool>,
    /// Whether variables in them are expanded.
    pub expand_env: Setting<bool>,
    /// How long they may take to stop between TERM and KILL.
    pub stop_grace: Duration,
}

impl Sources<'_> {
    pub(super) fn steps(&self) -> Result<StepSettings, Failure> {
        let is_step = |shape| matches!(shape, Shape::Step | Shape::Steps | Shape::StepFolder);
        let values = self.step_values(is_step)?;
        let mut step_env = self.pairs(SettingId::StepEnv)?;
        refuse_two_values(&step_env, &self.pairs(SettingId::StepEnvFrom)?)?;
        self.expand_pairs(&mut step_env)?;
        let step_env_from = self.step_env_from()?;
        let is_folder = |(_, value): &(_, StepValue)| matches!(value, StepValue::Folder(_));
        let own_url = if values.iter().any(is_folder) {
            self.own_url(&step_env, &step_env_from)?
        } else {
            None
        };
        Ok(StepSettings {
            values,
            style: self.command_style()?,
            migrate_timeout: self.limit(SettingId::MigrateTimeout, parse_limit)?,
            step_env,
            step_env_from,
            user: self.step_user()?,
            sql_layout: self.sql_layout()?,
            own_url,
        })
    }

    /// `None` where there are none; a command that starts no server has none.
    pub(super) fn start_commands(&self) -> Result<Option<StartCommandSettings>, Failure> {
        if !matches!(self.raw.verb, Verb::Run | Verb::Wait | Verb::Check) {
            return Ok(None);
        }
        let values = self.step_values(|shape| shape == Shape::StartCommands)?;
        if values.is_empty() {
            return Ok(None);
        }
        let style = self.command_style()?;
        Ok(Some(StartCommandSettings { values, style }))
    }

    /// What the settings of these shapes give.
    fn step_values(
        &self,
        is_wanted: impl Fn(Shape) -> bool,
    ) -> Result<Vec<(SettingId, StepValue)>, Failure> {
        let mut values = Vec::new();
        for row in SETTINGS.iter().filter(|row| is_wanted(row.shape)) {
            if row.shape == Shape::StepFolder {
                let folder = self.folder(row.id)?;
                values.extend(folder.map(|folder| (row.id, StepValue::Folder(folder))));
            } else {
                let commands = self.step_commands(row.id)?.into_iter();
                let commands = commands.map(|command| StepValue::Command(Box::new(command)));
                values.extend(commands.map(|command| (row.id, command)));
            }
        }
        Ok(values)
    }

    fn command_style(&self) -> Result<CommandStyle, Failure> {
        Ok(CommandStyle {
            shell: self.switch(SettingId::Shell)?,
            expand_env: self.switch(SettingId::ExpandEnv)?,
            stop_grace: self.stop_grace()?.value,
        })
    }

    pub(super) fn folder(&self, id: SettingId) -> Result<Option<Setting<OsString>>, Failure> {
        self.one(id)?.map(a_path).transpose()
    }

    /// Which tool's folder `--sql` has.
    pub(super) fn sql_layout(&self) -> Result<Option<LayoutKind>, Failure> {
        let given = self.parsed_if_set(SettingId::SqlLayout, parse_layout)?;
        Ok(given.map(|setting| setting.value))
    }

    fn step_user(&self) -> Result<Option<UserSetting>, Failure> {
        if let Some(user) = self.user(SettingId::StepUser)? {
            return Ok(Some(user));
        }
        let user = self.user(SettingId::User)?;
        if let Some(Setting { value, origin }) = &user {
            self.show(SettingId::StepUser, &value.0, origin);
        }
        Ok(user)
    }

    /// Replaces the names in braces in the values of variables for steps.
    pub(super) fn expand_pairs(&self, pairs: &mut [Pair]) -> Result<(), Failure> {
        let variable = |name: &str| self.environment.get_filled(name);
        for Setting { value, origin } in pairs {
            value.1 = url::expand_value(&value.1, &variable).map_err(|problem| {
                let name = String::from_utf8_lossy(&value.0);
                Failure::of_setting(format_args!("{origin}: {name}"), problem)
            })?;
        }
        Ok(())
    }

    fn step_env_from(&self) -> Result<Vec<Pair>, Failure> {
        let mut pairs = self.pairs(SettingId::StepEnvFrom)?;
        for Setting { value, origin } in &mut pairs {
            let (name, source) = (&value.0, &value.1);
            let Some(found) = self.environment.get(source) else {
                let source = String::from_utf8_lossy(source);
                // Perhaps the end of a URL with a `=` in its password.
                let whole = format!("{}={source}", String::from_utf8_lossy(name));
                let source = redact::part(&whole, &source);
                return Err(Failure::usage(
                    format!("{origin}: the variable {source} is not set"),
                    format!("set {source}, or use the variable that holds the value"),
                ));
            };
            value.1 = found.as_bytes().to_vec();
        }
        Ok(pairs)
    }

    /// Parses the `DATABASE_URL` that is set for steps alone.
    fn own_url(&self, step_env: &[Pair], from: &[Pair]) -> Result<Option<DatabaseUrl>, Failure> {
        let mut variables = step_env.iter().chain(from);
        let Some(Setting { value, origin }) =
            variables.rfind(|pair| pair.value.0 == b"DATABASE_URL")
        else {
            return Ok(None);
        };
        match self.complete(&String::from_utf8_lossy(&value.1), origin) {
            Ok(url) => Ok(Some(url)),
            Err(error) => Err(Failure::of_setting(
                format_args!("{origin}: the steps' DATABASE_URL"),
                error.into(),
            )),
        }
    }
}

/// Refuses a variable that is set twice: which of its values counts is not for launchgate to guess. Saying
/// the same twice is fine.
fn refuse_two_values(step_env: &[Pair], from: &[Pair]) -> Result<(), Failure> {
    let mut seen = HashMap::new();
    let all = [step_env, from].into_iter().enumerate();
    for (setting, pair) in all.flat_map(|(at, pairs)| pairs.iter().map(move |pair| (at, pair))) {
        let (name, value) = &pair.value;
        let Some((meant, origin)) = seen.insert(name, ((setting, value), &pair.origin)) else {
            continue;
        };
        if meant != (setting, value) {
            let name = String::from_utf8_lossy(name);
            let what = if *origin == pair.origin {
                format!("{origin} sets {name} to two different values")
            } else {
                format!("both {origin} and {} set {name}", pair.origin)
            };
            return Err(Failure::usage(what, "keep one of them"));
        }
    }
    Ok(())
}

impl StepSettings {
    /// The folder that a setting gives.
    pub fn folder(&self, id: SettingId) -> Option<&Setting<OsString>> {
        self.values.iter().find_map(|(given, value)| match value {
            StepValue::Folder(folder) if *given == id => Some(folder),
            _ => None,
        })
    }
}
