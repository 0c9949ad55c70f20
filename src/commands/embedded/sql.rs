//! `--sql`: applying a folder of migrations.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::db::migrator::{
    LayoutKind, MigrationError, MigrationFolder, MigrationList, MigrationPlan, Migrator,
};
use crate::db::{Error, Target};
use crate::exit::{Failure, FailureKind};
use crate::gate::refused;
use crate::gate::retry::ConnectRetry;
use crate::gate::runtime;
use crate::output::log::{Event, Log};
use crate::plan::gate_plan::Limits;
use crate::plan::ledger_reference::LedgerReference;
use crate::settings::EmbeddedSettings;
use crate::sys::host::Host;

pub(super) fn apply(
    host: &Host,
    log: &Log,
    limits: Limits,
    settings: &EmbeddedSettings,
) -> Result<(), Failure> {
    let folder = Path::new(&settings.folder);
    let folder = MigrationFolder::read(folder, settings.layout)?;
    let target = Target {
        url: settings.url.clone(),
        ledger: None,
        app: settings.app.clone(),
        // It takes no lock, so it has no lease.
        lease: Duration::ZERO,
    };
    let name = settings.session_name.clone();
    let name = name.unwrap_or_else(|| "launchgate/sql".to_owned());
    let (log, reference) = (log.clone(), LedgerReference::default());
    runtime::run(host, async move |mut link| {
        let migrated = async {
            let mut retry = ConnectRetry::new(&limits, &reference);
            let mut migrator = loop {
                match Migrator::connect(&target, &name, &folder).await {
                    Ok(migrator) => break migrator,
                    Err(error) => wait(&mut retry, &log, error.into()).await?,
                }
            };
            retry.served(&log);
            let mut retry = ConnectRetry::of_migration(&limits, &reference);
            migrate(&mut migrator, &folder, &mut retry, &log).await?;
            Ok(migrator)
        };
        let migrator = link.unless_stopped("sql", migrated).await??;
        migrator.close().await;
        Ok(())
    })
}

async fn migrate(
    migrator: &mut Migrator,
    folder: &MigrationFolder,
    retry: &mut ConnectRetry,
    log: &Log,
) -> Result<(), Failure> {
    let plan = loop {
        match migrator.plan(folder).await {
            Ok(plan) => break plan,
            Err(error) => wait(retry, log, error).await?,
        }
    };
    say(log, folder, migrator, &plan);
    let all = Instant::now();
    let seconds = |since: Instant| format!("{:.3}", since.elapsed().as_secs_f64());
    for unit in plan.units() {
        let started = Instant::now();
        let wait = async |error: Error| wait(retry, log, error.into()).await;
        migrator.apply(unit, wait).await.map_err(failure)?;
        retry.served(log);
        let seconds = seconds(started);
        for file in unit {
            let what = format!("applied {}", file.name);
            log.say(Event::SqlApplied, &what, &[("seconds", &seconds)]);
        }
    }
    if !plan.pending.is_empty() {
        log.say(
            Event::SqlDone,
            "all migrations are applied",
            &[("applied", &plan.pending.len()), ("seconds", &seconds(all))],
        );
    }
    Ok(())
}

fn say(log: &Log, folder: &MigrationFolder, migrator: &Migrator, plan: &MigrationPlan<'_>) {
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
    log.say(event, what, &fields);
    for warning in &plan.warnings {
        log.warn(Event::SqlLate, warning, &[]);
    }
}

/// Waits briefly, if retrying can help.
async fn wait(retry: &mut ConnectRetry, log: &Log, error: MigrationError) -> Result<(), Failure> {
    let MigrationError::Database(error @ (Error::NotYet(_) | Error::Full(_))) = error else {
        return Err(failure(error));
    };
    sleep(retry.next(log, &error)?).await;
    Ok(())
}

/// The failure of a step.
fn failure(trouble: MigrationError) -> Failure {
    match trouble {
        MigrationError::Folder(failure) => failure,
        MigrationError::Database(Error::Refused { what, hint }) => refused(what, hint),
        MigrationError::Database(error) => Failure::because(
            FailureKind::Unreachable,
            error.to_string(),
            "check the database's log, then start again",
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
