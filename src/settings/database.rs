//! Which database: the setting that wins among those that can name one.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

use super::origin::{Origin, Setting};
use super::parse::{parse_app, parse_switch};
use super::rows::Rows;
use super::sources::Sources;
use super::values::into_text;
use crate::cli::SettingId;
use crate::db::url::DatabaseUrl;
use crate::exit::Failure;
use crate::sys;

/// The variables that a database's URL is taken from when no setting names one, in order.
pub const AMBIENT_URLS: [&str; 4] = [
    "DATABASE_URL",
    "POSTGRES_URI_ADMIN",
    "POSTGRES_URI",
    "MYSQL_CONNECTOR_URI",
];

/// More than this is not a file with a URL: 1 MiB.
const LIMIT: u64 = 1024 * 1024;

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

type Found = Result<Option<Setting<OsString>>, Failure>;

impl Sources<'_> {
    pub(super) fn database(&self) -> Result<DatabaseSettings, Failure> {
        Ok(DatabaseSettings {
            choice: self.choice()?,
            app: self.parsed(SettingId::App, parse_app)?,
            wait_timeout: self.limit(SettingId::WaitTimeout)?,
        })
    }

    /// The database that the settings choose.
    fn choice(&self) -> Result<DatabaseChoice, Failure> {
        let by_flag = |id| self.flag_value(id);
        let by_variable = |id| Ok(self.variable_value(id));
        let by_file = |id| self.file_value(id);
        let levels: [&dyn Fn(SettingId) -> Found; 3] = [&by_flag, &by_variable, &by_file];
        let mut is_wanted = false;
        for get in levels {
            if let Some(choice) = self.choice_at(get, is_wanted)? {
                return Ok(choice);
            }
            // `--no-database=off` overrides what a variable or the file says of it.
            is_wanted |= get(SettingId::NoDatabase)?.is_some();
        }
        // The variables in which platforms pass a database URL.
        for name in AMBIENT_URLS {
            if let Some(value) = self.environment.get_filled(name) {
                let origin = Origin::Variable(name.to_owned());
                return self.url(value, origin).map(DatabaseChoice::Url);
            }
        }
        Ok(DatabaseChoice::Unnamed)
    }

    /// The choice made at one level of precedence.
    fn choice_at(
        &self,
        get: &dyn Fn(SettingId) -> Found,
        is_wanted: bool,
    ) -> Result<Option<DatabaseChoice>, Failure> {
        let declined = match get(SettingId::NoDatabase)? {
            Some(setting) if !is_wanted => {
                let origin = setting.origin.clone();
                parsed_switch(setting)?.then_some(origin)
            }
            _ => None,
        };
        let named: Vec<(SettingId, Setting<OsString>)> = [
            SettingId::DatabaseUrl,
            SettingId::DatabaseUrlEnv,
            SettingId::DatabaseUrlFile,
        ]
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
            SettingId::DatabaseUrlEnv => self.url_from_variable(&setting)?,
            SettingId::DatabaseUrlFile => url_from_file(&setting)?,
            _ => (setting.value, setting.origin),
        };
        self.url(&value, origin)
            .map(|url| Some(DatabaseChoice::Url(url)))
    }

    fn url(&self, value: &OsStr, origin: Origin) -> Result<Box<Setting<DatabaseUrl>>, Failure> {
        // Not shown where it is not UTF-8: it may hold a password.
        let Some(text) = value.to_str() else {
            return Err(Failure::usage(
                format!("{origin}: the database's URL is not UTF-8"),
                "percent-encode what is not ASCII",
            ));
        };
        match DatabaseUrl::parse(text) {
            Ok(url) => Ok(Box::new(Setting {
                value: self.with_own_user(url),
                origin,
            })),
            Err(error) => Err(Failure::usage(format!("{origin}: {error}"), error.hint())),
        }
    }

    /// As libpq has it: a URL without a user is for the one that `PGUSER` names, which the driver
    /// looks at itself, else for the role that has the name of the user that this is.
    pub(super) fn with_own_user(&self, url: DatabaseUrl) -> DatabaseUrl {
        let is_named = url.user().is_some() || self.environment.get_filled("PGUSER").is_some();
        if is_named || !url.backend().logs_in_as_system_user() {
            return url;
        }
        url.with_own_user(sys::user::own_name())
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
}

fn url_from_file(setting: &Setting<OsString>) -> Result<(OsString, Origin), Failure> {
    let path = Path::new(&setting.value);
    let origin = format!("{} {}", setting.origin, path.display());
    let text = sys::files::read_up_to(path, LIMIT).map_err(|error| {
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

impl DatabaseSettings {
    pub(super) fn rows(&self, rows: &mut Rows) {
        let none = &Origin::Default;
        match &self.choice {
            DatabaseChoice::Url(url) => {
                rows.push(SettingId::DatabaseUrl, url.value.to_string(), &url.origin);
            }
            DatabaseChoice::Declined(origin) => rows.push(SettingId::NoDatabase, "on", origin),
            DatabaseChoice::Unnamed => rows.push(SettingId::DatabaseUrl, "none", none),
        }
        rows.push(SettingId::App, &*self.app.value, &self.app.origin);
        rows.limit(SettingId::WaitTimeout, &self.wait_timeout);
    }
}

fn parsed_switch(setting: Setting<OsString>) -> Result<bool, Failure> {
    let Setting { value, origin } = into_text(setting)?;
    parse_switch(&value).map_err(|problem| {
        Failure::usage(
            format!("{origin}: `{value}` {}", problem.what()),
            problem.hint(),
        )
    })
}
