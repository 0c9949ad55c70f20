//! Settings: raw arguments, environment and settings file become one resolved [`Settings`], here
//! and nowhere else. What comes after sees neither of the three.
//!
//! Precedence is flag, then `LAUNCHGATE_*` variable, then settings file, then default. A value that
//! another source overrides is not looked at, nor is a setting that the command does not use. Each
//! value knows its origin. Reads the settings file, the file that `--database-url-file` names and
//! the list of users; never connects or runs anything.
//!
//! Which settings there are, what they are called and their defaults: `cli::table`.

mod coordination;
mod database;
mod file;
mod log;
mod origin;
mod parse;
mod resolve;
mod rows;
mod server;
mod sources;
mod steps;

pub use coordination::{CoordinationSettings, LONGEST_LEASE};
pub use database::{AMBIENT_URLS, DatabaseChoice, DatabaseSettings};
pub use file::{PLACES, termination_log_without_settings};
pub use log::{ExternalSettings, LogSettings};
pub use origin::{Origin, Pair, Setting};
pub use resolve::{
    CheckSettings, Command, EmbeddedSettings, GateSettings, LedgerSettings, OperatorSettings,
    ResolveSettings, RunSettings, Settings, WaitSettings,
};
pub use rows::Row;
pub use server::{InitSettings, ServerSettings, UserSetting};
pub use sources::{RESULT_FD, SKIP, STEP_VARIABLES, Sources};
pub use steps::{STEP_KEYS, StepCommand, StepKey, StepSettings, StepSpec, StepVariable};
