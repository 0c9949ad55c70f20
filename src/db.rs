//! The databases: lock and ledger, with one interface for all of them.
//!
//! [`Target::connect`] gives a [`Session`], which reads. [`Session::try_lock`] gives a [`Locked`], and
//! only that appends a run to the ledger, its heartbeats and its end. The exceptions are an operator's
//! decision and the row of a holder that lost its lock.
//!
//! A backend is a folder: `postgres/`, `mysql/`, `sqlite/`. Each fills in a `driver::Driver`,
//! and `backend.rs` lists them.
//!
//! May use sqlx, tokio's time and what `sys` tells about files; never nix, processes, or the process's
//! arguments or environment. Every call has a time limit. No message contains the database URL.

mod backend;
mod begun_run;
mod by_address;
mod connect;
mod connection;
mod ddl;
mod dialect;
mod driver;
mod error;
mod fault;
mod hex;
mod hints;
pub mod ledger;
mod ledger_connection;
mod ledger_creation;
mod ledger_read;
mod ledger_sql;
mod lock;
mod lock_id;
mod locked;
pub mod migrator;
mod mysql;
mod options;
mod place;
mod postgres;
mod purpose;
mod roots;
mod rows;
mod server_info;
mod session;
mod sessions;
mod sqlite;
mod target;
mod unlocked_run;
mod unreachable;
pub mod url;

pub use begun_run::DroppedLedger;
pub use ddl::ddl;
pub use driver::{Driver, SessionNames};
pub use error::{Error, RecordError};
pub use ledger_creation::LedgerCreation;
pub use lock::OnWait;
pub use locked::{Appended, Locked, Proof, Recorded, Renewal};
pub use server_info::ServerInfo;
pub use session::Session;
pub use sessions::EndedSessions;
pub use target::Target;
pub use url::{Backend, DatabaseUrl};
