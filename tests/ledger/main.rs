//! Lock and ledger against real servers: one suite of rules, run on each backend, and what is
//! each backend's own.

#![allow(unreachable_pub, reason = "shared by the test binaries")]

#[path = "../common/mod.rs"]
mod common;

mod connection;
mod entry;
mod hostile_places;
mod large;
mod leases;
mod mariadb;
mod orphans;
mod pgbouncer;
mod place;
mod place_on_mysql_and_sqlite;
mod postgres;
mod rules;
mod running_key;
mod sqlite;
mod table;
mod trusted_owners;
