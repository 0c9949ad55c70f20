//! Where a value came from.

use std::fmt;

use crate::exit::{Failure, FailureKind, Problem};
use crate::sys::identity::Identity;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line; the flag with its dashes.
    Flag(&'static str),
    /// An environment variable.
    Variable(String),
    /// The settings file: path, line and key.
    File(String),
    /// The default.
    Default,
}

impl Origin {
    /// The precedence of the source: the higher one wins.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Flag(_) => 3,
            Self::Variable(_) => 2,
            Self::File(_) => 1,
            Self::Default => 0,
        }
    }

    /// The origin, or `flag` for a value that no source sets.
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
    /// What the value becomes, which can't fail.
    pub(super) fn map<U>(self, becomes: impl FnOnce(T) -> U) -> Setting<U> {
        Setting {
            value: becomes(self.value),
            origin: self.origin,
        }
    }

    /// What the value becomes. The error names its origin.
    pub(super) fn try_map<U>(
        self,
        becomes: impl FnOnce(T) -> Result<U, Problem>,
    ) -> Result<Setting<U>, Failure> {
        let Self { value, origin } = self;
        match becomes(value) {
            Ok(value) => Ok(Setting { value, origin }),
            Err(problem) => Err(Failure::of_setting(origin, problem)),
        }
    }
}

impl Setting<String> {
    /// Parses the value. The error names it, and its origin.
    pub(super) fn parse<T>(
        self,
        parser: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Setting<T>, Failure> {
        let value = parse_from(&self.value, &self.origin, parser)?;
        Ok(self.map(|_| value))
    }
}

/// Parses a value. The error names its origin.
pub(super) fn parse_from<T>(
    text: &str,
    origin: &dyn fmt::Display,
    parser: impl Fn(&str) -> Result<T, Problem>,
) -> Result<T, Failure> {
    parser(text).map_err(|problem| {
        let problem = problem.of(format_args!("{origin}: `{text}`"));
        Failure::new(FailureKind::Usage, problem)
    })
}

/// A name with a value, or with the name of the variable that holds the value.
pub type Pair = Setting<(Vec<u8>, Vec<u8>)>;

/// A user as it was written, and who that is.
pub type UserSetting = Setting<(String, Identity)>;
