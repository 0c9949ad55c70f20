//! Steps that launchgate does itself: `--snapshot` and `--sql`.
//!
//! Each is a process as any other step, with launchgate as its program. So all that holds for
//! steps holds for them: signals, time limit, the guard that stops them with the lease, output
//! passed on and kept, sessions known by their name. The URL goes over in the environment of
//! this one process, since everybody can read the words of a command line.

mod said;
mod snapshot;
mod sql;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::db::{DatabaseUrl, Target};
use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::{Gate, Policy};
use crate::output::log::Log;
use crate::output::options::{Format, Verbosity};
use crate::plan::StepKind;
use crate::plan::coordination::Coordination;
use crate::settings::{DatabaseChoice, Pair, Setting, Sources, StepSettings};
use crate::sys::host::Host;
use crate::sys::step::StepReport;
use crate::sys::wait::Ended;

pub use sql::list;

/// What the embedded steps of a run are told.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// The database that they work on.
    pub url: DatabaseUrl,
    snapshot: Option<PathBuf>,
    sql: Option<PathBuf>,
    wait_timeout: Option<Duration>,
    verbosity: Verbosity,
    format: Format,
}

impl Embedded {
    /// Plans them. They work on the database that steps see: that of `DATABASE_URL` where
    /// `--step-env` or `--step-env-from` sets it, else the one with lock and ledger.
    ///
    /// # Errors
    /// There is no database, or another kind than a snapshot can be made of; no such folder.
    pub fn plan(
        sources: &Sources<'_>,
        settings: &StepSettings,
        coordination: &Coordination,
    ) -> Result<Self, Failure> {
        let named = settings.snapshot.as_ref().or(settings.sql.as_ref());
        let origin = named.map(|setting| setting.origin.to_string());
        let origin = origin.unwrap_or_default();
        let Coordination::Gate(gate) = coordination else {
            return Err(Failure::usage(
                format!("{origin} needs a database, and none is named"),
                "set DATABASE_URL or --database-url, and leave out --no-database",
            ));
        };
        let folder = |setting: Option<&Setting<_>>| setting.map(|s| PathBuf::from(&s.value));
        let url = match own_url(sources, settings)? {
            Some(url) => url,
            None => gate.target.url.clone(),
        };
        if let Some(setting) = &settings.snapshot
            && !url.backend().can_snapshot()
        {
            return Err(Failure::usage(
                format!(
                    "{}: a snapshot can be made of SQLite alone, and the database is {}",
                    setting.origin,
                    url.backend()
                ),
                "use --backup with the database's own tool, such as pg_dump",
            ));
        }
        if let Some(setting) = &settings.sql
            && !Path::new(&setting.value).is_dir()
        {
            return Err(Failure::usage(
                format!(
                    "{}: {} is no folder",
                    setting.origin,
                    Path::new(&setting.value).display()
                ),
                "put the migrations into the image, or correct the path; relative paths start at the working directory",
            ));
        }
        Ok(Self {
            url,
            snapshot: folder(settings.snapshot.as_ref()),
            sql: folder(settings.sql.as_ref()),
            wait_timeout: gate.policy.wait_timeout,
            verbosity: sources.verbosity()?,
            format: sources.log_format()?.value,
        })
    }

    /// Where which migrations would be applied, for a gate on its way.
    #[must_use]
    pub fn migrations(&self, gate: &Gate) -> Option<(Target, PathBuf)> {
        let target = Target {
            url: self.url.clone(),
            ..gate.target.clone()
        };
        self.sql.clone().map(|folder| (target, folder))
    }

    /// Whether the snapshot's folder can be written to, or made.
    ///
    /// # Errors
    /// What the step would fail with.
    pub fn check(&self) -> Result<(), Failure> {
        self.snapshot.as_deref().map_or(Ok(()), snapshot::check)
    }

    /// How one is told, in variables that no other process gets.
    #[must_use]
    pub fn variables(&self, kind: StepKind) -> Vec<(&'static str, String)> {
        // In two units, since the longest in milliseconds alone could not be read again.
        let wait = self.wait_timeout.unwrap_or_default();
        let wait = format!("{}s{}ms", wait.as_secs(), wait.subsec_millis());
        let mut variables = vec![
            (
                "LAUNCHGATE_DATABASE_URL",
                self.url.text().expose().to_owned(),
            ),
            ("LAUNCHGATE_WAIT_TIMEOUT", wait),
            ("LAUNCHGATE_LOG_FORMAT", self.format.as_str().to_owned()),
        ];
        match self.verbosity {
            // What it made is the only way back, and said in any case.
            Verbosity::Quiet if kind == StepKind::Snapshot => {}
            Verbosity::Quiet => variables.push(("LAUNCHGATE_QUIET", "on".to_owned())),
            Verbosity::Verbose => variables.push(("LAUNCHGATE_VERBOSE", "on".to_owned())),
            Verbosity::Normal => {}
        }
        variables
    }
}

