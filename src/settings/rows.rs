//! The settings as `launchgate check` prints them: name, value and origin.
//!
//! A row is noted where a setting is looked up, so that a new setting has one by itself.

use std::fmt::Display;

/// A setting with its value and origin as text. The value may still contain a password.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where the value came from.
    pub origin: String,
}

impl Row {
    pub(super) fn new(name: impl Into<String>, value: &dyn Display, origin: &dyn Display) -> Self {
        Self {
            name: name.into(),
            value: value.to_string(),
            origin: origin.to_string(),
        }
    }
}
