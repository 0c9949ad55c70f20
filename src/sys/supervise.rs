//! Running a step: what is ordered, who guards the right to run, what becomes of it.
//! The loop that watches is in `watch`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use super::capture::Capture;
use super::child::{self, Ended, Input, Program, Streams};
use super::clock::Moment;
use super::family::Stray;
use super::host::Host;
use super::inherited::is_terminal;
use super::signals::Number;
use super::terminal::Terminal;
use super::watch::Watch;
use crate::sys::identity::Identity;

/// How often a step that goes on says so.
pub const REPORT: Duration = Duration::from_secs(30);

/// What keeps the right to run: asked before anything else at every turn.
pub trait Guard {
    /// Readable when there is news.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
    /// Why the right to run is lost, where it is.
    fn lost(&mut self, now: Moment) -> Option<String>;
    /// When to ask again at the latest.
    fn next_look(&self) -> Option<Moment>;
    /// A descriptor that the step keeps open, so that a lock on it outlives launchgate.
    fn inheritable(&self) -> Option<BorrowedFd<'_>>;
}

/// The guard of a run that has no lock to lose.
#[derive(Debug, Clone, Copy)]
pub struct NoGuard;

impl Guard for NoGuard {
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    fn lost(&mut self, _: Moment) -> Option<String> {
        None
    }
    fn next_look(&self) -> Option<Moment> {
        None
    }
    fn inheritable(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// How a step is run.
#[derive(Debug)]
pub struct Order {
    /// What to execute.
    pub program: Program,
    /// Who executes it; `None`: whoever this is.
    pub identity: Option<Identity>,
    /// `None`: no limit.
    pub timeout: Option<Duration>,
    /// Between TERM and KILL; zero is KILL at once.
    pub grace: Duration,
    /// How many of the last bytes of output to keep; `None` hands over the streams as they are.
    pub tail: Option<usize>,
    /// The entry of its environment that no process has but this run's.
    pub mark: Vec<u8>,
    /// The step's name, where its lines become objects of the log.
    pub wrap: Option<String>,
}

/// Why launchgate stopped a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// A signal stopped the gate.
    Stop(Number),
    /// It ran past its limit.
    Timeout,
    /// The right to run was lost.
    Lost(String),
}

/// What became of a step.
#[derive(Debug)]
pub struct Report {
    /// How its first process ended.
    pub ended: Ended,
    /// Why it was stopped, where it was.
    pub cut: Option<StopReason>,
    /// The signal that stops the gate, where one came.
    pub signal: Option<Number>,
    /// How long its first process ran.
    pub elapsed: Duration,
    /// The last of its output.
    pub tail: Vec<u8>,
}

/// What happens while a step runs.
#[derive(Debug)]
pub enum StepEvent<'a> {
    /// It runs.
    Started(i32),
    /// It still runs, this long now.
    Running(Duration),
    /// It is asked to stop.
    Stopping(&'a StopReason),
    /// It did not stop in time.
    Killing,
    /// It ended and left processes: this many, where they could be counted.
    Leftovers(Option<usize>),
    /// What it prints can't be written to this standard stream.
    Unwritable(RawFd, io::Error),
    /// One of its processes can't be stopped, and is waited for.
    OutOfReach(Stray),
}

impl Host {
    /// Runs one step to its end, and everything it started to theirs.
    ///
    /// # Errors
    /// It could not be started.
    pub fn supervise(
        &self,
        order: &Order,
        guard: &mut dyn Guard,
        news: &mut dyn FnMut(StepEvent<'_>),
    ) -> io::Result<Report> {
        self.inherited.adopt_orphans();
        let terminal = Terminal::open();
        let mut capture = match (&order.wrap, order.tail) {
            (Some(step), tail) => Some(Capture::wrapped(
                &self.stderr,
                tail.unwrap_or_default(),
                step,
            )?),
            (None, Some(len)) => Some(Capture::new(
                Arc::clone(&self.stdout),
                Arc::clone(&self.stderr),
                len,
            )?),
            (None, None) => None,
        };
        let (output, error) = match &capture {
            Some(capture) => capture.ends(),
            None => (self.stdout.number(), self.stderr.number()),
        };
        let input = if is_terminal(0) {
            Input::Inherit
        } else {
            Input::Null
        };
        let foreground = terminal.as_ref().filter(|terminal| terminal.is_ours());
        let pid = child::start(
            &order.program,
            Streams {
                input,
                output,
                error,
            },
            guard.inheritable(),
            foreground.map(AsFd::as_fd),
            order.identity.as_ref(),
            &self.inherited,
        )?;
        if let Some(capture) = &mut capture {
            capture.close_ends();
        }
        news(StepEvent::Started(pid));
        let foreground = foreground.is_some();
        let streams = (capture, terminal.as_ref(), foreground);
        Ok(Watch::new(self, order, guard, news, pid, streams).run())
    }
}
