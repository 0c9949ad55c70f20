//! The command line: every flag with its help, side by side.
//!
//! These definitions are also the source of the help, the man page, the completions and the
//! names of the `LAUNCHGATE_*` variables. The values are raw on purpose: which of flag,
//! variable, file and default wins, and whether it parses, is decided in `settings`, which
//! can then name the origin. May touch nothing but its arguments.

mod keys;
mod peek;
mod verb;

use std::ffi::{OsStr, OsString};
use std::mem::ManuallyDrop;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Args, Command, ValueHint};

pub use keys::{Key, Shape, keys};
pub use peek::PreParsedArgs;
pub use verb::Verb;

use crate::exit::Failure;

/// What runs before the server, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Steps")]
pub struct StepFlags {
    /// Run CMD before the first migrate step, only when a migration is due
    #[arg(long, value_name = "CMD")]
    pub backup: Option<OsString>,
    /// Run CMD to migrate; repeatable, in order
    #[arg(long, value_name = "CMD")]
    pub migrate: Vec<OsString>,
    /// SQLite: copy the database into DIR before the first migrate step, and migrate only if that worked
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub snapshot: Option<OsString>,
    /// Apply the .sql migrations in DIR after the migrate commands, as sqlx-cli would
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub sql: Option<OsString>,
    /// Run CMD after the migrate steps; its failure fails the run
    #[arg(long, value_name = "CMD")]
    pub verify: Option<OsString>,
    /// Run the step commands through `/bin/sh -c`
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub shell: Option<OsString>,
    /// Expand $NAME and ${NAME} in step commands and in SERVER's arguments, without a shell
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub expand_env: Option<OsString>,
    /// Stop a step that runs longer, and fail [default: 0, no limit]
    #[arg(long, value_name = "DURATION")]
    pub migrate_timeout: Option<OsString>,
    /// Time between SIGTERM and SIGKILL for a step; 0 is SIGKILL at once [default: 10s]
    #[arg(long, value_name = "DURATION")]
    pub stop_grace: Option<OsString>,
    /// Set NAME for the steps only; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    pub step_env: Vec<OsString>,
    /// Give the steps' NAME the value of variable SOURCE, which the server never sees; repeatable
    #[arg(long, value_name = "NAME=SOURCE")]
    pub step_env_from: Vec<OsString>,
    /// Run the steps as this user: names or numbers [default: --user]
    #[arg(long, value_name = "USER[:GROUP]")]
    pub step_user: Option<OsString>,
}

/// Where lock and ledger live.
#[derive(Debug, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseFlags {
    /// Keep lock and ledger in this database [default: the first set of `DATABASE_URL`,
    /// `POSTGRES_URI_ADMIN`, `POSTGRES_URI`, `MYSQL_CONNECTOR_URI`]
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub database_url: Option<OsString>,
    /// Read the database's URL from this variable
    #[arg(long, value_name = "NAME")]
    pub database_url_env: Option<OsString>,
    /// Read the database's URL from this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub database_url_file: Option<OsString>,
    /// Use no lock and no ledger: the steps run at every start, in every replica
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_database: Option<OsString>,
    /// Name of this app among those that share the database [default: default]
    #[arg(long, value_name = "NAME")]
    pub app: Option<OsString>,
    /// How long to wait for the database to accept a connection [default: 60s]
    #[arg(long, value_name = "DURATION")]
    pub wait_timeout: Option<OsString>,
}

/// Which revision, and how replicas agree on who migrates.
#[derive(Debug, Args)]
#[command(next_help_heading = "Coordination")]
pub struct CoordinationFlags {
    /// Name of this release [default: the platform's release id]
    #[arg(long, value_name = "ID")]
    pub release: Option<OsString>,
    /// Key the ledger by a hash of these files instead; repeatable
    #[arg(long, value_name = "GLOB")]
    pub fingerprint: Vec<OsString>,
    /// How long to wait for another replica's migration [default: 0, no limit]
    #[arg(long, value_name = "DURATION")]
    pub lock_timeout: Option<OsString>,
    /// How long a silent holder still counts as alive, 3s to 1h [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub lease: Option<OsString>,
    /// Failed attempts of one revision after which it is refused; 0 is no limit [default: 3]
    #[arg(long, value_name = "N")]
    pub max_attempts: Option<OsString>,
    /// How long to wait for database sessions that an earlier run's step left [default: 60s]
    #[arg(long, value_name = "DURATION")]
    pub orphan_timeout: Option<OsString>,
}

