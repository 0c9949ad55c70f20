//! Standard output: what a command prints for people or programs.

use std::time::Duration;

use crate::exit::{Failure, Problem};
use crate::sys::clock::Moment;
use crate::sys::host::Host;

/// Prints on standard output, all of it.
///
/// # Errors
/// It can't be written.
pub fn print(host: &Host, text: &[u8]) -> Result<(), Failure> {
    host.stdout.write(text);
    host.stdout.drain(Moment::now() + Duration::from_hours(1));
    // A reader that has seen enough (`| head`) is no failure.
    if host.stdout.has_failed() && !host.stdout.is_unread() {
        return Err(Failure::System(Problem::new(
            "failed to write to standard output",
            "see where it leads",
        )));
    }
    Ok(())
}
