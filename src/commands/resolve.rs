//! `launchgate resolve`: an operator's decision about a revision.

use std::ffi::OsStr;

use crate::cli::Verb;
use crate::commands::status::redacted_names;
use crate::db::ledger::RunState;
use crate::db::{Error, Session};
use crate::exit::{Failure, Problem};
use crate::gate::decide::{has_run, has_succeeded};
use crate::gate::runtime::{self, GateLink};
use crate::gate::{Gate, call_failed};
use crate::output::log::{Event, Log};
use crate::output::print;
use crate::plan::coordination;
use crate::plan::gate_plan::GatePlan;
use crate::plan::release;
use crate::redact;
use crate::settings::ResolveSettings;
use crate::sys::host::Host;

/// How many names a warning lists.
const MOST_NAMES: u32 = 8;

/// In how many rows a misspelled revision is looked for.
const MOST_ROWS: u32 = 200;

/// How alike two revisions are that may be meant for each other: 1 is the same.
const ALIKE: f64 = 0.8;

/// Appends an operator's decision to the ledger.
///
/// # Errors
/// An unknown decision, or a database that refuses.
pub fn resolve(host: &Host, log: &Log, settings: &ResolveSettings) -> Result<(), Failure> {
    let state = match text("--as", &settings.decision)? {
        "succeeded" => RunState::Succeeded,
        "retry" => RunState::Reset,
        "blocked" => RunState::Blocked,
        other => {
            return Err(Failure::usage(
                format!("--as: `{other}` is not a valid decision"),
                "write succeeded, retry or blocked",
            ));
        }
    };
    // Trimmed, as a release's name is.
    let revision = release::revision(text("REVISION", &settings.revision)?.trim())
        .map_err(|p| Failure::usage(format!("REVISION: {}", p.what()), p.hint()))?;
    let note = settings.note.as_ref();
    let note = note.map(|note| text("--note", note)).transpose()?;
    if note == Some("") {
        return Err(Failure::usage(
            "--note is empty",
            "pass a value, or remove the flag",
        ));
    }
    let mut plan = coordination::without_revision(Verb::Resolve, &settings.ledger)?;
    plan.revision.revision = Some(revision.clone());
    // Everyone who can read the ledger can read the note.
    let note = note.map(|note| plan.target.url.redact_all(note));
    let shown = redact::passwords(&revision).into_owned();
    let log = log.clone();
    let reference = plan.reference.clone();
    let had_succeeded = runtime::run(host, move |link| {
        append(plan, log, link, revision, state, note)
    })
    .map_err(|failure| reference.locate(failure))?;
    let said = match state {
        RunState::Succeeded => "recorded as succeeded: the next start will not run its steps",
        RunState::Blocked => "blocked: launchgate will refuse to start it",
        _ if had_succeeded => "reset the attempts",
        _ => "reset the attempts; the next start will run its steps",
    };
    print::print(host, format!("revision {shown}: {said}\n"))
}

fn text<'a>(name: &str, value: &'a OsStr) -> Result<&'a str, Failure> {
    value
        .to_str()
        .ok_or_else(|| Failure::usage(format!("{name} is not UTF-8"), "use UTF-8"))
}

/// Returns whether the revision had succeeded before.
async fn append(
    plan: GatePlan,
    log: Log,
    mut link: GateLink,
    revision: String,
    state: RunState,
    note: Option<String>,
) -> Result<bool, Failure> {
    let (revision, holder) = (revision.as_str(), plan.holder.clone());
    let reference = plan.reference.clone();
    let app = plan.target.app.clone();
    let (mut session, ledger) = Gate::new(plan, log.clone()).open(&mut link).await?;
    let had_succeeded = has_succeeded(&ledger, revision);
    if !has_run(&ledger, revision) {
        let look = never_ran(&mut session, &app, revision);
        let problem = link.unless_stopped("reading the ledger", look).await?;
        let problem = problem.map_err(|error| call_failed(&reference, error))?;
        log.warn(Event::ConfigWarning, &problem, &[]);
    }
    if had_succeeded && state == RunState::Reset {
        let what = format!("revision {} has succeeded", redact::passwords(revision));
        let hint = "its steps will not run again; to run them, deploy under another --release";
        log.warn(Event::ConfigWarning, &Problem::new(what, hint), &[]);
    }
    let write = session.decide_by_operator(revision, state, note.as_deref(), &holder);
    let written = link.unless_stopped("recording the decision", write).await?;
    session.close().await;
    written.map_err(|error| call_failed(&reference, error))?;
    Ok(had_succeeded)
}

/// A revision that this app never ran is usually another app's, or misspelled.
async fn never_ran(session: &mut Session, app: &str, revision: &str) -> Result<Problem, Error> {
    let mut of_others = session.apps(Some(revision), MOST_NAMES).await?;
    of_others.retain(|other| other != app);
    let mut newest: Vec<String> = Vec::new();
    for run in session.history(MOST_ROWS).await? {
        if run.revision != revision && !newest.contains(&run.revision) {
            newest.push(run.revision);
        }
    }
    let near = nearest(revision, &newest);
    newest.truncate(MOST_NAMES as usize);
    let (advice, names) = if !of_others.is_empty() {
        ("set --app; these apps have run it", of_others)
    } else if !near.is_empty() {
        ("check its spelling; this app has run", near)
    } else if !newest.is_empty() {
        let advice = "check its spelling; the newest revisions of this app";
        (advice, newest)
    } else {
        let apps = session.apps(None, MOST_NAMES).await?;
        ("set --app; the ledger has these apps", apps)
    };
    let hint = match redacted_names(&names).as_slice() {
        [] => "the ledger is empty: check that this is the right database".to_owned(),
        names => format!("{advice}: {}", names.join(", ")),
    };
    let what = format!("app `{app}` has never run revision {revision}");
    Ok(Problem::new(what, hint))
}

/// The revisions that look most like this one, the most alike first.
fn nearest(revision: &str, known: &[String]) -> Vec<String> {
    let mut alike: Vec<(f64, &String)> = known
        .iter()
        .map(|known| (strsim::jaro_winkler(revision, known), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    alike
        .into_iter()
        .take(3)
        .map(|(_, known)| known.clone())
        .collect()
}
