//! The text and the JSON of `launchgate status`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::LedgerReport;
use crate::commands::table::columns;
use crate::db::ledger::Run;
use crate::exit::Failure;
use crate::gate::delay_wait;
use crate::redact;

impl LedgerReport {
    /// The holder's row.
    fn holding(&self) -> Option<&Run> {
        self.runs
            .iter()
            .find(|run| self.is_held && run.state == "running")
    }
}

pub(super) fn render_json(seen: &LedgerReport) -> Result<String, Failure> {
    let holding = seen.holding();
    let value = json!({
        "app": seen.app,
        "lock": {
            "held": seen.is_held,
            "holder": holding.map(|run| &run.holder),
            "since": holding.map(|run| &run.started_at),
        },
        "delay": seen.delay.as_ref().map(|(delay, revision)| json!({
            "revision": redact::passwords(revision),
            "until": delay_wait::until(delay.remaining),
            "seconds": delay_wait::seconds(delay.remaining),
            "assumed": seen.assumed,
        })),
        "runs": seen.runs.iter().map(run_json).collect::<Vec<Value>>(),
    });
    let text = serde_json::to_string_pretty(&value)
        .map_err(|error| Failure::bug(format!("failed to write JSON: {error}")))?;
    Ok(escaped(&text) + "\n")
}

/// JSON without raw control characters: `serde_json` escapes only some of them.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() && c != '\n' {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn run_json(run: &Run) -> Value {
    json!({
        "id": run.id,
        "app": redact::passwords(&run.app),
        "revision": run.revision,
        "release_id": run.release_id,
        "release_source": run.release_source,
        "run_id": run.run_id,
        "attempt": run.attempt,
        "state": run.state,
        "step": run.step,
        "exit_code": run.exit_code,
        "term_signal": run.term_signal,
        "command": run.command,
        "holder": run.holder,
        "version": run.version,
        "note": run.note,
        "output_tail": run.output_tail,
        "started_at": run.started_at,
        "heartbeat_at": run.heartbeat_at,
        "lease_until": run.lease_until,
        "finished_at": run.finished_at,
        "duration_ms": run.duration_ms,
    })
}

pub(super) fn render(seen: &LedgerReport) -> String {
    let mut out = String::new();
    let _ = write!(out, "app {}: ", seen.app);
    match (seen.is_held, seen.holding()) {
        (true, Some(run)) => {
            let step = run
                .step
                .as_ref()
                .map(|step| format!(", step {step}"))
                .unwrap_or_default();
            let _ = writeln!(
                out,
                "{} has held the gate since {}{step}",
                run.holder, run.started_at
            );
        }
        (true, None) => out.push_str("a replica holds the lock but has not yet started a run\n"),
        (false, _) => out.push_str("no replica holds the gate\n"),
    }
    if let Some((delay, revision)) = &seen.delay {
        let _ = writeln!(
            out,
            "revision {} failed: the next attempt may begin in {} s, at {}, if the replicas have {} too; `{}` ends the wait",
            redact::passwords(revision),
            delay_wait::seconds(delay.remaining),
            delay_wait::until(delay.remaining),
            seen.assumed,
            redact::passwords(&seen.end_it),
        );
    }
    if seen.runs.is_empty() {
        if seen.others.is_empty() {
            out.push_str("the ledger is empty: no runs yet\n");
        } else {
            let (app, others) = (&seen.app, seen.others.join(", "));
            let _ = writeln!(out, "no runs of app `{app}`; there are: {others}");
        }
        return out;
    }
    out.push('\n');
    out.push_str(&columns(HEADINGS, seen.runs.iter().map(cells)));
    if let Some(run) = seen.runs.iter().find(|run| run.state == "failed") {
        failure_of(&mut out, run);
    }
    out
}

const HEADINGS: [&str; 7] = [
    "STATE", "REVISION", "ATTEMPT", "STARTED", "TOOK", "HOLDER", "WHY",
];

fn cells(run: &Run) -> [String; 7] {
    let state = match (run.state.as_str(), run.lease_live) {
        ("running", false) => "running?".to_owned(),
        (state, _) => state.to_owned(),
    };
    [
        printable(&state),
        short(&run.revision, 40),
        run.attempt.to_string(),
        run.started_at.clone(),
        seconds(run.duration_ms),
        printable(&run.holder),
        why(run),
    ]
}

fn why(run: &Run) -> String {
    let step = run.step.as_deref().unwrap_or("step");
    let how = match (run.exit_code, run.term_signal) {
        (Some(code), _) if run.state == "failed" => format!("{step}: exit code {code}"),
        (_, Some(signal)) => format!("{step}: {}", crate::sys::signals::name(signal)),
        _ if run.state == "running" => step.to_owned(),
        _ => String::new(),
    };
    match (&run.note, run.state.as_str()) {
        (Some(note), "interrupted" | "blocked" | "reset" | "succeeded") => short(note, 60),
        _ => how,
    }
}

fn failure_of(out: &mut String, run: &Run) {
    let _ = writeln!(
        out,
        "\nlast failure: run {}, revision {}",
        run.run_id,
        printable(&run.revision)
    );
    if let Some(note) = &run.note {
        let _ = writeln!(out, "  {}", printable(note));
    }
    if let Some(command) = &run.command {
        let _ = writeln!(out, "  command: {}", printable(command));
    }
    if let Some(tail) = &run.output_tail {
        out.push_str("  the end of its output:\n");
        for line in tail.lines() {
            let _ = writeln!(out, "  | {}", printable(line));
        }
    }
}

fn seconds(ms: i64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{}.{}s", seconds, ms % 1000 / 100),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

pub(super) fn short(text: &str, most: usize) -> String {
    let text = printable(text);
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// Replaces control characters, so that none reaches a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}
