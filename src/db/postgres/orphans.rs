//! Sessions that steps of earlier runs left on the server.

use super::quoting::literal;

/// Finds them for one holder.
pub(super) struct OrphanSql<'a> {
    /// What the names of all steps' sessions for this app and database contain.
    pub(super) lock_id: &'a str,
    /// When this holder took the lock, in microseconds since 1970.
    pub(super) began_us: i64,
}

impl OrphanSql<'_> {
    /// Those that are active, or in a transaction that began before the holder's.
    ///
    /// A closed run has no clients, so anything it left behind began before this lock. A later
    /// statement
    /// under its name is an application's, on a connection that a pooler had lent to the step before.
    /// An application's earlier statement can't be told from the step's. `ledger`: the table that says
    /// which runs are closed.
    pub(super) fn list(&self, ledger: Option<&str>) -> String {
        let at_work = match ledger {
            Some(ledger) => format!(
                "(a.query_start < {} OR NOT EXISTS (SELECT FROM {ledger} r WHERE r.run_id = \
                 split_part(a.application_name, '/', 3) AND r.state <> 'running'))",
                self.began()
            ),
            None => "true".to_owned(),
        };
        format!(
            "SELECT a.pid, coalesce(a.state, 'unknown'), \
             coalesce((extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start, a.backend_start)) * 1000)::bigint, 0), \
             a.application_name FROM pg_stat_activity a WHERE {} ORDER BY a.pid",
            self.is_orphan(&at_work)
        )
    }

    /// Ends those that `run_ids` left idle in a transaction, and counts them.
    pub(super) fn end_idle(&self, run_ids: &[String]) -> String {
        let names: Vec<_> = run_ids
            .iter()
            .map(|run| literal(&format!("launchgate/{}/{run}", self.lock_id)))
            .collect();
        format!(
            "SELECT count(*) FILTER (WHERE ended) FROM (SELECT pg_terminate_backend(a.pid) AS ended \
             FROM pg_stat_activity a WHERE {} AND a.state LIKE 'idle in transaction%' \
             AND a.application_name IN ({})) e",
            self.is_orphan("true"),
            names.join(", ")
        )
    }

    /// Where a role may not see another's `state`, the lock that every transaction has on its own
    /// virtual id tells as much, and everybody may see that:
    /// <https://www.postgresql.org/docs/current/view-pg-locks.html>.
    /// `at_work`: what else must hold for an active session.
    fn is_orphan(&self, at_work: &str) -> String {
        format!(
            "a.pid <> pg_backend_pid() \
             AND starts_with(a.application_name, {name}) \
             AND (a.state IN ('active', 'fastpath function call') AND {at_work} \
             OR a.xact_start < {began} \
             OR a.state IS NULL AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'virtualxid' \
             AND l.granted AND l.mode = 'ExclusiveLock'))",
            name = literal(&format!("launchgate/{}/", self.lock_id)),
            began = self.began(),
        )
    }

    fn began(&self) -> String {
        format!(
            "timestamptz 'epoch' + {} * interval '1 microsecond'",
            self.began_us
        )
    }
}
