//! Settings: for each, which source won, its value, and where it came from.
//!
//! Precedence is flag, then `LAUNCHGATE_*` variable, then default. A value that another
//! source overrides is not looked at. Pure but for reading the file that
//! `--database-url-file` names, through a function it is handed.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

use crate::cli::Raw;
use crate::db::url::DatabaseUrl;
use crate::environment::Environment;
use crate::exit::{Failure, Problem};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line; the flag with its dashes.
    Flag(String),
    /// A variable of the environment.
    Variable(String),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and its origin.
#[derive(Debug, Clone)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    fn default(value: T) -> Self {
        Self {
            value,
            origin: Origin::Default,
        }
    }
}

/// What the steps are and how they run.
#[derive(Debug, Clone)]
pub struct StepSettings {
    /// Before the first migrate step.
    pub backup: Option<Setting<OsString>>,
    /// In order.
    pub migrate: Vec<Setting<OsString>>,
    /// After the migrate steps.
    pub verify: Option<Setting<OsString>>,
    /// Through `/bin/sh -c`.
    pub shell: Setting<bool>,
    /// Expand variables.
    pub expand_env: Setting<bool>,
    /// `None`: no limit.
    pub migrate_timeout: Setting<Option<Duration>>,
    /// Between TERM and KILL.
    pub stop_grace: Setting<Duration>,
    /// Name and value.
    pub step_env: Vec<Setting<(Vec<u8>, Vec<u8>)>>,
    /// Name and the variable its value comes from.
    pub step_env_from: Vec<Setting<(Vec<u8>, Vec<u8>)>>,
}

/// Whether there is a database.
#[derive(Debug, Clone)]
pub enum DatabaseChoice {
    /// Lock and ledger live here.
    Url(Box<Setting<DatabaseUrl>>),
    /// The user wants none.
    Declined(Origin),
    /// None was named anywhere.
    Unnamed,
}

/// Where lock and ledger live.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// Whether there is one.
    pub choice: DatabaseChoice,
    /// This app's name in it.
    pub app: Setting<String>,
    /// `None`: no limit.
    pub wait_timeout: Setting<Option<Duration>>,
}

/// How replicas agree.
#[derive(Debug, Clone)]
pub struct CoordinationSettings {
    /// The release's name, where one was given.
    pub release: Option<Setting<OsString>>,
    /// Files to hash.
    pub fingerprint: Vec<Setting<String>>,
    /// `None`: no limit.
    pub lock_timeout: Setting<Option<Duration>>,
    /// How long a silent holder counts as alive.
    pub lease: Setting<Duration>,
    /// `None`: no limit.
    pub max_attempts: Setting<Option<u32>>,
    /// `None`: no limit.
    pub orphan_timeout: Setting<Option<Duration>>,
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only what is wrong.
    Quiet,
    /// One line per transition.
    Normal,
    /// More.
    Verbose,
}

/// Reads the contents of a file.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// The places a value can come from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The command line.
    pub raw: &'a Raw,
    /// The environment.
    pub environment: &'a Environment,
    /// For `--database-url-file`.
    pub read_file: ReadFile<'a>,
}

/// The variables that a database's URL is taken from when no setting names one, in order.
pub const AMBIENT_URLS: [&str; 4] = [
    "DATABASE_URL",
    "POSTGRES_URI_ADMIN",
    "POSTGRES_URI",
    "MYSQL_CONNECTOR_URI",
];

/// The variable that goes straight to the server.
pub const SKIP: &str = "LAUNCHGATE_SKIP";

impl<'a> Sources<'a> {
    /// The values of a repeatable setting; a variable holds one per line.
    fn many(&self, id: &str) -> Result<Vec<Setting<OsString>>, Failure> {
        if let Some(values) = self.raw.values(id) {
            let origin = Origin::Flag(flag(id));
            return values
                .into_iter()
                .map(|value| filled(value, &origin))
                .collect();
        }
        let name = variable(id);
        let Some(value) = self.environment.get_filled(&name) else {
            return Ok(Vec::new());
        };
        let origin = Origin::Variable(name);
        Ok(value
            .as_bytes()
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
            .map(|line| Setting {
                value: OsStr::from_bytes(line).to_owned(),
                origin: origin.clone(),
            })
            .collect())
    }

