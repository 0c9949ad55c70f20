//! What other tools take for a database and launchgate does not, each with what to write instead.

use super::error::UrlError;
use super::template;
use crate::placeholder::{self, Context};

/// Refuses what can be no URL at all, before anything of it is read.
pub(super) fn refuse(text: &str) -> Result<(), UrlError> {
    let refusals = [
        (text.is_empty(), UrlError::Empty),
        (text.starts_with('\u{feff}'), UrlError::ByteOrderMark),
        (text.starts_with(['"', '\'', '`']), UrlError::Quoted),
        (text.contains(char::is_control), UrlError::ControlCharacter),
        (is_secret_reference(text), UrlError::SecretReference),
        (
            text.starts_with('{') && text.contains("\":"),
            UrlError::Json,
        ),
    ];
    if let Some((_, error)) = refusals.into_iter().find(|(is_so, _)| *is_so) {
        return Err(error);
    }
    if let Some(found) = placeholder::find(text, Context::Url) {
        return Err(UrlError::Placeholder(shown(found)));
    }
    if let Some(name) = template::unexpanded(text) {
        return Err(UrlError::Template(name.to_owned()));
    }
    if let Some(name) = assignment(text) {
        return Err(UrlError::Assignment(name.to_owned()));
    }
    if text.contains("@tcp(") || text.contains("@unix(") {
        return Err(UrlError::GoDsn);
    }
    match text.split_once('=') {
        Some((key, _)) if !text.contains("://") && is_keyword(key) => {
            if text.contains(';') || key.contains(' ') || key.starts_with(char::is_uppercase) {
                Err(UrlError::DotNet)
            } else {
                Err(UrlError::KeywordValue)
            }
        }
        _ => Ok(()),
    }
}

/// Whether a text names a secret that a platform or a tool (Azure, AWS, Google Cloud, 1Password, vals, Vault)
/// should have replaced by the secret itself.
fn is_secret_reference(text: &str) -> bool {
    const BEGINNINGS: [&str; 9] = [
        "@Microsoft.KeyVault(",
        "keyvaultref:",
        "secretref:",
        "arn:aws",
        "projects/",
        "sm://",
        "op://",
        "ref+",
        "vault:",
    ];
    BEGINNINGS
        .iter()
        .any(|beginning| text.starts_with(beginning))
}

/// A placeholder, where no part of a password can be in it.
fn shown(found: &str) -> Option<String> {
    let name = found.trim_start_matches(['$', '{', '%', ' ']);
    let name = name.trim_end_matches(['}', '%', ' ']);
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '_' | '.');
    (name.len() > 2 && name.chars().all(is_name)).then(|| found.to_owned())
}

/// The variable that is set in the text of an env file or a script.
fn assignment(text: &str) -> Option<&str> {
    let text = text.strip_prefix("export ").unwrap_or(text);
    let (name, _) = text.split_once('=')?;
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    (name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(is_name))
        .then_some(name)
}

/// What the strings of libpq and of .NET begin with.
fn is_keyword(key: &str) -> bool {
    matches!(
        key.trim().to_ascii_lowercase().as_str(),
        "host"
            | "hostaddr"
            | "port"
            | "dbname"
            | "database"
            | "user"
            | "username"
            | "user id"
            | "userid"
            | "uid"
            | "password"
            | "pwd"
            | "server"
            | "data source"
            | "datasource"
            | "filename"
            | "sslmode"
            | "service"
            | "initial catalog"
            | "addr"
            | "address"
    )
}
