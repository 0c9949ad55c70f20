//! The settings as `launchgate check` prints them: name, value and origin.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use super::origin::{Setting, UserSetting};
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

/// The rows so far.
#[derive(Debug, Default)]
pub(super) struct Rows(pub(super) Vec<Row>);

impl Rows {
    /// Adds a row for a setting.
    pub(super) fn push(
        &mut self,
        id: SettingId,
        value: impl Into<String>,
        origin: &dyn fmt::Display,
    ) {
        self.named(id.name(), value, origin);
    }

    /// Adds a row for a part of a setting, or for something that is not in the table.
    pub(super) fn named(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
        origin: &dyn fmt::Display,
    ) {
        self.0.push(Row {
            name: name.into(),
            value: value.into(),
            origin: origin.to_string(),
        });
    }

    pub(super) fn switch(&mut self, id: SettingId, setting: &Setting<bool>) {
        let value = if setting.value { "on" } else { "off" };
        self.push(id, value, &setting.origin);
    }

    pub(super) fn limit(&mut self, id: SettingId, setting: &Setting<Option<Duration>>) {
        self.push(id, limit(setting.value), &setting.origin);
    }

    pub(super) fn duration(&mut self, id: SettingId, setting: &Setting<Duration>) {
        self.push(id, limit(Some(setting.value)), &setting.origin);
    }

    pub(super) fn text(&mut self, id: SettingId, setting: &Setting<OsString>) {
        self.push(id, setting.value.to_string_lossy(), &setting.origin);
    }

    pub(super) fn user(&mut self, id: SettingId, user: Option<&UserSetting>) {
        if let Some(Setting { value, origin }) = user {
            self.push(id, &*value.0, origin);
        }
    }
}

pub(super) fn limit(value: Option<Duration>) -> String {
    value.map_or("no limit".to_owned(), |value| {
        humantime::format_duration(value).to_string()
    })
}
