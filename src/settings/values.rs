//! From the text of a value towards a value, with errors that name its origin.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::origin::{Origin, Pair, Setting};
use crate::cli::SettingId;
use crate::exit::{Failure, Problem};

/// Refuses an empty value of a flag.
pub(super) fn filled(value: &OsStr, origin: &Origin) -> Result<Setting<OsString>, Failure> {
    if value.is_empty() {
        return Err(Failure::usage(
            format!("{origin} is empty"),
            "set a value, or remove it",
        ));
    }
    let (value, origin) = (value.to_owned(), origin.clone());
    Ok(Setting { value, origin })
}

/// Refuses a URL in place of a path: its password would end up in file names.
pub(super) fn a_path(setting: Setting<OsString>) -> Result<Setting<OsString>, Failure> {
    let shown = setting.value.to_string_lossy();
    if shown.contains("://") {
        return Err(Failure::usage(
            format!("{}: `{shown}` is a URL", setting.origin),
            "pass files or a folder; the database URL goes in --database-url",
        ));
    }
    Ok(setting)
}

/// Refuses a value that is not UTF-8. It is not shown, since it may hold a password.
pub(super) fn into_text(setting: Setting<OsString>) -> Result<Setting<String>, Failure> {
    setting.try_map(|value| {
        value.into_string().map_err(|_| {
            let hint = "use UTF-8; in a URL, percent-encode what is not ASCII";
            Problem::new("the value is not UTF-8", hint)
        })
    })
}

/// Splits `NAME=VALUE` or `NAME=SOURCE`.
pub(super) fn pair(id: SettingId, setting: Setting<OsString>) -> Result<Pair, Failure> {
    let Setting { value, origin } = setting;
    let form = id.definition().value_name;
    let bytes = value.as_bytes();
    // A URL in the place of a name may have a `=` in its password.
    let is_url = bytes
        .windows(2)
        .take_while(|pair| pair[0] != b'=')
        .any(|pair| pair == b":/");
    let equals = bytes
        .iter()
        .position(|&byte| byte == b'=')
        .filter(|&at| at > 0 && !is_url);
    let Some(equals) = equals else {
        // It may be a line of a secret value that was not meant to be an entry.
        let shown = if id == SettingId::StepEnv || is_url {
            "an entry".to_owned()
        } else {
            format!("`{}`", value.to_string_lossy())
        };
        return Err(Failure::usage(
            format!("{origin}: {shown} is not {form}"),
            format!("write `{} {form}`", id.flag()),
        ));
    };
    let (name, rest) = (&bytes[..equals], &bytes[equals + 1..]);
    if id == SettingId::StepEnvFrom && rest.is_empty() {
        return Err(Failure::usage(
            format!(
                "{origin}: `{}` does not name a variable",
                value.to_string_lossy()
            ),
            format!("write `{} {form}`", id.flag()),
        ));
    }
    if name.starts_with(b"LAUNCHGATE_") {
        return Err(Failure::usage(
            format!(
                "{origin}: {} is reserved for launchgate",
                String::from_utf8_lossy(name)
            ),
            "use a name that does not begin with LAUNCHGATE_",
        ));
    }
    Ok(Setting {
        value: (name.to_vec(), rest.to_vec()),
        origin,
    })
}
