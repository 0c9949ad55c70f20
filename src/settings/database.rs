//! Which database: the setting that wins among those that can name one.

mod missing;

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::origin::{Origin, Setting};
use super::parse::{parse_app, parse_ledger, parse_switch};
use super::rows::Rows;
use super::sources::Sources;
use super::values::{a_path, into_text};
use crate::cli::{SettingId, Verb};
use crate::db::url::{self, DatabaseUrl, Surroundings, UrlError};
use crate::exit::Failure;
use crate::redact;
use crate::sys;

/// The variables that a database's URL is taken from when no setting names one, in order.
pub const AMBIENT_URLS: [&str; 16] = [
    "DATABASE_URL",
    "POSTGRES_URI_ADMIN",
    "POSTGRES_URI",
    "MYSQL_CONNECTOR_URI",
    "POSTGRES_URL",
    "MYSQL_URL",
    "DB_URL",
    "DATABASE_URI",
    "SQLALCHEMY_DATABASE_URI",
    "JDBC_DATABASE_URL",
    "SPRING_DATASOURCE_URL",
    "POSTGRESQL_ADDON_URI",
    "MYSQL_ADDON_URI",
    "SUPABASE_DB_URL",
    "JAWSDB_URL",
    "CLEARDB_DATABASE_URL",
];

/// The variables that stand beside a URL which names no user and no password: the URL's, the user's,
/// the password's.
const CREDENTIALS: [[&str; 3]; 2] = [
    [
        "SPRING_DATASOURCE_URL",
        "SPRING_DATASOURCE_USERNAME",
        "SPRING_DATASOURCE_PASSWORD",
    ],
    [
        "JDBC_DATABASE_URL",
        "JDBC_DATABASE_USERNAME",
        "JDBC_DATABASE_PASSWORD",
    ],
];

/// The variables that by themselves say where a Postgres server is, as they do for psql, in order.
const LIBPQ: [&str; 3] = ["PGHOST", "PGHOSTADDR", "PGSERVICE"];

/// More than this is not a file with a URL: 1 MiB.
const LIMIT: u64 = 1024 * 1024;

/// Whether there is a database.
#[derive(Debug, Clone)]
pub enum DatabaseChoice {
    /// Lock and ledger live here.
    Url(Box<Setting<DatabaseUrl>>),
    /// The user wants none.
    Declined(Origin),
    /// None was named anywhere; what to write instead.
    Unnamed {
        /// From the variables that hold a part of one.
        hint: String,
    },
}

/// Where lock and ledger live.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// Whether there is one.
    pub choice: DatabaseChoice,
    /// The file that its password is read from.
    pub password_file: Option<Setting<OsString>>,
    /// The flags of the command line that lead to it, and their values, for a command that an operator
    /// pastes. No password is in them.
    pub flags: Vec<(&'static str, String)>,
    /// The schema, or database, that holds the ledger, where it is named.
    pub ledger: Option<Setting<String>>,
    /// This app's name in it.
    pub app: Setting<String>,
    /// `None`: no limit.
    pub wait_timeout: Setting<Option<Duration>>,
}

type FoundUrl = Result<Option<Setting<OsString>>, Failure>;

