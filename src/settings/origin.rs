//! Where a value came from.

use std::fmt;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line; the flag with its dashes.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(String),
    /// The settings file: its path, the line, the key.
    File(String),
    /// Nobody set it.
    Default,
}

impl Origin {
    /// The source that wins has the higher rank.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Flag(_) => 3,
            Self::Variable(_) => 2,
            Self::File(_) => 1,
            Self::Default => 0,
        }
    }

    /// The origin of a value that somebody set, else the flag that would set it.
    #[must_use]
    pub fn or_flag(&self, flag: &str) -> String {
        match self {
            Self::Default => flag.to_owned(),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Variable(name) | Self::File(name) => f.write_str(name),
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
    /// The same origin with another value.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Setting<U> {
        Setting {
            value: change(self.value),
            origin: self.origin,
        }
    }
}

/// A name and what belongs to it: a value, or the variable that has it.
pub type Pair = Setting<(Vec<u8>, Vec<u8>)>;
