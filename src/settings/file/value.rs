//! A value in the settings file, and its place.

use std::ffi::OsString;

use toml::Spanned;
use toml::de::DeValue;

use super::Source;
use crate::exit::{Failure, Problem};
use crate::settings::origin::{Origin, Setting};

/// A value and where it is: path, line and key of the setting.
#[derive(Debug, Clone)]
pub(in crate::settings) struct Item {
    pub(in crate::settings) origin: Origin,
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
    /// Converts a value of the setting with this key. The byte `at` is in its line.
    pub(super) fn new(
        source: &Source<'_>,
        key: &str,
        at: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Self {
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(switch) => Value::Text(switch.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => {
                Value::Text(number.as_str().trim_start_matches('+').to_owned())
            }
            DeValue::Integer(_) => Value::Unsupported("a number that is not decimal"),
            DeValue::Float(_) => Value::Unsupported("a fraction"),
            DeValue::Datetime(_) => Value::Unsupported("a date"),
            DeValue::Array(list) => {
                let items = list.iter();
                let items = items.map(|item| Self::new(source, key, item.span().start, item));
                Value::List(items.collect())
            }
            DeValue::Table(table) => {
                let mut pairs: Vec<_> = table.iter().collect();
                // The parser sorts by name, but the order matters: later entries win.
                pairs.sort_by_key(|(name, _)| name.span().start);
                let pairs = pairs.into_iter().map(|(name, value)| {
                    let item = Self::new(source, key, name.span().start, value);
                    (name.get_ref().to_string(), item)
                });
                Value::Table(pairs.collect())
            }
        };
        let line = source.line(at);
        Self {
            origin: Origin::File(format!("{}:{line} {key}", source.path)),
            value,
        }
    }

    /// What is wrong with it, with its place.
    pub(in crate::settings) fn wrong(&self, problem: Problem) -> Failure {
        Failure::of_setting(&self.origin, problem)
    }

    /// What its value becomes.
    pub(in crate::settings) fn map<'a, T>(
        &'a self,
        becomes: impl FnOnce(&'a Value) -> Result<T, Problem>,
    ) -> Result<Setting<T>, Failure> {
        let (value, origin) = (&self.value, self.origin.clone());
        Setting { value, origin }.try_map(becomes)
    }

    /// The text that a flag would take, not empty.
    pub(in crate::settings) fn setting(&self) -> Result<Setting<OsString>, Failure> {
        self.map(|value| Ok(value.filled().map_err(|p| p.of("the value"))?.into()))
    }

    /// An entry of a table as the `NAME=VALUE` that a flag would take.
    pub(in crate::settings) fn pair(&self, name: &str) -> Result<Setting<OsString>, Failure> {
        self.map(|value| {
            if name.is_empty() || name.contains(['=', '\0']) {
                let what = "the value contains an invalid variable name";
                return Err(Problem::new(what, "write `NAME = \"value\"`"));
            }
            let value = value.one().map_err(|p| p.of("the value"))?;
            Ok(format!("{name}={value}").into())
        })
    }
}

impl Value {
    /// The text that a flag would take.
    ///
    /// # Errors
    /// It is something else; the end of a sentence about the value.
    pub(in crate::settings) fn one(&self) -> Result<&str, Problem> {
        match self {
            Self::Text(text) if text.contains('\0') => {
                Err(Problem::new("contains a NUL character", "remove it"))
            }
            Self::Text(text) => Ok(text),
            Self::List(_) => Err(Problem::new("is a list", "give it one value")),
            Self::Table(_) => Err(Problem::new("is a table", "give it one value")),
            Self::Unsupported(name) => Err(Problem::new(format!("is {name}"), "put it in quotes")),
        }
    }

    /// The same, but not empty.
    ///
    /// # Errors
    /// As [`Value::one`].
    pub(in crate::settings) fn filled(&self) -> Result<&str, Problem> {
        let text = self.one()?;
        if text.is_empty() {
            return Err(Problem::new("is empty", "set a value, or remove it"));
        }
        Ok(text)
    }
}
