//! A panic is a bug in launchgate: one log line, and an exit code of its own. A running step is
//! killed by its parent-death signal.

use std::io::Write as _;

/// What to do about it.
pub const HINT: &str = "a bug in launchgate: report it";

/// Makes a panic on any thread end the process with `code`, once `report` has had its message.
pub fn exit_with(code: u8, report: impl Fn(&str) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.to_string().replace('\n', " ");
        let line = format!("launchgate: error: {text} code={code} hint=\"{HINT}\"\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        report(&text);
        // SAFETY: _exit(2) takes a number and does not return.
        unsafe { libc::_exit(code.into()) };
    }));
}