/// What the server gets.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerFlags {
    /// Remove NAME from the server's environment; repeatable
    #[arg(long, value_name = "NAME")]
    pub unset_env: Vec<OsString>,
    /// Run the server as this user: names or numbers
    #[arg(long, value_name = "USER[:GROUP]")]
    pub user: Option<OsString>,
    /// Stay as an init in front of the server: forward signals, reap zombies
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub init: Option<OsString>,
    /// With --init: send signals to the server's whole process group
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub init_group: Option<OsString>,
    /// With --init: forward signal FROM as TO, 0 drops it; repeatable
    #[arg(long, value_name = "FROM:TO")]
    pub rewrite_signal: Vec<OsString>,
    /// With --init: exit with TO where the server exits with FROM; repeatable
    #[arg(long, value_name = "FROM:TO")]
    pub remap_exit: Vec<OsString>,
    /// Answer HTTP health checks on ADDR while the gate is closed: `:8080`, `127.0.0.1:8080`, `[::1]:8080`
    #[arg(long, value_name = "ADDR")]
    pub health_listen: Option<OsString>,
    /// With --init: get this signal, and forward it, when launchgate's own parent dies
    #[arg(long, value_name = "SIGNAL")]
    pub parent_death_signal: Option<OsString>,
}

/// How much is said.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub struct LogFlags {
    /// Say more
    #[arg(long, short, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub verbose: Option<OsString>,
    /// Say only what is wrong
    #[arg(long, short, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub quiet: Option<OsString>,
    /// `text`, or `json`: one object per line, the steps' output wrapped line by line [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<OsString>,
}

/// Where the reason of a failure is left for a platform.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub struct TerminationFlags {
    /// Write why the gate failed into FILE [default: `/dev/termination-log` where it exists]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub termination_log: Option<OsString>,
}

/// What else says what is wanted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings file")]
pub struct FileFlags {
    /// Read settings from FILE [default: `./launchgate.toml`, else `/etc/launchgate.toml`, where one is there]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<OsString>,
}

#[derive(Debug, Args)]
struct ServerCommand {
    /// The server and its arguments, behind `--`
    #[arg(last = true, value_name = "SERVER", help_heading = "Arguments", value_hint = ValueHint::CommandWithArguments)]
    server: Vec<OsString>,
}

#[derive(Debug, Args)]
struct GateCommand {
    #[command(flatten)]
    steps: StepFlags,
    #[command(flatten)]
    database: DatabaseFlags,
    #[command(flatten)]
    coordination: CoordinationFlags,
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    log: LogFlags,
    #[command(flatten)]
    termination: TerminationFlags,
    #[command(flatten)]
    file: FileFlags,
}

/// For a command that runs no step.
#[derive(Debug, Args)]
#[command(next_help_heading = "Coordination")]
struct SqlRevision {
    /// The .sql migrations whose fingerprint is the revision, as for `launchgate run --sql`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    sql: Option<OsString>,
}

/// For a command whose only command is the server's.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
struct ServerExpansion {
    /// Expand $NAME and ${NAME} in SERVER's arguments, without a shell
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    expand_env: Option<OsString>,
}

#[derive(Debug, Args)]
struct WaitCommand {
    #[command(flatten)]
    database: DatabaseFlags,
    #[command(flatten)]
    coordination: CoordinationFlags,
    #[command(flatten)]
    sql: SqlRevision,
    #[command(flatten)]
    expansion: ServerExpansion,
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    log: LogFlags,
    #[command(flatten)]
    termination: TerminationFlags,
    #[command(flatten)]
    file: FileFlags,
}

/// A step that launchgate does itself, as a process of its own. No user writes this.
#[derive(Debug, Args)]
struct EmbeddedCommand {
    #[arg(required = true)]
    what: Option<OsString>,
    #[arg(required = true)]
    folder: Option<OsString>,
}

#[derive(Debug, Args)]
struct ProbeCommand {
    /// The process that the gate is in front of [default: 1]
    #[arg(long, value_name = "N")]
    pid: Option<OsString>,
    #[command(flatten)]
    file: FileFlags,
    /// The health check's command and its arguments, behind `--`
    #[arg(last = true, value_name = "COMMAND", help_heading = "Arguments", value_hint = ValueHint::CommandWithArguments)]
    server: Vec<OsString>,
}

#[derive(Debug, Args)]
struct StatusCommand {
    /// Print JSON
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    json: Option<OsString>,
    #[command(flatten)]
    database: DatabaseFlags,
    #[command(flatten)]
    log: LogFlags,
    #[command(flatten)]
    file: FileFlags,
}

