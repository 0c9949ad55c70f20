//! The databases: lock and ledger, behind one interface for all of them.
//!
//! [`Target::connect`] gives a [`Session`], which reads; [`Session::try_lock`] gives a
//! [`Locked`], and only that appends to the ledger a run, its heartbeats and its end. The
//! exceptions are an operator's decision and the row of a holder that lost its lock.
//!
//! May touch sqlx, tokio's time and what `sys` tells of files; never nix, processes, the process's arguments or its
//! environment. Every call is bounded in time. No message carries the database URL.

mod backend;
mod codes;
mod ddl;
mod describe;
mod error;
mod grants;
pub mod ledger;
mod ledger_connection;
mod locked;
pub mod migrator;
mod mysql;
mod postgres;
mod session;
mod sql;
mod sqlite;
mod target;
pub mod url;
mod wire;

pub use ddl::ddl;
pub use describe::ServerInfo;
pub use error::Error;
pub use locked::{Locked, Proof, RecordError, Renewal};
pub use session::{Attempt, Session};
pub use target::Target;
pub use url::{Backend, DatabaseUrl};
