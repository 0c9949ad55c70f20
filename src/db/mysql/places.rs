//! Where the ledger is on `MySQL` and `MariaDB`: in a database.
//!
//! Statements name the database: a step may drop the one that the connection is in.

use super::{
    MYSQL,
    dialect::{SQL, quoted},
};
use crate::db::{
    Error, Target,
    fault::{Fault, Meaning},
    ledger_sql::{HOME, LedgerSql},
    place::{Candidate, Home},
};

/// The ledger in a database of this server. One that is not the app's own tells the apps of several
/// databases apart.
fn ledger_in(target: &Target, database: &str) -> LedgerSql {
    let own = target.url.database();
    let scope = own.filter(|own| *own != database);
    LedgerSql::new(&SQL, Some(database), scope)
}

/// The ledger that is named; else the one beside the app's tables, then the one of launchgate's own
/// database. In this order most starts need one statement, since few servers have that database; it
/// counts where it can be used.
pub(super) fn candidates(target: &Target) -> Vec<Candidate> {
    let candidate = |database: &str, is_optional| Candidate {
        sql: ledger_in(target, database),
        is_optional,
    };
    if let Some(named) = &target.ledger {
        return vec![candidate(named, false)];
    }
    match target.url.database() {
        Some(own) if own != HOME => vec![candidate(own, false), candidate(HOME, true)],
        Some(_) | None => vec![candidate(HOME, false)],
    }
}

/// Why the ledger can't be read. A role that may not read a table gets the same answer where there is none.
pub(super) fn unreadable(fault: Fault, target: &Target) -> Error {
    let may_be_missing = fault.means(Meaning::Privilege);
    match Error::from(fault) {
        Error::Refused { what, hint } if may_be_missing => {
            let create = (MYSQL.create_hint)(target);
            Error::refused(
                what,
                format!("{hint}, or if it does not exist yet, {create}"),
            )
        }
        error => error,
    }
}

/// Where a missing ledger is created: what this role may do is found out by trying.
pub(super) fn homes(target: &Target) -> Vec<Home> {
    let home = |database: &str, before, in_the_way| Home {
        sql: ledger_in(target, database),
        before,
        in_the_way,
    };
    if let Some(named) = &target.ledger {
        let create = format!("CREATE DATABASE IF NOT EXISTS {}", quoted(named));
        return vec![home(named, None, None), home(named, Some(create), None)];
    }
    let mut homes = vec![home(HOME, None, None)];
    if let Some(own) = target.url.database().filter(|own| *own != HOME) {
        let why = format!("there is no database {HOME} that this role may create tables in");
        homes.push(home(own, None, Some(why)));
    }
    homes
}
