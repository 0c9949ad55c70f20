//! A folder of `.sql` migrations and the table `_sqlx_migrations`, both exactly as sqlx-cli has
//! them, so that either can go on where the other stopped.
//!
//! The folder is read by sqlx's own resolver and the table is made by sqlx's own statement. The
//! rest is said here in plain SQL, since sqlx's migrator prepares statements, which a pooler
//! loses, takes a lock that blocks, and tells neither file nor line.

mod apply;
mod compare;
mod failure;
mod folder;
mod history;
mod place;
mod record;
mod send;
mod stays;
mod trouble;

pub use apply::{Migrator, Progress};
pub use compare::{Plan, compare};
pub use folder::{File, Folder};
pub use history::{Applied, History};
pub use trouble::Trouble;

/// The table's name.
pub(super) const TABLE: &str = "_sqlx_migrations";
