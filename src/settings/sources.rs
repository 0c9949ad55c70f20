//! Looking a setting up: the command line, then its variable, then the settings file, then its
//! default.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::file::{Item, SettingsFile, Value};
use super::parse::{parse_duration, parse_pid, parse_switch};
use super::{Origin, Pair, Setting};
use crate::cli::{DefaultValue, Raw, SETTINGS, SettingId, Shape, Verb};
use crate::exit::{Failure, Problem};
use crate::sys::environment::{Environment, OWN};

/// The variable that goes straight to the server.
pub const SKIP: &str = "LAUNCHGATE_SKIP";

/// The variables that launchgate sets for steps and that are not settings; a launchgate that runs
/// as a step finds them in its environment.
pub const STEP_VARIABLES: [&str; 4] = [
    "LAUNCHGATE_REVISION",
    "LAUNCHGATE_RUN_ID",
    "LAUNCHGATE_STEP",
    "LAUNCHGATE_ATTEMPT",
];

/// The variable that gives an embedded step the number of the descriptor to report its result on.
pub const RESULT_FD: &str = "LAUNCHGATE_RESULT_FD";

/// The places a value can come from.
#[derive(Debug)]
pub struct Sources<'a> {
    pub(super) raw: &'a Raw,
    pub(super) environment: &'a Environment,
    pub(super) file: Option<SettingsFile>,
}

impl<'a> Sources<'a> {
    /// Those of a command line. Reads the settings file, for commands that have one.
    ///
    /// # Errors
    /// The file can't be read, is not TOML, or has an unknown key.
    pub fn new(raw: &'a Raw, environment: &'a Environment) -> Result<Self, Failure> {
        let file = match raw.verb {
            Verb::PrintDdl | Verb::Generate | Verb::Convert | Verb::Embedded => None,
            _ => SettingsFile::load(raw, environment)?,
        };
        Ok(Self {
            raw,
            environment,
            file,
        })
    }

    /// The `LAUNCHGATE_*` variables that mean nothing.
    #[must_use]
    pub fn unknown_variables(&self) -> Vec<String> {
        if !self.environment.has_own() {
            return Vec::new();
        }
        let names = self.environment.names_with(OWN);
        let names = names.map(|name| String::from_utf8_lossy(name).into_owned());
        let mut known: Vec<String> = SETTINGS.iter().map(|row| row.id.variable()).collect();
        known.extend([SKIP, RESULT_FD].map(str::to_owned));
        known.extend(STEP_VARIABLES.map(str::to_owned));
        names.filter(|name| !known.contains(name)).collect()
    }

    /// The values of a repeatable setting.
    pub(super) fn many(&self, id: SettingId) -> Result<Vec<Setting<OsString>>, Failure> {
        if let Some(values) = self.given_many(id)? {
            return Ok(values);
        }
        let Some((file, item)) = self.in_file(id) else {
            return Ok(Vec::new());
        };
        match &item.value {
            Value::List(items) => items
                .iter()
                .map(|item| at(file.origin_of(id, item), item.value.filled()))
                .collect(),
            Value::Table(pairs) if id.definition().shape == Shape::Pairs => pairs
                .iter()
                .map(|(name, item)| at(file.origin_of(id, item), joined(name, item)))
                .collect(),
            value => Ok(vec![at(file.origin_of(id, item), value.filled())?]),
        }
    }

    /// The values that flags or a variable give; a variable holds one per line.
    pub(super) fn given_many(
        &self,
        id: SettingId,
    ) -> Result<Option<Vec<Setting<OsString>>>, Failure> {
        if let Some(values) = self.raw.values(id) {
            let origin = Origin::Flag(id.flag());
            let values = values.iter().map(|value| filled(value, &origin));
            return values.collect::<Result<_, _>>().map(Some);
        }
        let Some((name, value)) = self.own_variable(id) else {
            return Ok(None);
        };
        let origin = Origin::Variable(name);
        let lines = value
            .as_bytes()
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
            .map(|line| Setting {
                value: OsStr::from_bytes(line).to_owned(),
                origin: origin.clone(),
            });
        Ok(Some(lines.collect()))
    }

