//! Passes a step's output through as it arrives, and keeps the last bytes.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{pipe2, read};

use super::output::{Output, same_file};

/// How much is read before the loop looks at signals and clocks again.
const TURN: usize = 256 * 1024;

/// Makes whole lines, in a format of its own, of the bytes of one stream of a step.
pub trait LineSink: Debug {
    /// Takes the next bytes, or none at the end of the stream, where a last line without a line break
    /// counts too. Returns the lines that they complete.
    fn lines(&mut self, bytes: &[u8]) -> Vec<u8>;
}

/// What happens to the output of a step that does not have launchgate's own standard streams.
#[derive(Debug)]
pub struct StepOutput {
    /// How many of the last bytes are kept.
    pub tail: usize,
    /// Take standard output and standard error; their lines go to standard error. Without
    /// them the output is passed on byte for byte.
    pub sinks: Option<[Box<dyn LineSink>; 2]>,
}

#[derive(Debug)]
struct Pipe {
    read: Option<OwnedFd>,
    to: Arc<Output>,
    sink: Option<Box<dyn LineSink>>,
}

/// Pipes between a step and launchgate's own standard streams.
#[derive(Debug)]
pub(super) struct Capture {
    pipes: Vec<Pipe>,
    tail: VecDeque<u8>,
    /// How long the tail may be.
    most: usize,
}

impl Capture {
    /// If both streams lead to the same place there is one pipe, so that the order in which the
    /// step writes is kept. Also returns the step's ends: the first is its standard output, the last
    /// its standard error.
    pub(super) fn new(
        output: StepOutput,
        stdout: &Arc<Output>,
        stderr: &Arc<Output>,
    ) -> io::Result<(Self, Vec<OwnedFd>)> {
        let mut streams = Vec::with_capacity(2);
        if let Some(sinks) = output.sinks {
            streams.extend(sinks.map(|sink| (stderr, Some(sink))));
        } else {
            if !same_file(stdout.number(), stderr.number()) {
                streams.push((stdout, None));
            }
            streams.push((stderr, None));
        }
        let (mut pipes, mut ends) = (Vec::with_capacity(2), Vec::with_capacity(2));
        for (to, sink) in streams {
            let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
            // Only our end: the step's must behave like any pipe.
            fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            let (read, to) = (Some(read), Arc::clone(to));
            pipes.push(Pipe { read, to, sink });
            ends.push(write);
        }
        let (tail, most) = (VecDeque::new(), output.tail);
        Ok((Self { pipes, tail, most }, ends))
    }

    /// The ends to wait for.
    pub(super) fn readers(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let pipes = self.pipes.iter().filter(|pipe| pipe.to.has_room());
        pipes.filter_map(|pipe| pipe.read.as_ref().map(AsFd::as_fd))
    }

    /// Passes on what there is. With `last`, all writers are gone that will ever be waited
    /// for: a pipe that is empty now is at its end, whoever may still hold it open.
    pub(super) fn pump(&mut self, last: bool) {
        for pipe in &mut self.pipes {
            let keep = |bytes: &[u8]| keep_last(&mut self.tail, self.most, bytes);
            pump(pipe, keep, last);
        }
    }

    /// A stream that can't be written although somebody reads it, and why; once for each.
    pub(super) fn take_failure(&self) -> Option<(RawFd, io::Error)> {
        let mut outputs = self.pipes.iter().map(|pipe| &pipe.to);
        outputs.find_map(|to| Some((to.number(), to.take_failure()?)))
    }

    /// Whether all of it was passed on.
    pub(super) fn is_done(&self) -> bool {
        self.pipes
            .iter()
            .all(|pipe| pipe.read.is_none() && !pipe.to.is_waiting())
    }

    /// The last bytes, oldest first.
    pub(super) fn into_tail(self) -> Vec<u8> {
        self.tail.into()
    }
}

impl Pipe {
    fn pass_on(&mut self, bytes: &[u8]) {
        match &mut self.sink {
            Some(sink) => self.to.write(&sink.lines(bytes)),
            None => self.to.write(bytes),
        }
    }

    fn end(&mut self) {
        self.read = None;
        self.pass_on(&[]);
    }
}

fn keep_last(tail: &mut VecDeque<u8>, most: usize, bytes: &[u8]) {
    let new = &bytes[bytes.len().saturating_sub(most)..];
    let over = (tail.len() + new.len()).saturating_sub(most);
    tail.drain(..over);
    tail.extend(new);
}

fn pump(pipe: &mut Pipe, mut keep: impl FnMut(&[u8]), last: bool) {
    let mut buffer = [0; 16 * 1024];
    let mut turn = 0;
    while turn < TURN && pipe.to.has_room() {
        let Some(fd) = &pipe.read else { return };
        match read(fd, &mut buffer) {
            Ok(0) => pipe.end(),
            Ok(n) => {
                turn += n;
                keep(&buffer[..n]);
                pipe.pass_on(&buffer[..n]);
                // Without launchgate the step would see that its reader is gone, so it does
                // here too. Other write errors, such as a full disk, can't be passed on: closing
                // the pipe would raise SIGPIPE, which kills most programs, whereas few check for
                // failed writes. Losing lines is better than killing a migration
                // halfway, so the lines are dropped and the log says so.
                if pipe.to.is_unread() {
                    pipe.end();
                }
            }
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if !last => return,
            Err(_) => pipe.end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_bytes_only() {
        let mut tail = VecDeque::new();
        for piece in ["a", "bcd", "", "ef", "ghijklm", "n"] {
            keep_last(&mut tail, 4, piece.as_bytes());
        }
        assert_eq!(tail, b"klmn");
    }
}
