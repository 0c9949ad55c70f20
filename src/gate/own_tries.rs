//! What this replica tries again by itself, as `--retries` allows: how often, how soon without a
//! ledger to say so, and how a failed try is reported.

use std::time::Duration;

use crate::exit::Failure;
use crate::gate::decide::{Attempts, RetryDelay};
use crate::gate::delay_wait;
use crate::output::log::{Event, Log};
use crate::sys::clock::Moment;

/// The tries of one replica.
#[derive(Debug)]
pub(super) struct OwnTries {
    left: u32,
    attempts: Attempts,
    /// How often the steps failed here.
    pub(super) failed: usize,
    /// The last failure, and when it was.
    last: Option<(Failure, Moment)>,
}

impl OwnTries {
    pub(super) fn new(retries: u32, attempts: Attempts) -> Self {
        Self {
            left: retries,
            attempts,
            failed: 0,
            last: None,
        }
    }

    /// Whether there is another try after this failure, which is logged then.
    ///
    /// # Errors
    /// There is none: the failure itself.
    pub(super) fn again(&mut self, failure: Failure, log: &Log) -> Result<(), Failure> {
        self.failed += 1;
        if self.left == 0 {
            return Err(failure);
        }
        self.left -= 1;
        log.warn(
            Event::RunRetrying,
            failure.problem(),
            &[("code", &failure.code()), ("retries_left", &self.left)],
        );
        self.last = Some((failure, Moment::now()));
        Ok(())
    }

    /// The last failure. Its exit code counts if there can't be another try.
    pub(super) fn last(&mut self) -> Option<Failure> {
        self.last.take().map(|(failure, _)| failure)
    }

    /// What is left of the delay after the last failure, where no ledger knows it.
    pub(super) fn delay(&self) -> Option<RetryDelay> {
        let (_, at) = self.last.as_ref()?;
        let delay = self.attempts.delay_after(self.failed);
        let remaining = delay.saturating_sub(Moment::now().since(*at));
        (!remaining.is_zero()).then_some(RetryDelay {
            failed: self.failed,
            remaining,
        })
    }
}

/// A failure that says which attempt it was, and when the next one may begin. `end_it` is the command
/// that allows another attempt, or lets it begin at once.
pub(super) fn counted(
    failure: Failure,
    number: usize,
    attempts: Attempts,
    end_it: Option<&str>,
) -> Failure {
    let most = attempts.max.and_then(|most| usize::try_from(most).ok());
    let of = most.map_or_else(String::new, |most| format!(" of {most}"));
    let is_last = most.is_some_and(|most| number >= most);
    let delay = if is_last {
        Duration::ZERO
    } else {
        attempts.delay_after(number)
    };
    let next = if delay.is_zero() {
        String::new()
    } else {
        let seconds = delay_wait::seconds(delay);
        format!("; the next one may begin in {seconds} s")
    };
    let mut failure = failure.reworded(|what| format!("{what} (attempt {number}{of}{next})"));
    match end_it {
        Some(command) if is_last => failure.add_hint(&format!(
            "this revision will not be tried again until `{command}`"
        )),
        Some(command) if !delay.is_zero() => {
            failure.add_hint(&format!("`{command}` lets the next attempt begin at once"));
        }
        _ => {}
    }
    failure
}
