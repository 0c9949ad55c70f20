//! The last steps before the server: restore what was inherited, and exec.

use std::io;

use libc::c_int;

use super::child::{Program, pointers};
use super::inherited::Inherited;
use super::signals::Stop;
use super::signals::{self, Signals};
use super::user;
use super::wait;
use crate::sys::identity::Identity;

/// Why the server did not start.
#[derive(Debug)]
pub enum NotLaunched {
    /// A signal arrived before the point of no return.
    Stopped(Stop),
    /// execve(2) failed.
    Exec(io::Error),
}

/// Becomes `program`, as `identity` if one is given. Returns only if that fails.
///
/// Every signal is still blocked here. Signals that have arrived are read once more. Then each
/// stop signal gets a handler that ends the process, for one that arrives between unblocking and
/// exec: a PID 1 does not get the default action. execve resets handlers (execve(2), "Effect on
/// process attributes"), so the server sees none of this.
pub fn launch(
    program: &Program,
    identity: Option<&Identity>,
    inherited: &Inherited,
    signals: &Signals,
) -> NotLaunched {
    if let Some(stop) = signals.next_stop() {
        return NotLaunched::Stopped(stop);
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
            signals::set_disposition(number, exit_by_signal as *const () as usize);
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
    // Only reached if exec failed: undo what can be undone.
    let error = io::Error::last_os_error();
    let _ = signals::block_all();
    for number in signals::STOPS {
        if !inherited.ignored.ignores(number) {
            signals::set_disposition(number, libc::SIG_DFL);
        }
    }
    NotLaunched::Exec(error)
}

/// Switches users. That clears the parent-death signal (prctl(2)), so it is set again: it was
/// inherited, and is not launchgate's to change.
fn become_user(identity: &Identity) -> io::Result<()> {
    let mut death: c_int = 0;
    // SAFETY: the pointer is to an int that lives through the call.
    unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut death) };
    user::become_user(identity)?;
    if death != 0 {
        signals::set_death_signal(death);
    }
    Ok(())
}

extern "C" fn exit_by_signal(number: c_int) {
    // SAFETY: _exit(2) is async-signal-safe (signal-safety(7)).
    unsafe { libc::_exit(128 + number) }
}
