//! `--sql`: applying a folder of migrations.

use std::fmt::Display;
use std::path::Path;

use tokio::time::{Instant, sleep};

use crate::db::migrator::{
    LayoutKind, MigrationError, MigrationFile, MigrationFolder, MigrationList, MigrationPlan,
    Migrator, Progress,
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
    let (log, reference) = (log.clone(), LedgerReference::default());
    runtime::run(host, async move |link| {
        let retry = ConnectRetry::new(&limits, &reference);
        let mut work = Work { log, retry, link };
        let mut migrator = loop {
            let connect = Migrator::connect(&target, &name, &folder);
            match work.link.unless_stopped(PHASE, connect).await? {
                Ok(migrator) => break migrator,
                Err(error) => work.wait_out(error.into()).await?,
            }
        };
        work.retry.served(&work.log);
        work.retry = ConnectRetry::of_migration(&limits, &reference);
        work.migrate(&mut migrator, &folder).await?;
        migrator.close().await;
        Ok(())
    })
}

struct Work {
    log: Log,
    retry: ConnectRetry,
    link: GateLink,
}

impl Work {
    async fn migrate(
        &mut self,
        migrator: &mut Migrator,
        folder: &MigrationFolder,
    ) -> Result<(), Failure> {
        // Nothing has been changed yet, so there is no result to wait for.
        let plan = loop {
            let plan = migrator.plan(folder);
            match self.link.unless_stopped(PHASE, plan).await? {
                Ok(plan) => break plan,
                Err(trouble) => self.wait_out(trouble).await?,
            }
        };
        self.say(folder, migrator, &plan);
        let started = Instant::now();
        for unit in plan.units() {
            self.unit(migrator, unit).await?;
        }
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
        unit: &[&MigrationFile],
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let mut progress = Progress::default();
        loop {
            let apply = migrator.apply(unit, &mut progress);
            match self.link.unless_stopped(PHASE, apply).await? {
                Ok(()) => break,
                Err(MigrationError::Database(error @ Error::NotYet(_))) => {
                    let why = error.to_string();
                    match self.wait_out(error.into()).await {
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

    /// Waits briefly, if retrying can help.
    async fn wait_out(&mut self, trouble: MigrationError) -> Result<(), Failure> {
        let MigrationError::Database(error @ (Error::NotYet(_) | Error::Full(_))) = trouble else {
            return Err(failure(trouble));
        };
        let pause = self.retry.next(&self.log, &error)?;
        self.link.unless_stopped(PHASE, sleep(pause)).await
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

/// For `check`: lists the migrations, and changes nothing.
///
/// # Errors
/// What the step would fail with.
pub async fn list(
    target: &Target,
    folder: &Path,
    layout: Option<LayoutKind>,
) -> Result<MigrationList, Failure> {
    Migrator::look(target, folder, layout)
        .await
        .map_err(failure)
}
