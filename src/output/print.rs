//! Printing a result on standard output, for people or programs.

use crate::exit::{Failure, FailureKind};
use crate::sys::host::Host;

/// Prints all of `text` on standard output.
///
/// # Errors
/// Standard output can't be written, or a signal arrived before all of it was read.
pub fn print(host: &Host, text: impl AsRef<[u8]>) -> Result<(), Failure> {
    host.print(text.as_ref()).map_err(|stop| {
        let what = format!("stopped by {stop} while printing");
        Failure::because(
            FailureKind::Stopped(stop),
            what,
            "check the program that reads launchgate's standard output",
        )
    })?;
    // A reader that stops early (`| head`) is not a failure.
    if let Some(error) = host.stdout.take_failure() {
        return Err(Failure::because(
            FailureKind::System,
            format!("failed to write to standard output: {error}"),
            "check where it is redirected, and whether that device is full",
        ));
    }
    Ok(())
}
