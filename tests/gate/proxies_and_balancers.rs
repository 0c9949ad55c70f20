//! Poolers and load balancers in front of Postgres.
//!
//! "correct through PgBouncer in transaction mode as installed" (contract, section 5)

use crate::common::{Db, core_rules, on_each};

fn every_rule_holds(db: &Db) {
    core_rules::all(db);
}
on_each!(every_rule_holds: [pgpool, haproxy, odyssey, pgbouncer_new, mysql]);
