//! Lock and ledger against real servers: one suite of rules, run on each backend, and what is
//! each backend's own.

#![allow(unreachable_pub, reason = "shared by the test binaries")]

mod common;
#[path = "ledger/entry.rs"]
mod entry;
#[path = "ledger/leases.rs"]
mod leases;
#[path = "ledger/mariadb.rs"]
mod mariadb;
#[path = "ledger/orphans.rs"]
mod orphans;
#[path = "ledger/pgbouncer.rs"]
mod pgbouncer;
#[path = "ledger/postgres.rs"]
mod postgres;
#[path = "ledger/rules.rs"]
mod rules;
#[path = "ledger/sqlite.rs"]
mod sqlite;
#[path = "ledger/table.rs"]
mod table;
