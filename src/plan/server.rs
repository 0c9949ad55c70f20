//! The plan of the server: its words, its environment, its user.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::planner::expand;
use crate::exit::{Failure, Problem};
use crate::redact;
use crate::settings::{ServerSettings, StepCommand};
use crate::shell_words::{self, Argv};
use crate::sys::environment::Environment;
use crate::sys::forwarding::Init;
use crate::sys::identity::Identity;

/// What launchgate becomes.
#[derive(Debug, Clone)]
pub struct ServerPlan {
    /// What messages call it: `server`, or a probe's `command`.
    pub called: &'static str,
    /// Its words.
    pub argv: Argv,
    /// The command as it was written, for people: expanded values may be secret.
    pub text: String,
    /// Its environment.
    pub environment: Environment,
    /// The user who runs it; `None`: launchgate's own.
    pub identity: Option<Identity>,
    /// How launchgate stays in front of it; `None`: launchgate becomes it.
    pub init: Option<Init>,
}

/// Plans the server; `None` if the command line names none.
///
/// # Errors
/// A setting that can't be meant.
pub fn server(
    inherited: &Environment,
    settings: &ServerSettings,
    warn: &mut dyn FnMut(Problem),
) -> Result<Option<ServerPlan>, Failure> {
    let words = &settings.words;
    if words.is_empty() {
        return Ok(None);
    }
    let environment = environment(inherited, settings);
    let text = redact::passwords(&StepCommand::Words(words.clone()).shown()).into_owned();
    let words = if settings.expand_env {
        expand(words, &environment, "SERVER", Some(settings))?
    } else {
        warn_of_unexpanded(words, warn);
        words.clone()
    };
    match Argv::new(words) {
        Some(argv) => Ok(Some(ServerPlan {
            called: "server",
            argv,
            text,
            environment,
            identity: settings.user.as_ref().map(|user| user.value.1.clone()),
            init: settings.init.clone(),
        })),
        None => Err(Failure::usage(
            "the server's command is empty",
            "write the program to run after `--`",
        )),
    }
}

/// What the server sees.
pub(super) fn environment(inherited: &Environment, settings: &ServerSettings) -> Environment {
    let mut environment = inherited.clone();
    if let Some(user) = &settings.user {
        // Regardless of its value: root's home is no use to another user.
        environment.set(b"HOME", &user.value.1.home);
    }
    environment.retain(|name| !settings.hidden.iter().any(|hidden| hidden.value == name));
    environment
}

/// The exec form expands nothing, and most servers take `$PORT` as it is. A shell expands it.
fn warn_of_unexpanded(words: &[OsString], warn: &mut dyn FnMut(Problem)) {
    const SHELLS: [&[u8]; 6] = [b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh"];
    let is_shell = |word: &OsString| {
        let name = word.as_bytes().rsplit(|&byte| byte == b'/').next();
        name.is_some_and(|name| SHELLS.contains(&name))
    };
    if words.iter().any(is_shell) {
        return;
    }
    let mut names = words.iter().filter_map(|word| {
        let name = shell_words::unexpanded(word.as_bytes())?;
        // In a URL it may be the beginning of a password.
        Some(redact::part(&word.to_string_lossy(), &name).to_owned())
    });
    if let Some(name) = names.next() {
        warn(Problem::new(
            format!(
                "the server's command: `{name}` is not expanded, because this command runs without a shell"
            ),
            "use `--expand-env` to expand it",
        ));
    }
}