#[derive(Debug, Args)]
struct ResolveCommand {
    /// The revision, as `launchgate status` shows it
    #[arg(value_name = "REVISION", required = true)]
    revision: Option<OsString>,
    /// `succeeded`: take it as done; `retry`: count attempts anew; `blocked`: never start it
    #[arg(long = "as", value_name = "DECISION", required = true)]
    r#as: Option<OsString>,
    /// Why, for whoever reads the ledger
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    note: Option<OsString>,
    #[command(flatten)]
    database: DatabaseFlags,
    #[command(flatten)]
    log: LogFlags,
    #[command(flatten)]
    file: FileFlags,
}

#[derive(Debug, Args)]
struct PrintDdlCommand {
    /// `postgres`, `mysql` or `sqlite`
    #[arg(long, value_name = "KIND", required = true)]
    database: Option<OsString>,
}

#[derive(Debug, Args)]
struct ConvertCommand {
    /// The chain as it is written: `sh -c "migrate; serve"`, its words behind `--`, a
    /// Dockerfile's JSON array, or `-` for standard input
    #[arg(value_name = "CHAIN", required = true, trailing_var_arg = true)]
    chain: Vec<OsString>,
}

#[derive(Debug, Args)]
struct GenerateCommand {
    /// What to print
    #[arg(value_name = "WHAT", required = true, value_parser = ["man", "bash", "zsh", "fish", "schema"])]
    what: Option<String>,
}

/// The command line as it was given.
#[derive(Debug)]
pub struct Raw {
    /// Which command.
    pub verb: Verb,
    matches: ArgMatches,
}

/// What parsing came to.
#[derive(Debug)]
pub enum Parsed {
    /// A command to carry out.
    Command(Box<Raw>),
    /// Help or version: print it, exit 0.
    Print(String),
}

impl Raw {
    /// What was given for the argument `id`, in order; `None` where it was not given.
    #[must_use]
    pub fn values(&self, id: &str) -> Option<Vec<&OsStr>> {
        Some(self.matches.try_get_raw(id).ok()??.collect())
    }

    /// Whether any of these arguments was given.
    #[must_use]
    pub fn gives_any(&self, ids: &[&str]) -> bool {
        self.matches
            .ids()
            .any(|given| ids.contains(&given.as_str()))
    }

    /// The server's command, empty where none was given.
    #[must_use]
    pub fn server(&self) -> Vec<OsString> {
        self.values("server")
            .unwrap_or_default()
            .into_iter()
            .map(OsStr::to_os_string)
            .collect()
    }
}

/// The definition of the whole command line. Subcommands are built only when they are used:
/// building them all takes longer than everything else before the first step.
#[must_use]
pub fn command() -> Command {
    Verb::ALL.into_iter().fold(
        Command::new("launchgate")
            .version(env!("CARGO_PKG_VERSION"))
            .about("Runs the database migration once per release, then becomes the server")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .disable_help_subcommand(true)
            .after_help(AFTER_HELP),
        |command, verb| command.subcommand(verb.command()),
    )
}

const AFTER_HELP: &str = "\
Every flag can also be given as a variable or in the settings file launchgate.toml:
--migrate-timeout is LAUNCHGATE_MIGRATE_TIMEOUT and migrate-timeout there.

  launchgate run --migrate \"node migrate.js\" -- node server.js";

/// Parses the process's arguments, the program's name first.
///
/// # Errors
/// A usage failure that says what was found and what to write.
pub fn parse(args: &[OsString]) -> Result<Parsed, Failure> {
    // Not taken apart: that would take longer than all of the steps' settings, and the process
    // will soon be another.
    let mut known = ManuallyDrop::new(command());
    let word = args.get(1);
    let is_job = word.is_some_and(|word| word == Verb::Job.as_str());
    if word.is_some_and(|word| word == Verb::Embedded.as_str()) {
        known = ManuallyDrop::new(command().subcommand(Verb::Embedded.command()));
    }
    let error = match known.try_get_matches_from_mut(args) {
        Ok(mut matches) => {
            let Some((name, matches)) = matches.remove_subcommand() else {
                return Err(Failure::usage("no command", "see `launchgate --help`"));
            };
            let mut verbs = Verb::ALL.into_iter().chain([Verb::Embedded]);
            let Some(verb) = verbs.find(|verb| verb.as_str() == name) else {
                return Err(Failure::usage(
                    format!("no command {name}"),
                    "see `launchgate --help`",
                ));
            };
            return Ok(Parsed::Command(Box::new(Raw { verb, matches })));
        }
        Err(error) => error,
    };
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return Ok(Parsed::Print(error.to_string()));
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Err(Failure::usage("no command", "see `launchgate --help`"));
    }
    if let Some((flag, value)) = PreParsedArgs::new(args).dashed(&error) {
        return Err(Failure::usage(
            format!("{flag} has no value: {value} begins with a dash, so it reads as a flag"),
            format!("write `{flag}={value}` if that is its value, else give it one"),
        ));
    }
    Err(usage(&error, is_job))
}