/// The URL that the settings give to steps alone.
fn own_url(sources: &Sources<'_>, settings: &StepSettings) -> Result<Option<DatabaseUrl>, Failure> {
    let named = |pairs: &[Pair]| {
        pairs
            .iter()
            .rfind(|pair| pair.value.0 == b"DATABASE_URL")
            .cloned()
    };
    // As in the steps' environment: the value from another variable wins.
    let (origin, value) = match (named(&settings.step_env_from), named(&settings.step_env)) {
        (Some(Setting { value, origin }), _) => {
            let value = sources.environment.get(&value.1);
            (
                origin,
                value
                    .map(std::os::unix::ffi::OsStrExt::as_bytes)
                    .unwrap_or_default()
                    .to_vec(),
            )
        }
        (None, Some(Setting { value, origin })) => (origin, value.1),
        (None, None) => return Ok(None),
    };
    let text = String::from_utf8_lossy(&value);
    match DatabaseUrl::parse(&text) {
        Ok(url) => Ok(Some(sources.with_own_user(url))),
        Err(error) => Err(Failure::usage(
            format!("{origin}: the steps' DATABASE_URL: {error}"),
            error.hint(),
        )),
    }
}

/// Carries out one of the steps, in the process that was started for it.
///
/// # Errors
/// All that ends such a step.
pub fn carry_out(host: &Host, log: &Log, sources: &Sources<'_>) -> Result<(), Failure> {
    let word = |id: &str| {
        let words = sources.raw.values(id).unwrap_or_default();
        words.first().map(|word| word.to_os_string())
    };
    let database = sources.database()?;
    let (Some(what), Some(folder), DatabaseChoice::Url(url)) =
        (word("what"), word("folder"), database.choice)
    else {
        return Err(Failure::usage(
            "this is how launchgate starts its own steps",
            "use `launchgate run`",
        ));
    };
    let policy = Policy {
        wait_timeout: database.wait_timeout.value,
        lock_timeout: None,
        max_attempts: None,
        orphan_timeout: None,
    };
    let variable = |name: &str| {
        let value = sources.environment.get_filled(name);
        value.map(|value| value.to_string_lossy().into_owned())
    };
    let folder = Path::new(&folder);
    if what == StepKind::Snapshot.as_str() {
        let revision = variable("LAUNCHGATE_REVISION").unwrap_or_else(|| "unnamed".to_owned());
        let file = url.value.sqlite_path().unwrap_or(Path::new(""));
        return snapshot::make(host, log, &policy, file, &revision, folder);
    }
    let target = Target {
        url: url.value,
        app: database.app.value,
        lease: Duration::from_secs(30),
    };
    let name = variable("PGAPPNAME").unwrap_or_else(|| "launchgate/sql".to_owned());
    sql::apply(host, log, policy, target, name, folder)
}

/// Why an embedded step failed, in its own words; `None` for any other step.
#[must_use]
pub fn failure(kind: StepKind, report: &StepReport) -> Option<Failure> {
    let Ended::Code(code) = report.ended else {
        return None;
    };
    let (what, hint) = said::failure(&report.tail).filter(|_| kind.is_embedded())?;
    let problem = Problem::new(
        format!("{}: {what}; the server is not started", kind.as_str()),
        hint,
    );
    Some(match code {
        65 => Failure::new(FailureKind::Sql, problem),
        73 => Failure::new(FailureKind::Snapshot, problem),
        _ => Failure::new(FailureKind::Step(u8::try_from(code).unwrap_or(1)), problem),
    })
}

/// How to go back to the snapshot that a step made, from what it said.
#[must_use]
pub fn restore_hint(tail: &[u8]) -> Option<String> {
    let line = said::line(tail, snapshot::MADE)?;
    let quoted = |text: &str| shlex::try_quote(text).map(std::borrow::Cow::into_owned);
    let copy = quoted(&line.value("file")?).ok()?;
    let file = line.value("database")?;
    let own = quoted(&file).ok()?;
    let beside =
        ["-wal", "-shm", "-journal"].map(|end| quoted(&format!("{file}{end}")).unwrap_or_default());
    Some(format!(
        "to go back to before it: stop all that use the database, then `rm -f {} && cp {copy} {own}`",
        beside.join(" ")
    ))
}
