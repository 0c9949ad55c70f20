//! The settings by name: what flag, variable and key of the settings file are called, and
//! what a value of each looks like. From the definitions of the flags.

use clap::{ArgAction, Args as _, Command};

use super::{
    CoordinationFlags, DatabaseFlags, FileFlags, LogFlags, ServerFlags, StepFlags, TerminationFlags,
};

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// On or off.
    Switch,
    /// A number with a unit.
    Duration,
    /// A whole number.
    Count,
    /// Several texts.
    List,
    /// Several texts of the form `NAME=VALUE`.
    Pairs,
    /// Names and their values.
    Table,
    /// A command, or its words.
    Command,
    /// A step: its command, or a table.
    Step,
    /// Several of them.
    Steps,
}

/// A setting that has a flag, a variable and a key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its name with underscores, as everywhere in the code.
    pub id: String,
    /// What a value looks like.
    pub shape: Shape,
    /// The help of its flag.
    pub help: String,
}

impl Key {
    /// Its name in the settings file: the flag's, without the dashes in front.
    #[must_use]
    pub fn name(&self) -> String {
        self.id.replace('_', "-")
    }
}

/// The step commands, and whether there can be several.
const STEPS: [(&str, Shape); 3] = [
    ("backup", Shape::Step),
    ("migrate", Shape::Steps),
    ("verify", Shape::Step),
];

/// Every setting, over all commands, in the order of the help.
#[must_use]
pub fn keys() -> Vec<Key> {
    let mut keys: Vec<Key> = [
        StepFlags::augment_args(Command::new("")),
        DatabaseFlags::augment_args(Command::new("")),
        CoordinationFlags::augment_args(Command::new("")),
        ServerFlags::augment_args(Command::new("")),
        LogFlags::augment_args(Command::new("")),
        TerminationFlags::augment_args(Command::new("")),
        FileFlags::augment_args(Command::new("")),
    ]
    .iter()
    .flat_map(|group| group.get_arguments().map(key).collect::<Vec<_>>())
    .collect();
    keys.push(Key {
        id: "json".to_owned(),
        shape: Shape::Switch,
        help: "`launchgate status`: print JSON".to_owned(),
    });
    keys.push(Key {
        id: "pid".to_owned(),
        shape: Shape::Count,
        help: "`launchgate probe`: the process that the gate is in front of [default: 1]"
            .to_owned(),
    });
    keys
}

fn key(arg: &clap::Arg) -> Key {
    let id = arg.get_id().to_string();
    let value = arg.get_value_names().and_then(|names| names.first());
    let step = STEPS.iter().find(|(name, _)| *name == id);
    let shape = match (step, value.map(clap::builder::Str::as_str)) {
        (Some((_, shape)), _) => *shape,
        (None, Some("NAME=VALUE" | "NAME=SOURCE")) => Shape::Pairs,
        (None, _) if matches!(arg.get_action(), ArgAction::Append) => Shape::List,
        (None, Some("BOOL")) => Shape::Switch,
        (None, Some("DURATION")) => Shape::Duration,
        (None, Some("N")) => Shape::Count,
        (None, _) => Shape::Text,
    };
    Key {
        id,
        shape,
        help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_knows_what_its_value_looks_like() {
        let keys = keys();
        for (id, shape) in [
            ("backup", Shape::Step),
            ("migrate", Shape::Steps),
            ("sql", Shape::Text),
            ("shell", Shape::Switch),
            ("lease", Shape::Duration),
            ("max_attempts", Shape::Count),
            ("fingerprint", Shape::List),
            ("step_env", Shape::Pairs),
            ("step_env_from", Shape::Pairs),
        ] {
            let key = keys.iter().find(|key| key.id == id).unwrap();
            assert_eq!(key.shape, shape, "{id}");
        }
    }
}