    pub(super) fn flag_value(&self, id: SettingId) -> Result<Option<Setting<OsString>>, Failure> {
        let value = self.raw.values(id).and_then(|values| values.first());
        let origin = Origin::Flag(id.flag());
        value.map(|value| filled(value, &origin)).transpose()
    }

    pub(super) fn variable_value(&self, id: SettingId) -> Option<Setting<OsString>> {
        let (name, value) = self.own_variable(id)?;
        Some(Setting {
            value: value.to_owned(),
            origin: Origin::Variable(name),
        })
    }

    /// What the settings file says.
    pub(super) fn file_value(&self, id: SettingId) -> Result<Option<Setting<OsString>>, Failure> {
        let found = self.in_file(id);
        found
            .map(|(file, item)| at(file.origin_of(id, item), item.value.filled()))
            .transpose()
    }

    pub(super) fn in_file(&self, id: SettingId) -> Option<(&SettingsFile, &Item)> {
        let file = self.file.as_ref()?;
        Some((file, file.item(id)?))
    }

    /// The variable of a setting, and its value where it has one.
    fn own_variable(&self, id: SettingId) -> Option<(String, &OsStr)> {
        if !self.environment.has_own() {
            return None;
        }
        let name = id.variable();
        let value = self.environment.get_filled(&name)?;
        Some((name, value))
    }

    /// The value that a flag or a variable gives.
    pub(super) fn given(&self, id: SettingId) -> Result<Option<Setting<OsString>>, Failure> {
        Ok(self.flag_value(id)?.or_else(|| self.variable_value(id)))
    }

    /// The one value of a setting.
    pub(super) fn one(&self, id: SettingId) -> Result<Option<Setting<OsString>>, Failure> {
        match self.given(id)? {
            Some(setting) => Ok(Some(setting)),
            None => self.file_value(id),
        }
    }

    /// The one value of a setting, as text.
    pub(super) fn text(&self, id: SettingId) -> Result<Option<Setting<String>>, Failure> {
        self.one(id)?.map(into_text).transpose()
    }

    /// A setting's value; its default is parsed in the same way.
    pub(super) fn parsed<T>(
        &self,
        id: SettingId,
        parser: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Setting<T>, Failure> {
        if let Some(setting) = self.parsed_if_set(id, &parser)? {
            return Ok(setting);
        }
        let text = match id.definition().default {
            DefaultValue::Value(text) => text,
            DefaultValue::Unset | DefaultValue::Described(_) => "",
        };
        let origin = Origin::Default;
        let value = parse(text, &id.flag(), parser)?;
        Ok(Setting { value, origin })
    }

    /// A setting's value, where somebody set it.
    pub(super) fn parsed_if_set<T>(
        &self,
        id: SettingId,
        parser: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Option<Setting<T>>, Failure> {
        let Some(Setting { value, origin }) = self.text(id)? else {
            return Ok(None);
        };
        let value = parse(&value, &origin, parser)?;
        Ok(Some(Setting { value, origin }))
    }

    /// A switch is off where nobody sets it.
    pub(super) fn switch(&self, id: SettingId) -> Result<Setting<bool>, Failure> {
        let off = Setting {
            value: false,
            origin: Origin::Default,
        };
        Ok(self.parsed_if_set(id, parse_switch)?.unwrap_or(off))
    }

    /// A duration of which 0 is no limit.
    pub(super) fn limit(&self, id: SettingId) -> Result<Setting<Option<Duration>>, Failure> {
        let setting = self.parsed(id, parse_duration)?;
        Ok(setting.map(|limit| Some(limit).filter(|limit| !limit.is_zero())))
    }

    /// The entries of a setting that holds `NAME=VALUE`.
    pub(super) fn pairs(&self, id: SettingId) -> Result<Vec<Pair>, Failure> {
        self.many(id)?
            .into_iter()
            .map(|setting| pair(id, setting))
            .collect()
    }

    /// Whether `LAUNCHGATE_SKIP` asks to go straight to the server.
    pub(super) fn skip(&self) -> Result<bool, Failure> {
        let value = self.environment.get_filled(SKIP);
        value.map_or(Ok(false), |value| {
            parse(&value.to_string_lossy(), &SKIP, parse_switch)
        })
    }

    /// The process that `probe` asks about.
    pub(super) fn pid(&self) -> Result<i32, Failure> {
        Ok(self.parsed(SettingId::Pid, parse_pid)?.value)
    }
}

/// Parses a value, and names its origin where that fails.
fn parse<T>(
    text: &str,
    origin: &dyn std::fmt::Display,
    parse: impl Fn(&str) -> Result<T, Problem>,
) -> Result<T, Failure> {
    parse(text).map_err(|problem| {
        Failure::usage(
            format!("{origin}: `{text}` {}", problem.what()),
            problem.hint(),
        )
    })
}

/// What the settings file says, or what is wrong with it there.
fn at(origin: Origin, value: Result<OsString, Problem>) -> Result<Setting<OsString>, Failure> {
    match value {
        Ok(value) => Ok(Setting { value, origin }),
        Err(problem) => Err(Failure::usage(
            format!("{origin}: the value {}", problem.what()),
            problem.hint(),
        )),
    }
}

/// An entry of a table as a flag would be given it.
fn joined(name: &str, item: &Item) -> Result<OsString, Problem> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(Problem::new(
            "has a name that can't be a variable's",
            "write `NAME = \"value\"`",
        ));
    }
    let mut text = OsString::from(name);
    text.push("=");
    text.push(item.value.one()?);
    Ok(text)
}

