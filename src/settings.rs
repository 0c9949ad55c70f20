//! Resolves the settings: command line, environment and settings file become one [`Settings`]. Code
//! above this room sees none of the three.
//!
//! A flag wins over its `LAUNCHGATE_*` variable, that over the settings file, that over the default.
//! A value that another source overrides is not looked at, nor is a setting that the command does
//! not use. Every value knows its origin, so that an error can name it.
//!
//! `cli::table` defines which settings there are. Each file here resolves one group of them: it has
//! the struct and the function that fills it in. This room
//! reads the settings file, the file of `--database-url-file` and the list of users; it runs nothing
//! and connects to nothing.

mod coordination;
mod database;
mod embedded;
mod file;
mod log;
mod nearest;
mod origin;
mod parse;
mod resolve;
mod rows;
mod run_variable;
mod server;
mod sources;
mod step_spec;
mod steps;
mod values;

pub use coordination::{CoordinationSettings, Limits};
pub use database::{AMBIENT_URLS, DatabaseChoice, DatabaseSettings};
pub use embedded::EmbeddedSettings;
pub use file::termination_log_without_settings;
pub use origin::{Origin, Pair, Setting, UserSetting};
pub use resolve::{
    CheckSettings, Command, GateSettings, LedgerSettings, PrintDdlSettings, ResolveSettings,
    RunSettings, Settings, WaitSettings,
};
pub use rows::Row;
pub use run_variable::RunVariable;
pub use server::ServerSettings;
pub use sources::{RESULT_FD, SKIP, Sources};
pub use step_spec::{StepCommand, StepSpec};
pub use steps::{CommandStyle, StartCommandSettings, StepSettings, StepValue};
