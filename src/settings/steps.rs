//! The steps, and what they share.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::origin::{Pair, Setting, UserSetting};
use super::rows::Rows;
use super::sources::Sources;
use super::step_spec::{StepSpec, step_rows};
use super::values::a_path;
use crate::cli::SettingId;
use crate::db::url::DatabaseUrl;
use crate::exit::Failure;

/// The steps and how they run.
#[derive(Debug, Clone)]
pub struct StepSettings {
    /// Runs before the first migrate step.
    pub backup: Option<Setting<StepSpec>>,
    /// The migrate commands, in order.
    pub migrate: Vec<Setting<StepSpec>>,
    /// The folder that a copy of the `SQLite` database is written to before the first migrate step.
    pub snapshot: Option<Setting<OsString>>,
    /// The folder of migrations that are applied after the migrate commands.
    pub sql: Option<Setting<OsString>>,
    /// Runs after the migrate steps.
    pub verify: Option<Setting<StepSpec>>,
    /// Whether commands go through `/bin/sh -c`.
    pub shell: Setting<bool>,
    /// Whether variables in commands are expanded.
    pub expand_env: Setting<bool>,
    /// How long a step may run; `None` is no limit.
    pub migrate_timeout: Setting<Option<Duration>>,
    /// How long a step may take to stop between TERM and KILL.
    pub stop_grace: Setting<Duration>,
    /// Variables for the steps, with their values.
    pub step_env: Vec<Pair>,
    /// Variables for the steps whose values come from other variables.
    pub step_env_from: Vec<Setting<StepVariable>>,
    /// The user that runs the steps, by `--step-user`, else by `--user`.
    pub user: Option<UserSetting>,
    /// The `DATABASE_URL` that is set for steps alone, if any. The embedded steps work on it.
    pub own_url: Option<DatabaseUrl>,
}

/// A variable for the steps that takes its value from another variable.
#[derive(Debug, Clone)]
pub struct StepVariable {
    /// Its name.
    pub name: Vec<u8>,
    /// The variable that holds the value.
    pub source: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
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

    /// Parses the `DATABASE_URL` that is set for steps alone.
    fn own_url(
        &self,
        step_env: &[Pair],
        step_env_from: &[Setting<StepVariable>],
    ) -> Result<Option<DatabaseUrl>, Failure> {
        const NAME: &[u8] = b"DATABASE_URL";
        // The steps' environment has the same precedence.
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
