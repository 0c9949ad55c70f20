//! Passwords: a type that shows none, and the removal of them from other texts.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

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

/// How JavaScript's `encodeURIComponent` encodes.
const JAVASCRIPT: &AsciiSet = &UNRESERVED
    .remove(b'!')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*');

/// A text that `Display` and `Debug` show as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
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

/// Every text of a URL that must not be shown. Deliberately without `Debug`.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    /// Longest first, none empty, none twice, once finished.
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
        for set in [NON_ALPHANUMERIC, UNRESERVED, JAVASCRIPT] {
            self.texts
                .push(utf8_percent_encode(decoded, set).to_string());
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

    /// Hides every byte that belongs to any occurrence of any secret, so that where two overlap
    /// no end of either is left.
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
