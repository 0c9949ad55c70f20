//! The live line: what the gate is waiting for and for how long, on the last line of a terminal.
//!
//! Only on a terminal, and never while a step runs, because then the terminal is the step's. Runs on
//! its own thread, which ends before the server starts.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::output::log::{Log, Paint};
use crate::output::options::{Format, Verbosity};
use crate::output::timeline::{Phase, Timeline};
use crate::sys::host::Host;
use crate::sys::output::Output;
use crate::sys::terminal::Terminal;
use crate::sys::thread::Background;

/// How often it is updated.
const TICK: Duration = Duration::from_secs(1);

/// Starts it if standard error is a terminal on which a line can be replaced. Dropping it removes the
/// line.
pub fn start(host: &Host, log: &Log) -> Option<Background<Sender<()>>> {
    let is_wanted = log.format == Format::Text && log.verbosity != Verbosity::Quiet;
    if !is_wanted || log.paint == Paint::Pipe {
        return None;
    }
    let terminal = Terminal::open()?;
    let (stop, stopped) = channel();
    let (output, timeline) = (Arc::clone(&host.stderr), log.timeline.clone());
    let thread = Background::start("launchgate-live", stop, move || {
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            // A background job leaves the screen alone.
            if terminal.is_ours() {
                show(&output, &timeline);
            }
        }
        output.clear_live();
    });
    thread.ok()
}

fn show(output: &Output, timeline: &Timeline) {
    let Some(past) = timeline.look() else {
        return;
    };
    let Some(what) = words(&past.phase) else {
        return;
    };
    let time = match past.phase.delay() {
        Some(left) => format!("{} s left", left.as_secs()),
        None => format!("{} s", past.elapsed.as_secs()),
    };
    output.show_live(format!("launchgate: {what}, {time}").as_bytes());
    // If a step started in the meantime, the terminal is the step's.
    if timeline
        .look()
        .is_some_and(|past| words(&past.phase).is_none())
    {
        output.clear_live();
    }
}

/// What the gate is waiting for. `None` while a step runs, or if the phase takes no time.
fn words(phase: &Phase) -> Option<&'static str> {
    match phase {
        Phase::Database => Some("waiting for the database"),
        Phase::Lock => Some("waiting for another replica"),
        Phase::Release => Some("waiting for the release to be migrated"),
        Phase::Delay(_) => Some("waiting to try again after a failed attempt"),
        Phase::Preparing => Some("holding the lock, preparing the steps"),
        Phase::Starting | Phase::Step(_) | Phase::Recording => None,
    }
}