impl Sources<'_> {
    pub(super) fn database(&self) -> Result<DatabaseSettings, Failure> {
        let choice = self.choice()?;
        Ok(DatabaseSettings {
            flags: self.database_flags(&choice),
            ledger: self.ledger_place(&choice)?,
            choice,
            password_file: self.one(SettingId::DatabasePasswordFile)?,
            app: self.parsed(SettingId::App, parse_app)?,
            wait_timeout: self.limit(SettingId::WaitTimeout)?,
        })
    }

    fn ledger_place(&self, choice: &DatabaseChoice) -> Result<Option<Setting<String>>, Failure> {
        let Some(setting) = self.parsed_if_set(SettingId::Ledger, parse_ledger)? else {
            return Ok(None);
        };
        match choice {
            DatabaseChoice::Url(url) if !url.value.backend().driver().has_schemas => {
                Err(Failure::usage(
                    format!(
                        "{}: a {} database is one file, which holds the ledger too",
                        setting.origin,
                        url.value.backend().as_str()
                    ),
                    "leave it out",
                ))
            }
            _ => Ok(Some(setting)),
        }
    }

    fn database_flags(&self, choice: &DatabaseChoice) -> Vec<(&'static str, String)> {
        let ids = [
            SettingId::Config,
            SettingId::DatabaseUrl,
            SettingId::DatabaseUrlEnv,
            SettingId::DatabaseUrlFile,
            SettingId::DatabasePasswordFile,
            SettingId::Ledger,
        ];
        let given = ids.into_iter().filter_map(|id| {
            let value = self.raw.values(id)?.first()?;
            Some((id, value))
        });
        let shown = given.map(|(id, value)| {
            let text = value.to_string_lossy().into_owned();
            match (id, choice) {
                (SettingId::DatabaseUrl, DatabaseChoice::Url(url))
                    if url.value.redact_all(&text) != text =>
                {
                    self.without_password(value, &url.value)
                }
                _ => (id.flag(), text),
            }
        });
        shown.collect()
    }

    /// The flag for a URL with a password: the variable that holds the same, since a shell may have put
    /// it there, else the URL with the password left to fill in.
    fn without_password(&self, value: &OsStr, url: &DatabaseUrl) -> (&'static str, String) {
        if let Some(name) = self.environment.name_of(value) {
            let name = String::from_utf8_lossy(name).into_owned();
            return (SettingId::DatabaseUrlEnv.flag(), name);
        }
        let text = redact::passwords(&value.to_string_lossy()).into_owned();
        let is_safe = url.redact(&text) == text;
        let text = if is_safe { text } else { url.to_string() };
        (
            SettingId::DatabaseUrl.flag(),
            text.replace("***", "PASSWORD"),
        )
    }

    /// The database that the settings choose.
    fn choice(&self) -> Result<DatabaseChoice, Failure> {
        let by_flag = |id| self.flag_value(id);
        let by_variable = |id| Ok(self.variable_value(id));
        let by_file = |id| self.file_value(id);
        let levels: [&dyn Fn(SettingId) -> FoundUrl; 3] = [&by_flag, &by_variable, &by_file];
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
        for name in LIBPQ {
            if self.environment.get_filled(name).is_some() {
                let origin = Origin::Variable(name.to_owned());
                let url = self.url(OsStr::new("postgres://"), origin);
                return url.map(DatabaseChoice::Url);
            }
        }
        Ok(DatabaseChoice::Unnamed {
            hint: missing::hint(self.environment),
        })
    }

    /// The choice made at one level of precedence.
    fn choice_at(
        &self,
        get: &dyn Fn(SettingId) -> FoundUrl,
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
                format!("{} are set to different databases", all.join(" and ")),
                "keep only the one you mean",
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
            _ => self.expanded(setting)?,
        };
        self.url(&value, origin)
            .map(|url| Some(DatabaseChoice::Url(url)))
    }

    /// A URL with names in braces replaced.
    fn expanded(&self, setting: Setting<OsString>) -> Result<(OsString, Origin), Failure> {
        let Setting { value, origin } = into_url_text(setting)?;
        let variable = |name: &str| self.environment.get_filled(name);
        match url::expand(&value, &variable) {
            Ok(url) => Ok((url.into(), origin)),
            Err(error) => Err(Failure::usage(format!("{origin}: {error}"), error.hint())),
        }
    }

    fn url(&self, value: &OsStr, origin: Origin) -> Result<Box<Setting<DatabaseUrl>>, Failure> {
        let setting = Setting {
            value: value.to_owned(),
            origin,
        };
        let Setting { value, origin } = into_url_text(setting)?;
        let url = self
            .complete(&value, &origin)
            .map_err(|error| Failure::usage(format!("{origin}: {error}"), error.hint()))?;
        let url = self
            .with_password_file(url)?
            .with_origin(origin.to_string());
        Ok(Box::new(Setting { value: url, origin }))
    }

    /// A URL with what surrounds it.
    pub(super) fn complete(&self, text: &str, origin: &Origin) -> Result<DatabaseUrl, UrlError> {
        // A step of launchgate's own is given a URL that says everything, and may be another user.
        if self.raw.verb == Verb::Embedded {
            return DatabaseUrl::parse(text);
        }
        let beside = CREDENTIALS
            .iter()
            .find(|[url, ..]| *origin == Origin::Variable((*url).to_owned()));
        let [user, password] = match beside {
            Some([_, user, password]) => {
                [user, password].map(|name| self.environment.get_filled(name))
            }
            None => [None, None],
        };
        DatabaseUrl::complete(
            text,
            &Surroundings {
                user,
                password,
                variable: &|name| self.environment.get_filled(name),
                read_file: &|path| sys::files::read_regular(path, LIMIT),
                exists: &Path::exists,
                is_private: &sys::files::is_private,
                own_user: &sys::user::own_name,
            },
        )
    }

    fn with_password_file(&self, url: DatabaseUrl) -> Result<DatabaseUrl, Failure> {
        let Some(setting) = self.one(SettingId::DatabasePasswordFile)? else {
            return Ok(url);
        };
        let Setting { value, origin } = a_path(setting)?;
        let path = PathBuf::from(value);
        let failure = |problem: &dyn Display, hint: &str| {
            Failure::usage(format!("{origin} {}: {problem}", path.display()), hint)
        };
        let contents = sys::files::read_regular(&path, LIMIT)
            .map_err(|error| failure(&format!("failed to read it: {error}"), of_secret(&error)))?;
        url.with_password_file(path.clone(), &contents)
            .map_err(|error| failure(&error, &error.hint()))
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
                format!("set {shown} to the database URL, or use another variable"),
            ));
        };
        Ok((value.to_owned(), Origin::Variable(shown)))
    }
}

