//! Schemes: which database a URL is about, in whose spelling.

use std::fmt;

use super::error::UrlError;

enum_with_all! {
    /// The kinds of database that can hold lock and ledger.
    pub enum Backend {
        /// `PostgreSQL`.
        Postgres,
        /// `MySQL` and `MariaDB`.
        Mysql,
        /// `SQLite`.
        Sqlite,
    }
}

/// By whose rules a URL's parts are read: what they say of hosts, parameters and TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UrlRules {
    /// libpq's: several hosts, its variables and files, its parameters.
    Libpq,
    /// Those of `MySQL`'s clients: one host, and a parameter for the socket.
    Mysql,
    /// A path.
    File,
}

impl Backend {
    /// The schemes of its URLs: its own, and the aliases of `SQLAlchemy`, Rails, Django
    /// (dj-database-url, django-environ) and Doctrine.
    fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &[
                "postgres",
                "postgresql",
                "pgsql",
                "psql",
                "postgis",
                "pdo-pgsql",
                "timescale",
                "timescalegis",
            ],
            Self::Mysql => &[
                "mysql",
                "mysql2",
                "mariadb",
                "trilogy",
                "mysqlgis",
                "mysqli",
                "mysql-connector",
                "pdo-mysql",
            ],
            Self::Sqlite => &["sqlite", "sqlite3", "spatialite", "pdo-sqlite"],
        }
    }

    /// The one that a word names: a scheme, in lower case.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|backend| backend.schemes().contains(&word))
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a scheme tells of the text behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scheme {
    pub(super) backend: Backend,
    pub(super) spelling: Spelling,
}

impl Scheme {
    /// The rules for what follows.
    pub(super) fn rules(self) -> UrlRules {
        match self.backend {
            Backend::Postgres => UrlRules::Libpq,
            Backend::Mysql => UrlRules::Mysql,
            Backend::Sqlite => UrlRules::File,
        }
    }
}

/// Whose rules the rest is written by, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// The usual ones.
    Plain,
    /// After `jdbc:`.
    Jdbc,
    /// `SQLite`'s and Prisma's `file:`.
    File,
}

/// The longest unknown scheme that an error names. Anything longer is not a scheme but pasted text.
const LONGEST_SHOWN: usize = 24;

/// The scheme and what follows its colon.
pub(super) fn split(text: &str) -> Result<(Scheme, &str), UrlError> {
    // Without a scheme it can be only one thing, and deserves that error.
    if text.starts_with(":memory:") {
        return Err(UrlError::InMemory);
    }
    let (spelling, text) = match text.split_at_checked("jdbc:".len()) {
        Some((front, behind)) if front.eq_ignore_ascii_case("jdbc:") => (Spelling::Jdbc, behind),
        _ => (Spelling::Plain, text),
    };
    let (scheme, rest) = text.split_once(':').ok_or(UrlError::NoScheme)?;
    let scheme = scheme.to_ascii_lowercase();
    let (backend, spelling) = match (backend(&scheme), spelling) {
        (Some(backend), spelling) => (backend, spelling),
        (None, Spelling::Plain) if scheme == "file" => (Backend::Sqlite, Spelling::File),
        (None, _) => return Err(unknown(&scheme, rest)),
    };
    Ok((Scheme { backend, spelling }, rest))
}

/// Refuses a second URL, after a space or a comma: the driver would take it for the name of a database.
pub(super) fn refuse_second(rest: &str) -> Result<(), UrlError> {
    let is_url = |word: &str| {
        let scheme = word.split_once("://").map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| backend(&scheme.to_ascii_lowercase()).is_some())
    };
    let mut words = rest.split([' ', ',', ';']).skip(1);
    if words.any(is_url) {
        return Err(UrlError::SeveralUrls);
    }
    Ok(())
}

/// The backend that a scheme names. What follows a `+` names a driver.
fn backend(scheme: &str) -> Option<Backend> {
    Backend::named(scheme.split('+').next().unwrap_or_default())
}

/// Names a scheme only where it is surely one: what stands before the colon of a URL whose scheme
/// was forgotten may be anything.
fn unknown(scheme: &str, rest: &str) -> UrlError {
    let like_a_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
    if rest.starts_with("//")
        && (1..=LONGEST_SHOWN).contains(&scheme.len())
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(like_a_scheme)
    {
        UrlError::UnknownScheme(scheme.to_owned())
    } else {
        UrlError::NoScheme
    }
}
