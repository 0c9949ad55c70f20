//! Starting threads.
//!
//! Every thread has every signal blocked: one that lets a signal through would take it from the
//! descriptor that reads them all, and by default die of it. A thread inherits the mask, but musl
//! unblocks the two signals that it keeps for itself, 33 and 34, in a process that starts its first
//! thread, and 33 in each new thread (`pthread_create.c`).

use std::io;
use std::thread::{Builder, JoinHandle};

use super::signals;

/// Starts a thread with every signal blocked, here and there.
///
/// # Errors
/// No thread could be had.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let thread = Builder::new().name(name.into()).spawn(move || {
        block_signals();
        work()
    });
    block_signals();
    thread
}

/// A thread that works until this is dropped: it notices that the other side of `stop` is gone, and
/// the drop waits for that.
#[derive(Debug)]
pub struct Background<S> {
    stop: Option<S>,
    thread: Option<JoinHandle<()>>,
}

impl<S> Background<S> {
    /// Starts it, with every signal blocked.
    ///
    /// # Errors
    /// No thread could be had.
    pub fn start(name: &str, stop: S, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        Ok(Self {
            stop: Some(stop),
            thread: Some(spawn(name, work)?),
        })
    }
}

impl<S> Drop for Background<S> {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Blocks every signal in this thread.
pub fn block_signals() {
    // Its arguments are valid, so it can't fail.
    let _ = signals::block_all();
}
