//! Texts that are known to be secret, and their removal from other texts.

mod spelling;
mod variables;

use std::borrow::Cow;
use std::fmt;

use super::{HIDDEN, hide_in, passwords};
use variables::Meaning;

/// Passwords of fewer characters are not looked for on their own.
const SHORTEST: usize = 3;

/// Texts that must not be shown, in whatever spelling. Its `Debug` shows none.
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
        self.whole |= !decoded.is_empty();
        if decoded.chars().count() >= SHORTEST {
            self.add(decoded);
            if written != decoded {
                self.add(written);
            }
        }
    }

    /// User and password as they stand in front of the `@`.
    pub fn add_userinfo(&mut self, userinfo: &str) {
        if userinfo
            .split_once(':')
            .is_some_and(|(_, password)| !password.is_empty())
        {
            self.add(&format!("{userinfo}@"));
        }
    }

    /// There are parameters: what they mean to other tools is not known here, so they are not shown.
    pub fn add_query(&mut self, query: &str) {
        self.whole |= !query.is_empty();
    }

    fn add(&mut self, text: &str) {
        self.texts.push(text.to_owned());
    }

    /// Everything was added; `url` is where it came from.
    pub fn finish(&mut self, url: &str) {
        // `postgres://` alone stands for libpq's variables.
        if self.whole && !url.ends_with("://") {
            self.add(url);
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
            match variables::meaning(name) {
                Meaning::Secret => {
                    // A secret that was read from a file ends with a line break.
                    let secret = value.trim();
                    if secret.chars().count() >= variables::SHORTEST {
                        self.add(secret);
                    }
                }
                Meaning::Public => self.public.push(value.to_owned()),
                Meaning::Unknown => {}
            }
            variables::passwords_of_urls(self, value);
        }
        self.sort();
    }

    /// The value of a variable that only the steps may see.
    pub fn add_variable_value(&mut self, value: &str) {
        if value.chars().count() >= SHORTEST {
            self.add(value);
        }
        variables::passwords_of_urls(self, value);
        self.sort();
    }

    /// Adds what others keep secret.
    pub fn add_all(&mut self, others: &Self) {
        self.texts.extend_from_slice(&others.texts);
        self.whole |= others.whole;
        self.sort();
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The most bytes that one of them takes, in whichever spelling.
    pub fn longest(&self) -> usize {
        // A byte may be written as `\u0000`.
        6 * self.texts.first().map_or(0, String::len)
    }

    /// The text with every secret hidden.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.redact_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // Secrets are UTF-8, so what is left between them is.
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The text with every secret hidden, and with everything else that looks like a password.
    pub fn redact_with_passwords(&self, text: String) -> String {
        hide_in(hide_in(text, |text| self.redact(text)), passwords)
    }

    /// Hides every byte that belongs to any occurrence of any secret, so that overlapping secrets
    /// are hidden completely.
    pub fn redact_bytes<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        // Most texts are shorter than the shortest secret.
        if self.texts.last().is_none_or(|last| last.len() > text.len()) {
            return Cow::Borrowed(text);
        }
        let mut begins = [false; 256];
        for byte in spelling::OPENINGS {
            begins[usize::from(byte)] = true;
        }
        for secret in &self.texts {
            begins[usize::from(secret.as_bytes()[0])] = true;
        }
        // The length of the longest secret that begins here.
        let len_at = |at: usize| {
            let lens = self.texts.iter();
            lens.filter_map(|secret| spelling::len_at_start(&text[at..], secret))
                .max()
        };
        let mut shown = Vec::new();
        // How much of the text is in there, shown or hidden.
        let mut done = 0;
        for (at, &byte) in text.iter().enumerate() {
            if !begins[usize::from(byte)] {
                continue;
            }
            let Some(len) = len_at(at) else { continue };
            if at >= done {
                shown.extend_from_slice(&text[done..at]);
                shown.extend_from_slice(HIDDEN.as_bytes());
            }
            done = done.max(at + len);
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        shown.extend_from_slice(&text[done..]);
        Cow::Owned(shown)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests;
