//! Looks a setting up: first on the command line, then in its variable, then in the settings file,
//! and else takes its default.
//!
//! Only the first source that has a value is looked at. Without a `LAUNCHGATE_*` variable in the
//! environment no variable is looked for, which a start of two milliseconds notices.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::iter;
use std::os::unix::ffi::OsStrExt;

use super::file::{Item, SettingsFile};
use super::nearest::nearest;
use super::origin::{Origin, Pair, Setting, parse_from};
use super::parse::parse_switch;
use super::rows::Row;
use super::run_variable::RunVariable;
use super::values::{filled, into_text, pair};
use crate::cli::{DefaultValue, Raw, SETTINGS, SettingId, Shape, Verb};
use crate::exit::{Failure, Problem};
use crate::sys::environment::{Environment, OWN};

/// The variable that skips the gate.
pub const SKIP: &str = "LAUNCHGATE_SKIP";

/// The variable that gives an embedded step the number of the descriptor to report its result on.
pub const RESULT_FD: &str = "LAUNCHGATE_RESULT_FD";

/// The sources of a value.
#[derive(Debug)]
pub struct Sources<'a> {
    pub(super) raw: &'a Raw,
    pub(super) environment: &'a Environment,
    pub(super) file: Option<SettingsFile>,
    /// The rows so far.
    pub(super) rows: RefCell<Vec<(SettingId, Row)>>,
}

impl<'a> Sources<'a> {
    /// Reads the settings file, if the command uses one.
    ///
    /// # Errors
    /// The file can't be read, is not TOML, or has an unknown key.
    pub fn new(raw: &'a Raw, environment: &'a Environment) -> Result<Self, Failure> {
        let mut sources = Self {
            raw,
            environment,
            file: None,
            rows: RefCell::default(),
        };
        if !matches!(
            raw.verb,
            Verb::PrintDdl | Verb::Generate | Verb::Convert | Verb::Embedded
        ) {
            let named = sources.find(SettingId::Config)?;
            sources.file = SettingsFile::load(raw.verb, named)?;
        }
        Ok(sources)
    }