    fn flag_value(&self, id: &str) -> Result<Option<Setting<OsString>>, Failure> {
        let Some(value) = self
            .raw
            .values(id)
            .and_then(|values| values.first().copied())
        else {
            return Ok(None);
        };
        filled(value, &Origin::Flag(flag(id))).map(Some)
    }

    fn variable_value(&self, id: &str) -> Option<Setting<OsString>> {
        let name = variable(id);
        let value = self.environment.get_filled(&name)?.to_owned();
        Some(Setting {
            value,
            origin: Origin::Variable(name),
        })
    }

    fn one(&self, id: &str) -> Result<Option<Setting<OsString>>, Failure> {
        Ok(self.flag_value(id)?.or_else(|| self.variable_value(id)))
    }

    fn text(&self, id: &str) -> Result<Option<Setting<String>>, Failure> {
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

    fn switch(&self, id: &str) -> Result<Setting<bool>, Failure> {
        self.parsed(id, false, parse_switch)
    }

    fn limit(&self, id: &str, default: Duration) -> Result<Setting<Option<Duration>>, Failure> {
        let setting = self.parsed(id, default, parse_duration)?;
        Ok(Setting {
            value: Some(setting.value).filter(|duration| !duration.is_zero()),
            origin: setting.origin,
        })
    }

    fn pairs(&self, id: &str) -> Result<Vec<Setting<(Vec<u8>, Vec<u8>)>>, Failure> {
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

    /// How much is said.
    pub fn verbosity(&self) -> Result<Verbosity, Failure> {
        let (verbose, quiet) = (self.switch("verbose")?, self.switch("quiet")?);
        match (verbose.value, quiet.value) {
            (true, true) if verbose.origin != Origin::Default && quiet.origin == verbose.origin => {
                Err(Failure::usage(
                    "both `--verbose` and `--quiet`",
                    "leave one out",
                ))
            }
            (_, true) => Ok(Verbosity::Quiet),
            (true, false) => Ok(Verbosity::Verbose),
            (false, false) => Ok(Verbosity::Normal),
        }
    }

    /// Whether JSON is to be printed.
    pub fn json(&self) -> Result<bool, Failure> {
        Ok(self.switch("json")?.value)
    }

    /// What the steps are.
    pub fn steps(&self) -> Result<StepSettings, Failure> {
        Ok(StepSettings {
            backup: self.one("backup")?,
            migrate: self.many("migrate")?,
            verify: self.one("verify")?,
            shell: self.switch("shell")?,
            expand_env: self.expand_env()?,
            migrate_timeout: self.limit("migrate_timeout", Duration::ZERO)?,
            stop_grace: self.stop_grace()?,
            step_env: self.pairs("step_env")?,
            step_env_from: self.pairs("step_env_from")?,
        })
    }

    fn stop_grace(&self) -> Result<Setting<Duration>, Failure> {
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
    pub fn step_only(&self) -> Result<Vec<Setting<(Vec<u8>, Vec<u8>)>>, Failure> {
        self.pairs("step_env_from")
    }

    /// Where lock and ledger live.
    pub fn database(&self) -> Result<DatabaseSettings, Failure> {
        Ok(DatabaseSettings {
            choice: self.choice()?,
            app: self.parsed("app", "default".to_owned(), parse_app)?,
            wait_timeout: self.limit("wait_timeout", Duration::from_secs(60))?,
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
                .map(into_text)
                .collect::<Result<_, _>>()?,
            lock_timeout: self.limit("lock_timeout", Duration::ZERO)?,
            lease,
            max_attempts: self.parsed("max_attempts", Some(3), parse_count)?,
            orphan_timeout: self.limit("orphan_timeout", Duration::from_secs(60))?,
        })
    }

    fn choice(&self) -> Result<DatabaseChoice, Failure> {
        let by_flag = |id: &str| self.flag_value(id);
        let by_variable = |id: &str| Ok(self.variable_value(id));
        if let Some(choice) = self.choice_at(&by_flag)? {
            return Ok(choice);
        }
        if let Some(choice) = self.choice_at(&by_variable)? {
            return Ok(choice);
        }
        // The variable by which platforms hand over a database, whoever made it.
        for name in AMBIENT_URLS {
            if let Some(value) = self.environment.get_filled(name) {
                let origin = Origin::Variable(name.to_owned());
                return url(value.to_owned(), origin).map(DatabaseChoice::Url);
            }
        }
        Ok(DatabaseChoice::Unnamed)
    }

    /// The choice made at one level of precedence.
    fn choice_at(
        &self,
        get: &dyn Fn(&str) -> Result<Option<Setting<OsString>>, Failure>,
    ) -> Result<Option<DatabaseChoice>, Failure> {
        let declined = match get("no_database")? {
            Some(setting) => {
                let origin = setting.origin.clone();
                self.parsed_switch(setting)?.then_some(origin)
            }
            None => None,
        };
        let named: Vec<(&str, Setting<OsString>)> =
            ["database_url", "database_url_env", "database_url_file"]
                .into_iter()
                .filter_map(|id| get(id).map(|found| found.map(|s| (id, s))).transpose())
                .collect::<Result<_, _>>()?;
        let mut all: Vec<String> = named.iter().map(|(_, s)| s.origin.to_string()).collect();
        all.extend(declined.iter().map(ToString::to_string));
        if all.len() > 1 {
            return Err(Failure::usage(
                format!("{} say different things", all.join(" and ")),
                "keep the one that is meant",
            ));
        }
        if let Some(origin) = declined {
            return Ok(Some(DatabaseChoice::Declined(origin)));
        }
        let Some((id, setting)) = named.into_iter().next() else {
            return Ok(None);
        };
        let (value, origin) = match id {
            "database_url_env" => self.url_from_variable(&setting)?,
            "database_url_file" => self.url_from_file(&setting)?,
            _ => (setting.value, setting.origin),
        };
        url(value, origin).map(|url| Some(DatabaseChoice::Url(url)))
    }

    fn parsed_switch(&self, setting: Setting<OsString>) -> Result<bool, Failure> {
        let Setting { value, origin } = into_text(setting)?;
        parse_switch(&value).map_err(|problem| {
            Failure::usage(
                format!("{origin}: `{value}` {}", problem.what()),
                problem.hint(),
            )
        })
    }

    fn url_from_variable(
        &self,
        setting: &Setting<OsString>,
    ) -> Result<(OsString, Origin), Failure> {
        let name = setting.value.as_bytes();
        let shown = setting.value.to_string_lossy().into_owned();
        let value = self.environment.get(name).filter(|value| !value.is_empty());
        let Some(value) = value else {
            return Err(Failure::usage(
                format!("{}: the variable {shown} is not set", setting.origin),
                format!("set {shown} to the database's URL, or name another variable"),
            ));
        };
        Ok((value.to_owned(), Origin::Variable(shown)))
    }

    fn url_from_file(&self, setting: &Setting<OsString>) -> Result<(OsString, Origin), Failure> {
        let path = Path::new(&setting.value);
        let origin = format!("{} {}", setting.origin, path.display());
        let text = (self.read_file)(path).map_err(|error| {
            Failure::usage(
                format!("{origin}: failed to read it: {error}"),
                "mount the secret at this path, readable by this user",
            )
        })?;
        let text = text.trim_ascii();
        if text.is_empty() {
            return Err(Failure::usage(
                format!("{origin}: the file is empty"),
                "put the database's URL into it",
            ));
        }
        Ok((OsString::from_vec(text.to_vec()), Origin::Variable(origin)))
    }
}

fn url(value: OsString, origin: Origin) -> Result<Box<Setting<DatabaseUrl>>, Failure> {
    // Not shown where it is not UTF-8: it may hold a password.
    let Some(text) = value.to_str() else {
        return Err(Failure::usage(
            format!("{origin}: the database's URL is not UTF-8"),
            "percent-encode what is not ASCII",
        ));
    };
    match DatabaseUrl::parse(text) {
        Ok(value) => Ok(Box::new(Setting { value, origin })),
        Err(error) => Err(Failure::usage(format!("{origin}: {error}"), error.hint())),
    }
}

/// The flag of a setting.
#[must_use]
pub fn flag(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
}

/// The variable of a setting.
#[must_use]
pub fn variable(id: &str) -> String {
    format!("LAUNCHGATE_{}", id.to_ascii_uppercase())
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

fn into_text(setting: Setting<OsString>) -> Result<Setting<String>, Failure> {
    let Setting { value, origin } = setting;
    match value.into_string() {
        Ok(value) => Ok(Setting { value, origin }),
        Err(value) => Err(Failure::usage(
            format!("{origin}: `{}` is not UTF-8", value.to_string_lossy()),
            "write it in UTF-8",
        )),
    }
}

fn pair(id: &str, setting: Setting<OsString>) -> Result<Setting<(Vec<u8>, Vec<u8>)>, Failure> {
    let Setting { value, origin } = setting;
    let right = if id == "step_env" { "VALUE" } else { "SOURCE" };
    let bytes = value.as_bytes();
    let equals = bytes
        .iter()
        .position(|&byte| byte == b'=')
        .filter(|&at| at > 0);
    let Some(equals) = equals else {
        return Err(Failure::usage(
            format!(
                "{origin}: `{}` is not NAME={right}",
                value.to_string_lossy()
            ),
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

fn parse_switch(text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(Problem::new(
            "is no switch",
            "write 1, true, yes or on, or 0, false, no or off",
        )),
    }
}

/// Durations as the contract has them: `500ms`, `30s`, `5m`, `1h30m`, `0`.
fn parse_duration(text: &str) -> Result<Duration, Problem> {
    let remedy = "write a number with a unit, as in 500ms, 30s, 5m or 1h30m";
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.bytes().all(|byte| byte == b'0') {
            true => Ok(Duration::ZERO),
            false => Err(Problem::new(
                "has no unit",
                format!("write {text}s for seconds, or another unit"),
            )),
        };
    }
    // The library reads months and years too, one of them as `M`: too easily meant as minutes.
    let units = text
        .split(|c: char| c.is_ascii_digit())
        .filter(|unit| !unit.is_empty());
    if !units
        .clone()
        .all(|unit| matches!(unit, "ms" | "s" | "m" | "h" | "d"))
    {
        return Err(Problem::new("is no duration", remedy));
    }
    humantime::parse_duration(text).map_err(|_| Problem::new("is no duration", remedy))
}

fn parse_lease(text: &str) -> Result<Duration, Problem> {
    let lease = parse_duration(text)?;
    if lease < Duration::from_secs(3) || lease > Duration::from_secs(3600) {
        return Err(Problem::new("is no lease", "choose 3s to 1h"));
    }
    Ok(lease)
}

fn parse_count(text: &str) -> Result<Option<u32>, Problem> {
    match text.parse::<u32>() {
        Ok(0) => Ok(None),
        Ok(count) => Ok(Some(count)),
        Err(_) => Err(Problem::new(
            "is no count",
            "write a whole number; 0 is no limit",
        )),
    }
}

fn parse_app(text: &str) -> Result<String, Problem> {
    if text.len() > 255 || text.chars().any(char::is_control) || text.trim() != text {
        return Err(Problem::new(
            "is no name for an app",
            "use at most 255 bytes, no control characters and no blanks around it",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_want_a_unit() {
        assert_eq!(parse_duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(parse_duration("1h30m").unwrap(), Duration::from_secs(5400));
        assert_eq!(parse_duration("0").unwrap(), Duration::ZERO);
        assert_eq!(parse_duration("0s").unwrap(), Duration::ZERO);
        for text in [
            "30",
            "",
            "s",
            "5M",
            "1y",
            "-5s",
            "5 s",
            "1.5h",
            "99999999999999999999h",
            "10sec",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_lease_has_bounds() {
        assert!(parse_lease("3s").is_ok() && parse_lease("1h").is_ok());
        assert!(
            parse_lease("2999ms").is_err()
                && parse_lease("61m").is_err()
                && parse_lease("0").is_err()
        );
    }

    #[test]
    fn a_variable_is_named_after_its_flag() {
        assert_eq!(flag("migrate_timeout"), "--migrate-timeout");
        assert_eq!(variable("migrate_timeout"), "LAUNCHGATE_MIGRATE_TIMEOUT");
    }
}
