//! `launchgate check`: changes nothing; says what every setting is and where it came from,
//! which executables are found, and what the database is. Ends as `run` would have failed.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::conceal;
use crate::coordination::Coordination;
use crate::db::{ServerInfo, Target};
use crate::decide::{Decision, decide};
use crate::embedded::{self, Embedded};
use crate::exit::{Failure, Problem};
use crate::gate::{Gate, refused};
use crate::health::Health;
use crate::identity::Identity;
use crate::log::Log;
use crate::network::{self, Link};
use crate::patience::Outage;
use crate::plan;
use crate::report;
use crate::resolve::failure;
use crate::run;
use crate::settings::written::Written;
use crate::settings::{DatabaseChoice, Format, Origin, SKIP, Setting, Sources, StepSettings};
use crate::steps::{self, ReadyServer};
use crate::sys::host::Host;
use crate::termination;

/// A line of the table: setting, value, origin.
type Row = (String, String, String);

/// Checks.
///
/// # Errors
/// What `run` would have failed with.
pub fn check(host: &Host, log: &Log, sources: &Sources<'_>) -> Result<(), Failure> {
    let server = plan::server(sources)?;
    let mut rows = settings(sources)?;
    if sources.skip()? {
        report::print(host, table("SETTING", &rows).as_bytes())?;
        let program = server.as_ref().map(|s| steps::find_server(s, log));
        report::print(
            host,
            programs(&[], program.transpose()?.as_ref()).as_bytes(),
        )?;
        return report::print(
            host,
            b"\nGATE      skipped: LAUNCHGATE_SKIP is set, `run` goes straight to the server\n",
        );
    }
    let (steps, coordination) = run::plan(sources, log)?;
    let name = match &coordination {
        Coordination::Alone { name, .. } => name,
        Coordination::Gate(gate) => &gate.name,
    };
    // One that no setting names comes from the platform.
    if let (Some(release), Some(source)) = (&name.release, &name.source)
        && !rows.iter().any(|row| row.0 == "release")
    {
        rows.push(("release".to_owned(), release.clone(), source.clone()));
    }
    report::print(host, table("SETTING", &rows).as_bytes())?;
    let ready = steps::find(&steps, log)?;
    let program = server
        .as_ref()
        .map(|s| steps::find_server(s, log))
        .transpose()?;
    report::print(host, programs(&ready, program.as_ref()).as_bytes())?;
    Health::check(sources.health()?.as_ref())?;
    match coordination {
        Coordination::Alone { .. } => report::print(
            host,
            b"\nDATABASE  none: the steps run at every start, in every replica\n",
        ),
        Coordination::Gate(gate) => database(host, &gate, steps.embedded.as_ref()),
    }
}

fn settings(sources: &Sources<'_>) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    if let Some(file) = sources.file {
        rows.push(row("config", file.path().to_owned(), file.origin()));
    }
    let steps = sources.steps()?;
    let lossy = |s: &Setting<OsString>| s.value.to_string_lossy().into_owned();
    rows.extend(commands(&steps));
    rows.push(switch("shell", &steps.shell));
    rows.push(switch("expand-env", &steps.expand_env));
    rows.push(limit("migrate-timeout", &steps.migrate_timeout));
    rows.push(row(
        "stop-grace",
        duration(steps.stop_grace.value),
        &steps.stop_grace.origin,
    ));
    // Values may be secrets.
    let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    rows.extend(
        steps
            .step_env
            .iter()
            .map(|s| row("step-env", name(&s.value.0) + "=***", &s.origin)),
    );
    rows.extend(steps.step_env_from.iter().map(|s| {
        row(
            "step-env-from",
            format!("{}={}", name(&s.value.0), name(&s.value.1)),
            &s.origin,
        )
    }));
    let database = sources.database()?;
    let (mut url, mut secrets) = (None, None);
    match &database.choice {
        DatabaseChoice::Url(setting) => {
            url = Some(row(
                "database-url",
                setting.value.to_string(),
                &setting.origin,
            ));
            secrets = Some(setting.value.clone());
        }
        DatabaseChoice::Declined(origin) => rows.push(row("no-database", "on".into(), origin)),
        DatabaseChoice::Unnamed => rows.push(row("database-url", "none".into(), &Origin::Default)),
    }
    rows.extend(url);
    rows.push(row("app", database.app.value.clone(), &database.app.origin));
    rows.push(limit("wait-timeout", &database.wait_timeout));
    let coordination = sources.coordination()?;
    rows.extend(
        coordination
            .release
            .iter()
            .map(|s| row("release", lossy(s), &s.origin)),
    );
    rows.extend(
        coordination
            .fingerprint
            .iter()
            .map(|s| row("fingerprint", s.value.clone(), &s.origin)),
    );
    rows.push(limit("lock-timeout", &coordination.lock_timeout));
    rows.push(row(
        "lease",
        duration(coordination.lease.value),
        &coordination.lease.origin,
    ));
    let most = coordination
        .max_attempts
        .value
        .map_or("no limit".into(), |n| n.to_string());
    rows.push(row("max-attempts", most, &coordination.max_attempts.origin));
    rows.push(limit("orphan-timeout", &coordination.orphan_timeout));
    rows.extend(
        sources
            .unset_env()?
            .iter()
            .map(|s| row("unset-env", lossy(s), &s.origin)),
    );
    rows.extend(users(sources)?);
    rows.extend(init(sources)?);
    let health = sources.health()?;
    rows.extend(health.map(|s| row("health-listen", s.value.text, &s.origin)));
    rows.extend(log_settings(sources)?);
    for row in &mut rows {
        if let Some(url) = &secrets {
            row.1 = url.redact(&row.1);
        }
        // The URL itself is shown by a type that hides its password.
        row.1 = conceal::passwords(&row.1).into_owned();
    }
    Ok(rows)
}

