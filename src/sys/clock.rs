//! `CLOCK_BOOTTIME`, which continues while the machine is suspended (`clock_gettime(2)`), so
//! that a lease that expired meanwhile is noticed right after resume.

use std::mem::zeroed;
use std::ops::Add;
use std::time::Duration;

use libc::c_long;

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// The current time. Uses the system call itself: the C library first searches for the
    /// kernel's vdso(7), which takes longer than the few calls that a start makes.
    pub fn now() -> Self {
        let clock = c_long::from(libc::CLOCK_BOOTTIME);
        // SAFETY: all zeroes is a value of this C structure, and the pointer to it lives
        // through the call. It fails only for a clock that the kernel lacks; boot time
        // exists since Linux 2.6.39.
        let now: libc::timespec = unsafe {
            let mut now = zeroed();
            libc::syscall(libc::SYS_clock_gettime, clock, &raw mut now);
            now
        };
        Self(Duration::new(
            u64::try_from(now.tv_sec).unwrap_or(0),
            u32::try_from(now.tv_nsec).unwrap_or(0),
        ))
    }

    /// The time since `earlier`; zero if that is in the future.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// The moment `duration` later, or the latest one that can be represented.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// The earlier of two moments, either of which may be absent.
pub fn earliest(a: Option<Moment>, b: Option<Moment>) -> Option<Moment> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
