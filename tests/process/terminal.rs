//! A pseudo-terminal, and the user in front of it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{Winsize, openpty};

use crate::common::wait_until;

fn size(lines: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: lines,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// The keyboard's and screen's side of a terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    master: File,
    slave: OwnedFd,
    shown: Vec<u8>,
}

impl Terminal {
    /// A new one of 37 lines and 91 columns.
    pub(crate) fn new() -> Self {
        let size = size(37, 91);
        let pty = openpty(Some(&size), None).unwrap();
        fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        Self {
            master: pty.master.into(),
            slave: pty.slave,
            shown: Vec::new(),
        }
    }

    /// The program's side.
    pub(crate) fn slave(&self) -> OwnedFd {
        self.slave.try_clone().unwrap()
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Makes the window this large.
    #[allow(unsafe_code, reason = "no wrapper has this ioctl")]
    pub(crate) fn resize(&self, lines: u16, columns: u16) {
        let size = size(lines, columns);
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.master);
        // SAFETY: the pointer lives through the call.
        assert_eq!(
            unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, &raw const size) },
            0
        );
    }

    /// The foreground process group; the master's side answers to strangers too.
    pub(crate) fn foreground(&self) -> i32 {
        nix::unistd::tcgetpgrp(self.master.as_fd()).map_or(-1, nix::unistd::Pid::as_raw)
    }

    /// Everything shown so far.
    pub(crate) fn shown(&mut self) -> String {
        let mut buffer = [0; 4096];
        loop {
            match self.master.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => self.shown.extend(&buffer[..len]),
                Err(error) => {
                    let errno = error.raw_os_error().map(Errno::from_raw);
                    assert!(matches!(errno, Some(Errno::EAGAIN | Errno::EIO)), "{error}");
                    break;
                }
            }
        }
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Waits until `text` is shown `times` times.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str, times: usize) {
        let mut last = String::new();
        let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until(&format!("{text:?} on the terminal"), || {
                last = self.shown();
                (last.matches(text).count() >= times).then_some(())
            });
        }));
        assert!(
            shown.is_ok(),
            "no {text:?} on the terminal, which shows:\n{last}"
        );
    }
}
