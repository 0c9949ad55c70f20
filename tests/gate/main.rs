//! The gate against real database servers: the built binary, as many replicas as a test needs,
//! and what their steps and servers wrote down.

#[path = "../common/mod.rs"]
mod common;

mod check_agrees_with_job;
#[path = "../chaos/clock.rs"]
mod clock;
mod costs_little;
mod database_urls;
mod delays_the_next_attempt;
mod follows_a_failover;
mod galera;
mod hides_passwords;
mod keeps_its_lock_file;
mod keeps_its_patience;
mod keeps_the_ledger_out_of_the_way;
mod logs_in_to_mysql;
mod migrations_may_change_postgres;
mod next_start_recovers;
mod notices_a_silent_network;
mod operators_and_roles;
mod proves_that_the_lock_excludes;
mod proxies_and_balancers;
mod records_every_run;
mod recovers_between_steps;
mod reports_long_waits;
mod rolls_over_from_0_1;
mod says_why_no_connection;
mod shares_a_sqlite_file;
mod shows_a_client_certificate;
mod start_commands_surround_the_gate;
mod stays_closed;
mod steps_run_once;
mod stops_steps_in_the_database;
mod stops_while_sqlite_is_busy;
mod unusable_databases;
mod url_and_revision_sources;
mod urls_from_parts;
mod waits_for_orphans;
mod waits_for_room_on_the_disk;
mod waits_for_servers_that_hang_up;
