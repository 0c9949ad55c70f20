//! The harness of the black-box tests: the real binary, in a folder and an environment of its
//! own, as PID 1 of a PID namespace and as an ordinary process.
//!
//! A test starts something with [`Place::gate`] or [`Place::run`], waits for evidence (a file,
//! a line, a state in /proc) with [`wait_until`], and ends with [`Run::end`]. Nothing waits for
//! a clock. The programs that the tests have launchgate run are `./stub` in the test's
//! folder: see [`stub`].
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "several test binaries share this module, and none uses all of it"
)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::must_use_candidate,
    reason = "in a test a panic is the report, and standard error is where it goes"
)]

pub mod backends;
pub mod core_rules;
pub mod docker;
pub mod home;
pub mod mariadb;
pub mod place;
pub mod processes;
pub mod proxies;
pub mod report;
pub mod run;
pub mod scene;
pub mod servers;
pub mod sid;
pub mod start;
pub mod stub;
pub mod wire;

use std::thread::sleep;
use std::time::{Duration, Instant};

pub(crate) use backends::on_each;
pub use backends::{Db, lock};
pub use place::{Gate, Place};
pub use processes::{Seen, is_alive, signal_tree};
pub use run::{Ended, Finished, Run};
pub use scene::Scene;
pub use start::Given;
pub use stub::{ALL, NONE, Stub, backup, flag, migrate, signals, stub, verify};

/// How launchgate is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A process as any other.
    Ordinary,
    /// PID 1 of a PID namespace that has a /proc of its own.
    PidOne,
    /// A process as any other that stays in front of its server.
    OrdinaryInit,
    /// PID 1 that stays in front of its server.
    PidOneInit,
}

impl Mode {
    /// Whether it is PID 1.
    pub fn is_pid_one(self) -> bool {
        matches!(self, Self::PidOne | Self::PidOneInit)
    }

    /// Whether it runs with `--init`.
    pub fn has_init(self) -> bool {
        matches!(self, Self::OrdinaryInit | Self::PidOneInit)
    }
}

/// Makes a test of a function that takes a [`Mode`] for each of these modes.
#[macro_export]
macro_rules! in_modes {
    ($name:ident: $($test:ident $mode:ident),+) => {
        mod $name {
            $(#[test]
            fn $test() {
                super::$name($crate::common::Mode::$mode);
            })+
        }
    };
}

/// Two tests of each function: `name::ordinary` and `name::pid_one`.
#[macro_export]
macro_rules! both_modes {
    ($($name:ident),+ $(,)?) => {
        $($crate::in_modes!($name: ordinary Ordinary, pid_one PidOne);)+
    };
}

/// Four tests: with `--init` too, where a server follows.
#[macro_export]
macro_rules! four_modes {
    ($($name:ident),+ $(,)?) => {
        $($crate::in_modes!($name: ordinary Ordinary, pid_one PidOne, ordinary_init OrdinaryInit, pid_one_init PidOneInit);)+
    };
}

/// Two tests with `--init`: `name::ordinary` and `name::pid_one`.
#[macro_export]
macro_rules! init_modes {
    ($($name:ident),+ $(,)?) => {
        $($crate::in_modes!($name: ordinary OrdinaryInit, pid_one PidOneInit);)+
    };
}

/// How long evidence may take on a busy machine; only a test that fails waits this long.
pub const DEADLINE: Duration = Duration::from_secs(90);

const FIRST_PAUSE: Duration = Duration::from_millis(3);
const LAST_PAUSE: Duration = Duration::from_millis(20);

/// Waits until `look` finds what it looks for; panics, naming `what`, when it never does.
#[track_caller]
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            started.elapsed() < DEADLINE,
            "waited {DEADLINE:?} for: {what}"
        );
        // Often at first; then less, for a look may be a scan of /proc or a client of a database.
        sleep((started.elapsed() / 50).clamp(FIRST_PAUSE, LAST_PAUSE));
    }
}

/// Waits until it is so.
#[track_caller]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    wait_until(what, || so().then_some(()));
}
