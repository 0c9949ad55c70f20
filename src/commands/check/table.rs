//! The table of the settings: each with its value, secrets hidden, and its origin.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::time::Duration;

use crate::exit::Failure;
use crate::output::options::Format;
use crate::output::termination;
use crate::redact;
use crate::settings::written::StepSpec;
use crate::settings::{DatabaseChoice, Origin, SKIP, Setting, Sources, StepSettings};
use crate::sys::identity::Identity;

/// A line: setting, value, origin.
pub(super) type Row = (String, String, String);

/// Every setting, in the order of the help.
pub(super) fn settings(sources: &Sources<'_>) -> Result<Vec<Row>, Failure> {
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
        row.1 = redact::passwords(&row.1).into_owned();
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
fn command(kind: &str, setting: &Setting<StepSpec>) -> Vec<Row> {
    let Setting { value, origin } = setting;
    let mut rows = vec![row(kind, value.command.shown(), origin)];
    let mut own = |name: &str, value: String, origin: &Origin| {
        rows.push(row(&format!("{kind}.{name}"), value, origin));
    };
    if let Some(name) = &value.name {
        own("name", name.value.clone(), &name.origin);
    }
    if let Some(timeout) = &value.timeout {
        let limit = timeout.value.map_or("no limit".to_owned(), duration);
        own("timeout", limit, &timeout.origin);
    }
    for variable in &value.environment {
        // The value may be a secret.
        let name = String::from_utf8_lossy(&variable.value.0);
        own("env", format!("{name}=***"), &variable.origin);
    }
    if let Some(user) = &value.identity {
        own("user", user.value.0.clone(), &user.origin);
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

/// As a person reads it.
pub(super) fn table(heading: &str, rows: &[Row]) -> String {
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
