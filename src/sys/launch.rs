//! The last lines before the server: give back what was inherited, and exec.

use std::io;

use libc::c_int;

use super::child::{Program, pointers};
use super::inherited::Inherited;
use super::signals::{self, Signal, Signals};
use super::user::{self, Switch};
use super::wait;
use crate::sys::identity::Identity;

/// Why the server did not start.
#[derive(Debug)]
pub enum NotLaunched {
    /// A signal arrived before the point of no return.
    Stopped(Signal),
    /// execve(2) refused.
    Exec(io::Error),
}

/// Becomes `program`, as `identity` where one is given. Returns only where that could not be.
///
/// Every signal is still blocked here. Those that arrived are looked at once more; then a
/// handler that ends the process takes the place of each stop signal's default action, so
/// that one that arrives between the unblocking and the exec is obeyed also by a PID 1,
/// which the default action would not touch. execve resets handlers to the default
/// (execve(2), "Effect on process attributes"), so the server sees none of it.
#[must_use]
pub fn launch(
    program: &Program,
    identity: Option<&Identity>,
    inherited: &Inherited,
    signals: &Signals,
) -> NotLaunched {
    if let Some(number) = signals.next_stop() {
        return NotLaunched::Stopped(number);
    }
    if let Some(identity) = identity
        && let Err(error) = become_user(identity)
    {
        return NotLaunched::Exec(error);
    }
    inherited.restore();
    if inherited.ignored.ignores(libc::SIGCHLD) {
        wait::reap_all_dead();
    }
    for number in signals::STOPS {
        if !inherited.ignored.ignores(number) {
            set_handler(number, exit_by_signal as *const () as usize);
        }
    }
    let argv = pointers(&program.argv);
    let envp = pointers(&program.environment);
    if let Err(error) = signals::set_mask(inherited.mask) {
        return NotLaunched::Exec(error);
    }
    // SAFETY: every pointer is to a C string or to an array of them that ends with a null
    // pointer, and all live until the call returns, which it does only when it failed.
    unsafe { libc::execve(program.path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    // There is a way back only where exec failed.
    let error = io::Error::last_os_error();
    let _ = signals::block_all();
    for number in signals::STOPS {
        if !inherited.ignored.ignores(number) {
            set_handler(number, libc::SIG_DFL);
        }
    }
    NotLaunched::Exec(error)
}

/// The switch clears the parent-death signal (prctl(2)), which is not launchgate's to change.
fn become_user(identity: &Identity) -> io::Result<()> {
    let mut death: c_int = 0;
    // SAFETY: the pointer is to an int that lives through the call, the other prctl takes a
    // number, and the identity lives.
    unsafe {
        libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut death);
        let errno = user::become_user(&Switch::of(identity));
        if errno != 0 {
            return Err(io::Error::from_raw_os_error(errno));
        }
        if death != 0 {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::c_long::from(death));
        }
    }
    Ok(())
}

extern "C" fn exit_by_signal(number: c_int) {
    // SAFETY: _exit(2) is async-signal-safe (signal-safety(7)).
    unsafe { libc::_exit(128 + number) }
}

fn set_handler(number: Signal, handler: usize) {
    // SAFETY: all zeroes is a value of this C structure; the handler is a function of the
    // type that sa_flags without SA_SIGINFO asks for, or SIG_DFL.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        libc::sigaction(number, &raw const action, std::ptr::null_mut());
    }
}
