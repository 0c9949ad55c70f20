//! A value in the settings file, and its line.

use std::ffi::OsString;

use toml::Spanned;
use toml::de::DeValue;

use super::Source;
use crate::exit::Problem;

/// A value and its line.
#[derive(Debug, Clone)]
pub(in crate::settings) struct Item {
    /// The line, from 1.
    pub(in crate::settings) line: usize,
    pub(in crate::settings) value: Value,
}

/// A TOML value.
#[derive(Debug, Clone)]
pub(in crate::settings) enum Value {
    /// Text, a whole number, `true` or `false`, as text that a flag would take.
    Text(String),
    /// A list.
    List(Vec<Item>),
    /// A table, in the order of the file.
    Table(Vec<(String, Item)>),
    /// A type that no setting takes; its name.
    Unsupported(&'static str),
}

impl Item {
    /// Converts a value. The byte `at` is in its line.
    pub(super) fn new(source: &Source<'_>, at: usize, value: &Spanned<DeValue<'_>>) -> Self {
        let inner = |value: &Spanned<DeValue<'_>>| Self::new(source, value.span().start, value);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(switch) => Value::Text(switch.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => {
                Value::Text(number.as_str().trim_start_matches('+').to_owned())
            }
            DeValue::Integer(_) => Value::Unsupported("a number that is not decimal"),
            DeValue::Float(_) => Value::Unsupported("a fraction"),
            DeValue::Datetime(_) => Value::Unsupported("a date"),
            DeValue::Array(list) => Value::List(list.iter().map(inner).collect()),
            DeValue::Table(table) => {
                let mut pairs: Vec<_> = table.iter().collect();
                // The parser sorts by name, but the order matters: later entries win.
                pairs.sort_by_key(|(key, _)| key.span().start);
                let pairs = pairs.into_iter().map(|(key, value)| {
                    let at = key.span().start;
                    (key.get_ref().to_string(), Self::new(source, at, value))
                });
                Value::Table(pairs.collect())
            }
        };
        Self {
            line: source.line(at),
            value,
        }
    }
}

impl Value {
    /// The text that a flag would take.
    ///
    /// # Errors
    /// It is something else; the end of a sentence about the value.
    pub(in crate::settings) fn one(&self) -> Result<OsString, Problem> {
        match self {
            Self::Text(text) if text.contains('\0') => {
                Err(Problem::new("contains a NUL character", "remove it"))
            }
            Self::Text(text) => Ok(OsString::from(text)),
            Self::List(_) => Err(Problem::new("is a list", "give it one value")),
            Self::Table(_) => Err(Problem::new("is a table", "give it one value")),
            Self::Unsupported(name) => Err(Problem::new(format!("is {name}"), "put it in quotes")),
        }
    }

    /// The same, but not empty.
    ///
    /// # Errors
    /// As [`Value::one`].
    pub(in crate::settings) fn filled(&self) -> Result<OsString, Problem> {
        let text = self.one()?;
        if text.is_empty() {
            return Err(Problem::new("is empty", "set a value, or remove it"));
        }
        Ok(text)
    }
}
