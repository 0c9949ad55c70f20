//! `--sql`: applying a folder of migrations.

use std::path::Path;

use tokio::time::{Instant, sleep};

use crate::db::migrator::{
    FileProgress, MigrationError, MigrationFile, MigrationFolder, MigrationPlan, Migrator, compare,
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
    folder: &Path,
) -> Result<(), Failure> {
    let folder = MigrationFolder::read(folder).map_err(failure)?;
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
            Migrator::connect(&target, &name)
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
        self.say(&folder, &plan);
        let started = Instant::now();
        for file in &plan.pending {
            self.file(&mut migrator, &mut link, file).await?;
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

    fn say(&self, folder: &MigrationFolder, plan: &MigrationPlan<'_>) {
        let shown = folder.path().display();
        let pending = plan.pending.len();
        if pending == 0 {
            let fields: [crate::output::log::Field<'_>; 2] =
                [("folder", &shown), ("applied", &plan.applied)];
            self.log.say(
                Event::SqlDone,
                "all migrations were already applied",
                &fields,
            );
            return;
        }
        self.log.say(
            Event::SqlPending,
            "applying migrations",
            &[
                ("folder", &shown),
                ("pending", &pending),
                ("applied", &plan.applied),
            ],
        );
        for (file, newest) in &plan.late {
            let problem = Problem::new(
                format!(
                    "{} is out of order: the newer version {newest} is already applied; applying it now, as sqlx-cli does",
                    file.shown
                ),
                "give it a newer version number if it depends on newer migrations",
            );
            self.log.warn(Event::SqlLate, &problem, &[]);
        }
    }

    async fn file(
        &mut self,
        migrator: &mut Migrator,
        link: &mut GateLink,
        file: &MigrationFile,
    ) -> Result<(), Failure> {
        loop {
            match link.unless_stopped(PHASE, migrator.begin(file)).await? {
                Ok(()) => break,
                Err(error) => self.wait_out(link, error.into()).await?,
            }
        }
        let started = Instant::now();
        self.execute(migrator, link, file).await?;
        let elapsed = started.elapsed();
        loop {
            let record = migrator.record(file, elapsed);
            match link.unless_stopped(PHASE, record).await? {
                Ok(()) => break,
                Err(MigrationError::Database(error @ Error::NotYet(_))) => {
                    self.wait_out(link, error.into()).await?;
                }
                Err(trouble) => return Err(failure(trouble)),
            }
        }
        self.retry.served(&self.log);
        let seconds = format!("{:.3}", started.elapsed().as_secs_f64());
        self.log.say(
            Event::SqlApplied,
            &format!("applied {}", file.name),
            &[("seconds", &seconds)],
        );
        Ok(())
    }

    /// In a file without a transaction, every statement may have to wait for another process's
    /// transaction.
    async fn execute(
        &mut self,
        migrator: &mut Migrator,
        link: &mut GateLink,
        file: &MigrationFile,
    ) -> Result<(), Failure> {
        let mut progress = FileProgress::default();
        loop {
            let execute = migrator.execute(file, &mut progress);
            match link.unless_stopped(PHASE, execute).await? {
                Ok(()) => return Ok(()),
                Err(MigrationError::Database(error @ Error::NotYet(_))) => {
                    let why = error.to_string();
                    match self.wait_out(link, error.into()).await {
                        Err(error)
                            if error.kind() == FailureKind::Unreachable && progress.has_begun() =>
                        {
                            return Err(failure(migrator.give_up(file, &progress, &why).await));
                        }
                        waited => waited?,
                    }
                }
                Err(trouble) => return Err(failure(trouble)),
            }
        }
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

/// For `check`: the names of the files that would be applied, in order, and how many are.
///
/// # Errors
/// What the step would fail with.
pub async fn list(target: &Target, folder: &Path) -> Result<(Vec<String>, usize), Failure> {
    let folder = MigrationFolder::read(folder).map_err(failure)?;
    let history = Migrator::look(target)
        .await
        .map_err(|error| failure(error.into()))?;
    let plan = compare(&folder, history.rows()).map_err(failure)?;
    let names = plan.pending.iter().map(|file| file.name.clone()).collect();
    Ok((names, plan.applied))
}
