//! Which database: the setting that wins among those that can name one.

mod flags;
mod missing;

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::origin::{Origin, Setting};
use super::parse::{parse_app, parse_ledger};
use super::sources::Sources;
use super::values::{a_path, into_text};
use crate::cli::{SettingId, Verb};
use crate::db::url::{self, DatabaseUrl, Surroundings, UrlError};
use crate::exit::Failure;
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

/// The URLs which name no user and no password, by what their variables begin with: those are in variables
/// beside them that end in `_USERNAME` and `_PASSWORD`.
const WITH_CREDENTIALS: [&str; 2] = ["SPRING_DATASOURCE", "JDBC_DATABASE"];

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
    /// The flags of the command line that lead to it, and their values, for a command that an operator
    /// pastes. No password is in them.
    pub flags: Vec<(&'static str, String)>,
    /// The schema, or database, that holds the ledger, where it is named.
    pub ledger: Option<String>,
    /// This app's name in it.
    pub app: Setting<String>,
}

/// The settings that name one.
const URLS: [SettingId; 3] = [
    SettingId::DatabaseUrl,
    SettingId::DatabaseUrlEnv,
    SettingId::DatabaseUrlFile,
];

impl Sources<'_> {
    pub(super) fn database(&self) -> Result<DatabaseSettings, Failure> {
        let choice = self.choice()?;
        match &choice {
            DatabaseChoice::Url(url) => self.show(SettingId::DatabaseUrl, &url.value, &url.origin),
            DatabaseChoice::Declined(_) => {}
            DatabaseChoice::Unnamed { .. } => {
                self.show(SettingId::DatabaseUrl, &"none", &Origin::Default);
            }
        }
        Ok(DatabaseSettings {
            flags: self.database_flags(&choice),
            ledger: self.ledger_place(&choice)?,
            choice,
            app: self.parsed(SettingId::App, parse_app)?,
        })
    }

    fn ledger_place(&self, choice: &DatabaseChoice) -> Result<Option<String>, Failure> {
        let Some(setting) = self.parsed_if_set(SettingId::Ledger, parse_ledger)? else {
            return Ok(None);
        };
        match choice {
            DatabaseChoice::Url(url) if url.value.backend().driver().is_file => {
                Err(Failure::usage(
                    format!(
                        "{}: a {} database is one file, which holds the ledger too",
                        setting.origin,
                        url.value.backend().as_str()
                    ),
                    "leave it out",
                ))
            }
            _ => Ok(Some(setting.value)),
        }
    }

    /// The database that the settings choose. Of those that can, only the settings at the highest level of
    /// precedence are looked at.
    fn choice(&self) -> Result<DatabaseChoice, Failure> {
        let level = URLS.map(|id| self.rank(id)).into_iter().max();
        let declined_at = self.rank(SettingId::NoDatabase);
        let mut declined = None;
        if declined_at > 0 && Some(declined_at) >= level {
            // `--no-database=off` overrides what a variable or the file says of it.
            declined = Some(self.switch(SettingId::NoDatabase)?).filter(|switch| switch.value);
        }
        let mut named = Vec::new();
        if declined.is_none() || Some(declined_at) == level {
            for id in URLS.into_iter().filter(|id| Some(self.rank(*id)) == level) {
                named.extend(self.find(id)?.map(|setting| (id, setting)));
            }
        }
        let declined = declined.map(|switch| switch.origin);
        let origins = named.iter().map(|(_, setting)| &setting.origin);
        let origins: Vec<String> = origins.chain(&declined).map(ToString::to_string).collect();
        if origins.len() > 1 {
            return Err(Failure::usage(
                format!("{} are set to different databases", origins.join(" and ")),
                "keep only the one you mean",
            ));
        }
        if let Some(origin) = declined {
            return Ok(DatabaseChoice::Declined(origin));
        }
        let setting = match named.pop() {
            Some((SettingId::DatabaseUrlEnv, setting)) => self.url_from_variable(&setting)?,
            Some((SettingId::DatabaseUrlFile, setting)) => url_from_file(&setting)?,
            Some((_, setting)) => self.expanded(setting)?,
            None => match self.ambient() {
                Some(setting) => setting,
                None => {
                    return Ok(DatabaseChoice::Unnamed {
                        hint: missing::hint(self.environment),
                    });
                }
            },
        };
        self.url(setting).map(DatabaseChoice::Url)
    }

    /// From the variables in which platforms pass a database URL, and those that psql knows.
    fn ambient(&self) -> Option<Setting<OsString>> {
        let mut names = AMBIENT_URLS.into_iter().chain(LIBPQ);
        names.find_map(|name| {
            let value = self.environment.get_filled(name)?;
            let is_part = LIBPQ.contains(&name);
            let value = if is_part {
                "postgres://".as_ref()
            } else {
                value
            };
            let (value, origin) = (value.to_owned(), Origin::Variable(name.to_owned()));
            Some(Setting { value, origin })
        })
    }

    /// A URL with names in braces replaced.
    fn expanded(&self, setting: Setting<OsString>) -> Result<Setting<OsString>, Failure> {
        let variable = |name: &str| self.environment.get_filled(name);
        into_text(setting)?.try_map(|text| Ok(url::expand(&text, &variable)?.into()))
    }

    fn url(&self, setting: Setting<OsString>) -> Result<Box<Setting<DatabaseUrl>>, Failure> {
        let Setting { value, origin } = into_text(setting)?;
        let url = self
            .complete(&value, &origin)
            .map_err(|error| Failure::of_setting(&origin, error.into()))?;
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
        let prefix = WITH_CREDENTIALS
            .into_iter()
            .find(|prefix| *origin == Origin::Variable(format!("{prefix}_URL")));
        let [user, password] = ["USERNAME", "PASSWORD"].map(|ending| {
            let name = prefix.map(|prefix| format!("{prefix}_{ending}"))?;
            self.environment.get_filled(&name)
        });
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
        let origin = format!("{origin} {}", path.display());
        let contents = read_secret(&path, &origin)?;
        url.with_password_file(path, &contents)
            .map_err(|error| Failure::of_setting(&origin, error.into()))
    }

    fn url_from_variable(&self, setting: &Setting<OsString>) -> Result<Setting<OsString>, Failure> {
        let shown = setting.value.to_string_lossy().into_owned();
        let value = self.environment.get(setting.value.as_bytes());
        match value.filter(|value| !value.is_empty()) {
            Some(value) => Ok(Setting {
                value: value.to_owned(),
                origin: Origin::Variable(shown),
            }),
            None => Err(Failure::usage(
                format!("{}: the variable {shown} is not set", setting.origin),
                format!("set {shown} to the database URL, or use another variable"),
            )),
        }
    }
}

fn url_from_file(setting: &Setting<OsString>) -> Result<Setting<OsString>, Failure> {
    let path = Path::new(&setting.value);
    let origin = format!("{} {}", setting.origin, path.display());
    let contents = read_secret(path, &origin)?;
    let text = url::text_of_file(&contents)
        .map_err(|error| Failure::of_setting(&origin, error.into()))?
        .trim();
    if text.is_empty() {
        return Err(Failure::usage(
            format!("{origin}: the file is empty"),
            "write the database URL to it",
        ));
    }
    Ok(Setting {
        value: text.into(),
        origin: Origin::Variable(origin),
    })
}

fn read_secret(path: &Path, origin: &str) -> Result<Vec<u8>, Failure> {
    sys::files::read_regular(path, LIMIT).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::InvalidInput => {
                "write the secret to a regular file: a pipe or a socket can block, and can be read only once"
            }
            _ => "mount the secret at this path and make it readable by this user",
        };
        Failure::usage(format!("{origin}: failed to read it: {error}"), hint)
    })
}
