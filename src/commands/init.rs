//! `launchgate init`: no gate, only the server with launchgate in front of it.

use crate::commands::{every_start, init_loop};
use crate::exit::Failure;
use crate::output::log::{Event, Log};
use crate::plan;
use crate::settings::ServerSettings;
use crate::steps;
use crate::sys::environment::Environment;
use crate::sys::host::Host;

/// Starts the server and stays in front of it. Returns only if it did not start.
///
/// # Errors
/// The server can't be started.
pub fn init(
    host: &Host,
    log: &Log,
    environment: &Environment,
    settings: &ServerSettings,
) -> Result<(), Failure> {
    let Some(planned) = plan::server(environment, settings, &mut |problem| {
        log.warn(Event::ConfigWarning, &problem, &[]);
    })?
    else {
        return Ok(());
    };
    init_loop::prepare(&planned);
    let ready = steps::find_server(planned, log)?;
    // There is no gate to stop: a signal that arrived already is the server's, as with tini.
    every_start::start(host, log, &ready)
}
