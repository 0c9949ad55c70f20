//! The keys of a step's own table in the settings file.

use super::table::Shape;

/// A key of a step's table in the settings file.
#[derive(Debug)]
pub struct StepKey {
    /// The key.
    pub name: &'static str,
    /// The form of a value.
    pub shape: Shape,
    /// What it does.
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
