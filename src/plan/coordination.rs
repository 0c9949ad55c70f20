//! Turns settings into the gate's plan: where lock and ledger live, which revision, which limits.

use std::time::Duration;

use crate::cli::Verb;
use crate::db::Target;
use crate::db::ledger::LONGEST_LEASE;
use crate::db::url::DatabaseUrl;
use crate::exit::Failure;
use crate::output::log::{Event, Log};
use crate::plan::gate_plan::{GatePlan, Limits};
use crate::plan::ledger_reference::LedgerReference;
use crate::plan::revision::{self, RevisionFiles, RevisionInfo};
use crate::settings::{
    CoordinationSettings, DatabaseChoice, DatabaseSettings, LedgerSettings, Origin, Setting,
};
use crate::sys::environment::Environment;
use crate::sys::host;

/// What coordinates the replicas.
pub enum Coordination {
    /// Nothing: the user passed `--no-database`.
    Alone {
        /// The app's name.
        app: String,
        /// The revision, for the steps' variables.
        name: RevisionInfo,
        /// How often to try again, and when.
        limits: Limits,
    },
    /// Lock and ledger.
    Gate(Box<GatePlan>),
}

/// Resolves everything about coordination, and logs the revision.
///
/// # Errors
/// A setting that makes no sense.
pub fn resolve(
    environment: &Environment,
    ledger: &LedgerSettings,
    log: &Log,
) -> Result<Coordination, Failure> {
    let LedgerSettings {
        database,
        coordination,
    } = ledger;
    let url = match &database.choice {
        DatabaseChoice::Url(url) => {
            check_arithmetic(coordination)?;
            log.say(
                Event::DatabaseChosen,
                "using this database for the lock and the ledger",
                &[("database", &url.value), ("source", &url.origin)],
            );
            Some(url)
        }
        DatabaseChoice::Declined(_) => None,
        DatabaseChoice::Unnamed { hint } => return Err(unnamed(hint)),
    };
    let (mut name, unread) = revision::choose(environment, coordination, log)?;
    revision::say(&name, log);
    if let Some(url) = url {
        let plan = gate_plan(url, database, coordination, name, unread);
        return Ok(Coordination::Gate(Box::new(plan)));
    }
    if let Some(files) = unread {
        name.revision = Some(files.read(log)?);
    }
    Ok(Coordination::Alone {
        app: database.app.value.clone(),
        name,
        limits: coordination.limits,
    })
}

fn gate_plan(
    url: &Setting<DatabaseUrl>,
    database: &DatabaseSettings,
    settings: &CoordinationSettings,
    revision: RevisionInfo,
    unread: Option<RevisionFiles>,
) -> GatePlan {
    GatePlan {
        target: Target {
            url: url.value.clone(),
            ledger: database.ledger.clone(),
            app: database.app.value.clone(),
            lease: settings.lease.value,
        },
        reference: LedgerReference::new(&url.value.to_string(), &url.origin, database),
        revision,
        unread,
        limits: settings.limits,
        holder: host::holder(),
    }
}

/// The plan of a command without a revision of its own: `status`, `resolve`.
///
/// # Errors
/// No database is named.
pub fn without_revision(verb: Verb, ledger: &LedgerSettings) -> Result<GatePlan, Failure> {
    let LedgerSettings {
        database,
        coordination,
    } = ledger;
    let DatabaseChoice::Url(url) = &database.choice else {
        return Err(no_database(verb, &database.choice));
    };
    check_arithmetic(coordination)?;
    let none = RevisionInfo::default();
    Ok(gate_plan(url, database, coordination, none, None))
}

/// Neither a database nor `--no-database`: each replica would run the steps for itself, at every start.
fn unnamed(hint: &str) -> Failure {
    Failure::usage(
        "no database is configured, so every replica would run the steps at every start",
        format!("{hint}; or --no-database if that is what you want"),
    )
}

/// A command that needs the ledger has no database.
pub fn no_database(verb: Verb, choice: &DatabaseChoice) -> Failure {
    let verb = verb.as_str();
    let hint = match choice {
        DatabaseChoice::Unnamed { hint } => hint,
        DatabaseChoice::Declined(_) | DatabaseChoice::Url(_) => {
            "set DATABASE_URL or --database-url, and remove --no-database"
        }
    };
    Failure::usage(
        format!("`launchgate {verb}` needs the database with the ledger, but none is configured"),
        hint,
    )
}

/// Every command with a database checks this, since one that runs no step shares its settings with
/// those that do.
fn check_arithmetic(settings: &CoordinationSettings) -> Result<(), Failure> {
    let grace = settings.stop_grace.as_ref();
    grace.map_or(Ok(()), |grace| fits(grace, &settings.lease))
}

/// A holder that can't confirm its lock stops its step after a third of the lease. The grace period
/// and the kill have to fit into the rest.
fn fits(grace: &Setting<Duration>, lease: &Setting<Duration>) -> Result<(), Failure> {
    let needed = grace.value.saturating_add(Duration::from_secs(1));
    if needed.saturating_mul(3) <= lease.value.saturating_mul(2) {
        return Ok(());
    }
    let named = |setting: &Setting<Duration>, flag: &str| match setting.origin {
        Origin::Default => format!("{flag} (default)"),
        _ => setting.origin.to_string(),
    };
    let show = humantime::format_duration;
    // In whole seconds, rounded up.
    let least = needed.saturating_mul(3) / 2;
    let least = least.saturating_add(Duration::from_nanos(999_999_999));
    let least = Duration::from_secs(least.as_secs());
    let hint = if least <= LONGEST_LEASE {
        format!(
            "set --lease to at least {}, or a shorter --stop-grace",
            show(least)
        )
    } else {
        let most = (LONGEST_LEASE * 2 / 3).saturating_sub(Duration::from_secs(1));
        format!(
            "set a shorter --stop-grace: at most {}, with the maximum --lease of {}",
            show(most),
            show(LONGEST_LEASE)
        )
    };
    Err(Failure::usage(
        format!(
            "{} {} plus one second is more than two thirds of {} {}",
            named(grace, "--stop-grace"),
            show(grace.value),
            named(lease, "--lease"),
            show(lease.value)
        ),
        hint,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(grace: Duration, lease: Duration) -> Result<(), Failure> {
        let setting = |value| Setting {
            value,
            origin: Origin::Default,
        };
        fits(&setting(grace), &setting(lease))
    }

    #[test]
    fn grace_and_kill_fit_into_two_thirds_of_the_lease() {
        let seconds = Duration::from_secs;
        assert!(check(seconds(19), seconds(30)).is_ok());
        let failure = check(Duration::from_millis(19_001), seconds(30)).unwrap_err();
        assert_eq!(failure.code(), 64);
        assert!(failure.problem().hint().contains("--lease to at least 31s"));
    }

    #[test]
    fn a_grace_that_no_lease_can_hold_is_refused_however_long_it_is() {
        for grace in [Duration::from_hours(1), Duration::MAX] {
            let failure = check(grace, Duration::from_secs(30)).unwrap_err();
            assert_eq!(failure.code(), 64);
            let hint = failure.problem().hint();
            assert!(hint.contains("at most 39m 59s"), "{hint}");
        }
    }
}