fn filled(value: &OsStr, origin: &Origin) -> Result<Setting<OsString>, Failure> {
    if value.is_empty() {
        return Err(Failure::usage(
            format!("{origin} is empty"),
            "give it a value, or leave it out",
        ));
    }
    Ok(Setting {
        value: value.to_owned(),
        origin: origin.clone(),
    })
}

/// A URL in the place of a path would lend its password to the names of files.
pub(super) fn a_path(setting: Setting<OsString>) -> Result<Setting<OsString>, Failure> {
    let shown = setting.value.to_string_lossy();
    if shown.contains("://") {
        return Err(Failure::usage(
            format!("{}: `{shown}` is a URL", setting.origin),
            "name files or a folder; the database's URL belongs to --database-url",
        ));
    }
    Ok(setting)
}

pub(super) fn into_text(setting: Setting<OsString>) -> Result<Setting<String>, Failure> {
    let Setting { value, origin } = setting;
    match value.into_string() {
        Ok(value) => Ok(Setting { value, origin }),
        Err(value) => Err(Failure::usage(
            format!("{origin}: `{}` is not UTF-8", value.to_string_lossy()),
            "write it in UTF-8",
        )),
    }
}

fn pair(id: SettingId, setting: Setting<OsString>) -> Result<Pair, Failure> {
    let Setting { value, origin } = setting;
    let form = id.definition().value_name;
    let bytes = value.as_bytes();
    let equals = bytes
        .iter()
        .position(|&byte| byte == b'=')
        .filter(|&at| at > 0);
    let Some(equals) = equals else {
        // A line of a value that was not meant as an entry of its own is nobody's to see.
        let shown = if id == SettingId::StepEnv {
            "an entry".to_owned()
        } else {
            format!("`{}`", value.to_string_lossy())
        };
        return Err(Failure::usage(
            format!("{origin}: {shown} is not {form}"),
            format!("write `{} {form}`", id.flag()),
        ));
    };
    let (name, rest) = (&bytes[..equals], &bytes[equals + 1..]);
    if id == SettingId::StepEnvFrom && rest.is_empty() {
        return Err(Failure::usage(
            format!("{origin}: `{}` names no variable", value.to_string_lossy()),
            format!("write `{} {form}`", id.flag()),
        ));
    }
    if name.starts_with(b"LAUNCHGATE_") {
        return Err(Failure::usage(
            format!(
                "{origin}: {} is launchgate's own",
                String::from_utf8_lossy(name)
            ),
            "choose a name that does not begin with LAUNCHGATE_",
        ));
    }
    Ok(Setting {
        value: (name.to_vec(), rest.to_vec()),
        origin,
    })
}
