//! Looking a setting up: the command line, then its variable, then the settings file, then its
//! default.

use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::file::{Item, SettingsFile, Value};
use super::parse::{
    parse_app, parse_count, parse_duration, parse_format, parse_health, parse_lease, parse_pid,
    parse_switch,
};
use super::{
    CoordinationSettings, DatabaseSettings, Origin, Pair, SKIP, Setting, Sources, StepSettings,
    flag, variable,
};
use crate::exit::{Failure, Problem};
use crate::output::options::{Format, HealthAddress, Verbosity};

/// The settings that are names with a value each, which a table says best.
const PAIRS: [&str; 2] = ["step_env", "step_env_from"];

impl Sources<'_> {
    /// The values of a repeatable setting.
    pub(super) fn many(&self, id: &str) -> Result<Vec<Setting<OsString>>, Failure> {
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
            Value::Table(pairs) if PAIRS.contains(&id) => pairs
                .iter()
                .map(|(name, item)| at(file.origin_of(id, item), joined(name, item)))
                .collect(),
            value => Ok(vec![at(file.origin_of(id, item), value.filled())?]),
        }
    }

    /// The values that flags or a variable give; a variable holds one per line.
    pub(super) fn given_many(&self, id: &str) -> Result<Option<Vec<Setting<OsString>>>, Failure> {
        if let Some(values) = self.raw.values(id) {
            let origin = Origin::Flag(flag(id));
            let values = values.into_iter().map(|value| filled(value, &origin));
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

    pub(super) fn flag_value(&self, id: &str) -> Result<Option<Setting<OsString>>, Failure> {
        let Some(value) = self
            .raw
            .values(id)
            .and_then(|values| values.first().copied())
        else {
            return Ok(None);
        };
        filled(value, &Origin::Flag(flag(id))).map(Some)
    }

    pub(super) fn variable_value(&self, id: &str) -> Option<Setting<OsString>> {
        let (name, value) = self.own_variable(id)?;
        Some(Setting {
            value: value.to_owned(),
            origin: Origin::Variable(name),
        })
    }

    /// What the settings file says.
    pub(super) fn file_value(&self, id: &str) -> Result<Option<Setting<OsString>>, Failure> {
        let Some((file, item)) = self.in_file(id) else {
            return Ok(None);
        };
        at(file.origin_of(id, item), item.value.filled()).map(Some)
    }

    pub(super) fn in_file(&self, id: &str) -> Option<(&SettingsFile, &Item)> {
        let file = self.file?;
        Some((file, file.item(id)?))
    }

    /// The variable of a setting, and its value where it has one.
    fn own_variable(&self, id: &str) -> Option<(String, &OsStr)> {
        if !self.environment.has_own() {
            return None;
        }
        let name = variable(id);
        let value = self.environment.get_filled(&name)?;
        Some((name, value))
    }

    /// The value that a flag or a variable gives.
    pub(super) fn given(&self, id: &str) -> Result<Option<Setting<OsString>>, Failure> {
        Ok(self.flag_value(id)?.or_else(|| self.variable_value(id)))
    }

    fn one(&self, id: &str) -> Result<Option<Setting<OsString>>, Failure> {
        match self.given(id)? {
            Some(setting) => Ok(Some(setting)),
            None => self.file_value(id),
        }
    }

    pub(super) fn text(&self, id: &str) -> Result<Option<Setting<String>>, Failure> {
        self.one(id)?.map(into_text).transpose()
    }

    fn parsed<T>(
        &self,
        id: &str,
        default: T,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Setting<T>, Failure> {
        let Some(Setting { value, origin }) = self.text(id)? else {
            return Ok(Setting::default(default));
        };
        match parse(&value) {
            Ok(value) => Ok(Setting { value, origin }),
            Err(problem) => Err(Failure::usage(
                format!("{origin}: `{value}` {}", problem.what()),
                problem.hint(),
            )),
        }
    }

    pub(super) fn switch(&self, id: &str) -> Result<Setting<bool>, Failure> {
        self.parsed(id, false, parse_switch)
    }

    fn limit(&self, id: &str, default: Duration) -> Result<Setting<Option<Duration>>, Failure> {
        let setting = self.parsed(id, default, parse_duration)?;
        Ok(Setting {
            value: Some(setting.value).filter(|duration| !duration.is_zero()),
            origin: setting.origin,
        })
    }

    fn pairs(&self, id: &str) -> Result<Vec<Pair>, Failure> {
        self.many(id)?
            .into_iter()
            .map(|setting| pair(id, setting))
            .collect()
    }

    /// Whether `LAUNCHGATE_SKIP` asks to go straight to the server.
    pub fn skip(&self) -> Result<bool, Failure> {
        let Some(value) = self.environment.get_filled(SKIP) else {
            return Ok(false);
        };
        parse_switch(&value.to_string_lossy()).map_err(|problem| {
            Failure::usage(
                format!("{SKIP}: `{}` {}", value.to_string_lossy(), problem.what()),
                problem.hint(),
            )
        })
    }

    /// Whether to say more, and less.
    pub fn log_switches(&self) -> Result<(Setting<bool>, Setting<bool>), Failure> {
        Ok((self.switch("verbose")?, self.switch("quiet")?))
    }

    /// How a line of the log looks.
    pub fn log_format(&self) -> Result<Setting<Format>, Failure> {
        self.parsed("log_format", Format::Text, parse_format)
    }

    /// How much is said.
    pub fn verbosity(&self) -> Result<Verbosity, Failure> {
        let (verbose, quiet) = self.log_switches()?;
        match (verbose.value, quiet.value) {
            // A flag wins over the other's variable, and that over the file.
            (true, true) => match verbose.origin.rank().cmp(&quiet.origin.rank()) {
                Ordering::Greater => Ok(Verbosity::Verbose),
                Ordering::Less => Ok(Verbosity::Quiet),
                Ordering::Equal => Err(Failure::usage(
                    format!("both {} and {}", verbose.origin, quiet.origin),
                    "leave one out",
                )),
            },
            (false, true) => Ok(Verbosity::Quiet),
            (true, false) => Ok(Verbosity::Verbose),
            (false, false) => Ok(Verbosity::Normal),
        }
    }

    /// Where the reason of a failure is left, where somebody said so.
    pub fn termination_log(&self) -> Result<Option<Setting<OsString>>, Failure> {
        self.one("termination_log")
    }

    /// Where health checks are answered, where somebody said so.
    pub fn health(&self) -> Result<Option<Setting<HealthAddress>>, Failure> {
        let Setting { value, origin } =
            self.parsed("health_listen", None, |text| parse_health(text).map(Some))?;
        Ok(value.map(|value| Setting {
            value: HealthAddress {
                source: origin.to_string(),
                ..value
            },
            origin,
        }))
    }

    /// The process that `probe` asks about.
    pub fn pid(&self) -> Result<i32, Failure> {
        Ok(self.parsed("pid", 1, parse_pid)?.value)
    }

    /// Whether JSON is to be printed.
    pub fn json(&self) -> Result<bool, Failure> {
        Ok(self.switch("json")?.value)
    }

    /// What the steps are.
    pub fn steps(&self) -> Result<StepSettings, Failure> {
        Ok(StepSettings {
            backup: self.written("backup")?,
            migrate: self.all_written("migrate")?,
            snapshot: self.one("snapshot")?.map(a_path).transpose()?,
            sql: self.sql()?,
            verify: self.written("verify")?,
            shell: self.switch("shell")?,
            expand_env: self.expand_env()?,
            migrate_timeout: self.limit("migrate_timeout", Duration::ZERO)?,
            stop_grace: self.stop_grace()?,
            step_env: self.pairs("step_env")?,
            step_env_from: self.pairs("step_env_from")?,
        })
    }

    /// Between TERM and KILL.
    pub fn stop_grace(&self) -> Result<Setting<Duration>, Failure> {
        self.parsed("stop_grace", Duration::from_secs(10), parse_duration)
    }

    /// Whether variables are expanded.
    pub fn expand_env(&self) -> Result<Setting<bool>, Failure> {
        self.switch("expand_env")
    }

    /// The names that the server must not see.
    pub fn unset_env(&self) -> Result<Vec<Setting<OsString>>, Failure> {
        self.many("unset_env")?
            .into_iter()
            .map(|setting| {
                let origin = &setting.origin;
                if setting.value.as_bytes().contains(&b'=') {
                    return Err(Failure::usage(
                        format!("{origin}: `{}` is no name", setting.value.to_string_lossy()),
                        "write the variable's name alone",
                    ));
                }
                Ok(setting)
            })
            .collect()
    }

    /// The variables that only the steps may see.
    pub fn step_only(&self) -> Result<Vec<Pair>, Failure> {
        self.pairs("step_env_from")
    }

    fn sql(&self) -> Result<Option<Setting<OsString>>, Failure> {
        self.one("sql")?.map(a_path).transpose()
    }

    /// The folder whose fingerprint is the revision, where no other setting is: that of `--sql`
    /// where nothing else migrates.
    pub fn sql_alone(&self) -> Result<Option<Setting<OsString>>, Failure> {
        let Some(sql) = self.sql()? else {
            return Ok(None);
        };
        Ok(Some(sql).filter(|_| self.all_written("migrate").is_ok_and(|all| all.is_empty())))
    }

    /// Where lock and ledger live.
    pub fn database(&self) -> Result<DatabaseSettings, Failure> {
        Ok(DatabaseSettings {
            choice: self.choice()?,
            app: self.parsed("app", "default".to_owned(), parse_app)?,
            wait_timeout: self.limit("wait_timeout", Duration::from_mins(1))?,
        })
    }

    /// How replicas agree.
    pub fn coordination(&self) -> Result<CoordinationSettings, Failure> {
        let lease = self.parsed("lease", Duration::from_secs(30), parse_lease)?;
        Ok(CoordinationSettings {
            release: self.one("release")?,
            fingerprint: self
                .many("fingerprint")?
                .into_iter()
                .map(|setting| a_path(setting).and_then(into_text))
                .collect::<Result<_, _>>()?,
            lock_timeout: self.limit("lock_timeout", Duration::ZERO)?,
            lease,
            max_attempts: self.parsed("max_attempts", Some(3), parse_count)?,
            orphan_timeout: self.limit("orphan_timeout", Duration::from_mins(1))?,
        })
    }
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
fn a_path(setting: Setting<OsString>) -> Result<Setting<OsString>, Failure> {
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

fn pair(id: &str, setting: Setting<OsString>) -> Result<Pair, Failure> {
    let Setting { value, origin } = setting;
    let right = if id == "step_env" { "VALUE" } else { "SOURCE" };
    let bytes = value.as_bytes();
    let equals = bytes
        .iter()
        .position(|&byte| byte == b'=')
        .filter(|&at| at > 0);
    let Some(equals) = equals else {
        // A line of a value that was not meant as an entry of its own is nobody's to see.
        let shown = match id {
            "step_env" => "an entry".to_owned(),
            _ => format!("`{}`", value.to_string_lossy()),
        };
        return Err(Failure::usage(
            format!("{origin}: {shown} is not NAME={right}"),
            format!("write `{} NAME={right}`", flag(id)),
        ));
    };
    let (name, rest) = (&bytes[..equals], &bytes[equals + 1..]);
    if id == "step_env_from" && rest.is_empty() {
        return Err(Failure::usage(
            format!("{origin}: `{}` names no variable", value.to_string_lossy()),
            format!("write `{} NAME=SOURCE`", flag(id)),
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
