//! Waiting for the replica that holds the lock, or for the release that a job migrates.

use std::time::Duration;

use crate::db::ledger::LedgerRow;
use crate::exit::Failure;
use crate::gate::backoff::Contention;
use crate::gate::wait_clock::{Tick, WaitClock, shown, timed_out};
use crate::output::log::{Event, Field, Log};
use crate::plan::ledger_reference::LedgerReference;

/// The wait for the replica that holds the lock.
#[derive(Debug)]
pub(super) struct HolderWait {
    clock: WaitClock,
    /// The run that was last named in the log.
    named: Option<String>,
    /// The command that shows who holds the gate.
    status: String,
}

impl HolderWait {
    /// A wait that has not begun.
    pub(super) fn new(limit: Option<Duration>, reference: &LedgerReference) -> Self {
        Self {
            clock: WaitClock::new(limit),
            named: None,
            status: reference.status_command(),
        }
    }

    /// Leaves out `time` that was spent on another wait.
    pub(super) fn leave_out(&mut self, time: Duration) {
        self.clock.leave_out(time);
    }

    /// The pause before the next read.
    ///
    /// # Errors
    /// It took too long.
    pub(super) fn next(
        &mut self,
        log: &Log,
        holder: Option<&LedgerRow>,
        contention: Contention,
    ) -> Result<Duration, Failure> {
        let is_another = holder.is_some_and(|entry| self.named.as_ref() != Some(&entry.run_id));
        match self.clock.tick() {
            Tick::Over(waited) => {
                let name = holder.map_or("another replica", |entry| &entry.holder);
                Err(timed_out(
                    format!("waited {} for {name}", shown(waited)),
                    &format!("see who holds it with `{}`", self.status),
                ))
            }
            Tick::Waiting { waited, log_now } => {
                if log_now || is_another {
                    self.log(log, waited, holder);
                }
                Ok(self.clock.pause(waited, contention))
            }
        }
    }

    fn log(&mut self, log: &Log, waited: Duration, holder: Option<&LedgerRow>) {
        let seconds = waited.as_secs();
        let Some(entry) = holder else {
            return log.say(
                Event::LockWaiting,
                "another replica holds the lock, waiting",
                &[("seconds", &seconds)],
            );
        };
        self.named = Some(entry.run_id.clone());
        log.say(
            Event::LockWaiting,
            "another replica is running the steps, waiting",
            &[
                ("seconds", &seconds),
                ("holder", &entry.holder),
                ("revision", &entry.revision),
                ("run", &entry.run_id),
                ("running", &format!("{}s", entry.age_ms / 1000)),
            ],
        );
    }

    /// The pause before `launchgate wait` reads again, for a release that nobody is migrating.
    ///
    /// # Errors
    /// It took too long.
    pub(super) fn for_release(
        &mut self,
        log: &Log,
        revision: &str,
        contention: Contention,
    ) -> Result<Duration, Failure> {
        match self.clock.tick() {
            Tick::Over(waited) => Err(timed_out(
                format!(
                    "waited {} for revision {revision} to succeed",
                    shown(waited)
                ),
                &format!(
                    "check that the job that migrates it is running, and see `{}`",
                    self.status
                ),
            )),
            Tick::Waiting { waited, log_now } => {
                if log_now {
                    let fields: [Field<'_>; 2] =
                        [("seconds", &waited.as_secs()), ("revision", &revision)];
                    log.say(
                        Event::LockWaiting,
                        "waiting for the release to be migrated",
                        &fields,
                    );
                }
                Ok(self.clock.pause(waited, contention))
            }
        }
    }
}
