//! Texts that are known to be secret, and their removal from other texts.

mod variables;

use std::fmt::{self, Write as _};

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::HIDDEN;

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

/// Texts that must not be shown, in every form in which they may appear. Its `Debug` shows none.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Once finished: longest first, no empty strings, no duplicates.
    texts: Vec<String>,
    /// Whether the URL as a whole is one.
    whole: bool,
    /// Names that a secret may happen to equal, such as the user of its URL. Hiding those words everywhere
    /// would make a log unreadable, and would give the secret away.
    public: Vec<String>,
}

impl Secrets {
    /// A password, as it is written in the URL and as it is meant.
    pub fn add_password(&mut self, written: &str, decoded: &str) {
        if decoded.is_empty() {
            return;
        }
        self.whole = true;
        if decoded.chars().count() < SHORTEST {
            return;
        }
        self.add_text(written);
        self.add_value(decoded);
    }

    /// A text that must not be shown, and its percent-encoded forms. Shorter than three characters, it
    /// would be found everywhere.
    pub fn add_value(&mut self, decoded: &str) {
        if decoded.chars().count() < SHORTEST {
            return;
        }
        self.add_text(decoded);
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
                self.add_text(&encoded.replace("%20", "+"));
            }
            self.add_text(&encoded);
        }
    }

    /// User and password as they stand in front of the `@`.
    pub fn add_userinfo(&mut self, userinfo: &str) {
        if userinfo
            .split_once(':')
            .is_some_and(|(_, password)| !password.is_empty())
        {
            self.add_text(&format!("{userinfo}@"));
        }
    }

    /// There are parameters: what they mean to other tools is not known here, so they are not shown.
    pub fn add_query(&mut self, query: &str) {
        self.whole |= !query.is_empty();
    }

    /// A text that must not be shown as it stands, and as JSON escapes it.
    pub fn add_text(&mut self, text: &str) {
        let cased = hex_cases(text);
        for text in cased.iter().map(String::as_str).chain([text]) {
            self.texts.extend(in_json(text));
            self.texts.push(text.to_owned());
        }
    }

    /// Everything was added; `url` is where it came from.
    pub fn finish(&mut self, url: &str) {
        if self.whole {
            self.add_text(url);
        }
        self.sort();
    }

    fn sort(&mut self) {
        let public = &self.public;
        self.texts
            .retain(|text| !text.is_empty() && !public.contains(text));
        self.texts
            .sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.texts.dedup();
    }

    /// What the variables of an environment keep secret: the passwords of URLs, and the values of
    /// variables with names that say so.
    pub fn add_variables<'a>(&mut self, entries: impl IntoIterator<Item = &'a [u8]>) {
        for entry in entries {
            let Ok(entry) = std::str::from_utf8(entry) else {
                continue;
            };
            let Some((name, value)) = entry.split_once('=') else {
                continue;
            };
            if variables::is_secret(name) {
                if value.chars().count() >= variables::SHORTEST {
                    self.add_value(value);
                }
                // A secret that was read from a file ends with a line break.
                if value.trim().chars().count() >= variables::SHORTEST {
                    self.add_value(value.trim());
                }
            } else if variables::is_public(name) {
                self.public.push(value.to_owned());
            }
            variables::passwords_of_urls(self, value);
        }
        self.sort();
    }

    /// The value of a variable that only the steps may see.
    pub fn add_variable_value(&mut self, value: &str) {
        self.add_value(value);
        variables::passwords_of_urls(self, value);
        self.sort();
    }

    /// Texts that are complete already.
    pub fn add_texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        self.texts.extend(texts.into_iter().map(str::to_owned));
        self.sort();
    }

    /// The length of the longest one, in bytes.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.texts.first().map_or(0, String::len)
    }

    /// The texts, longest first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    /// The text with every secret hidden.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        if self.texts.is_empty() {
            return text.to_owned();
        }
        // Secrets are UTF-8, so what is left between them is.
        String::from_utf8_lossy(&self.redact_bytes(text.as_bytes())).into_owned()
    }

    /// Hides every byte that belongs to any occurrence of any secret, so that overlapping secrets
    /// are hidden completely.
    #[must_use]
    pub fn redact_bytes(&self, text: &[u8]) -> Vec<u8> {
        let mut begins = [false; 256];
        for secret in &self.texts {
            begins[usize::from(secret.as_bytes()[0])] = true;
        }
        let mut shown = Vec::with_capacity(text.len());
        // The end of the occurrences that began so far.
        let mut hidden_until = 0;
        for (at, &byte) in text.iter().enumerate() {
            // The first that matches is the longest.
            if begins[usize::from(byte)]
                && let Some(secret) = self
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

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests;
