//! `launchgate check`: changes nothing, says what would happen.
use crate::exit::Failure;
use crate::log::Log;
use crate::settings::Sources;
use crate::sys::supervise::Host;

/// Checks.
pub fn check(_host: &Host, _log: &Log, _sources: &Sources<'_>) -> Result<(), Failure> {
    Ok(())
}
