//! Each kind of database and its driver. The rooms above ask what a backend can do.

use super::{
    Backend, DatabaseUrl, Target,
    driver::{Driver, SessionNames},
    mysql::Mysql,
    postgres::Postgres,
    sqlite::Sqlite,
};

impl Backend {
    pub(super) fn driver(self) -> &'static dyn Driver {
        match self {
            Self::Postgres => &Postgres,
            Self::Mysql => &Mysql,
            Self::Sqlite => &Sqlite,
        }
    }

    /// The word for it in flags, logs and URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.driver().name()
    }

    /// The backend that a flag names, by any name that its users know.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| {
            let driver = backend.driver();
            driver.name() == word || driver.aliases().contains(&word)
        })
    }

    /// Whether a running row carries a lease, which its holder renews. Without one the kernel keeps
    /// the lock for exactly as long as the holder or one of its steps lives.
    #[must_use]
    pub fn has_lease(self) -> bool {
        self.driver().has_lease()
    }

    /// Whether the database allows only one writer at a time: while a step writes, the ledger can't
    /// be
    /// written.
    #[must_use]
    pub fn single_writer(self) -> bool {
        self.driver().single_writer()
    }

    /// Whether a call under the lock may be dropped before it ends. In a file, a late write belongs
    /// to a run whose lock is free, which the next holder takes for dead. On a server the connection
    /// would be lost and the call's effect unknown.
    #[must_use]
    pub fn may_drop_calls(self) -> bool {
        self.driver().may_drop_calls()
    }

    /// Whether `--snapshot` can copy it.
    #[must_use]
    pub fn can_snapshot(self) -> bool {
        self.driver().can_snapshot()
    }

    /// How sessions are named, where the server shows the name that a client's environment gives
    /// them, so that those of a dead step can be recognised.
    #[must_use]
    pub fn session_names(self) -> Option<SessionNames> {
        self.driver().session_names()
    }

    /// Whether a missing ledger is created only after the steps ran: the database is a file, which a
    /// step may want to create itself, or to find empty.
    #[must_use]
    pub fn follows_steps(self) -> bool {
        self.driver().follows_steps()
    }

    /// Whether the ledger can be in a schema, or database, other than the app's.
    #[must_use]
    pub fn has_schemas(self) -> bool {
        self.driver().has_schemas()
    }

    /// How an administrator creates the ledger for a role that may not.
    #[must_use]
    pub fn create_hint(self, target: &Target) -> String {
        self.driver().create_hint(target)
    }

    /// What to do where a step keeps the ledger's table locked.
    #[must_use]
    pub fn locked_table_hint(self, url: &DatabaseUrl) -> String {
        self.driver().locked_table_hint(url)
    }
}
