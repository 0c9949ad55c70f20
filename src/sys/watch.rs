//! The one loop that watches a step: signals, clocks, children, output.
//!
//! It never waits for the end of the output, since a descendant may hold the pipe open. It never
//! blocks on a write. It asks the permit first after every wake-up, so that a process that was
//! suspended stops its step before it does anything else.

mod ending;

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use super::capture::{Capture, StepOutput};
use super::child::{self, Input, Streams};
use super::clock::{Moment, earliest};
use super::family::Stray;
use super::host::Host;
use super::inherited::is_terminal;
use super::poll::{self, readable, writable};
use super::signals::{self, Arrived, Signal};
use super::step::{PROGRESS_INTERVAL, RunPermit, StepEvent, StepProcess, StepReport, StopReason};
use super::terminal::{self, Terminal};
use super::wait::Ended;

/// A running step, and everything that it started.
struct Watch<'a> {
    host: &'a Host,
    step: &'a StepProcess,
    permit: &'a mut dyn RunPermit,
    news: &'a mut dyn FnMut(StepEvent<'_>),
    capture: Option<Capture>,
    terminal: Option<Terminal>,
    pid: i32,
    started: Moment,
    ended: Option<(Ended, Duration)>,
    /// The step and everything that it started are gone.
    is_childless: bool,
    /// What it left was asked to end.
    is_swept: bool,
    stop_reason: Option<StopReason>,
    kill_at: Option<Moment>,
    killed: bool,
    /// When to check again for processes that are left.
    look_at: Option<Moment>,
    /// The one that can't be stopped, once it is reported.
    stray: Option<Stray>,
    timeout_at: Option<Moment>,
    report_at: Moment,
}

impl Host {
    /// Runs a step, and everything that it starts, to the end. Without an `output` it has
    /// launchgate's own standard streams.
    ///
    /// # Errors
    /// It could not be started.
    pub fn supervise(
        &self,
        step: &StepProcess,
        output: Option<StepOutput>,
        permit: &mut dyn RunPermit,
        news: &mut dyn FnMut(StepEvent<'_>),
    ) -> io::Result<StepReport> {
        self.inherited.adopt_orphans();
        let capture = output.map(|output| Capture::new(output, &self.stdout, &self.stderr));
        let (capture, ends) = capture.transpose()?.unzip();
        let own = [self.stdout.number(), self.stderr.number()];
        let [output, error] = ends.as_ref().map_or(own, |ends| {
            [&ends[0], &ends[ends.len() - 1]].map(AsRawFd::as_raw_fd)
        });
        let streams = Streams {
            input: if is_terminal(0) {
                Input::Inherit
            } else {
                Input::Null
            },
            output,
            error,
        };
        let mut terminal = Terminal::open();
        let foreground = terminal.as_mut().filter(|terminal| terminal.is_ours());
        let result = step.result.as_ref().map(AsFd::as_fd);
        let inherit: Vec<_> = permit.inheritable().into_iter().chain(result).collect();
        let pid = child::start(
            &step.program,
            streams,
            &inherit,
            foreground.as_deref().map(AsFd::as_fd),
            step.identity.as_ref(),
            &self.inherited,
        )?;
        if let Some(terminal) = foreground {
            terminal.is_lent = true;
        }
        drop(ends);
        news(StepEvent::Started(pid));
        let now = Moment::now();
        let mut watch = Watch {
            host: self,
            step,
            permit,
            news,
            capture,
            terminal,
            pid,
            started: now,
            ended: None,
            is_childless: false,
            is_swept: false,
            stop_reason: None,
            kill_at: None,
            killed: false,
            look_at: None,
            stray: None,
            timeout_at: step.timeout.map(|limit| now + limit),
            report_at: now + PROGRESS_INTERVAL,
        };
        Ok(watch.run())
    }
}

impl Watch<'_> {
    /// Watches until the step and everything that it started have ended.
    fn run(&mut self) -> StepReport {
        loop {
            let now = Moment::now();
            self.look_at_permit(now);
            self.look_at_clock(now);
            while let Some(signal) = self.host.signals.next() {
                self.on_signal(signal, now);
            }
            self.reap(now);
            if let Some(capture) = &mut self.capture {
                capture.pump(self.is_childless);
                if let Some((stream, error)) = capture.take_failure() {
                    (self.news)(StepEvent::Unwritable(stream, error));
                }
            }
            if let Some((ended, elapsed)) = self.ended
                && self.is_childless
                && self.is_written()
            {
                return self.report(ended, elapsed);
            }
            self.wait();
        }
    }

