//! The plan: turns settings into what will be done. Pure.
//!
//! Every mistake in a setting is found here or in `settings`, before anything runs or connects.

pub mod coordination;
pub mod embedded;
pub mod gate_plan;
mod planner;
pub mod release;
pub mod revision;
pub mod run_plan;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use embedded::EmbeddedPlan;
use planner::Planner;

use crate::exit::{Failure, Problem};
use crate::redact;
use crate::settings::{Origin, Pair, ServerSettings, Setting, StepCommand, StepSettings};
use crate::shell_words::{self, Argv, RefusalKind, SplitRefusal};
use crate::sys::environment::{Environment, OWN};
use crate::sys::forwarding::Init;
use crate::sys::identity::Identity;

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// Before the first migrate step.
    Backup,
    /// A copy of the database that launchgate makes itself.
    Snapshot,
    /// The migration.
    Migrate,
    /// Migrations that launchgate applies itself.
    Sql,
    /// After the migrate steps.
    Verify,
}

impl StepKind {
    /// The word in the log, the ledger and `LAUNCHGATE_STEP`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Snapshot => "snapshot",
            Self::Migrate => "migrate",
            Self::Sql => "sql",
            Self::Verify => "verify",
        }
    }

    /// Whether launchgate itself is the program.
    #[must_use]
    pub fn is_embedded(self) -> bool {
        matches!(self, Self::Snapshot | Self::Sql)
    }
}

/// One command to run before the server.
#[derive(Debug, Clone)]
pub struct Step {
    /// What it is for.
    pub kind: StepKind,
    /// Its name in the log, the ledger and `LAUNCHGATE_STEP`: its kind, unless it was given one.
    pub name: String,
    /// Its words.
    pub argv: Argv,
    /// The command as it was written, for people, without passwords of URLs.
    pub text: String,
    /// The setting that it comes from.
    pub origin: Origin,
    /// `None`: no limit.
    pub timeout: Option<Duration>,
    /// The user who runs it; `None`: launchgate's own.
    pub identity: Option<Identity>,
    /// Its environment without what launchgate adds per run, if it differs from that of all steps.
    pub environment: Option<Environment>,
}

/// The steps and everything they share.
#[derive(Debug, Clone)]
pub struct Steps {
    /// In the order they run.
    pub list: Vec<Step>,
    /// Their environment, without what launchgate adds per run.
    pub environment: Environment,
    /// Whether a setting names their database sessions (`PGAPPNAME`).
    pub names_sessions: bool,
    /// The time between TERM and KILL.
    pub grace: Duration,
    /// What the embedded steps work on.
    pub embedded: Option<EmbeddedPlan>,
}

impl Steps {
    /// What a step sees, without what launchgate adds per run.
    #[must_use]
    pub fn environment_of<'a>(&'a self, step: &'a Step) -> &'a Environment {
        step.environment.as_ref().unwrap_or(&self.environment)
    }
}

