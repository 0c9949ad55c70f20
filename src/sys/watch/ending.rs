//! How a step ends: by itself, stopped or killed; and what happens to processes it left.

use super::Watch;
use crate::sys::clock::{Moment, earliest};
use crate::sys::family::{AGAIN, Family, Stray};
use crate::sys::signals::Stop;
use crate::sys::signals::{self, Signal};
use crate::sys::step::{StepEvent, StopReason};
use crate::sys::wait::{Ended, Reaped};

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
        let was_killed = std::mem::replace(&mut self.killed, true);
        if !was_killed {
            (self.news)(StepEvent::Killing);
        }
        if self.ended.is_none() {
            signals::send_to_group(self.pid, libc::SIGKILL);
        }
        let stray = self.family().signal(&[libc::SIGKILL]).stray;
        self.tell(stray.filter(|stray| *stray != Stray::Hidden || was_killed));
        self.kill_at = Some(now + AGAIN);
    }

    fn family(&self) -> Family<'_> {
        Family {
            leader: self.pid,
            mark: Some(&self.step.mark),
            foreign: &self.host.foreign,
        }
    }

    /// Reports, once, a process that can't be stopped.
    fn tell(&mut self, stray: Option<Stray>) {
        if let Some(stray) = stray.filter(|_| self.stray.is_none()) {
            self.stray = Some(stray);
            (self.news)(StepEvent::OutOfReach(stray));
        }
    }

    pub(super) fn reap(&mut self, now: Moment) {
        if self.is_childless {
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
                    if self.ended.is_some() && !self.is_swept {
                        self.sweep(now);
                    }
                    return;
                }
                Reaped::None => {
                    self.is_childless = true;
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
        self.is_swept = true;
        (self.news)(StepEvent::Leftovers(reached.count));
        self.tell(reached.stray.filter(|stray| *stray != Stray::Hidden));
        self.kill_at = earliest(self.kill_at, Some(now + self.step.grace));
    }
}
