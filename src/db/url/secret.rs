//! Passwords: a type that shows none.

use std::fmt;

use super::error::UrlError;

/// What every rendering shows in place of a secret.
const HIDDEN: &str = "***";

/// A text that `Display` and `Debug` show as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text that must not be shown.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the connection and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// The password in a file: its text without the line's end.
///
/// # Errors
/// The file is empty or no text, or has a byte order mark, which no password begins with.
pub fn password_of_file(contents: &[u8]) -> Result<Secret, UrlError> {
    let text = text_of_file(contents)?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(UrlError::EmptyPassword);
    }
    if text.contains(char::is_control) {
        return Err(UrlError::PasswordLines);
    }
    Ok(Secret::new(text.to_owned()))
}

/// The text of a file that holds a secret.
///
/// # Errors
/// It is no text, or begins with a byte order mark.
pub fn text_of_file(contents: &[u8]) -> Result<&str, UrlError> {
    if [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"]
        .iter()
        .any(|mark| contents.starts_with(mark))
    {
        return Err(UrlError::ByteOrderMark);
    }
    std::str::from_utf8(contents).map_err(|_| UrlError::FileNotUtf8)
}
