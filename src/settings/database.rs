//! Which database: the setting that wins among those that can name one.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::parse::parse_switch;
use super::sources::into_text;
use super::{AMBIENT_URLS, DatabaseChoice, Origin, Setting, Sources};
use crate::db::url::DatabaseUrl;
use crate::exit::Failure;

type Found = Result<Option<Setting<OsString>>, Failure>;

impl Sources<'_> {
    /// The database that the settings choose.
    pub(super) fn choice(&self) -> Result<DatabaseChoice, Failure> {
        let by_flag = |id: &str| self.flag_value(id);
        let by_variable = |id: &str| Ok(self.variable_value(id));
        let by_file = |id: &str| self.file_value(id);
        let levels: [&dyn Fn(&str) -> Found; 3] = [&by_flag, &by_variable, &by_file];
        let mut is_wanted = false;
        for get in levels {
            if let Some(choice) = self.choice_at(get, is_wanted)? {
                return Ok(choice);
            }
            // `--no-database=off` overrides what a variable or the file says of it.
            is_wanted |= get("no_database")?.is_some();
        }
        // The variable by which platforms hand over a database, whoever made it.
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
        get: &dyn Fn(&str) -> Found,
        is_wanted: bool,
    ) -> Result<Option<DatabaseChoice>, Failure> {
        let declined = match get("no_database")? {
            Some(setting) if !is_wanted => {
                let origin = setting.origin.clone();
                parsed_switch(setting)?.then_some(origin)
            }
            _ => None,
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
    #[must_use]
    pub fn with_own_user(&self, url: DatabaseUrl) -> DatabaseUrl {
        let is_named = url.user().is_some() || self.environment.get_filled("PGUSER").is_some();
        if is_named || !url.backend().logs_in_as_system_user() {
            return url;
        }
        url.with_own_user((self.own_user)())
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

fn parsed_switch(setting: Setting<OsString>) -> Result<bool, Failure> {
    let Setting { value, origin } = into_text(setting)?;
    parse_switch(&value).map_err(|problem| {
        Failure::usage(
            format!("{origin}: `{value}` {}", problem.what()),
            problem.hint(),
        )
    })
}
