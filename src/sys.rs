//! The operating system: signals, processes, terminals, descriptors. The only room with
//! `unsafe`, nix and libc.
//!
//! It imports no other room, and nothing of sqlx. Its invariants: the inherited signal mask and
//! dispositions are read first and restored last; every signal is blocked throughout and read
//! from one descriptor, so no handler ever runs; only `wait` reaps children; between clone and
//! exec there are only async-signal-safe calls.

#![allow(
    unsafe_code,
    reason = "system calls that no safe wrapper has; each block says why it is sound"
)]

pub mod access;
pub mod capture;
pub mod child;
pub mod clock;
mod descendants;
pub mod environment;
pub mod family;
pub mod files;
pub mod forwarding;
pub mod host;
pub mod identity;
pub mod inherited;
pub mod init;
pub mod launch;
pub mod lookup;
pub mod memory;
pub mod output;
pub mod own;
pub mod panic;
mod poll;
pub mod resolve;
pub mod result;
pub mod signals;
pub mod sqlite;
pub mod sqlite_memory;
pub mod step;
pub mod terminal;
pub mod thread;
pub mod user;
mod vfork;
pub mod wait;
pub mod wakeup;
mod watch;

/// `O_NONBLOCK` of open(2), for files that other rooms open.
pub const NONBLOCK: i32 = libc::O_NONBLOCK;

/// `O_NOFOLLOW` of open(2), for files that other rooms open.
pub const NO_FOLLOW: i32 = libc::O_NOFOLLOW;

/// `EAFNOSUPPORT` of socket(2): the kernel has no addresses of this kind.
pub const NO_SUCH_FAMILY: i32 = libc::EAFNOSUPPORT;
