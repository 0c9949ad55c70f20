//! A panic is a bug in launchgate: it says so in one line and ends the process with the exit
//! code that means it. The step goes with it, by its parent-death signal.

use std::io::Write as _;

/// From now on a panic on any thread ends the process with `code`.
pub fn exit_with(code: i32) {
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.to_string().replace('\n', " ");
        let line = format!(
            "launchgate: error: {text} code={code} hint=\"a bug in launchgate: report it\"\n"
        );
        let _ = std::io::stderr().write_all(line.as_bytes());
        // SAFETY: _exit(2) takes a number and does not return.
        unsafe { libc::_exit(code) };
    }));
}
