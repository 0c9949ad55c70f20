//! `launchgate check`: changes nothing. Shows every setting and where it came from, the executables
//! and the database. Fails exactly as `run` would.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::commands::embedded;
use crate::commands::every_start;
use crate::commands::table::columns;
use crate::db::migrator::{LayoutKind, MigrationList};
use crate::db::{Proof, ServerInfo, Target};
use crate::exit::{Failure, FailureKind};
use crate::gate::decide::Decision;
use crate::gate::runtime::{self, GateLink};
use crate::gate::{Gate, call_failed, refused, revision_refused};
use crate::output::health;
use crate::output::log::Log;
use crate::output::print;
use crate::plan::coordination::Coordination;
use crate::plan::embedded::EmbeddedPlan;
use crate::plan::gate_plan::GatePlan;
use crate::plan::ledger_reference::LedgerReference;
use crate::plan::run_plan::RunPlan;
use crate::redact;
use crate::settings::{CheckSettings, DatabaseChoice, Row, Settings};
use crate::steps::{self, ReadyEveryStart, ReadySteps};
use crate::sys::host::Host;

/// Carries out the check.
///
/// # Errors
/// Whatever `run` would have failed with.
pub fn check(
    host: &Host,
    log: &Log,
    settings: &Settings,
    command: &CheckSettings,
) -> Result<(), Failure> {
    let every_start = every_start::plan(log, &settings.environment, &command.server)?;
    let mut rows = redacted(command);
    if command.is_skipped {
        print::print(host, &*log.secrets().redact(&table(&rows)))?;
        let ready = steps::find_every_start(every_start, log)?;
        print::print(host, programs(None, &ready))?;
        return print::print(
            host,
            "\nGATE      skipped: LAUNCHGATE_SKIP is set, so `run` starts the server at once\n",
        );
    }
    let RunPlan {
        steps,
        every_start,
        mut coordination,
    } = RunPlan::new(settings, &command.gate, every_start, log)?;
    let name = match &mut coordination {
        Coordination::Alone { name, .. } => name,
        Coordination::Gate(plan) => plan.read_revision(log)?,
    };
    // A release that no setting names comes from the platform.
    if let (Some(release), Some(source)) = (&name.release, &name.source)
        && !rows.iter().any(|row| row.name == "release")
    {
        rows.push(Row {
            name: "release".to_owned(),
            value: release.clone(),
            origin: source.clone(),
        });
    }
    print::print(host, &*log.secrets().redact(&table(&rows)))?;
    let steps = steps::find(steps, log)?;
    let ready = steps::find_every_start(every_start, log)?;
    print::print(host, programs(Some(&steps), &ready))?;
    if !steps.list.is_empty() || !ready.has_no_commands() {
        command.gate.health.as_ref().map_or(Ok(()), health::check)?;
    }
    match coordination {
        Coordination::Alone { .. } => print::print(
            host,
            "\nDATABASE  none: every replica runs the steps at every start\n",
        ),
        Coordination::Gate(gate) => database(host, log, &gate, steps.plan.embedded.as_ref()),
    }
}

/// Every setting, without passwords.
fn redacted(settings: &CheckSettings) -> Vec<Row> {
    let mut rows = settings.rows.clone();
    for row in &mut rows {
        if let DatabaseChoice::Url(url) = &settings.gate.ledger.database.choice {
            row.value = url.value.redact(&row.value);
        }
        // The URL itself is shown by a type that hides its password.
        row.value = redact::passwords(&row.value).into_owned();
    }
    rows
}

fn table(rows: &[Row]) -> String {
    let cells = |row: &Row| {
        let value = row.value.replace(char::is_control, " ");
        [row.name.clone(), value, row.origin.clone()]
    };
    columns(["SETTING", "VALUE", "FROM"], rows.iter().map(cells))
}

/// What would be executed, in order.
fn programs(steps: Option<&ReadySteps>, every_start: &ReadyEveryStart) -> String {
    let before = every_start.prepare.list.iter();
    let gated = steps.map(|steps| &steps.list).into_iter().flatten();
    let all = before.chain(gated).chain(&every_start.warm_up.list);
    let mut out = String::from("\nPROGRAM   PATH\n");
    for step in all {
        let path = if step.step.kind.is_embedded() {
            "launchgate itself".into()
        } else {
            step.path().to_string_lossy()
        };
        let _ = writeln!(out, "{:8}  {path}", step.step.name);
    }
    if let Some(server) = &every_start.server {
        let path = server.program.path.to_string_lossy();
        let _ = writeln!(out, "{:8}  {path}", "server");
    }
    out
}

/// What the database reports, and what `run` would do now.
struct DatabaseReport {
    info: ServerInfo,
    decision: Decision,
}

fn database(
    host: &Host,
    log: &Log,
    plan: &GatePlan,
    embedded: Option<&EmbeddedPlan>,
) -> Result<(), Failure> {
    let gate = Gate::new(plan.clone(), log.clone());
    let reference = plan.reference.clone();
    let asked = Gate::new(plan.clone(), log.clone());
    let seen = runtime::run(host, |link| look(asked, reference, link))
        .map_err(|failure| plan.reference.locate(failure))?;
    print::print(host, describe(plan, &seen))?;
    let migrations = match embedded.and_then(|embedded| embedded::migrations(embedded, plan)) {
        Some((target, folder, layout)) => migrations(host, target, folder, layout),
        None => Ok(()),
    };
    verdict(plan, &seen).map_err(|failure| plan.reference.locate(failure))?;
    match &seen.decision {
        Decision::Start => Ok(()),
        Decision::Run { .. } | Decision::Wait(_) | Decision::Delay(_) | Decision::Refuse(_) => {
            rehearse(host, plan, gate)?;
            migrations?;
            embedded.map_or(Ok(()), embedded::check)
        }
    }
}

