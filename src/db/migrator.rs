//! A folder of `.sql` migrations and the table `_sqlx_migrations`, both exactly as sqlx-cli has them, so
//! that either can continue where the other stopped.
//!
//! sqlx's own resolver reads the folder, and sqlx's own statement creates the table. The rest is plain
//! SQL of ours, since sqlx's migrator prepares statements, which a pooler loses, takes a lock that
//! blocks, and reports neither file nor line.

mod apply;
mod compare;
pub(super) mod dialect;
mod error;
mod failure;
mod folder;
mod history;
pub(super) mod partial_effects;
mod record;
pub(super) mod send;
pub(super) mod statements;

pub use apply::{FileProgress, Migrator};
pub use compare::{MigrationPlan, compare};
pub use error::MigrationError;
pub use folder::{MigrationFile, MigrationFolder};
pub use history::{Applied, History};

/// The table's name.
pub(super) const TABLE: &str = "_sqlx_migrations";
