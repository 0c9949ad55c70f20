//! A step as the system runs it: what is started, the permit to run it, and what
//! became of it. `watch` starts it and follows it to its end.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::child::Program;
use super::clock::Moment;
use super::family::Stray;
use super::identity::Identity;
use super::signals::Stop;
use super::wait::Ended;

/// How often a step that is still running is reported.
pub const PROGRESS_INTERVAL: Duration = Duration::from_secs(30);

/// Holds the right to run, which is never lost unless a method says so. The loop that watches a step
/// asks it first after every wake-up.
pub trait RunPermit {
    /// Becomes readable when there is news.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    /// Why the right to run is lost, if it is.
    fn lost(&mut self, _now: Moment) -> Option<String> {
        None
    }
    /// When to ask again at the latest.
    fn next_look(&self) -> Option<Moment> {
        None
    }
    /// When a step that lost the right to run is killed at the latest.
    fn kill_at(&self) -> Option<Moment> {
        None
    }
    /// A descriptor that the step keeps open, so that a lock on it outlives launchgate.
    fn inheritable(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// The permit of a run that has no lock to lose.
#[derive(Debug, Clone, Copy)]
pub struct AlwaysPermitted;

impl RunPermit for AlwaysPermitted {}

/// What to start as a step, and its limits.
#[derive(Debug)]
pub struct StepProcess {
    /// What to execute.
    pub program: Program,
    /// The user to run it as; `None` is the current one.
    pub identity: Option<Identity>,
    /// `None` is no limit.
    pub timeout: Option<Duration>,
    /// Between TERM and KILL; zero is KILL at once.
    pub grace: Duration,
    /// An entry of its environment that only processes of this run have.
    pub mark: Vec<u8>,
    /// Where it reports its result, if it is launchgate itself; the number is in its environment.
    pub result: Option<UnixDatagram>,
}

/// Why launchgate stopped a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// A signal stopped the gate.
    Stop(Stop),
    /// It ran past its time limit.
    Timeout,
    /// The right to run was lost.
    Lost(String),
}

/// What became of a step.
#[derive(Debug)]
pub struct StepReport {
    /// How its first process ended.
    pub ended: Ended,
    /// Why launchgate stopped it, if it did.
    pub stop_reason: Option<StopReason>,
    /// How long its first process ran.
    pub elapsed: Duration,
    /// The end of its output.
    pub tail: Vec<u8>,
}

impl StepReport {
    /// Of a step that could not be started: `code` is what a shell would exit with.
    pub fn not_started(code: u8) -> Self {
        Self {
            ended: Ended::Code(i32::from(code)),
            stop_reason: None,
            elapsed: Duration::ZERO,
            tail: Vec::new(),
        }
    }
}

/// What happens while a step runs.
#[derive(Debug)]
pub enum StepEvent<'a> {
    /// It was started, with this process id.
    Started(i32),
    /// It is still running, after this time.
    Running(Duration),
    /// It is asked to stop.
    Stopping(&'a StopReason),
    /// It did not stop in time.
    Killing,
    /// It ended and left processes running: this many, if they could be counted.
    Leftovers(Option<usize>),
    /// Its output can't be written to this standard stream.
    Unwritable(RawFd, io::Error),
    /// One of its processes can't be stopped; launchgate waits for it to end.
    OutOfReach(Stray),
}
