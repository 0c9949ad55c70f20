//! What to do about errors that every backend has.

use super::Target;

pub(super) const CREDENTIALS: &str = "check the user and password in the database URL, and that the server accepts this user from this address";
pub(super) const DATABASE: &str = "create the database, or fix its name in the database URL";
pub(super) const NO_DATABASE: &str = "add a database name to the database URL";
pub(super) const READ_ONLY: &str = "point the database URL at the primary, which accepts writes";
pub(super) const PRIVILEGES: &str = "grant the role SELECT, INSERT and UPDATE on launchgate_runs (`launchgate wait` needs SELECT only)";
pub(super) const SHAPE: &str = "the table launchgate_runs does not have the expected columns: compare it with `launchgate print-ddl`, or rename it";
pub(super) const TABLE_GONE: &str =
    "the table launchgate_runs no longer exists: a step may have dropped it";
pub(super) const UNKNOWN: &str =
    "check the server's log; `launchgate check` tests the connection without changing anything";
pub(super) const SCHEMA: &str =
    "create the schema, or select another one with ?schema= in the database URL";

/// The command by which an administrator creates the ledger, with the grants that its role needs.
pub(super) fn create(backend: &str, role: &str, target: &Target, client: &[&str]) -> String {
    let words = |words: &[&str]| shlex::try_join(words.iter().copied()).unwrap_or_default();
    let mut print = vec!["launchgate", "print-ddl", "--database", backend];
    print.extend(["--role", role]);
    if let Some(ledger) = &target.ledger {
        print.extend(["--ledger", ledger]);
    }
    format!(
        "run this as an administrator: {} | {}",
        words(&print),
        words(client)
    )
}
