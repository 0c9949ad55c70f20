//! Passwords: a type that shows none, and the removal of them from other texts.

use std::fmt::{self, Write as _};

use super::error::UrlError;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What every rendering shows in place of a secret.
const HIDDEN: &str = "***";

/// Passwords of fewer characters are not looked for on their own.
const SHORTEST: usize = 3;

/// RFC 3986 "unreserved": how Python's `quote` and Go encode.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Python's `quote` where nobody says otherwise.
const PYTHON: &AsciiSet = &UNRESERVED.remove(b'/');

/// How JavaScript's `encodeURIComponent` encodes.
const JAVASCRIPT: &AsciiSet = &UNRESERVED
    .remove(b'!')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*');

/// How JavaScript's `encodeURI` encodes, which leaves what has a meaning in a URL.
const JAVASCRIPT_WHOLE: &AsciiSet = &JAVASCRIPT
    .remove(b';')
    .remove(b',')
    .remove(b'/')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b'#');

/// How a `URL` object shows a password: <https://url.spec.whatwg.org/#userinfo-percent-encode-set>.
const URL_OBJECT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'=')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'|');

/// A text that `Display` and `Debug` show as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text that must not be shown.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the connection and nothing else.
    #[must_use]
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

/// Every text of a URL that must not be shown. Deliberately without `Debug`.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    /// Once finished: longest first, no empty strings, no duplicates.
    texts: Vec<String>,
    /// Whether the URL as a whole is one.
    whole: bool,
}

impl Secrets {
    /// A password, as it is written in the URL and as it is meant.
    pub(super) fn add_password(&mut self, written: &str, decoded: &str) {
        if decoded.is_empty() {
            return;
        }
        self.whole = true;
        if decoded.chars().count() < SHORTEST {
            return;
        }
        self.texts.extend([written, decoded].map(str::to_owned));
        // A tool that takes the URL apart and shows it again encodes by its own rules.
        for set in [
            NON_ALPHANUMERIC,
            UNRESERVED,
            PYTHON,
            JAVASCRIPT,
            JAVASCRIPT_WHOLE,
            URL_OBJECT,
        ] {
            let encoded = utf8_percent_encode(decoded, set).to_string();
            if encoded.contains("%20") {
                // as forms have it
                self.texts.push(encoded.replace("%20", "+"));
            }
            self.texts.push(encoded);
        }
    }

    /// User and password as they stand in front of the `@`.
    pub(super) fn add_userinfo(&mut self, userinfo: &str) {
        if userinfo
            .split_once(':')
            .is_some_and(|(_, password)| !password.is_empty())
        {
            self.texts.push(format!("{userinfo}@"));
        }
    }

    /// There are parameters: what they mean to other tools is not known here, so they are not shown.
    pub(super) fn add_query(&mut self, query: &str) {
        self.whole |= !query.is_empty();
    }

    /// Everything was added; `url` is where it was from.
    pub(super) fn finish(&mut self, url: &str) {
        if self.whole {
            self.texts.push(url.to_owned());
        }
        for at in 0..self.texts.len() {
            let text = &self.texts[at];
            let mut others: Vec<String> = hex_cases(text).into_iter().collect();
            others.extend(in_json(text));
            self.texts.append(&mut others);
        }
        self.texts
            .sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.texts.dedup();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    pub(super) fn redact(&self, text: &str) -> String {
        // Secrets are UTF-8, so what is left between them is.
        String::from_utf8_lossy(&self.redact_bytes(text.as_bytes())).into_owned()
    }

    /// Hides every byte that belongs to any occurrence of any secret, so that overlapping secrets
    /// are hidden completely.
    pub(super) fn redact_bytes(&self, text: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(text.len());
        // The end of the occurrences that began so far.
        let mut hidden_until = 0;
        for (at, &byte) in text.iter().enumerate() {
            // The first that matches is the longest.
            if let Some(secret) = self
                .texts
                .iter()
                .find(|secret| text[at..].starts_with(secret.as_bytes()))
            {
                if at >= hidden_until {
                    shown.extend_from_slice(HIDDEN.as_bytes());
                }
                hidden_until = hidden_until.max(at + secret.len());
            }
            if at >= hidden_until {
                shown.push(byte);
            }
        }
        shown
    }
}

/// The same with the digits of each `%2F` in the other case: both are usual.
fn hex_cases(text: &str) -> Vec<String> {
    if !text.contains('%') {
        return Vec::new();
    }
    let cased = |case: fn(&mut str)| {
        let mut parts: Vec<String> = text.split('%').map(str::to_owned).collect();
        for part in parts.iter_mut().skip(1) {
            if let Some(digits) = part.get_mut(..2) {
                case(digits);
            }
        }
        parts.join("%")
    };
    vec![
        cased(str::make_ascii_lowercase),
        cased(str::make_ascii_uppercase),
    ]
}

/// The text inside of JSON, where it has to be escaped: every language escapes a quote, a
/// backslash and controls, and some more than that.
fn in_json(text: &str) -> Vec<String> {
    let is_plain =
        |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '/' | '<' | '>' | '&');
    if text.chars().all(is_plain) {
        return Vec::new();
    }
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let inner = quoted
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or_default();
    let escaped = |more: &[char], slash: bool, unicode: bool| {
        let mut out = String::with_capacity(inner.len());
        for c in inner.chars() {
            if slash && c == '/' {
                out.push_str("\\/");
            } else if more.contains(&c) || unicode && !c.is_ascii() {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // writing to a String cannot fail
                    let _ = write!(out, "\\u{unit:04x}");
                }
            } else {
                out.push(c);
            }
        }
        out
    };
    vec![
        // JavaScript
        inner.to_owned(),
        // Python
        escaped(&[], false, true),
        // PHP
        escaped(&[], true, true),
        // Go
        escaped(&['<', '>', '&'], false, false),
    ]
}
