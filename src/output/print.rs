//! Standard output: what a command prints for people or programs.

use crate::exit::{Failure, FailureKind, Problem};
use crate::sys::host::Host;
use crate::sys::signals;

/// Prints on standard output, all of it.
///
/// # Errors
/// It can't be written, or a signal came before all of it was read.
pub fn print(host: &Host, text: &[u8]) -> Result<(), Failure> {
    host.print(text).map_err(|number| {
        let what = format!("stopped by {} while printing", signals::name(number));
        Failure::new(
            FailureKind::Stopped(number),
            Problem::new(what, "see who reads standard output"),
        )
    })?;
    // A reader that has seen enough (`| head`) is no failure.
    if host.stdout.has_failed() && !host.stdout.is_unread() {
        return Err(Failure::new(
            FailureKind::System,
            Problem::new("failed to write to standard output", "see where it leads"),
        ));
    }
    Ok(())
}