/// One line and a remedy from an error of many lines.
fn usage(error: &clap::Error, is_job: bool) -> Failure {
    let text = error.to_string();
    let what = text
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    let what = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing))
            if error.kind() == ErrorKind::MissingRequiredArgument =>
        {
            format!("missing {}", missing.join(", "))
        }
        _ => what.replace('\'', "`").trim_end_matches(':').to_owned(),
    };
    let stray = matches!(
        (error.kind(), error.get(ContextKind::InvalidArg)),
        (ErrorKind::UnknownArgument, Some(ContextValue::String(arg))) if !arg.starts_with('-')
    );
    let tip = match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(arg)) => Some(format!("did you mean `{arg}`?")),
        _ => None,
    };
    let hint = if stray && is_job {
        "put quotes around a step's command; `job` starts no server, `launchgate run` does"
            .to_owned()
    } else if stray {
        "put `--` in front of the server's command, and quotes around a step's".to_owned()
    } else {
        tip.unwrap_or_else(|| "see `launchgate --help`".to_owned())
    };
    Failure::usage(what, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Parsed, Failure> {
        let words = std::iter::once("launchgate").chain(words.iter().copied());
        parse(&words.map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_definitions_hold_together() {
        command().debug_assert();
    }

    #[test]
    fn values_come_raw_and_in_order() {
        let Ok(Parsed::Command(raw)) = parse_words(&[
            "run",
            "--migrate",
            "a",
            "--shell",
            "--migrate=b",
            "--expand-env=off",
            "--",
            "s",
            "-x",
        ]) else {
            panic!("it parses");
        };
        assert_eq!(raw.values("migrate").unwrap(), ["a", "b"]);
        assert_eq!(raw.values("shell").unwrap(), ["true"]);
        assert_eq!(raw.values("expand_env").unwrap(), ["off"]);
        assert_eq!(raw.values("verify"), None);
        assert_eq!(raw.server(), ["s", "-x"]);
    }

    #[test]
    fn a_server_without_dashes_is_told_where_they_go() {
        let failure = parse_words(&["run", "--migrate", "a", "node", "x.js"]).unwrap_err();
        assert_eq!(failure.code(), 64);
        assert!(failure.problem().hint().contains("`--`"), "{failure:?}");
    }

    #[test]
    fn a_job_is_not_told_of_a_server_to_put_behind_dashes() {
        let failure = parse_words(&["job", "--migrate", "node", "x.js"]).unwrap_err();
        let hint = failure.problem().hint();
        assert!(
            hint.contains("quotes") && !hint.contains("`--`"),
            "{failure:?}"
        );
    }

    #[test]
    fn a_value_with_a_dash_in_front_is_told_how_it_is_written() {
        for (words, flag, hint) in [
            (
                &["job", "--max-attempts", "-1"][..],
                "--max-attempts",
                "`--max-attempts=-1`",
            ),
            (&["job", "--release", "-r1"], "--release", "`--release=-r1`"),
            (&["job", "--release", "-v"], "--release", "`--release=-v`"),
            (
                &["job", "--release", "--bogus"],
                "--release",
                "`--release=--bogus`",
            ),
            (
                &["job", "-v", "--migrate", "-c x"],
                "--migrate",
                "`--migrate=-c x`",
            ),
            (&["resolve", "x", "--as", "-retry"], "--as", "`--as=-retry`"),
        ] {
            let failure = parse_words(words).unwrap_err();
            let problem = failure.problem();
            assert!(problem.what().starts_with(flag), "{words:?} {failure:?}");
            assert!(problem.hint().contains(hint), "{words:?} {failure:?}");
        }
        for words in [
            &["job", "--shell", "-x"][..],
            &["job", "--release=1", "-x"],
            &["job", "--release"],
            &["job", "--bogus", "-x"],
        ] {
            let failure = parse_words(words).unwrap_err();
            let what = failure.problem().what();
            assert!(
                !what.contains("begins with a dash"),
                "{words:?} {failure:?}"
            );
        }
    }

    #[test]
    fn a_mistyped_flag_is_told_the_nearest() {
        let failure = parse_words(&["run", "--migrat", "a", "--", "x"]).unwrap_err();
        assert!(
            failure.problem().hint().contains("--migrate"),
            "{failure:?}"
        );
    }
}
