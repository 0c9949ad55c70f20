//! This process: what it inherited, its signals, its streams, its host name.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::unistd::gethostname;

use super::clock::Moment;
use super::family::Foreign;
use super::inherited::Inherited;
use super::output::Output;
use super::poll::{self, readable, writable};
use super::signals::Signals;
use super::signals::Stop;

/// What this process needs to supervise others.
#[derive(Debug)]
pub struct Host {
    /// What is restored before exec.
    pub inherited: Inherited,
    /// The one reader of signals.
    pub signals: Signals,
    /// Descendants from before launchgate.
    pub foreign: Foreign,
    /// Standard output.
    pub stdout: Arc<Output>,
    /// Standard error.
    pub stderr: Arc<Output>,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The descriptor is ready.
    Ready,
    /// The moment has come.
    Time,
    /// This signal stops the gate.
    Stop(Stop),
}

impl Host {
    /// Every signal must be blocked already.
    pub fn new(inherited: Inherited, stderr: Arc<Output>) -> io::Result<Self> {
        let signals = Signals::open(inherited.ignored)?;
        Ok(Self {
            inherited,
            signals,
            foreign: Foreign::look(),
            stdout: Arc::new(Output::stdout()),
            stderr,
        })
    }

    /// Waits until `fd` is readable, `until` is reached or a signal stops the gate.
    pub fn wait(&self, fd: Option<BorrowedFd<'_>>, until: Option<Moment>) -> Wake {
        loop {
            if let Some(stop) = self.signals.next_stop() {
                return Wake::Stop(stop);
            }
            if until.is_some_and(|until| Moment::now() >= until) {
                return Wake::Time;
            }
            self.stderr.flush();
            let mut fds = vec![readable(self.signals.as_fd())];
            fds.extend(fd.map(readable));
            if self.stderr.is_waiting() {
                fds.push(writable(self.stderr.descriptor()));
            }
            poll::wait(&mut fds, until);
            if fd.is_some() && fds[1].any() == Some(true) {
                return Wake::Ready;
            }
        }
    }

    /// Writes to standard output and waits until everything is written.
    ///
    /// # Errors
    /// A stop arrived first; what was not written by then is lost.
    pub fn print(&self, text: &[u8]) -> Result<(), Stop> {
        self.stdout.write(text);
        loop {
            if let Some(stop) = self.signals.next_stop() {
                return Err(stop);
            }
            self.stdout.flush();
            if !self.stdout.is_waiting() {
                return Ok(());
            }
            let reader = writable(self.stdout.descriptor());
            poll::wait(&mut [readable(self.signals.as_fd()), reader], None);
        }
    }
}

/// Host name and process id, for the ledger.
pub fn holder() -> String {
    let name = gethostname().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|_| "unknown".into());
    format!(
        "{}:{}",
        name.chars().take(200).collect::<String>(),
        std::process::id()
    )
}