/// What runs, in its order.
fn commands(steps: &StepSettings) -> Vec<Row> {
    let folder = |name, setting: &Setting<OsString>| {
        let folder = setting.value.to_string_lossy().into_owned();
        row(name, folder, &setting.origin)
    };
    let all = steps.backup.iter().flat_map(|s| command("backup", s));
    all.chain(steps.snapshot.iter().map(|s| folder("snapshot", s)))
        .chain(steps.migrate.iter().flat_map(|s| command("migrate", s)))
        .chain(steps.sql.iter().map(|s| folder("sql", s)))
        .chain(steps.verify.iter().flat_map(|s| command("verify", s)))
        .collect()
}

/// A step command, and what it has of its own.
fn command(kind: &str, setting: &Setting<Written>) -> Vec<Row> {
    let Setting { value, origin } = setting;
    let mut rows = vec![row(kind, value.command.shown(), origin)];
    let mut own =
        |name: &str, value: String| rows.push(row(&format!("{kind}.{name}"), value, origin));
    if let Some(name) = &value.name {
        own("name", name.clone());
    }
    if let Some(timeout) = value.timeout {
        own("timeout", timeout.map_or("no limit".to_owned(), duration));
    }
    for (name, _) in &value.environment {
        // The value may be a secret.
        own("env", format!("{}=***", String::from_utf8_lossy(name)));
    }
    if let Some((user, _)) = &value.identity {
        own("user", user.clone());
    }
    rows
}

fn users(sources: &Sources<'_>) -> Result<Vec<Row>, Failure> {
    let shown = |name, setting: Option<Setting<(String, Identity)>>| {
        setting.map(|s| row(name, s.value.0, &s.origin))
    };
    let users = [
        shown("user", sources.user()?),
        shown("step-user", sources.step_user()?),
    ];
    Ok(users.into_iter().flatten().collect())
}

fn log_settings(sources: &Sources<'_>) -> Result<Vec<Row>, Failure> {
    let (verbose, quiet) = sources.log_switches()?;
    let mut rows = vec![switch("verbose", &verbose), switch("quiet", &quiet)];
    let format = sources.log_format()?;
    let name = match format.value {
        Format::Text => "text",
        Format::Json => "json",
    };
    rows.push(row("log-format", name.to_owned(), &format.origin));
    rows.push(match sources.termination_log()? {
        Some(file) => row(
            "termination-log",
            file.value.to_string_lossy().into_owned(),
            &file.origin,
        ),
        None => row(
            "termination-log",
            format!("{} where it is there", termination::DEFAULT),
            &Origin::Default,
        ),
    });
    if sources.skip()? {
        let origin = Origin::Variable(SKIP.to_owned());
        rows.push(row("skip", "on".to_owned(), &origin));
    }
    Ok(rows)
}

fn init(sources: &Sources<'_>) -> Result<Vec<Row>, Failure> {
    let init = sources.init()?;
    let state = if init.init.is_some() { "on" } else { "off" };
    let mut rows = vec![row("init", state.to_owned(), &init.origin)];
    let parts = init.parts.into_iter();
    rows.extend(parts.map(|(name, value, origin)| row(name, value, &origin)));
    Ok(rows)
}

fn row(name: &str, value: String, origin: &Origin) -> Row {
    (name.to_owned(), value, origin.to_string())
}

fn switch(name: &str, setting: &Setting<bool>) -> Row {
    row(
        name,
        if setting.value { "on" } else { "off" }.to_owned(),
        &setting.origin,
    )
}

fn limit(name: &str, setting: &Setting<Option<Duration>>) -> Row {
    row(
        name,
        setting.value.map_or("no limit".to_owned(), duration),
        &setting.origin,
    )
}

fn duration(value: Duration) -> String {
    humantime::format_duration(value).to_string()
}

fn table(heading: &str, rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> &String, least: usize| {
        rows.iter()
            .map(|row| of(row).chars().count())
            .max()
            .unwrap_or(0)
            .clamp(least, 60)
    };
    let (first, second) = (width(|r| &r.0, heading.len()), width(|r| &r.1, 5));
    let mut out = format!("{heading:first$}  {:second$}  FROM\n", "VALUE");
    for (name, value, origin) in rows {
        let value = value.replace(char::is_control, " ");
        let _ = writeln!(out, "{name:first$}  {value:second$}  {origin}");
    }
    out
}

