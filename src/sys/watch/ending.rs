//! How a step ends: by itself, stopped or killed; and what happens to processes it left.

use std::time::Duration;

use super::{StepLeftovers, Watch};
use crate::sys::clock::{Moment, earliest};
use crate::sys::family::{AGAIN, Family, Stray};
use crate::sys::signals::Stop;
use crate::sys::signals::{self, Signal};
use crate::sys::step::{StepEvent, StopReason};
use crate::sys::wait::{Ended, Reaped};

/// How long the kernel may take to end what was killed.
const LAST_REAP: Duration = Duration::from_millis(500);

impl Watch<'_> {
    /// Asks the step to stop by sending `number`, and sets the time of the kill.
    pub(super) fn stop(&mut self, reason: StopReason, number: Signal, now: Moment) {
        let is_first = self.stop_reason.is_none();
        let reason = self.stop_reason.get_or_insert(reason);
        if is_first {
            (self.news)(StepEvent::Stopping(reason));
        }
        self.kill_at = earliest(self.kill_at, Some(now + self.step.grace));
        if self.step.grace.is_zero() {
            return self.kill(now);
        }
        if self.ended.is_none() {
            signals::send_to_group(self.pid, number);
            // A stopped process would not see it.
            signals::send_to_group(self.pid, libc::SIGCONT);
        }
    }

    /// Kills every descendant of the step, and repeats that for processes that are born meanwhile.
    pub(super) fn kill(&mut self, now: Moment) {
        let was_killed = self.killed_at.is_some();
        if !was_killed {
            self.killed_at = Some(now);
            (self.news)(StepEvent::Killing);
        }
        if self.ended.is_none() {
            signals::send_to_group(self.pid, libc::SIGKILL);
        }
        self.stray = self.family().signal(&[libc::SIGKILL]).stray;
        self.tell(
            self.stray
                .filter(|stray| *stray != Stray::Hidden || was_killed),
        );
        self.kill_at = Some(now + AGAIN);
    }

    /// Whether launchgate ends although processes are left that can't be killed: no step follows any
    /// more, so nothing is won by waiting for them.
    pub(super) fn gives_up(&mut self, now: Moment) -> bool {
        let is_over = matches!(self.stop_reason, Some(StopReason::Lost(_)))
            || self.host.signals.stopped().is_some();
        let had_time = self.killed_at.is_some_and(|at| now >= at + LAST_REAP);
        let Some(stray) = self.stray.filter(|_| is_over && had_time) else {
            return false;
        };
        (self.news)(StepEvent::LeftBehind(stray));
        true
    }

    fn family(&self) -> Family<'_> {
        Family::of_step(self.pid, &self.step.mark, &self.host.foreign)
    }

    /// Reports, once, a process that can't be stopped.
    fn tell(&mut self, stray: Option<Stray>) {
        if let Some(stray) = stray.filter(|_| !self.said_stray) {
            self.said_stray = true;
            (self.news)(StepEvent::OutOfReach(stray));
        }
    }

    pub(super) fn reap(&mut self, now: Moment) {
        if self.is_childless() {
            return;
        }
        self.look_at = None;
        loop {
            match self.family().reap() {
                Reaped::Ended(pid, ended) if pid == self.pid => {
                    self.ended = Some((ended, now.since(self.started)));
                    self.on_end(ended);
                }
                Reaped::Stopped(pid, by) if pid == self.pid => self.on_stopped(by),
                Reaped::Ended(..) | Reaped::Stopped(..) => {}
                Reaped::Quiet => {
                    if self.ended.is_some() && self.left == StepLeftovers::Unknown {
                        self.sweep(now);
                    }
                    return;
                }
                Reaped::None => {
                    self.left = StepLeftovers::Nothing;
                    return;
                }
            }
        }
    }

    /// The step's first process has ended.
    fn on_end(&mut self, ended: Ended) {
        let Some(terminal) = &self.terminal else {
            return;
        };
        terminal.take_back(self.pid);
        if terminal.is_lent
            && self.stop_reason.is_none()
            && let Ended::Signal(number @ (libc::SIGINT | libc::SIGQUIT)) = ended
        {
            // Ctrl-C reached only the step's group, but was meant for the gate.
            let stop = Stop::new(number);
            self.host.signals.stop(stop);
            self.stop_reason = Some(StopReason::Stop(stop));
        }
    }

    /// Asks the processes that the step left to end. Called only if there are children, because
    /// reading /proc takes longer than everything else here.
    fn sweep(&mut self, now: Moment) {
        let reached = self.family().signal(&[libc::SIGTERM, libc::SIGCONT]);
        if reached.count == Some(0) && reached.stray.is_none() {
            // A child that turned out not to belong to the step once its execve(2) was done.
            self.look_at = Some(now + AGAIN);
            return;
        }
        self.left = StepLeftovers::Asked;
        (self.news)(StepEvent::Leftovers(reached.count));
        self.tell(reached.stray.filter(|stray| *stray != Stray::Hidden));
        self.kill_at = earliest(self.kill_at, Some(now + self.step.grace));
    }
}
