//! `--init`: the server as a child, and launchgate in front of it, in a small state.
//!
//! May touch `sys` and `log`; never SQL or system calls.

mod state;

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use state::InitState;

use crate::exit::{Failure, FailureKind, Problem};
use crate::output::log::{Event, Field, LAST_WORDS, Log};
use crate::plan::ServerPlan;
use crate::steps::ReadyServer;
use crate::sys::clock::Moment;
use crate::sys::environment::until_nul;
use crate::sys::forwarding::Init;
use crate::sys::host::Host;
use crate::sys::init::{self, InitEvent, InitLoop};
use crate::sys::output::Output;
use crate::sys::signals;

/// The word by which launchgate executes itself. No command has this name, and no help shows it.
const WORD: &str = "init-loop";

/// From now on launchgate gets the signal that it is to get when its parent dies.
pub fn prepare(server: &ServerPlan) {
    if let Some(number) = server.init.as_ref().and_then(|init| init.death_signal) {
        signals::set_death_signal(number);
    }
}

/// Starts the server and stays in front of it to its end. Returns only where it did not start.
pub fn serve(host: &Host, log: &Log, server: &ReadyServer, init: &Init) -> io::Error {
    let (pid, had_terminal) =
        match host.start_server(&server.program, server.plan.identity.as_ref()) {
            Ok(started) => started,
            Err(why) => return why,
        };
    let state = InitState {
        server: pid,
        had_terminal,
        init: init.clone(),
        verbosity: log.verbosity,
        format: log.format,
    };
    init::reenter(&arguments(&state, &server.program.argv));
    // No /proc, say: as large as before, and as good.
    let code = stay(&state, log);
    host.stderr.drain(Moment::now() + LAST_WORDS);
    init::exit(code)
}

/// What `ps` shows: nothing of the gate's own arguments, among which may be a password.
fn arguments(state: &InitState, server: &[CString]) -> Vec<CString> {
    let mut words = vec!["launchgate".to_owned(), WORD.to_owned()];
    words.extend(state.words());
    words.push("--".to_owned());
    let words = words.into_iter().map(|word| until_nul(word.into_bytes()));
    words.chain(server.iter().cloned()).collect()
}

/// Goes on where [`serve`] executed this program; `None` where these are no arguments of its.
pub fn resume<W: AsRef<OsStr>>(args: &[W]) -> Option<u8> {
    let words = args.iter().map(|word| word.as_ref().as_bytes());
    let mut words = words.skip(1).take_while(|word| *word != b"--");
    if words.next()? != WORD.as_bytes() {
        return None;
    }
    let state = InitState::from_words(words)?;
    crate::sys::panic::exit_with(FailureKind::Bug.code(), |_| {});
    init::settle();
    let stderr = Arc::new(Output::stderr());
    let mut log = Log::new(Arc::clone(&stderr));
    (log.verbosity, log.format) = (state.verbosity, state.format);
    let code = stay(&state, &log);
    stderr.drain(Moment::now() + LAST_WORDS);
    Some(code)
}

fn stay(state: &InitState, log: &Log) -> u8 {
    let front = match InitLoop::new(state.server, &state.init, state.had_terminal) {
        Ok(front) => front,
        Err(error) => {
            let failure =
                Failure::no_descriptor(format!("failed to supervise the server: {error}"));
            // The server dies with this process.
            log.fail(Event::GateFailed, &failure);
            return failure.code();
        }
    };
    let ended = front.stay(&mut |news| {
        let (event, what, hint) = match news {
            InitEvent::Leftovers(_) => (
                Event::ServerLeftovers,
                "the server exited and left processes running, stopping them",
                "have the server wait for its children",
            ),
            InitEvent::Killing => (
                Event::ServerLeftoversKilled,
                "processes that the server left did not stop in time, killing them",
                "find out why they ignore SIGTERM, or raise --stop-grace",
            ),
            InitEvent::LeftBehind => (
                Event::ServerLeftoversKilled,
                "processes that the server left can't be killed, giving up on them",
                "check for processes of another user, or in uninterruptible sleep (state D)",
            ),
        };
        let mut fields: Vec<Field<'_>> = Vec::new();
        if let InitEvent::Leftovers(Some(count)) = &news {
            fields.push(("processes", count));
        }
        log.warn(event, &Problem::new(what, hint), &fields);
    });
    match ended {
        Some(ended) => state.init.remapped(ended.shell_code()),
        None => FailureKind::Bug.code(),
    }
}
