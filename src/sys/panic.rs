//! A panic is a bug in launchgate: one log line, and an exit code of its own. A running step is
//! killed by its parent-death signal.

use std::io::Write as _;

/// Makes a panic on any thread end the process with `code`.
pub fn exit_with(code: u8) {
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.to_string().replace('\n', " ");
        let line = format!(
            "launchgate: error: {text} code={code} hint=\"a bug in launchgate: report it\"\n"
        );
        let _ = std::io::stderr().write_all(line.as_bytes());
        // SAFETY: _exit(2) takes a number and does not return.
        unsafe { libc::_exit(code.into()) };
    }));
}
