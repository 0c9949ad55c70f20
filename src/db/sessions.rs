//! The sessions that a run's steps left on the server, found by their name, and ended: whoever is at
//! their other end can do nothing more with them.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    Error, Target, dialect::Which, ledger::Orphan, ledger_connection::LedgerConnection, rows,
};

/// What became of the sessions that were to be ended.
#[derive(Debug, Default)]
pub struct EndedSessions {
    /// How many were ended.
    pub ended: usize,
    /// Those that are still there.
    pub left: Vec<Orphan>,
    /// Why this role may not end some of them, in the server's words.
    pub why: Option<String>,
}

/// How often it is looked whether a session is gone.
const AGAIN: Duration = Duration::from_millis(50);

/// How long a session that this role may not end has to end by itself, if its client is gone.
const BY_ITSELF: Duration = Duration::from_millis(300);

/// The name of the sessions of a run's steps.
pub(super) fn session_name(lock_id: &str, run_id: &str) -> String {
    format!("launchgate/{lock_id}/{run_id}")
}

impl LedgerConnection {
    /// Ends sessions one by one, since a role may end some and not others, and waits up to `limit` until
    /// they are gone.
    pub(super) async fn end_sessions(
        &mut self,
        names: &[String],
        which: Which,
        limit: Duration,
    ) -> Result<EndedSessions, Error> {
        let mut done = EndedSessions::default();
        let dialect = self.dialect();
        let Some(list) = (dialect.sessions)(names, which) else {
            return Ok(done);
        };
        let (since, bound) = (Instant::now(), self.call());
        let (mut asked, mut refused) = (Vec::new(), Vec::new());
        loop {
            let found = self.rows(list.clone(), bound).await?;
            done.left = found.iter().map(rows::orphan).collect::<Result<_, _>>()?;
            let waits = done.left.iter().any(|left| !refused.contains(&left.pid));
            let limit = if waits { limit } else { limit.min(BY_ITSELF) };
            if done.left.is_empty() || since.elapsed() >= limit {
                return Ok(done);
            }
            for Orphan { pid, .. } in &done.left {
                let Some(end) = (dialect.end_session)(*pid, names, which) else {
                    continue;
                };
                if asked.contains(pid) {
                    continue;
                }
                asked.push(*pid);
                match self.try_rows(end, bound).await? {
                    Ok(rows) => done.ended += rows.len(),
                    Err(fault) if fault.is_privilege() => {
                        refused.push(*pid);
                        done.why = Some(fault.message);
                    }
                    Err(fault) => return Err(fault.into()),
                }
            }
            sleep(AGAIN).await;
        }
    }
}

impl Target {
    /// Ends the sessions that the steps of a run left, on a connection of its own.
    pub async fn end_sessions(
        &self,
        lock_id: &str,
        run_id: &str,
        limit: Duration,
    ) -> Result<EndedSessions, Error> {
        let mut ledger = LedgerConnection::new(self.clone(), true);
        let names = [session_name(lock_id, run_id)];
        let done = ledger.end_sessions(&names, Which::All, limit).await;
        ledger.close().await;
        done
    }
}
