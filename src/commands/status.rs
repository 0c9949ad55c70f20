//! `launchgate status`: who holds the gate, and the outcome of the newest runs.

mod page;

use self::page::{printable, render, render_json, short};
use crate::cli::Verb;
use crate::db::DatabaseUrl;
use crate::db::ledger::Run;
use crate::exit::Failure;
use crate::gate::decide::{Decision, RetryDelay};
use crate::gate::runtime::{self, GateLink};
use crate::gate::{Gate, call_failed};
use crate::output::log::Log;
use crate::output::print;
use crate::plan::coordination;
use crate::plan::gate_plan::GatePlan;
use crate::redact;
use crate::settings::{LedgerSettings, Origin, Setting};
use crate::sys::host::Host;

/// How many rows are shown.
const NEWEST: u32 = 20;

/// What the database reports now.
#[derive(Debug)]
struct LedgerReport {
    app: String,
    is_held: bool,
    runs: Vec<Run>,
    /// The delay that the newest failure causes, and its revision.
    delay: Option<(RetryDelay, String)>,
    /// The command that ends it.
    end_it: String,
    /// The delay that was assumed: the ledger does not say which one the replicas have.
    assumed: String,
    /// The apps that have rows, looked up where this one has none.
    others: Vec<String>,
}

/// Prints the state of lock and ledger.
///
/// # Errors
/// There is no database, or it refuses.
pub fn status(
    host: &Host,
    log: &Log,
    ledger: &LedgerSettings,
    as_json: bool,
) -> Result<(), Failure> {
    let plan = coordination::without_revision(Verb::Status, ledger)?;
    let log = log.clone();
    let reference = plan.reference.clone();
    let Setting { value, origin } = &ledger.coordination.retry_delay;
    let value = humantime::format_duration(*value);
    let assumed = match origin {
        Origin::Default => format!("--retry-delay {value} (default)"),
        Origin::Flag(_) | Origin::Variable(_) | Origin::File(_) => format!("{origin} {value}"),
    };
    let seen = runtime::run(host, |link| look(plan, log, assumed, link))
        .map_err(|failure| reference.locate(failure))?;
    let text = if as_json {
        render_json(&seen)?
    } else {
        let text = render(&seen);
        // The fields come from the ledger, which others may have written.
        let lines = text.lines().map(|line| printable(line) + "\n");
        lines.collect()
    };
    print::print(host, text)
}

async fn look(
    plan: GatePlan,
    log: Log,
    assumed: String,
    mut link: GateLink,
) -> Result<LedgerReport, Failure> {
    let (target, reference) = (plan.target.clone(), plan.reference.clone());
    let gate = Gate::new(plan, log);
    let (mut session, _) = gate.open(&mut link).await?;
    let read = async {
        let runs = session.history(NEWEST).await?;
        // As for other replicas: a row with a valid lease counts as held; otherwise the lock
        // decides.
        let has_live_row = runs
            .iter()
            .any(|run| run.state == "running" && run.lease_live);
        let is_held = has_live_row || session.is_locked().await?;
        let others = if runs.is_empty() {
            session.apps(None, NEWEST).await?
        } else {
            Vec::new()
        };
        let mut delay = None;
        // Attempts without a revision are not counted.
        let is_counted = |run: &&Run| run.state == "failed" && !run.revision.is_empty();
        if let Some(run) = runs.iter().find(is_counted) {
            let ledger = session.read_ledger(Some(&run.revision)).await?;
            if let Decision::Delay(left) = gate.decision_about(&ledger, Some(&run.revision)) {
                delay = Some((left, run.revision.clone()));
            }
        }
        Ok((runs, is_held, others, delay))
    };
    let (mut runs, is_held, others, delay) = link
        .unless_stopped("reading the ledger", read)
        .await?
        .map_err(|error| call_failed(&reference, error))?;
    session.close().await;
    // Without leases, the newest run is alive as long as its lock.
    if !target.backend().driver().has_lease
        && let Some(run) = runs.iter_mut().find(|run| run.state == "running")
    {
        run.lease_live = is_held;
    }
    let url = &target.url;
    for run in &mut runs {
        hide(run, url);
    }
    Ok(LedgerReport {
        app: redact::passwords(&target.app).into_owned(),
        is_held,
        runs,
        end_it: delay.as_ref().map_or_else(String::new, |(_, revision)| {
            reference.retry_command(revision)
        }),
        delay,
        assumed,
        others: redacted_names(&others),
    })
}

/// Names from the ledger without passwords: a URL may have been given as one.
pub(super) fn redacted_names(names: &[String]) -> Vec<String> {
    let names = names.iter().map(|name| redact::passwords(name));
    names.map(|name| short(&name, 60)).collect()
}

/// Hides passwords. A row may have been written by hand or with another URL, and a value may be a URL
/// that was given for something else.
fn hide(run: &mut Run, url: &DatabaseUrl) {
    let names = [Some(&mut run.revision), run.release_id.as_mut()];
    for name in names.into_iter().flatten() {
        *name = redact::passwords(name).into_owned();
    }
    for text in [&mut run.command, &mut run.note].into_iter().flatten() {
        *text = url.redact_all(text);
    }
    // This is the output of a program: only the known password is removed.
    if let Some(tail) = &mut run.output_tail {
        *tail = url.redact(tail);
    }
}
