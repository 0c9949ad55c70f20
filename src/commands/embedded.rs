//! The process of an embedded step: `--snapshot` and `--sql`.
//!
//! It is started as any other step, with launchgate as its program. So everything that holds for
//! steps holds for it: signals, time limit, the guard that stops it with the lease, its output,
//! the name of its sessions. It reports its result in one message (`steps::result`).

mod snapshot;
mod sql;

use std::path::PathBuf;

use crate::db::Target;
use crate::db::migrator::LayoutKind;
use crate::exit::Failure;
use crate::output::log::Log;
use crate::plan::StepKind;
use crate::plan::embedded::EmbeddedPlan;
use crate::plan::gate_plan::{GatePlan, Limits};
use crate::settings::EmbeddedSettings;
use crate::steps::result::encode;
use crate::sys::host::Host;
use crate::sys::result;

pub use sql::list;

/// Which migrations a planned gate would apply, and where.
pub fn migrations(
    plan: &EmbeddedPlan,
    gate: &GatePlan,
) -> Option<(Target, PathBuf, Option<LayoutKind>)> {
    let target = Target {
        url: plan.url.clone(),
        ..gate.target.clone()
    };
    let folder = plan.sql.clone()?;
    Some((target, folder, plan.layout))
}

/// Whether the snapshot's folder can be written to, or created.
///
/// # Errors
/// What the step would fail with.
pub fn check(plan: &EmbeddedPlan) -> Result<(), Failure> {
    plan.snapshot.as_deref().map_or(Ok(()), snapshot::check)
}

/// Carries out one of the steps, in the process that was started for it, and reports its result to
/// the launchgate that started it.
///
/// # Errors
/// Everything that fails such a step.
pub fn carry_out(host: &Host, log: &Log, settings: &EmbeddedSettings) -> Result<(), Failure> {
    let sender = settings.result.map(result::inherited);
    let done = step(host, log, settings);
    if let Some(Ok(sender)) = sender {
        let result = done.clone().map_err(|failure| failure.problem().clone());
        // Without the message the exit code still says whether it succeeded.
        let _ = sender.send(&encode(&result));
    }
    done.map(drop)
}

/// Runs the step; returns the command that restores its snapshot, if it took one.
fn step(host: &Host, log: &Log, settings: &EmbeddedSettings) -> Result<Option<String>, Failure> {
    let limits = Limits {
        wait_timeout: settings.wait_timeout,
        ..Limits::default()
    };
    match StepKind::named(&settings.step) {
        Some(StepKind::Snapshot) => snapshot::make(host, log, &limits, settings),
        Some(StepKind::Sql) => sql::apply(host, log, limits, settings).map(|()| None),
        Some(
            StepKind::Prepare
            | StepKind::Backup
            | StepKind::Migrate
            | StepKind::Verify
            | StepKind::WarmUp,
        )
        | None => {
            let step = settings.step.to_string_lossy();
            Err(Failure::usage(
                format!("launchgate has no embedded step `{step}`"),
                "use `launchgate run`",
            ))
        }
    }
}