fn programs(ready: &[steps::Ready], server: Option<&ReadyServer>) -> String {
    let mut out = String::from("\nPROGRAM   PATH\n");
    for step in ready {
        let _ = writeln!(
            out,
            "{:8}  {}",
            step.step.name,
            if step.step.kind.is_embedded() {
                "launchgate itself".into()
            } else {
                step.path().to_string_lossy()
            }
        );
    }
    if let Some(server) = server {
        let _ = writeln!(
            out,
            "{:8}  {}",
            "server",
            server.program.path.to_string_lossy()
        );
    }
    out
}

/// What the database said, and what `run` would do now.
struct Seen {
    info: ServerInfo,
    decision: Decision,
}

fn database(host: &Host, gate: &Gate, embedded: Option<&Embedded>) -> Result<(), Failure> {
    let shown = gate.target.url.to_string();
    let asked = gate.clone();
    let seen = network::run(host, &mut |_| None, |link| look(asked, link))?;
    report::print(host, describe(&shown, gate, &seen).as_bytes())?;
    let migrations = match embedded.and_then(|embedded| embedded.migrations(gate)) {
        Some((target, folder)) => migrations(host, target, folder),
        None => Ok(()),
    };
    verdict(gate, &seen)?;
    match &seen.decision {
        Decision::Start => Ok(()),
        Decision::Run { .. } | Decision::Wait(_) | Decision::Refuse(_) => {
            migrations?;
            embedded.map_or(Ok(()), Embedded::check)
        }
    }
}

/// What `--sql` would apply, in order.
fn migrations(host: &Host, target: Target, folder: PathBuf) -> Result<(), Failure> {
    let shown = folder.display().to_string();
    let list = move |mut link: Link| async move {
        link.unless_stopped("check", embedded::list(&target, &folder))
            .await?
    };
    let (pending, applied) = network::run(host, &mut |_| None, list)?;
    let mut out = format!(
        "\nMIGRATIONS in {shown}\napplied         {applied}\nto be applied   {}\n",
        pending.len()
    );
    for name in pending {
        let _ = writeln!(out, "  {name}");
    }
    report::print(host, out.as_bytes())
}

async fn look(gate: Gate, mut link: Link) -> Result<Seen, Failure> {
    let mut outage = Outage::new(&gate.policy);
    let (mut session, ledger) = gate.open(&mut link, &mut outage).await?;
    let info = link
        .unless_stopped("check", session.describe())
        .await?
        .map_err(failure)?;
    session.close().await;
    let decision = decide(
        &ledger,
        gate.name.revision.as_deref(),
        gate.policy.max_attempts,
    );
    Ok(Seen { info, decision })
}

fn describe(url: &str, gate: &Gate, seen: &Seen) -> String {
    let info = &seen.info;
    let tell = |known: Option<bool>| match known {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not known",
    };
    let mut out = String::from("\nDATABASE\n");
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:16}  {value}");
    };
    line("url", url);
    line("server", &format!("{} {}", info.product, info.version));
    line("pooler", info.pooler.as_deref().unwrap_or("none seen"));
    line(
        "writable",
        if info.read_only {
            "no, read only"
        } else {
            "yes"
        },
    );
    line(
        "ledger",
        if info.ledger_exists {
            "there"
        } else {
            "not there yet"
        },
    );
    line("may create it", tell(info.can_create));
    line(
        "may write it",
        if info.ledger_exists {
            tell(info.can_write_ledger)
        } else {
            "-"
        },
    );
    line("lock", info.lock_mode);
    line(
        "revision",
        gate.name
            .revision
            .as_deref()
            .unwrap_or("none: the steps run at every start"),
    );
    line("run would", would(&seen.decision));
    out
}

fn would(decision: &Decision) -> &'static str {
    match decision {
        Decision::Start => "start the server at once: the revision succeeded",
        Decision::Run { .. } => "run the steps",
        Decision::Wait(_) => "wait for another replica",
        Decision::Refuse(_) => "refuse",
    }
}

fn verdict(gate: &Gate, seen: &Seen) -> Result<(), Failure> {
    let info = &seen.info;
    match &seen.decision {
        Decision::Start => return Ok(()),
        Decision::Refuse(refusal) => return Err(gate.refuse(refusal)),
        Decision::Run { .. } | Decision::Wait(_) => {}
    }
    let backend = gate.target.backend().as_str();
    if info.read_only {
        return Err(refused(
            "the database takes no writes: a standby, or a read-only session".into(),
            "point the database URL at the primary".into(),
        ));
    }
    if !info.ledger_exists && info.can_create == Some(false) {
        return Err(refused(
            "the ledger is missing and this role may not create it".into(),
            format!(
                "run the output of `launchgate print-ddl --database {backend}` as an administrator"
            ),
        ));
    }
    if info.ledger_exists && info.can_write_ledger == Some(false) {
        return Err(Failure::Database(Problem::new(
            "this role may not write the ledger",
            "grant it SELECT, INSERT and UPDATE on launchgate_runs",
        )));
    }
    Ok(())
}
