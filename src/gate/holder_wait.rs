//! Waiting for the replica that holds the lock, or for the release that a job migrates.

use std::time::Duration;

use super::poll::LedgerPoll;
use crate::db::ledger::LedgerRow;
use crate::exit::Failure;
use crate::gate::wait_clock::{shown, timed_out};
use crate::output::log::{Event, Field, Log};

impl LedgerPoll<'_> {
    /// The pause before the next read, while another replica holds the lock.
    ///
    /// # Errors
    /// It took too long.
    pub(super) fn holder_pause(&mut self, holder: Option<&LedgerRow>) -> Result<Duration, Failure> {
        if let Some(holder) = holder.filter(|row| self.named.as_ref() != Some(&row.run_id)) {
            // Another one than before is logged at once.
            self.named = Some(holder.run_id.clone());
            self.clock.logged = None;
        }
        let log = &self.gate.log;
        let name = holder.map_or("another replica", |row| &row.holder);
        let waited = self.clock.go_on(|waited| log_holder(log, waited, holder));
        self.pause(waited, &format!("for {name}"), "see who holds it with")
    }

    /// The pause before `launchgate wait` reads again, for a release that nobody is migrating.
    ///
    /// # Errors
    /// It took too long.
    pub(super) fn release_pause(&mut self) -> Result<Duration, Failure> {
        let (log, revision) = (&self.gate.log, self.gate.revision());
        let waited = self.clock.go_on(|waited| {
            let fields: [Field<'_>; 2] = [("seconds", &waited.as_secs()), ("revision", &revision)];
            let message = "waiting for the release to be migrated";
            log.say(Event::LockWaiting, message, &fields);
        });
        let what = format!("for revision {revision} to succeed");
        let hint = "check that the job that migrates it is running, and see";
        self.pause(waited, &what, hint)
    }

    /// The pause after a wait `what`; `hint` says what to look for where the time is over.
    fn pause(
        &self,
        waited: Result<Duration, Duration>,
        what: &str,
        hint: &str,
    ) -> Result<Duration, Failure> {
        let waited = waited.map_err(|waited| {
            let status = self.gate.reference.status_command();
            let what = format!("waited {} {what}", shown(waited));
            timed_out(what, &format!("{hint} `{status}`"))
        })?;
        Ok(self.clock.pause(waited))
    }
}

fn log_holder(log: &Log, waited: Duration, holder: Option<&LedgerRow>) {
    let seconds = waited.as_secs();
    let Some(row) = holder else {
        let message = "another replica holds the lock, waiting";
        return log.say(Event::LockWaiting, message, &[("seconds", &seconds)]);
    };
    log.say(
        Event::LockWaiting,
        "another replica is running the steps, waiting",
        &[
            ("seconds", &seconds),
            ("holder", &row.holder),
            ("revision", &row.revision),
            ("run", &row.run_id),
            ("running", &format!("{}s", row.age_ms / 1000)),
        ],
    );
}
