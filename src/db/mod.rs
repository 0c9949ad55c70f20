//! The databases: lock and ledger, behind one interface for all of them.
//!
//! May touch sqlx and tokio's time; never nix, processes, the process's arguments or its
//! environment. Every call is bounded in time.

pub mod ledger;
pub mod url;
