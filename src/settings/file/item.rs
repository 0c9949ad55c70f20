//! A value in the settings file, and its place.

use std::ffi::OsString;

use toml::Spanned;
use toml::de::DeValue;

use super::Source;
use crate::exit::{Failure, Problem};
use crate::settings::origin::{Origin, Setting};

/// A value of the setting with this key. The byte `at` is in its line.
#[derive(Debug, Clone, Copy)]
pub(in crate::settings) struct Item {
    pub(super) source: Source<'static>,
    pub(super) key: &'static str,
    pub(super) at: usize,
    pub(super) value: &'static Spanned<DeValue<'static>>,
}

impl Item {
    /// Path, line and key of the setting.
    pub(in crate::settings) fn origin(self) -> Origin {
        let (path, line) = (self.source.path, self.source.line(self.at));
        Origin::File(format!("{path}:{line} {}", self.key))
    }

    /// The items of a list.
    pub(in crate::settings) fn list(self) -> Option<Vec<Self>> {
        let DeValue::Array(list) = self.value.get_ref() else {
            return None;
        };
        let item = |value: &'static Spanned<_>| {
            let at = value.span().start;
            Self { at, value, ..self }
        };
        Some(list.iter().map(item).collect())
    }

    /// The entries of a table, in the order of the file: later ones win. The parser sorts by name.
    pub(in crate::settings) fn table(self) -> Option<Vec<(&'static str, Self)>> {
        let DeValue::Table(table) = self.value.get_ref() else {
            return None;
        };
        let entries = table.iter().map(|(name, value)| {
            let at = name.span().start;
            (name.get_ref().as_ref(), Self { at, value, ..self })
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|(_, item)| item.at);
        Some(entries)
    }

    /// What is wrong with it, with its place.
    pub(in crate::settings) fn wrong(self, problem: Problem) -> Failure {
        Failure::of_setting(self.origin(), problem)
    }

    /// The text that a flag would take, not empty.
    pub(in crate::settings) fn setting(self) -> Result<Setting<OsString>, Failure> {
        Ok(self.filled("the value")?.map(OsString::from))
    }

    /// An entry of a table as the `NAME=VALUE` that a flag would take.
    pub(in crate::settings) fn pair(self, name: &str) -> Result<Setting<OsString>, Failure> {
        if name.is_empty() || name.contains(['=', '\0']) {
            let what = "the value contains an invalid variable name";
            return Err(self.wrong(Problem::new(what, "write `NAME = \"value\"`")));
        }
        let value = self.text("the value")?;
        Ok(value.map(|value| format!("{name}={value}").into()))
    }

    /// The text that a flag would take. `what` is the subject of a sentence about a mistake.
    pub(in crate::settings) fn text(self, what: &str) -> Result<Setting<&'static str>, Failure> {
        let in_quotes = |kind: &str| (format!("is {kind}"), "put it in quotes");
        let one = |kind: &str| (format!("is {kind}"), "give it one value");
        let (problem, hint) = match self.value.get_ref() {
            DeValue::String(text) if text.contains('\0') => {
                ("contains a NUL character".to_owned(), "remove it")
            }
            DeValue::String(text) => return Ok(self.holds(text)),
            DeValue::Boolean(true) => return Ok(self.holds("true")),
            DeValue::Boolean(false) => return Ok(self.holds("false")),
            DeValue::Integer(number) if number.radix() == 10 => {
                return Ok(self.holds(number.as_str().trim_start_matches('+')));
            }
            DeValue::Integer(_) => in_quotes("a number that is not decimal"),
            DeValue::Float(_) => in_quotes("a fraction"),
            DeValue::Datetime(_) => in_quotes("a date"),
            DeValue::Array(_) => one("a list"),
            DeValue::Table(_) => one("a table"),
        };
        Err(self.wrong(Problem::new(problem, hint).of(what)))
    }

    /// The same, but not empty.
    pub(in crate::settings) fn filled(self, what: &str) -> Result<Setting<&'static str>, Failure> {
        let text = self.text(what)?;
        if text.value.is_empty() {
            let problem = Problem::new("is empty", "set a value, or remove it");
            return Err(self.wrong(problem.of(what)));
        }
        Ok(text)
    }

    fn holds(self, value: &'static str) -> Setting<&'static str> {
        let origin = self.origin();
        Setting { value, origin }
    }
}
