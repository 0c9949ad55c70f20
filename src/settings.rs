//! Settings: for each, which source won, its value, and where it came from.
//!
//! Precedence is flag, then `LAUNCHGATE_*` variable, then settings file, then default. A value
//! that another source overrides is not looked at. Pure but for reading the settings file and
//! the one that `--database-url-file` names, and looking up users, through functions it is
//! handed.

mod database;
pub mod file;
mod init;
mod parse;
mod sources;
pub mod written;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::cli::Raw;
use crate::db::url::DatabaseUrl;
use crate::sys::environment::Environment;
use crate::sys::forwarding::Init;
use crate::sys::identity::{Identity, UserError, UserSpec};
use file::SettingsFile;
use written::StepSpec;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line; the flag with its dashes.
    Flag(String),
    /// A variable of the environment.
    Variable(String),
    /// The settings file: its path, the line, the key.
    File(String),
    /// Nobody set it.
    Default,
}

impl Origin {
    /// What wins has a higher one.
    fn rank(&self) -> u8 {
        match self {
            Self::Flag(_) => 3,
            Self::Variable(_) => 2,
            Self::File(_) => 1,
            Self::Default => 0,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) | Self::File(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and its origin.
#[derive(Debug, Clone)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    fn default(value: T) -> Self {
        Self {
            value,
            origin: Origin::Default,
        }
    }
}

/// A name and what belongs to it: a value, or the variable that has it.
pub type Pair = Setting<(Vec<u8>, Vec<u8>)>;

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
    /// Name and the variable its value comes from.
    pub step_env_from: Vec<Pair>,
}

/// Whether there is a database.
#[derive(Debug, Clone)]
pub enum DatabaseChoice {
    /// Lock and ledger live here.
    Url(Box<Setting<DatabaseUrl>>),
    /// The user wants none.
    Declined(Origin),
    /// None was named anywhere.
    Unnamed,
}

/// Where lock and ledger live.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// Whether there is one.
    pub choice: DatabaseChoice,
    /// This app's name in it.
    pub app: Setting<String>,
    /// `None`: no limit.
    pub wait_timeout: Setting<Option<Duration>>,
}

/// How replicas agree.
#[derive(Debug, Clone)]
pub struct CoordinationSettings {
    /// The release's name, where one was given.
    pub release: Option<Setting<OsString>>,
    /// Files to hash.
    pub fingerprint: Vec<Setting<String>>,
    /// `None`: no limit.
    pub lock_timeout: Setting<Option<Duration>>,
    /// How long a silent holder counts as alive.
    pub lease: Setting<Duration>,
    /// `None`: no limit.
    pub max_attempts: Setting<Option<u32>>,
    /// `None`: no limit.
    pub orphan_timeout: Setting<Option<Duration>>,
}

/// Whether and how launchgate stays in front of the server.
#[derive(Debug, Clone)]
pub struct InitSettings {
    /// How; `None` where it becomes the server.
    pub init: Option<Init>,
    /// Which setting says so.
    pub origin: Origin,
    /// What was set beside it: name, value, origin.
    pub parts: Vec<(&'static str, String, Origin)>,
}

/// Reads the contents of a file.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// Looks up what a user is.
pub type FindUser<'a> = &'a dyn Fn(&UserSpec) -> Result<Identity, UserError>;

/// Looks up the name of the user that this is.
pub type OwnUser<'a> = &'a dyn Fn() -> Option<String>;

/// The places a value can come from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The command line.
    pub raw: &'a Raw,
    /// The environment.
    pub environment: &'a Environment,
    /// The settings file, where there is one.
    pub file: Option<&'a SettingsFile>,
    /// For `--database-url-file`.
    pub read_file: ReadFile<'a>,
    /// For `--user` and `--step-user`.
    pub find_user: FindUser<'a>,
    /// For a database's URL that names no user.
    pub own_user: OwnUser<'a>,
}

/// The variables that a database's URL is taken from when no setting names one, in order.
pub const AMBIENT_URLS: [&str; 4] = [
    "DATABASE_URL",
    "POSTGRES_URI_ADMIN",
    "POSTGRES_URI",
    "MYSQL_CONNECTOR_URI",
];

/// The longest that a silent holder may count as alive.
pub const LONGEST_LEASE: Duration = Duration::from_hours(1);

/// The variable that goes straight to the server.
pub const SKIP: &str = "LAUNCHGATE_SKIP";

/// The flag of a setting.
#[must_use]
pub fn flag(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
}

/// The variable of a setting.
#[must_use]
pub fn variable(id: &str) -> String {
    format!("LAUNCHGATE_{}", id.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_named_after_its_flag() {
        assert_eq!(flag("migrate_timeout"), "--migrate-timeout");
        assert_eq!(variable("migrate_timeout"), "LAUNCHGATE_MIGRATE_TIMEOUT");
    }
}
