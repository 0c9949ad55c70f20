//! The flags that lead to the database, for a command that an operator pastes.

use std::ffi::OsStr;

use super::DatabaseChoice;
use crate::cli::SettingId;
use crate::db::url::DatabaseUrl;
use crate::redact;
use crate::settings::sources::Sources;

impl Sources<'_> {
    /// The flags of the command line and their values, without a password.
    pub(super) fn database_flags(&self, choice: &DatabaseChoice) -> Vec<(&'static str, String)> {
        let ids = [
            SettingId::Config,
            SettingId::DatabaseUrl,
            SettingId::DatabaseUrlEnv,
            SettingId::DatabaseUrlFile,
            SettingId::DatabasePasswordFile,
            SettingId::Ledger,
        ];
        let given = ids.into_iter().filter_map(|id| {
            let value = self.raw.values(id)?.next()?;
            Some((id, value))
        });
        let shown = given.map(|(id, value)| {
            let text = value.to_string_lossy().into_owned();
            match (id, choice) {
                (SettingId::DatabaseUrl, DatabaseChoice::Url(url))
                    if url.value.redact_all(&text) != text =>
                {
                    self.without_password(value, &url.value)
                }
                _ => (id.flag(), text),
            }
        });
        shown.collect()
    }

    /// The flag for a URL with a password: the variable that holds the same, since a shell may have put
    /// it there, else the URL with the password left to fill in.
    fn without_password(&self, value: &OsStr, url: &DatabaseUrl) -> (&'static str, String) {
        if let Some(name) = self.environment.name_of(value) {
            let name = String::from_utf8_lossy(name).into_owned();
            return (SettingId::DatabaseUrlEnv.flag(), name);
        }
        let text = redact::passwords(&value.to_string_lossy()).into_owned();
        let is_safe = url.redact(&text) == text;
        let text = if is_safe { text } else { url.to_string() };
        (
            SettingId::DatabaseUrl.flag(),
            text.replace("***", "PASSWORD"),
        )
    }
}