/// What launchgate becomes.
#[derive(Debug, Clone)]
pub struct Server {
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

/// Plans the steps. Warnings go to `warn`.
pub fn steps(
    inherited: &Environment,
    settings: &StepSettings,
    warn: &mut dyn FnMut(Problem),
) -> Result<Steps, Failure> {
    if settings.shell.value && settings.expand_env.value {
        return Err(Failure::usage(
            format!(
                "{} and {} together",
                settings.shell.origin.or_flag("--shell"),
                settings.expand_env.origin.or_flag("--expand-env")
            ),
            "remove `--expand-env`: the shell expands variables itself",
        ));
    }
    let identity = settings.user.as_ref().map(|setting| &setting.value.1);
    let environment = step_environment(inherited, settings, identity);
    let mut planner = Planner {
        inherited,
        settings,
        environment: &environment,
        identity,
        warn,
    };
    let mut list = Vec::new();
    if let Some(written) = &settings.backup {
        list.push(planner.command(StepKind::Backup, written)?);
    }
    if let Some(folder) = &settings.snapshot {
        list.push(planner.embedded(StepKind::Snapshot, folder)?);
    }
    for written in &settings.migrate {
        list.push(planner.command(StepKind::Migrate, written)?);
    }
    if let Some(folder) = &settings.sql {
        list.push(planner.embedded(StepKind::Sql, folder)?);
    }
    if let Some(written) = &settings.verify {
        list.push(planner.command(StepKind::Verify, written)?);
    }
    let commands = settings.backup.iter().chain(&settings.migrate);
    let own = commands
        .chain(&settings.verify)
        .flat_map(|written| &written.value.environment);
    let mut set = settings.step_env.iter().chain(own);
    let mut copied = settings.step_env_from.iter();
    let names_sessions = set.any(|pair| pair.value.0 == SESSION_NAME)
        || copied.any(|variable| variable.value.name == SESSION_NAME);
    Ok(Steps {
        list,
        environment,
        names_sessions,
        grace: settings.stop_grace.value,
        embedded: None,
    })
}

/// libpq's variable for the name of a session.
const SESSION_NAME: &[u8] = b"PGAPPNAME";

fn step_environment(
    inherited: &Environment,
    settings: &StepSettings,
    identity: Option<&Identity>,
) -> Environment {
    let mut environment = inherited.clone();
    if let Some(identity) = identity {
        environment.set(b"HOME", &identity.home);
    }
    for pair in &settings.step_env {
        environment.set(&pair.value.0, &pair.value.1);
    }
    for variable in &settings.step_env_from {
        environment.set(&variable.value.name, &variable.value.value);
    }
    environment
}

/// Plans the server; `None` if the command line names none.
pub fn server(
    inherited: &Environment,
    settings: &ServerSettings,
    warn: &mut dyn FnMut(Problem),
) -> Result<Option<Server>, Failure> {
    let ServerSettings {
        words,
        unset_env: unset,
        step_only,
        ..
    } = settings;
    let mut environment = inherited.clone();
    let identity = settings.user.as_ref().map(|user| user.value.1.clone());
    if let Some(identity) = &identity {
        // Whatever it was: root's home is no use to another user.
        environment.set(b"HOME", &identity.home);
    }
    environment.retain(|name| {
        !unset.iter().any(|setting| setting.value.as_bytes() == name)
            && !step_only.iter().any(|setting| setting.value.1 == name)
    });
    if words.is_empty() {
        return Ok(None);
    }
    let text = redact::passwords(&StepCommand::Words(words.clone()).shown()).into_owned();
    let words = if settings.expand_env {
        expand(words.clone(), &environment, "SERVER", &|refusal| {
            of_the_server(refusal, unset, step_only)
        })?
    } else {
        warn_of_unexpanded(words, warn);
        words.clone()
    };
    match Argv::new(words) {
        Some(argv) => Ok(Some(Server {
            called: "server",
            argv,
            text,
            environment,
            identity,
            init: settings.init.init.clone(),
        })),
        None => Err(Failure::usage(
            "the server's command is empty",
            "write the program to run after `--`",
        )),
    }
}

/// The exec form expands nothing, and most servers take `$PORT` as it is. A shell expands it.
fn warn_of_unexpanded(words: &[OsString], warn: &mut dyn FnMut(Problem)) {
    const SHELLS: [&[u8]; 6] = [b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh"];
    let base = |word: &OsString| {
        word.as_bytes()
            .rsplit(|&byte| byte == b'/')
            .next()
            .map(<[u8]>::to_vec)
    };
    if words
        .iter()
        .filter_map(base)
        .any(|name| SHELLS.contains(&name.as_slice()))
    {
        return;
    }
    let names = words.iter().filter_map(|word| {
        let name = shell_words::unexpanded(word.as_bytes())?;
        // In a URL it may be the beginning of a password.
        let shown = redact::passwords(&word.to_string_lossy()).contains(&name);
        Some(if shown { name } else { "$…".to_owned() })
    });
    if let Some(name) = names.into_iter().next() {
        warn(Problem::new(
            format!(
                "the server's command: `{name}` stays as it is, since no shell runs this command"
            ),
            "use `--expand-env` to expand it",
        ));
    }
}

/// Explains an unset variable better if a setting keeps it from the server.
fn of_the_server(
    refusal: SplitRefusal,
    unset: &[Setting<OsString>],
    step_only: &[Pair],
) -> SplitRefusal {
    let RefusalKind::Unset(name) = &refusal.kind else {
        return refusal;
    };
    let shown = String::from_utf8_lossy(name);
    let by_name = unset
        .iter()
        .find(|setting| setting.value.as_bytes() == name);
    let for_steps = step_only.iter().find(|setting| setting.value.1 == *name);
    let origin = by_name
        .map(|setting| &setting.origin)
        .or(for_steps.map(|setting| &setting.origin));
    if let Some(origin) = origin {
        return SplitRefusal::new(
            format!("`{shown}`, a variable that is not set: {origin} keeps it from the server"),
            format!("remove it from the server's command, or from {origin}"),
        );
    }
    if name.starts_with(OWN) {
        return SplitRefusal::new(
            format!(
                "`{shown}`, a variable that is not set: the server doesn't get launchgate's variables"
            ),
            "remove it, or give the value another name",
        );
    }
    refusal
}

/// `better` may improve the message about what is refused.
fn expand(
    words: Vec<OsString>,
    environment: &Environment,
    of: &str,
    better: &dyn Fn(SplitRefusal) -> SplitRefusal,
) -> Result<Vec<OsString>, Failure> {
    let get = |name: &[u8]| {
        environment
            .get(name)
            .map(|value: &OsStr| value.as_bytes().to_vec())
    };
    words
        .into_iter()
        .map(|word| {
            shell_words::expand(word.as_bytes(), &get)
                .map(OsString::from_vec)
                .map_err(|refusal| {
                    let refusal = better(refusal);
                    Failure::usage(
                        format!(
                            "{of}: found {} in `{}`",
                            refusal.found,
                            word.to_string_lossy()
                        ),
                        refusal.instead,
                    )
                })
        })
        .collect()
}
