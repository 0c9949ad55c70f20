//! The users that run the server and the steps.

use super::origin::{Origin, Setting, UserSetting};
use super::sources::Sources;
use crate::cli::SettingId;
use crate::exit::Failure;
use crate::sys;
use crate::sys::identity::{Identity, UserSpec};

impl Sources<'_> {
    /// The user that a setting names, looked up.
    pub(super) fn user(&self, id: SettingId) -> Result<Option<UserSetting>, Failure> {
        let Some(Setting { value, origin }) = self.text(id)? else {
            return Ok(None);
        };
        let value = find_user(value, &origin)?;
        Ok(Some(Setting { value, origin }))
    }
}

/// Looks a user up.
pub(super) fn find_user(value: String, origin: &Origin) -> Result<(String, Identity), Failure> {
    match UserSpec::parse(&value).and_then(|spec| sys::user::find(&spec)) {
        Ok(identity) => Ok((value, identity)),
        Err(error) => Err(Failure::usage(
            format!("{origin}: `{value}` {}", error.what),
            error.hint,
        )),
    }
}