/// What to do about a secret's file that can't be read.
fn of_secret(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::InvalidInput => {
            "write the secret to a regular file: a pipe or a socket can block, and can be read only once"
        }
        _ => "mount the secret at this path and make it readable by this user",
    }
}

fn url_from_file(setting: &Setting<OsString>) -> Result<(OsString, Origin), Failure> {
    let path = Path::new(&setting.value);
    let origin = format!("{} {}", setting.origin, path.display());
    let text = sys::files::read_regular(path, LIMIT).map_err(|error| {
        Failure::usage(
            format!("{origin}: failed to read it: {error}"),
            of_secret(&error),
        )
    })?;
    let text = url::text_of_file(&text)
        .map_err(|error| Failure::usage(format!("{origin}: {error}"), error.hint()))?;
    if text.trim().is_empty() {
        return Err(Failure::usage(
            format!("{origin}: the file is empty"),
            "write the database URL to it",
        ));
    }
    Ok((OsString::from(text.trim()), Origin::Variable(origin)))
}

/// Not shown where it is not UTF-8: it may hold a password.
fn into_url_text(setting: Setting<OsString>) -> Result<Setting<String>, Failure> {
    let Setting { value, origin } = setting;
    match value.into_string() {
        Ok(value) => Ok(Setting { value, origin }),
        Err(_) => Err(Failure::usage(
            format!("{origin}: the database URL is not UTF-8"),
            "percent-encode the non-ASCII characters",
        )),
    }
}

impl DatabaseSettings {
    pub(super) fn rows(&self, rows: &mut Rows) {
        let none = &Origin::Default;
        match &self.choice {
            DatabaseChoice::Url(url) => {
                rows.push(SettingId::DatabaseUrl, url.value.to_string(), &url.origin);
            }
            DatabaseChoice::Declined(origin) => rows.push(SettingId::NoDatabase, "on", origin),
            DatabaseChoice::Unnamed { .. } => rows.push(SettingId::DatabaseUrl, "none", none),
        }
        if let Some(file) = &self.password_file {
            rows.text(SettingId::DatabasePasswordFile, file);
        }
        if let Some(ledger) = &self.ledger {
            rows.push(SettingId::Ledger, &*ledger.value, &ledger.origin);
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
