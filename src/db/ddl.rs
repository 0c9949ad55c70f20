//! The ledger's DDL, as `print-ddl` prints it.

use super::{Backend, ledger_sql::HOME};

/// The ledger's DDL, for an administrator to run where launchgate's role may not create it: all there is
/// to do, with what `role` needs, where there are roles. `ledger` is the schema, or database, that
/// `--ledger` names.
#[must_use]
pub fn ddl(backend: Backend, ledger: Option<&str>, role: Option<&str>) -> String {
    let dialect = backend.driver().dialect;
    let name = ledger.unwrap_or(HOME);
    let before = (dialect.create_schema)(name);
    let schema = before.as_ref().map(|_| name);
    let mut statements: Vec<String> = before.iter().cloned().collect();
    statements.extend(dialect.for_table(dialect.create, schema));
    let mut about = "-- launchgate's ledger: one row per attempt to migrate.\n".to_owned();
    match (role, schema) {
        (Some(role), Some(schema)) => statements.extend((dialect.grants)(schema, role)),
        (None, Some(_)) => about.push_str(
            "-- The role that runs launchgate needs SELECT, INSERT and UPDATE on it, the role of\n\
             -- `launchgate wait` SELECT: --role NAME adds the grants.\n",
        ),
        (_, None) => {}
    }
    about.push_str(dialect.about_owner);
    format!("{about}{};\n", statements.join(";\n\n"))
}
