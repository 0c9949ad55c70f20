//! Which app's lock and ledger, in which database. Data only.

use std::time::Duration;

use super::{Backend, DatabaseUrl};

/// The limit for one attempt to connect, name look-up, TLS and login included.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// The limit for one call that does not hold the lock.
pub(super) const CALL: Duration = Duration::from_secs(10);

/// One app's lock and ledger in one database.
#[derive(Debug, Clone)]
pub struct Target {
    /// The database.
    pub url: DatabaseUrl,
    /// The schema (Postgres) or database (`MySQL`, `MariaDB`) that the user named for the ledger.
    pub ledger: Option<String>,
    /// Each app has its own lock and its own rows.
    pub app: String,
    /// How long a silent holder still counts as alive.
    pub lease: Duration,
}

impl Target {
    /// Which kind of database it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.url.backend()
    }
}
