//! The sessions that a run's steps left on the server, found by their name, and ended: whoever is at
//! their other end can do nothing more with them.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    Error, Locked, Target,
    driver::{OrphanSearch, Which},
    fault::Meaning,
    ledger::Orphan,
    ledger_connection::LedgerConnection,
    rows,
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

fn session_names(lock_id: &str, run_ids: &[String]) -> Vec<String> {
    let run_ids = run_ids.iter();
    run_ids.map(|id| session_name(lock_id, id)).collect()
}

impl LedgerConnection {
    /// Ends sessions one by one, since a role may end some and not others, and waits up to `limit` until
    /// they are gone.
    pub(super) async fn end_sessions(
        &mut self,
        lock_id: &str,
        run_ids: &[String],
        which: Which,
        limit: Duration,
    ) -> Result<EndedSessions, Error> {
        let names = &session_names(lock_id, run_ids);
        let mut done = EndedSessions::default();
        let Some(sessions) = self.target.backend().driver().session_names else {
            return Ok(done);
        };
        let list = (sessions.list)(names, which);
        let since = Instant::now();
        let (mut asked, mut refused) = (Vec::new(), Vec::new());
        loop {
            let found = self.rows(list.clone()).await?;
            done.left = found.iter().map(rows::orphan).collect::<Result<_, _>>()?;
            let waits = done.left.iter().any(|left| !refused.contains(&left.pid));
            let limit = if waits { limit } else { limit.min(BY_ITSELF) };
            if done.left.is_empty() || since.elapsed() >= limit {
                return Ok(done);
            }
            for Orphan { pid, .. } in &done.left {
                if asked.contains(pid) {
                    continue;
                }
                asked.push(*pid);
                let end = (sessions.end_one)(*pid, names, which);
                match self.rows(end).await {
                    Ok(rows) => done.ended += rows.len(),
                    Err(fault) if fault.means(Meaning::Privilege) => {
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

impl Locked {
    /// The variable that names the sessions of the steps of `run_id`, and their name, where the
    /// server shows such names.
    #[must_use]
    pub fn session_name(&self, run_id: &str) -> Option<(&'static str, String)> {
        let names = self.target().backend().driver().session_names?;
        Some((names.variable, session_name(&self.taken.lock_id, run_id)))
    }

    /// Sessions that steps of earlier runs left on the server: active, or in a transaction begun
    /// before this holder took the lock. None where a server does not show them. `dead`: runs whose
    /// holder died.
    pub async fn orphans(&mut self, dead: &[String]) -> Result<Vec<Orphan>, Error> {
        let driver = self.target().backend().driver();
        let (Some(sessions), Some(began_us)) = (driver.session_names, self.taken.began_us) else {
            return Ok(Vec::new());
        };
        let search = OrphanSearch {
            lock_id: &self.taken.lock_id,
            began_us,
            dead: &session_names(&self.taken.lock_id, dead),
            table: self.ledger.sql().map(|sql| sql.table.as_str()),
        };
        let ask = (sessions.orphans)(&search);
        let answer = self.ledger.rows(ask).await?;
        answer.iter().map(rows::orphan).collect()
    }

    /// Ends the sessions that dead runs left idle, in a transaction or not, as far as this role may.
    pub async fn end_idle_sessions(
        &mut self,
        dead: &[String],
        limit: Duration,
    ) -> Result<EndedSessions, Error> {
        let lock_id = &self.taken.lock_id;
        let ledger = &mut self.ledger;
        ledger.end_sessions(lock_id, dead, Which::Idle, limit).await
    }

    /// Ends the sessions that the steps of this run left.
    pub async fn end_own_sessions(
        &mut self,
        run_id: &str,
        limit: Duration,
    ) -> Result<EndedSessions, Error> {
        let (lock_id, own) = (&self.taken.lock_id, [run_id.to_owned()]);
        let ledger = &mut self.ledger;
        ledger.end_sessions(lock_id, &own, Which::All, limit).await
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
        let mut ledger = LedgerConnection::new(self.clone(), self.holder_call());
        let own = [run_id.to_owned()];
        let done = ledger.end_sessions(lock_id, &own, Which::All, limit).await;
        ledger.close().await;
        done
    }
}
