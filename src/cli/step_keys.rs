//! The keys of a step's own table in the settings file.

use super::table::Shape;

/// What a key of a step's table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKeyId {
    /// The command.
    Command,
    /// The step's name.
    Name,
    /// Its time limit.
    Timeout,
    /// Its own variables.
    Env,
    /// Its user.
    User,
}

/// A key of a step's table in the settings file.
#[derive(Debug)]
pub struct StepKey {
    /// What it says.
    pub id: StepKeyId,
    /// The key.
    pub name: &'static str,
    /// The form of a value.
    pub shape: Shape,
    /// What it does.
    pub help: &'static str,
    /// Whether a start command's table has it too.
    pub is_for_start_commands: bool,
}

/// The keys of a step's table.
pub static STEP_KEYS: [StepKey; 5] = [
    StepKey {
        id: StepKeyId::Command,
        name: "command",
        shape: Shape::Command,
        help: "The command: one string, split into words like `--migrate`, or an array of words, which is not split",
        is_for_start_commands: true,
    },
    StepKey {
        id: StepKeyId::Name,
        name: "name",
        shape: Shape::Text,
        help: "The step's name in the log and the ledger [default: the name of the setting]",
        is_for_start_commands: true,
    },
    StepKey {
        id: StepKeyId::Timeout,
        name: "timeout",
        shape: Shape::Duration,
        help: "Stop this step and fail if it runs longer than this [default: migrate-timeout]",
        is_for_start_commands: false,
    },
    StepKey {
        id: StepKeyId::Env,
        name: "env",
        shape: Shape::Table,
        help: "Environment variables for this command only",
        is_for_start_commands: true,
    },
    StepKey {
        id: StepKeyId::User,
        name: "user",
        shape: Shape::Text,
        help: "Run this step as this user [default: step-user]",
        is_for_start_commands: false,
    },
];
