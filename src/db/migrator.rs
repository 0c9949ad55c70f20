//! A folder of `.sql` migrations and a tool's history table, both exactly as the tool has them, so that
//! either can continue where the other stopped.
//!
//! A layout (`layouts/`) knows one tool's folder and table. Everything else is the same for all.

mod apply;
pub(super) mod dialect;
mod error;
mod failure;
mod file;
mod history;
mod layout;
mod layouts;
mod progress;
mod retry;
pub(super) mod send;
pub(super) mod statements;
mod transactions;
mod undo;

pub use apply::{MigrationList, Migrator};
pub use error::MigrationError;
pub use file::MigrationFile;
pub use layout::{LayoutKind, MigrationPlan};
pub use layouts::MigrationFolder;
