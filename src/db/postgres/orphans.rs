//! Sessions that steps of earlier runs left on the server.

use super::quoting::literal;
use crate::db::driver::{OrphanSearch, Which};

/// The columns of every list of sessions `a`: process id, state, age in milliseconds, name.
const COLUMNS: &str = "a.pid, coalesce(a.state, 'unknown'), \
     coalesce((extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start, a.backend_start)) * 1000)::bigint, 0), \
     a.application_name";

/// Those that are active, or in a transaction that began before the holder's.
///
/// A closed run has no clients, so anything it left behind began before this lock. A later
/// statement under its name is an application's, on a connection that a pooler had lent to the
/// step before. An application's earlier statement can't be told from the step's. A dead run may
/// have clients that live.
///
/// Where a role may not see another's `state`, the lock that every transaction has on its own
/// virtual id tells as much, and everybody may see that:
/// <https://www.postgresql.org/docs/current/view-pg-locks.html>.
pub(super) fn orphans(search: &OrphanSearch<'_>) -> String {
    let began = format!(
        "timestamptz 'epoch' + {} * interval '1 microsecond'",
        search.began_us
    );
    let at_work = match search.table {
        Some(ledger) => format!(
            "(a.query_start < {began} OR {} OR NOT EXISTS (SELECT FROM {ledger} r WHERE r.run_id = \
             split_part(a.application_name, '/', 3) AND r.state <> 'running'))",
            is_named(search.dead)
        ),
        None => "true".to_owned(),
    };
    format!(
        "SELECT {COLUMNS} FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() \
         AND starts_with(a.application_name, {name}) \
         AND (a.state IN ('active', 'fastpath function call') AND {at_work} \
         OR a.xact_start < {began} \
         OR a.state IS NULL AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'virtualxid' \
         AND l.granted AND l.mode = 'ExclusiveLock')) ORDER BY a.pid",
        name = literal(&format!("launchgate/{}/", search.lock_id)),
    )
}

/// The sessions with these names.
pub(super) fn sessions(names: &[String], which: Which) -> String {
    format!(
        "SELECT {COLUMNS} FROM pg_stat_activity a WHERE {} ORDER BY a.pid",
        is_one(names, which)
    )
}

/// Ends one of them, if it still is one.
pub(super) fn end_session(pid: i32, names: &[String], which: Which) -> String {
    format!(
        "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE {} AND a.pid = {pid}",
        is_one(names, which)
    )
}

fn is_one(names: &[String], which: Which) -> String {
    let state = match which {
        Which::All => "",
        Which::Idle => " AND a.state LIKE 'idle%'",
    };
    format!("a.pid <> pg_backend_pid() AND {}{state}", is_named(names))
}

fn is_named(names: &[String]) -> String {
    if names.is_empty() {
        return "false".to_owned();
    }
    let names: Vec<_> = names.iter().map(|name| literal(name)).collect();
    format!("a.application_name IN ({})", names.join(", "))
}