    /// Warnings of the `LAUNCHGATE_*` variables that mean nothing.
    pub fn unknown_variables(&self) -> Vec<Problem> {
        if !self.environment.has_own() {
            return Vec::new();
        }
        let names = self.environment.names_with(OWN);
        let names = names.map(|name| String::from_utf8_lossy(name).into_owned());
        let mut known: Vec<String> = SETTINGS.iter().map(|row| row.id.variable()).collect();
        known.extend([SKIP, RESULT_FD].map(str::to_owned));
        known.extend(RunVariable::ALL.map(|variable| variable.as_str().to_owned()));
        let unknown = names.filter(|name| !known.contains(name));
        let explained = unknown.map(|mut name| {
            let near = nearest_variable(&name);
            // A URL may have become part of a name, with its password.
            if let Some(end) = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                name.replace_range(end.., "…");
            }
            let hint = near.map_or_else(
                || "check the names in `launchgate run --help`, or unset it".to_owned(),
                |near| format!("did you mean {near}? Otherwise unset it"),
            );
            Problem::new(format!("unknown environment variable {name}"), hint)
        });
        explained.collect()
    }

    /// The values of a repeatable setting.
    pub(super) fn many(&self, id: SettingId) -> Result<Vec<Setting<OsString>>, Failure> {
        let values = self.find_all(id)?;
        let row = |s: &Setting<OsString>| Row::new(id.name(), &s.value.display(), &s.origin);
        self.show_all(id, values.iter().map(row));
        Ok(values)
    }

    /// The values of a setting, from the first source that has any; several only where it is repeatable.
    fn find_all(&self, id: SettingId) -> Result<Vec<Setting<OsString>>, Failure> {
        if let Some(values) = self.given(id)? {
            return Ok(values);
        }
        let Some(item) = self.in_file(id) else {
            return Ok(Vec::new());
        };
        let is_pairs = id.definition().shape == Shape::Pairs;
        if let Some(pairs) = item.table().filter(|_| is_pairs) {
            return pairs
                .into_iter()
                .map(|(name, item)| item.pair(name))
                .collect();
        }
        self.all_in_file(id)
            .into_iter()
            .map(Item::setting)
            .collect()
    }

    /// The items of the settings file: those of a list, where the setting is repeatable.
    pub(super) fn all_in_file(&self, id: SettingId) -> Vec<Item> {
        let Some(item) = self.in_file(id) else {
            return Vec::new();
        };
        let list = item
            .list()
            .filter(|_| id.definition().shape.is_repeatable());
        list.unwrap_or_else(|| vec![item])
    }

    /// The values from flags, else from the variable; one per line there where it is repeatable.
    pub(super) fn given(&self, id: SettingId) -> Result<Option<Vec<Setting<OsString>>>, Failure> {
        if let Some(values) = self.raw.values(id) {
            let origin = Origin::Flag(id.flag());
            let values = values.map(|value| filled(value, &origin));
            return values.collect::<Result<_, _>>().map(Some);
        }
        let Some((name, value)) = self.own_variable(id) else {
            return Ok(None);
        };
        let origin = Origin::Variable(name);
        let is_list = id.definition().shape.is_repeatable();
        let lines = value
            .as_bytes()
            .split(|&byte| is_list && byte == b'\n')
            .filter(|line| !is_list || !line.trim_ascii().is_empty())
            .map(|line| Setting {
                value: OsStr::from_bytes(line).to_owned(),
                origin: origin.clone(),
            });
        Ok(Some(lines.collect()))
    }

    /// The value of a setting, without a row for `check`.
    pub(super) fn find(&self, id: SettingId) -> Result<Option<Setting<OsString>>, Failure> {
        Ok(self.find_all(id)?.into_iter().next())
    }

    /// The precedence of the source that has a value, as [`Origin::rank`] has it.
    pub(super) fn rank(&self, id: SettingId) -> u8 {
        if self.raw.values(id).is_some() {
            3
        } else if self.own_variable(id).is_some() {
            2
        } else {
            u8::from(self.in_file(id).is_some())
        }
    }

    /// The item of the settings file.
    fn in_file(&self, id: SettingId) -> Option<Item> {
        self.file.as_ref()?.item(id)
    }

    /// The name of the variable and its value, if it is set.
    fn own_variable(&self, id: SettingId) -> Option<(String, &OsStr)> {
        if !self.environment.has_own() {
            return None;
        }
        let name = id.variable();
        let value = self.environment.get_filled(&name)?;
        Some((name, value))
    }

    /// The value of a setting.
    pub(super) fn one(&self, id: SettingId) -> Result<Option<Setting<OsString>>, Failure> {
        let found = self.find(id)?;
        if let Some(Setting { value, origin }) = &found {
            self.show(id, &value.display(), origin);
        }
        Ok(found)
    }

    /// The parsed value of a setting, or of its default.
    pub(super) fn parsed<T>(
        &self,
        id: SettingId,
        parser: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Setting<T>, Failure> {
        self.parsed_and_shown(id, parser, |_, text| text)
    }

    /// The same, where `check` shows something else than the text.
    fn parsed_and_shown<T>(
        &self,
        id: SettingId,
        parser: impl Fn(&str) -> Result<T, Problem>,
        shown: impl for<'t> Fn(&T, &'t str) -> &'t str,
    ) -> Result<Setting<T>, Failure> {
        let found = self.find(id)?.map(into_text).transpose()?;
        let default = match (id.definition().default, id.definition().shape) {
            (DefaultValue::Value(text), _) => text,
            (_, Shape::Switch) => "off",
            (DefaultValue::Unset | DefaultValue::Described(_), _) => "",
        };
        let (text, origin) = match &found {
            Some(Setting { value, origin }) => (&**value, origin.clone()),
            None => (default, Origin::Default),
        };
        let value = parse_from(text, &origin, parser)?;
        self.show(id, &shown(&value, text), &origin);
        Ok(Setting { value, origin })
    }

    /// The parsed value of a setting, if a source sets it.
    pub(super) fn parsed_if_set<T>(
        &self,
        id: SettingId,
        parser: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Option<Setting<T>>, Failure> {
        let found = self.one(id)?;
        let parsed = found.map(|setting| into_text(setting)?.parse(parser));
        parsed.transpose()
    }

    /// The value of a switch; off if no source sets it.
    pub(super) fn switch(&self, id: SettingId) -> Result<Setting<bool>, Failure> {
        self.parsed_and_shown(id, parse_switch, |on, _| if *on { "on" } else { "off" })
    }

    /// The value of a setting that may be no limit.
    pub(super) fn limit<T>(
        &self,
        id: SettingId,
        parser: impl Fn(&str) -> Result<Option<T>, Problem>,
    ) -> Result<Option<T>, Failure> {
        let setting = self.parsed_and_shown(id, parser, |limit, text| match limit {
            Some(_) => text,
            None => "no limit",
        });
        Ok(setting?.value)
    }

    /// The values of a setting that takes `NAME=VALUE`.
    pub(super) fn pairs(&self, id: SettingId) -> Result<Vec<Pair>, Failure> {
        let settings = self.find_all(id)?.into_iter();
        let pairs: Vec<Pair> = settings
            .map(|setting| pair(id, setting))
            .collect::<Result<_, _>>()?;
        let row = |Setting { value, origin }: &Pair| {
            let (name, value) = (OsStr::from_bytes(&value.0), OsStr::from_bytes(&value.1));
            // A variable's value may be a secret; its name is none.
            let value = match id {
                SettingId::StepEnvFrom => value,
                _ => OsStr::new("***"),
            };
            let shown = format_args!("{}={}", name.display(), value.display());
            Row::new(id.name(), &shown, origin)
        };
        self.show_all(id, pairs.iter().map(row));
        Ok(pairs)
    }

    /// Notes the rows of a setting, if `check` asks for them. One that is looked up again has them already.
    pub(super) fn show_all(&self, id: SettingId, rows: impl Iterator<Item = Row>) {
        if self.raw.verb == Verb::Check {
            let mut noted = self.rows.borrow_mut();
            if !noted.iter().any(|(known, _)| *known == id) {
                noted.extend(rows.map(|row| (id, row)));
            }
        }
    }

    /// Notes the row of a setting with one value.
    pub(super) fn show(&self, id: SettingId, value: &dyn Display, origin: &dyn Display) {
        self.show_all(id, iter::once_with(|| Row::new(id.name(), value, origin)));
    }

    /// Whether `LAUNCHGATE_SKIP` is on.
    pub(super) fn skip(&self) -> Result<bool, Failure> {
        let value = self.environment.get_filled(SKIP);
        value.map_or(Ok(false), |value| {
            parse_from(&value.to_string_lossy(), &SKIP, parse_switch)
        })
    }
}

/// The variable of the setting whose name is the most similar.
fn nearest_variable(name: &str) -> Option<String> {
    let name = name.strip_prefix("LAUNCHGATE_")?;
    let near = nearest(name, SETTINGS.iter().map(|row| row.name))?;
    let row = SETTINGS.iter().find(|row| row.name == near)?;
    Some(row.id.variable())
}
