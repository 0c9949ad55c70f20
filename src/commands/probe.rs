//! `launchgate probe`: a health check for images without a shell. A closed gate is healthy; once the
//! server runs, its own check decides.

use std::ffi::OsString;

use crate::cli::Verb;
use crate::exit::{Failure, FailureKind};
use crate::output::log::Log;
use crate::plan::ServerPlan;
use crate::shell_words::Argv;
use crate::steps;
use crate::sys::environment::Environment;
use crate::sys::host::Host;
use crate::sys::launch::{self, NotLaunched};
use crate::sys::own;

/// The commands that have a gate.
const GATES: [Verb; 3] = [Verb::Run, Verb::Job, Verb::Wait];

/// Returns if the process is still launchgate in its gate, or if there is no command; otherwise
/// becomes the command. Logs nothing, since it runs every few seconds.
///
/// # Errors
/// The command can't be executed; without one, there is no such process.
pub fn probe(
    host: &Host,
    log: &Log,
    environment: &Environment,
    (pid, words): (i32, &[OsString]),
) -> Result<(), Failure> {
    if own::runs(pid, &GATES.map(Verb::as_str)) {
        return Ok(());
    }
    let Some(server) = command(environment, words) else {
        return if own::lives(pid) {
            Ok(())
        } else {
            Err(Failure::because(
                FailureKind::Step(1),
                format!("there is no process {pid}"),
                "set --pid to the process ID of launchgate",
            ))
        };
    };
    let ready = steps::find_server(server, log)?;
    let launched = launch::launch(&ready.program, None, &host.inherited, &host.signals);
    Err(match launched {
        NotLaunched::Stopped(stop) => steps::stopped(stop, "starting the command"),
        NotLaunched::Exec(error) => steps::server_not_started(&ready, &error),
    })
}

/// The command, with the environment that it would have had without launchgate.
fn command(environment: &Environment, words: &[OsString]) -> Option<ServerPlan> {
    let text = words.join(&OsString::from(" "));
    Some(ServerPlan {
        called: "command",
        argv: Argv::new(words.to_vec())?,
        text: text.to_string_lossy().into_owned(),
        environment: environment.clone(),
        identity: None,
        init: None,
    })
}
