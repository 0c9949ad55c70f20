//! Each kind of database and its driver.

use super::{Backend, driver::Driver, mysql::MYSQL, postgres::POSTGRES, sqlite::SQLITE};

impl Backend {
    /// What it can do, and how.
    #[must_use]
    pub fn driver(self) -> &'static Driver {
        match self {
            Self::Postgres => &POSTGRES,
            Self::Mysql => &MYSQL,
            Self::Sqlite => &SQLITE,
        }
    }

    /// The word for it in flags, logs and URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.driver().name
    }
}
