//! `--sql`: applying a folder of migrations.

use std::fmt::Display;
use std::path::Path;

use tokio::time::{Instant, sleep};

use crate::db::migrator::{
    LayoutKind, MigrationError, MigrationFile, MigrationFolder, MigrationPlan, Migrator, Progress,
};
use crate::db::{Error, Target};
use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::refused;
use crate::gate::retry::ConnectRetry;
use crate::gate::runtime::{self, GateLink};
use crate::output::log::{Event, Log};
use crate::plan::gate_plan::Limits;
use crate::plan::ledger_reference::LedgerReference;
use crate::sys::host::Host;

/// The phase named in the message when a signal stops it.
const PHASE: &str = "sql";

pub(super) fn apply(
    host: &Host,
    log: &Log,
    limits: Limits,
    target: Target,
    name: String,
    (folder, layout): (&Path, Option<LayoutKind>),
) -> Result<(), Failure> {
    let folder = MigrationFolder::read(folder, layout).map_err(failure)?;
    let work = Work {
        log: log.clone(),
        retry: ConnectRetry::new(&limits, &LedgerReference::default()),
        limits,
        target,
        name,
    };
    runtime::run(host, |link| work.apply(folder, link))
}

struct Work {
    log: Log,
    limits: Limits,
    retry: ConnectRetry,
    target: Target,
    name: String,
}

impl Work {
    async fn apply(mut self, folder: MigrationFolder, mut link: GateLink) -> Result<(), Failure> {
        let (target, name) = (self.target.clone(), self.name.clone());
        let connect = async || {
            Migrator::connect(&target, &name, &folder)
                .await
                .map_err(MigrationError::from)
        };
        let mut migrator = self.patiently(&mut link, connect).await?;
        self.retry = ConnectRetry::of_migration(&self.limits, &LedgerReference::default());
        // Nothing has been changed yet, so there is no result to wait for.
        let plan = loop {
            match link.unless_stopped(PHASE, migrator.plan(&folder)).await? {
                Ok(plan) => break plan,
                Err(trouble) => self.wait_out(&mut link, trouble).await?,
            }
        };
        self.say(&folder, &migrator, &plan);
        let started = Instant::now();
        for unit in plan.units() {
            self.unit(&mut migrator, &mut link, unit).await?;
        }
        migrator.close().await;
        if !plan.pending.is_empty() {
            let seconds = format!("{:.3}", started.elapsed().as_secs_f64());
            self.log.say(
                Event::SqlDone,
                "all migrations are applied",
                &[("applied", &plan.pending.len()), ("seconds", &seconds)],
            );
        }
        Ok(())
    }

    fn say(&self, folder: &MigrationFolder, migrator: &Migrator, plan: &MigrationPlan<'_>) {
        let shown = folder.path().display();
        let (layout, table) = (migrator.layout().as_str(), migrator.table());
        let pending = plan.pending.len();
        let (event, what) = if pending == 0 {
            (Event::SqlDone, "all migrations were already applied")
        } else {
            (Event::SqlPending, "applying migrations")
        };
        let mut fields: Vec<(&str, &dyn Display)> =
            vec![("folder", &shown), ("layout", &layout), ("table", &table)];
        if pending > 0 {
            fields.push(("pending", &pending));
        }
        fields.push(("applied", &plan.applied));
        self.log.say(event, what, &fields);
        for warning in &plan.warnings {
            let problem = Problem::new(&warning.what, &warning.hint);
            self.log.warn(Event::SqlLate, &problem, &[]);
        }
    }

    /// Applies files that share a transaction, or one.
    async fn unit(
        &mut self,
        migrator: &mut Migrator,
        link: &mut GateLink,
        unit: &[&MigrationFile],
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let mut progress = Progress::default();
        loop {
            let apply = migrator.apply(unit, &mut progress);
            match link.unless_stopped(PHASE, apply).await? {
                Ok(()) => break,
                Err(MigrationError::Database(error @ Error::NotYet(_))) => {
                    let why = error.to_string();
                    match self.wait_out(link, error.into()).await {
                        Err(error)
                            if error.kind() == FailureKind::Unreachable && progress.has_begun() =>
                        {
                            let gone = migrator.give_up(unit, &progress, &why).await;
                            return Err(gone.map_or(error, failure));
                        }
                        waited => waited?,
                    }
                }
                Err(trouble) => return Err(failure(trouble)),
            }
        }
        self.retry.served(&self.log);
        let seconds = format!("{:.3}", started.elapsed().as_secs_f64());
        for file in unit {
            self.log.say(
                Event::SqlApplied,
                &format!("applied {}", file.name),
                &[("seconds", &seconds)],
            );
        }
        Ok(())
    }

    async fn patiently<T>(
        &mut self,
        link: &mut GateLink,
        call: impl AsyncFn() -> Result<T, MigrationError>,
    ) -> Result<T, Failure> {
        loop {
            match link.unless_stopped(PHASE, call()).await? {
                Ok(value) => {
                    self.retry.served(&self.log);
                    return Ok(value);
                }
                Err(trouble) => self.wait_out(link, trouble).await?,
            }
        }
    }

    /// Waits briefly, if retrying can help.
    async fn wait_out(
        &mut self,
        link: &mut GateLink,
        trouble: MigrationError,
    ) -> Result<(), Failure> {
        let MigrationError::Database(error @ (Error::NotYet(_) | Error::Full(_))) = trouble else {
            return Err(failure(trouble));
        };
        let pause = self.retry.next(&self.log, &error)?;
        link.unless_stopped(PHASE, sleep(pause)).await
    }
}

/// The failure of a step.
fn failure(trouble: MigrationError) -> Failure {
    match trouble {
        MigrationError::Migration { what, hint } => {
            Failure::new(FailureKind::Sql, Problem::new(what, hint))
        }
        MigrationError::Layout { what, hint } => Failure::usage(what, hint),
        MigrationError::Database(Error::Refused { what, hint }) => refused(what, hint),
        MigrationError::Database(error) => Failure::new(
            FailureKind::Unreachable,
            Problem::new(
                error.to_string(),
                "check the database's log, then start again",
            ),
        ),
    }
}

/// For `check`: what would be applied, in which layout, and into which table.
pub struct MigrationList {
    /// The tool's name.
    pub layout: LayoutKind,
    /// Its history table.
    pub table: String,
    /// The names of the files, in order.
    pub pending: Vec<String>,
    /// How many are applied.
    pub applied: usize,
}

/// Lists the migrations, and changes nothing.
///
/// # Errors
/// What the step would fail with.
pub async fn list(
    target: &Target,
    folder: &Path,
    layout: Option<LayoutKind>,
) -> Result<MigrationList, Failure> {
    let folder = MigrationFolder::read(folder, layout).map_err(failure)?;
    let (plan, layout, table) = Migrator::look(target, &folder).await.map_err(failure)?;
    Ok(MigrationList {
        layout,
        table,
        pending: plan.pending.iter().map(|file| file.name.clone()).collect(),
        applied: plan.applied,
    })
}
