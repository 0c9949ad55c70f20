//! The live line: what the gate waits for and for how long, on the last line of a terminal.
//!
//! Only where somebody sits in front of it, and never while a step runs: then the terminal is
//! the step's. On a thread of its own, gone before the server starts.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::output::log::{Log, Paint};
use crate::output::options::{Format, Verbosity};
use crate::output::timeline::{Phase, Timeline};
use crate::sys::host::Host;
use crate::sys::output::Output;
use crate::sys::terminal::Terminal;

/// How often it is written anew.
const TICK: Duration = Duration::from_secs(1);

/// The line. Dropping it takes it away.
#[derive(Debug)]
pub struct Live {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Begins, where standard error is a terminal that shows one line in the place of another.
    #[must_use]
    pub fn start(host: &Host, log: &Log) -> Option<Self> {
        let is_wanted = log.format() == Format::Text && log.verbosity() != Verbosity::Quiet;
        if !is_wanted || log.paint() == Paint::Pipe {
            return None;
        }
        let terminal = Terminal::open()?;
        let (stop, stopped) = channel();
        let (output, timeline) = (Arc::clone(&host.stderr), log.timeline().clone());
        let thread = Builder::new()
            .name("launchgate-live".into())
            .spawn(move || {
                while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    // A job in the background leaves the screen to others.
                    if terminal.is_ours() {
                        show(&output, &timeline);
                    }
                }
                output.clear_live();
            });
        Some(Self {
            stop: Some(stop),
            thread: thread.ok(),
        })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn show(output: &Output, timeline: &Timeline) {
    let Some(past) = timeline.look() else {
        return;
    };
    let Some(what) = words(&past.phase) else {
        return;
    };
    output.show_live(format!("launchgate: {what}, {} s", past.elapsed.as_secs()).as_bytes());
    // A step that started meanwhile has the terminal.
    if timeline
        .look()
        .is_some_and(|past| words(&past.phase).is_none())
    {
        output.clear_live();
    }
}

/// What is waited for; nothing where a step runs, or what happens takes no time.
fn words(phase: &Phase) -> Option<&'static str> {
    match phase {
        Phase::Database => Some("waiting for the database"),
        Phase::Lock => Some("waiting for another replica"),
        Phase::Release => Some("waiting for the release to be migrated"),
        Phase::Preparing => Some("holding the lock, getting ready"),
        Phase::Starting | Phase::Step(_) | Phase::Recording => None,
    }
}