    fn look_at_permit(&mut self, now: Moment) {
        if !matches!(self.stop_reason, Some(StopReason::Lost(_)))
            && let Some(why) = self.permit.lost(now)
        {
            // The first reason counts, unless the lock is lost: then nothing may be recorded.
            self.stop_reason = None;
            self.stop(StopReason::Lost(why), libc::SIGTERM, now);
            self.kill_at = earliest(self.kill_at, self.permit.kill_at());
        }
    }

    fn look_at_clock(&mut self, now: Moment) {
        if self.timeout_at.is_some_and(|at| now >= at) {
            self.timeout_at = None;
            if self.ended.is_none() {
                self.stop(StopReason::Timeout, libc::SIGTERM, now);
            }
        }
        if self.kill_at.is_some_and(|at| now >= at) && !self.is_childless {
            self.kill(now);
        }
        if now >= self.report_at {
            self.report_at = now + PROGRESS_INTERVAL;
            (self.news)(StepEvent::Running(now.since(self.started)));
        }
    }

    fn on_signal(&mut self, signal: Arrived, now: Moment) {
        match signal {
            Arrived::Stop(stop) => self.stop(StopReason::Stop(stop), stop.signal(), now),
            Arrived::Other(number) => {
                if self.ended.is_none() {
                    if let Some(terminal) =
                        self.terminal.as_mut().filter(|_| number == libc::SIGCONT)
                    {
                        terminal.hand_over(self.pid);
                    }
                    signals::send_to_group(self.pid, number);
                }
            }
        }
    }

    /// Ctrl-Z and the like. Under a shell with job control, launchgate stops too, and continues the
    /// step when the shell continues launchgate. Without such a shell, the step is continued at
    /// once. So is a step that wants the terminal while launchgate has it: its job was started
    /// in the background and has been moved to the foreground, which no signal announces.
    fn on_stopped(&mut self, by: Signal) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        if !matches!(by, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
            || self.stop_reason.is_some()
        {
            return;
        }
        let may_have_it = by != libc::SIGTSTP && terminal.is_ours();
        if !may_have_it && terminal.has_job_control() {
            terminal.take_back(self.pid);
            terminal::stop_ourselves();
        }
        terminal.hand_over(self.pid);
        signals::send_to_group(self.pid, libc::SIGCONT);
    }

    /// Whether all output has been passed on. Waits for a slow reader, unless the step is being
    /// stopped.
    fn is_written(&self) -> bool {
        self.stop_reason.is_some() || self.capture.as_ref().is_none_or(Capture::is_done)
    }

    fn report(&mut self, ended: Ended, elapsed: Duration) -> StepReport {
        if let Some(terminal) = &self.terminal {
            terminal.take_back_from_dead();
        }
        StepReport {
            ended,
            stop_reason: self.stop_reason.take(),
            elapsed,
            tail: self
                .capture
                .take()
                .map_or_else(Vec::new, Capture::into_tail),
        }
    }

    fn wait(&self) {
        let host = self.host;
        let mut fds = vec![readable(host.signals.as_fd())];
        // A lost right has no more news.
        let lost = matches!(self.stop_reason, Some(StopReason::Lost(_)));
        if !lost {
            fds.extend(self.permit.descriptor().map(readable));
        }
        if let Some(capture) = &self.capture {
            fds.extend(capture.readers().map(readable));
        }
        for output in [&host.stdout, &host.stderr] {
            if output.is_waiting() {
                fds.push(writable(output.descriptor()));
            }
        }
        let clocks = [
            self.kill_at.filter(|_| !self.is_childless),
            self.timeout_at,
            self.look_at,
            self.permit.next_look().filter(|_| !lost),
        ];
        let until = clocks.into_iter().fold(Some(self.report_at), earliest);
        poll::wait(&mut fds, until);
        host.stdout.flush();
        host.stderr.flush();
    }
}
