//! A folder of `.sql` migrations and the table `_sqlx_migrations`, both exactly as sqlx-cli has
//! them, so that either can go on where the other stopped.
//!
//! The folder is read by sqlx's own resolver and the table is made by sqlx's own statement. The
//! rest is said here in plain SQL, since sqlx's migrator prepares statements, which a pooler
//! loses, takes a lock that blocks, and tells neither file nor line.

mod apply;
mod compare;
mod error;
mod failure;
mod folder;
mod history;
mod partial_effects;
mod place;
mod record;
mod send;

pub use apply::{FileProgress, Migrator};
pub use compare::{MigrationPlan, compare};
pub use error::MigrationError;
pub use folder::{MigrationFile, MigrationFolder};
pub use history::{Applied, History};

/// The table's name.
pub(super) const TABLE: &str = "_sqlx_migrations";
