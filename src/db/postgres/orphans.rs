//! Sessions that an earlier run's steps left on the server.

use super::{
    super::{Error, ledger::Orphan, ledger_connection::LedgerConnection},
    Hold,
};

impl Hold {
    /// Sessions of earlier runs that are active or in a transaction that began before this one.
    ///
    /// A run whose row is closed has no client any more: what it left began before this lock. A
    /// later statement under its name is an application's, on a connection that a pooler
    /// lent to the step before. An application's earlier one can't be told from the step's.
    pub(in crate::db) async fn orphans(
        &self,
        book: &mut LedgerConnection,
        lock_id: &str,
    ) -> Result<Vec<Orphan>, Error> {
        let ask = |book: &LedgerConnection, at_work: &str| {
            format!(
                "SELECT a.pid, coalesce(a.state, 'unknown'), \
                 coalesce((extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start, a.backend_start)) * 1000)::bigint, 0), \
                 a.application_name FROM pg_stat_activity a WHERE {} ORDER BY a.pid",
                self.orphaned(book, lock_id, at_work)
            )
        };
        let closed = format!(
            "(a.query_start < {} OR NOT EXISTS (SELECT FROM {} r WHERE r.run_id = \
             split_part(a.application_name, '/', 3) AND r.state <> 'running'))",
            self.began(),
            book.sql.table
        );
        let bound = book.call();
        let sql = ask(book, &closed);
        let rows = match book.try_rows(sql, bound).await? {
            // no ledger, no closed runs
            Err(fault) if fault.is_missing_table() => {
                let sql = ask(book, "true");
                book.rows(sql, bound).await?
            }
            answer => answer?,
        };
        rows.iter()
            .map(|row| {
                Ok(Orphan {
                    pid: i32::try_from(row.int(0)?).unwrap_or_default(),
                    state: row.text(1),
                    age_ms: row.int(2)?,
                    run_id: row
                        .text(3)
                        .rsplit('/')
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                })
            })
            .collect()
    }

    /// Ends what `run_ids` left idle in a transaction. Says how many; none where this role
    /// may not.
    pub(in crate::db) async fn end_idle_orphans(
        &self,
        book: &mut LedgerConnection,
        lock_id: &str,
        run_ids: &[String],
    ) -> Result<u32, Error> {
        if run_ids.is_empty() {
            return Ok(0);
        }
        let names: Vec<_> = run_ids
            .iter()
            .map(|run| book.sql.text(&format!("launchgate/{lock_id}/{run}")))
            .collect();
        let ask = format!(
            "SELECT count(*) FILTER (WHERE ended) FROM (SELECT pg_terminate_backend(a.pid) AS ended \
             FROM pg_stat_activity a WHERE {} AND a.state LIKE 'idle in transaction%' \
             AND a.application_name IN ({})) e",
            self.orphaned(book, lock_id, "true"),
            names.join(", ")
        );
        match book.try_rows(ask, book.call()).await? {
            Ok(rows) => Ok(rows
                .last()
                .map_or(Ok(0), |row| row.int(0))?
                .try_into()
                .unwrap_or(0)),
            Err(fault) if fault.is_privilege() => Ok(0),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Where a role may not see another's `state`, the lock that every transaction has on its
    /// own virtual id tells as much, and everybody may see that:
    /// <https://www.postgresql.org/docs/current/view-pg-locks.html>.
    /// `at_work`: what else must hold for a session that is active.
    fn orphaned(&self, book: &LedgerConnection, lock_id: &str, at_work: &str) -> String {
        format!(
            "a.pid <> pg_backend_pid() \
             AND starts_with(a.application_name, {name}) \
             AND (a.state IN ('active', 'fastpath function call') AND {at_work} \
             OR a.xact_start < {began} \
             OR a.state IS NULL AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'virtualxid' \
             AND l.granted AND l.mode = 'ExclusiveLock'))",
            name = book.sql.text(&format!("launchgate/{lock_id}/")),
            began = self.began(),
        )
    }

    /// When this holder took the lock.
    fn began(&self) -> String {
        format!(
            "timestamptz 'epoch' + {} * interval '1 microsecond'",
            self.began_us
        )
    }
}
