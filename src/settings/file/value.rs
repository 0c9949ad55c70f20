//! A value of the settings file, and the line it stands in.

use std::ffi::OsString;

use toml::Spanned;
use toml::de::DeValue;

use super::Source;
use crate::exit::Problem;

/// A value and its line.
#[derive(Debug, Clone)]
pub(in crate::settings) struct Item {
    /// From 1.
    pub(in crate::settings) line: usize,
    pub(in crate::settings) value: Value,
}

/// What TOML can say.
#[derive(Debug, Clone)]
pub(in crate::settings) enum Value {
    /// A text, a whole number, `true` or `false`: what a flag would be given.
    Text(String),
    /// In order.
    List(Vec<Item>),
    /// In order.
    Table(Vec<(String, Item)>),
    /// Something that no setting takes; its name.
    Strange(&'static str),
}

impl Item {
    /// A value whose own line, or that of its key, begins at `at`.
    pub(super) fn new(source: &Source<'_>, at: usize, value: &Spanned<DeValue<'_>>) -> Self {
        let inner = |value: &Spanned<DeValue<'_>>| Self::new(source, value.span().start, value);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(switch) => Value::Text(switch.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => {
                Value::Text(number.as_str().trim_start_matches('+').to_owned())
            }
            DeValue::Integer(_) => Value::Strange("a number that is not decimal"),
            DeValue::Float(_) => Value::Strange("a fraction"),
            DeValue::Datetime(_) => Value::Strange("a date"),
            DeValue::Array(list) => Value::List(list.iter().map(inner).collect()),
            DeValue::Table(table) => {
                let mut pairs: Vec<_> = table.iter().collect();
                // A table is sorted by name; what is set later wins, as written.
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
    /// The one value that a flag would be given.
    ///
    /// # Errors
    /// What it is instead, as the end of a sentence about the value.
    pub(in crate::settings) fn one(&self) -> Result<OsString, Problem> {
        match self {
            Self::Text(text) if text.contains('\0') => {
                Err(Problem::new("has a NUL character in it", "leave it out"))
            }
            Self::Text(text) => Ok(OsString::from(text)),
            Self::List(_) => Err(Problem::new("is a list", "give it one value")),
            Self::Table(_) => Err(Problem::new("is a table", "give it one value")),
            Self::Strange(name) => Err(Problem::new(format!("is {name}"), "put it in quotes")),
        }
    }

    /// The same, where it may not be empty.
    ///
    /// # Errors
    /// As [`Value::one`].
    pub(in crate::settings) fn filled(&self) -> Result<OsString, Problem> {
        let text = self.one()?;
        if text.is_empty() {
            return Err(Problem::new("is empty", "give it a value, or leave it out"));
        }
        Ok(text)
    }
}
