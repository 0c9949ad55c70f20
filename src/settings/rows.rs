//! The settings as `launchgate check` shows them: each with its value and where it came from.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use super::file::SettingsFile;
use super::log::LogSettings;
use super::resolve::CheckSettings;
use super::server::UserSetting;
use super::sources::SKIP;
use super::{Origin, Setting};
use crate::cli::SettingId;

/// A setting as it is shown. The value may still hold a password.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where that came from.
    pub origin: String,
}

/// The rows so far.
#[derive(Debug, Default)]
pub(super) struct Rows(Vec<Row>);

impl Rows {
    pub(super) fn push(
        &mut self,
        id: SettingId,
        value: impl Into<String>,
        origin: &dyn fmt::Display,
    ) {
        self.named(id.name(), value, origin);
    }

    /// A part of a setting, or what is no setting.
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

/// Every setting, in the order of the help.
pub(super) fn all(
    settings: &CheckSettings,
    file: Option<&SettingsFile>,
    log: &LogSettings,
) -> Vec<Row> {
    let mut rows = Rows::default();
    if let Some(file) = file {
        rows.push(SettingId::Config, file.path(), file.origin());
    }
    let gate = &settings.gate;
    gate.steps.rows(&mut rows);
    gate.ledger.database.rows(&mut rows);
    gate.ledger.coordination.rows(&mut rows);
    settings.server.rows(&mut rows);
    rows.user(SettingId::StepUser, gate.steps.user.as_ref());
    settings.server.init.rows(&mut rows);
    gate.external.health_rows(&mut rows);
    log.rows(&mut rows);
    gate.external.termination_rows(&mut rows);
    if settings.is_skipped {
        rows.named("skip", "on", &Origin::Variable(SKIP.to_owned()));
    }
    rows.0
}
