//! The settings as `launchgate check` prints them: name, value and origin.
//!
//! A row is noted where a setting is looked up, so that a new setting has one by itself.

use std::cell::RefCell;
use std::fmt::Display;

use crate::cli::SettingId;

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

/// The rows so far.
#[derive(Debug, Default)]
pub(super) struct Rows(RefCell<Vec<(SettingId, Row)>>);

impl Rows {
    /// Notes the rows of a setting. One that is looked up again has them already.
    pub(super) fn note(&self, id: SettingId, rows: impl Iterator<Item = Row>) {
        let mut noted = self.0.borrow_mut();
        if !noted.iter().any(|(known, _)| *known == id) {
            noted.extend(rows.map(|row| (id, row)));
        }
    }

    /// All of them, in the order of the help.
    pub(super) fn take(&self) -> Vec<Row> {
        let mut rows = self.0.take();
        rows.sort_by_key(|(id, _)| *id as usize);
        rows.into_iter().map(|(_, row)| row).collect()
    }
}
