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

use crate::db::Target;
use crate::exit::{Failure, FailureKind, Problem};
use crate::output::log::Log;
use crate::plan::StepKind;
use crate::plan::embedded::EmbeddedPlan;
use crate::plan::gate_plan::{GatePlan, Limits};
use crate::settings::EmbeddedSettings;
use crate::sys::host::Host;
use crate::sys::step::StepReport;
use crate::sys::wait::Ended;

pub use sql::list;

/// Where which migrations would be applied, for a gate that is planned.
#[must_use]
pub fn migrations(plan: &EmbeddedPlan, gate: &GatePlan) -> Option<(Target, PathBuf)> {
    let target = Target {
        url: plan.url.clone(),
        ..gate.target.clone()
    };
    plan.sql.clone().map(|folder| (target, folder))
}

/// Whether the snapshot's folder can be written to, or created.
///
/// # Errors
/// What the step would fail with.
pub fn check(plan: &EmbeddedPlan) -> Result<(), Failure> {
    plan.snapshot.as_deref().map_or(Ok(()), snapshot::check)
}

/// Carries out one of the steps, in the process that was started for it.
///
/// # Errors
/// All that ends such a step.
pub fn carry_out(host: &Host, log: &Log, settings: &EmbeddedSettings) -> Result<(), Failure> {
    let EmbeddedSettings { url, database, .. } = settings;
    let limits = Limits {
        wait_timeout: database.wait_timeout.value,
        lock_timeout: None,
        max_attempts: None,
        orphan_timeout: None,
    };
    let folder = Path::new(&settings.folder);
    if settings.step == StepKind::Snapshot.as_str() {
        let revision = settings.revision.as_deref().unwrap_or("unnamed");
        let file = url.sqlite_path().unwrap_or(Path::new(""));
        return snapshot::make(host, log, &limits, file, revision, folder);
    }
    let target = Target {
        url: url.clone(),
        app: database.app.value.clone(),
        lease: Duration::from_secs(30),
    };
    let name = settings.application_name.clone();
    let name = name.unwrap_or_else(|| "launchgate/sql".to_owned());
    sql::apply(host, log, limits, target, name, folder)
}

/// Why an embedded step failed, in its own words; `None` for any other step.
#[must_use]
pub fn failure(kind: StepKind, report: &StepReport) -> Option<Failure> {
    let Ended::Code(code) = report.ended else {
        return None;
    };
    let (what, hint) = said::failure(&report.tail).filter(|_| kind.is_embedded())?;
    let problem = Problem::new(format!("{}: {what}", kind.as_str()), hint);
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
