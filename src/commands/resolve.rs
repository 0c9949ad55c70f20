//! `launchgate resolve` and `launchgate print-ddl`: what an operator or an administrator does.

use std::ffi::OsStr;

use crate::db::ledger::RunState;
use crate::db::{self, Backend, Error};
use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::retry::ConnectRetry;
use crate::gate::runtime::{self, GateLink};
use crate::gate::{Gate, refused};
use crate::output::log::Log;
use crate::output::print;
use crate::plan::coordination;
use crate::plan::release::Revision;
use crate::redact;
use crate::settings::{Sources, flag};
use crate::sys::host::Host;

/// Appends an operator's decision to the ledger.
///
/// # Errors
/// A word that is no decision, a database that refuses.
pub fn resolve(host: &Host, log: &Log, sources: &Sources<'_>) -> Result<(), Failure> {
    let argument = |id: &str| -> Result<Option<&str>, Failure> {
        let values = sources.raw.values(id).unwrap_or_default();
        let Some(value) = values.first() else {
            return Ok(None);
        };
        let text = value.to_str().ok_or_else(|| {
            let name = if id == "revision" {
                "REVISION".to_owned()
            } else {
                flag(id)
            };
            Failure::usage(format!("{name} is not UTF-8"), "write it in UTF-8")
        });
        text.map(Some)
    };
    let state = match argument("as")? {
        Some("succeeded") => RunState::Succeeded,
        Some("retry") => RunState::Reset,
        Some("blocked") => RunState::Blocked,
        other => {
            return Err(Failure::usage(
                format!("--as: `{}` is no decision", other.unwrap_or_default()),
                "write succeeded, retry or blocked",
            ));
        }
    };
    // As a release's name is taken: without the white space around it.
    let revision = Revision::new(argument("revision")?.unwrap_or_default().trim())
        .map_err(|error| Failure::usage(format!("REVISION: {error}"), error.hint()))?;
    let note = argument("note")?;
    if note == Some("") {
        return Err(Failure::usage(
            "--note is empty",
            "give it a value, or leave it out",
        ));
    }
    let gate = coordination::target(sources, log)?;
    // Whoever reads the ledger reads it.
    let note = note.map(|note| redact::secrets(note, &gate.target.url));
    let shown = redact::passwords(revision.as_str()).into_owned();
    let had_succeeded = runtime::run(host, &mut |_| None, move |link| async move {
        append(gate, link, revision.as_str().to_owned(), state, note).await
    })?;
    let said = match state {
        RunState::Succeeded => "taken as succeeded: it starts without running its steps",
        RunState::Blocked => "blocked: it does not start",
        _ if had_succeeded => {
            "attempts are counted anew; it succeeded before, so its steps do not run again"
        }
        _ => "attempts are counted anew: the next start runs its steps",
    };
    print::print(host, format!("revision {shown}: {said}\n").as_bytes())
}

/// Returns whether the revision had succeeded before.
async fn append(
    mut gate: Gate,
    mut link: GateLink,
    revision: String,
    state: RunState,
    note: Option<String>,
) -> Result<bool, Failure> {
    gate.name.revision = Some(revision.clone());
    let mut outage = ConnectRetry::new(&gate.policy);
    let (mut session, ledger) = gate.open(&mut link, &mut outage, None).await?;
    let had_succeeded = crate::gate::decide::has_succeeded(&ledger, &revision);
    let write = session.decide_by_operator(&revision, state, note.as_deref(), &gate.holder);
    let written = link.unless_stopped("resolve", write).await?;
    session.close().await;
    written.map_err(failure)?;
    Ok(had_succeeded)
}

/// What a database call's error means for a command that only reads or appends.
#[must_use]
pub fn failure(error: Error) -> Failure {
    match error {
        Error::Refused { what, hint } => refused(what, hint),
        other => Failure::new(
            FailureKind::Unreachable,
            Problem::new(
                format!("the database did not answer: {other}"),
                "try again, and look at `launchgate status`",
            ),
        ),
    }
}

/// Prints the ledger's DDL.
///
/// # Errors
/// A word that is no database.
pub fn print_ddl(host: &Host, sources: &Sources<'_>) -> Result<(), Failure> {
    let word = sources
        .raw
        .values("database")
        .and_then(|values| values.first().copied());
    let Some(backend) = word.and_then(OsStr::to_str).and_then(Backend::named) else {
        return Err(Failure::usage(
            format!(
                "--database: launchgate knows no database called `{}`",
                word.unwrap_or_default().to_string_lossy()
            ),
            format!("write {}", Backend::ALL.map(Backend::as_str).join(", ")),
        ));
    };
    print::print(host, db::ddl(backend, None).as_bytes())
}
