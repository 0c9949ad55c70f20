//! Why migrations are not applied.

use crate::db::Error;

/// Why the migrations of a folder were not all applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MigrationError {
    /// The migrations themselves: one failed, or they don't match what was applied.
    Migration {
        /// File, line and the database's own words.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// The database.
    Database(Error),
}

impl MigrationError {
    /// What is wrong.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::Migration { what, .. } => what.clone(),
            Self::Database(error) => error.to_string(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Migration { hint, .. } => hint.clone(),
            Self::Database(error) => error.hint().unwrap_or("start it again").to_owned(),
        }
    }
}

impl From<Error> for MigrationError {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}
