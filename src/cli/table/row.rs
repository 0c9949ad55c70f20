//! The static definition of a setting.

use super::{SETTINGS, SettingId};
use crate::cli::verb::Verb;

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// `on` or `off`.
    Switch,
    /// A number with a unit.
    Duration,
    /// A whole number.
    Count,
    /// Several values, each text.
    List,
    /// Several values of the form `NAME=VALUE`.
    Pairs,
    /// A table of names and values, in the settings file only.
    Table,
    /// A command, or a list of its words.
    Command,
    /// A step: a command, or a table with the step's own settings.
    Step,
    /// Several steps.
    Steps,
    /// The folder of an embedded step.
    StepFolder,
    /// Several start commands: commands, or tables with their own settings.
    StartCommands,
}

impl Shape {
    /// Whether the setting takes several values.
    pub fn is_repeatable(self) -> bool {
        matches!(
            self,
            Self::List | Self::Pairs | Self::Steps | Self::StartCommands
        )
    }
}

/// The value of a setting that no source sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// No value.
    Unset,
    /// This text, parsed like a value that a user gives.
    Value(&'static str),
    /// Decided at run time; this describes it in the help.
    Described(&'static str),
}

enum_with_all! {
    /// The heading in the help.
    pub enum Group {
        /// What runs at every start.
        StartCommands = "Start commands",
        /// What runs once per revision, and how.
        Steps = "Steps",
        /// Where lock and ledger live.
        Database = "Database",
        /// Which revision, and how replicas agree on who migrates.
        Coordination = "Coordination",
        /// What the server gets.
        Server = "Server",
        /// What is logged, and where failures are written.
        Log = "Log",
        /// Which settings file is read.
        SettingsFile = "Settings file",
        /// None: an option of a single command.
        OneCommand = "",
    }
}

/// Another meaning of a setting, for one command.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// The command.
    pub verb: Verb,
    /// The heading in its help.
    pub group: Group,
    /// The text of its help.
    pub help: &'static str,
}

/// A row of the table of settings.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// The setting.
    pub id: SettingId,
    /// The key in the settings file, which is the flag without its leading dashes.
    pub name: &'static str,
    /// The flag.
    pub flag: &'static str,
    /// The short form of the flag.
    pub short: Option<char>,
    /// The form of a value.
    pub shape: Shape,
    /// The placeholder for a value in the help.
    pub value_name: &'static str,
    /// The value if no source sets one.
    pub default: DefaultValue,
    /// The text of the help.
    pub help: &'static str,
    /// The heading in the help.
    pub group: Group,
    /// The commands that take the flag, except those in `variants`.
    pub verbs: &'static [Verb],
    /// Commands for which it means something slightly different.
    pub variants: &'static [Variant],
}

impl SettingId {
    /// The row of this setting.
    pub fn definition(self) -> &'static Definition {
        &SETTINGS[self as usize]
    }

    /// The key in the settings file.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// The flag.
    pub fn flag(self) -> &'static str {
        self.definition().flag
    }

    /// The environment variable.
    pub fn variable(self) -> String {
        let name = self.name().replace('-', "_");
        format!("LAUNCHGATE_{}", name.to_ascii_uppercase())
    }
}

impl Definition {
    pub(super) const fn default(mut self, text: &'static str) -> Self {
        self.default = DefaultValue::Value(text);
        self
    }

    pub(super) const fn described(mut self, text: &'static str) -> Self {
        self.default = DefaultValue::Described(text);
        self
    }

    pub(super) const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// Whether a command takes the flag.
    pub fn belongs_to(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb) || self.variants.iter().any(|variant| variant.verb == verb)
    }

    /// `help` with the default appended.
    pub fn help_with_default(&self, help: &str) -> String {
        match self.default {
            DefaultValue::Unset => help.to_owned(),
            // For durations that may be unlimited, 0 means no limit.
            DefaultValue::Value("0") if self.shape == Shape::Duration => {
                format!("{help} [default: 0, no limit]")
            }
            DefaultValue::Value(text) | DefaultValue::Described(text) => {
                format!("{help} [default: {text}]")
            }
        }
    }
}
