//! What each kind of database can do, as the rooms above ask for it: none of them names a backend.

use super::{Backend, DatabaseUrl};

impl Backend {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Postgres, Self::Mysql, Self::Sqlite];

    /// The backend that a flag names, in any spelling that its users know.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|backend| backend.names().contains(&word))
    }

    /// How users call it in flags, its own name first.
    #[must_use]
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgres", "postgresql"],
            Self::Mysql => &["mysql", "mariadb"],
            Self::Sqlite => &["sqlite"],
        }
    }

    /// Whether a running row carries a lease, which its holder renews. Without one the kernel keeps
    /// the lock for exactly as long as the holder or one of its steps lives.
    #[must_use]
    pub fn has_lease(self) -> bool {
        match self {
            Self::Postgres | Self::Mysql => true,
            Self::Sqlite => false,
        }
    }

    /// Whether the whole database has one writer at a time: while a step writes, the ledger can't be
    /// written.
    #[must_use]
    pub fn single_writer(self) -> bool {
        match self {
            Self::Postgres | Self::Mysql => false,
            Self::Sqlite => true,
        }
    }

    /// Whether a call under the lock may be dropped before it ends. On a server nobody would know
    /// what became of it, and its connection could not be used any more.
    #[must_use]
    pub fn may_drop_calls(self) -> bool {
        match self {
            Self::Postgres | Self::Mysql => false,
            Self::Sqlite => true,
        }
    }

    /// Whether `--snapshot` can copy it.
    #[must_use]
    pub fn can_snapshot(self) -> bool {
        match self {
            Self::Postgres | Self::Mysql => false,
            Self::Sqlite => true,
        }
    }

    /// Whether the server shows the name that a client's environment gives to its sessions
    /// (`PGAPPNAME`), so that those of a dead step can be recognised.
    #[must_use]
    pub fn names_sessions(self) -> bool {
        match self {
            Self::Postgres => true,
            Self::Mysql | Self::Sqlite => false,
        }
    }

    /// Whether a URL without a user means the role that has the name of the system's user.
    #[must_use]
    pub fn logs_in_as_system_user(self) -> bool {
        match self {
            Self::Postgres => true,
            Self::Mysql | Self::Sqlite => false,
        }
    }

    /// What to do where a step keeps the ledger's table locked.
    #[must_use]
    pub fn locked_table_hint(self, url: &DatabaseUrl) -> String {
        match self {
            Self::Mysql => format!(
                "make a dump without locking tables (--single-transaction), or leave this table out (--ignore-table={}.launchgate_runs), then start again",
                url.database().unwrap_or("DATABASE")
            ),
            Self::Postgres | Self::Sqlite => {
                "make sure no step keeps that table locked (LOCK TABLE, or a long transaction that changes it), then start again".to_owned()
            }
        }
    }
}