/// Takes the lock as a run would. On SQLite that would create the lock's file; what can keep it from
/// being created was looked up already.
fn rehearse(host: &Host, plan: &GatePlan, gate: Gate) -> Result<(), Failure> {
    if plan.target.backend().driver().is_file {
        return Ok(());
    }
    let rehearse = |mut link: GateLink| async move { gate.rehearse(&mut link).await };
    let proof = runtime::run(host, rehearse);
    let shown = match proof.map_err(|failure| plan.reference.locate(failure))? {
        Some(Proof::Proven) => "yes: a second connection could not take it".to_owned(),
        Some(Proof::Unproven(why)) => format!("unknown: {}", redact::passwords(&why)),
        None => "another replica holds it".to_owned(),
    };
    print::print(host, format!("{:16}  {shown}\n", "lock excludes"))
}

/// What `--sql` would apply, in order.
fn migrations(
    host: &Host,
    target: Target,
    folder: PathBuf,
    layout: Option<LayoutKind>,
) -> Result<(), Failure> {
    let shown = folder.display().to_string();
    let list = move |mut link: GateLink| async move {
        link.unless_stopped(
            "reading the migrations",
            embedded::list(&target, &folder, layout),
        )
        .await?
    };
    let found: MigrationList = runtime::run(host, list)?;
    let mut out = format!(
        "\nMIGRATIONS in {shown}\nlayout          {}\ntable           {}\napplied         {}\npending         {}\n",
        found.layout.as_str(),
        found.table,
        found.applied,
        found.pending.len()
    );
    for name in found.pending {
        let _ = writeln!(out, "  {name}");
    }
    print::print(host, out)
}

async fn look(
    gate: Gate,
    reference: LedgerReference,
    mut link: GateLink,
) -> Result<DatabaseReport, Failure> {
    let (mut session, ledger) = gate.open(&mut link).await?;
    let info = link
        .unless_stopped("checking the database", session.describe())
        .await?
        .map_err(|error| call_failed(&reference, error))?;
    session.close().await;
    let decision = gate.decision(&ledger);
    Ok(DatabaseReport { info, decision })
}

fn describe(plan: &GatePlan, seen: &DatabaseReport) -> String {
    let info = &seen.info;
    let tell = |known: Option<bool>| match known {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    let mut out = String::from("\nDATABASE\n");
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:16}  {value}");
    };
    line("url", &plan.target.url.to_string());
    line("server", &format!("{} {}", info.product, info.version));
    line("pooler", info.pooler.as_deref().unwrap_or("none found"));
    if let Some(cluster) = info.cluster {
        line(
            "cluster",
            &format!("{cluster}: each node has locks of its own"),
        );
    }
    line("writable", if info.read_only { "no" } else { "yes" });
    let place = match (&info.ledger_place, &info.ledger_owner) {
        (Some(place), Some(owner)) => format!(" in {place}, owned by {owner}"),
        (Some(place), None) => format!(" in {place}"),
        (None, _) => String::new(),
    };
    line(
        "ledger",
        &if info.ledger_exists {
            format!("exists{place}")
        } else {
            format!("does not exist yet{place}")
        },
    );
    line("may create it", tell(info.can_create));
    line(
        "may write to it",
        if info.ledger_exists {
            tell(info.can_write_ledger)
        } else {
            "-"
        },
    );
    line("lock", info.lock_mode);
    let revision = plan.revision.revision.as_deref().map(redact::passwords);
    line(
        "revision",
        revision
            .as_deref()
            .unwrap_or("none: the steps run at every start"),
    );
    line("run would", would(&seen.decision));
    out
}

fn would(decision: &Decision) -> &'static str {
    match decision {
        Decision::Start => "start the server at once: the revision has succeeded",
        Decision::Run { .. } => "run the steps",
        Decision::Wait(_) => "wait for another replica",
        Decision::Delay(_) => "wait for --retry-delay, then run the steps",
        Decision::Refuse(_) => "refuse",
    }
}

fn verdict(plan: &GatePlan, seen: &DatabaseReport) -> Result<(), Failure> {
    let info = &seen.info;
    match &seen.decision {
        Decision::Start => return Ok(()),
        Decision::Refuse(refusal) => {
            let revision = plan.revision.revision.as_deref().unwrap_or_default();
            return Err(revision_refused(
                &plan.target,
                &plan.reference,
                revision,
                refusal,
            ));
        }
        Decision::Run { .. } | Decision::Wait(_) | Decision::Delay(_) => {}
    }
    if let Some(why) = &info.unfit {
        let hint = why.hint().unwrap_or_default();
        return Err(refused(why.to_string(), hint.to_owned()));
    }
    if !info.ledger_exists && info.can_create == Some(false) {
        return Err(refused(
            "the ledger is missing and this role may not create it".into(),
            (plan.target.backend().driver().create_hint)(&plan.target),
        ));
    }
    if info.ledger_exists && info.can_write_ledger == Some(false) {
        return Err(Failure::because(
            FailureKind::Database,
            "this role may not write to the ledger",
            "grant it SELECT, INSERT and UPDATE on launchgate_runs",
        ));
    }
    Ok(())
}
