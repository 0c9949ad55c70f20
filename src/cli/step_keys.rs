//! The keys of a step's own table in the settings file.

use super::table::Shape;

enum_with_all! {
    /// A key of a step's table in the settings file.
    pub enum StepKey {
        /// The command.
        Command = "command",
        /// The step's name.
        Name = "name",
        /// Its time limit.
        Timeout = "timeout",
        /// Its own variables.
        Env = "env",
        /// Its user.
        User = "user",
    }
}

impl StepKey {
    /// The form of a value, and what the key does.
    pub fn description(self) -> (Shape, &'static str) {
        match self {
            Self::Command => (
                Shape::Command,
                "The command: one string, split into words like `--migrate`, or an array of words, which is not split",
            ),
            Self::Name => (
                Shape::Text,
                "The step's name in the log and the ledger [default: the name of the setting]",
            ),
            Self::Timeout => (
                Shape::Duration,
                "Stop this step and fail if it runs longer than this [default: migrate-timeout]",
            ),
            Self::Env => (Shape::Table, "Environment variables for this command only"),
            Self::User => (
                Shape::Text,
                "Run this step as this user [default: step-user]",
            ),
        }
    }

    /// Whether a start command's table has it too.
    pub fn is_for_start_commands(self) -> bool {
        !matches!(self, Self::Timeout | Self::User)
    }
}
