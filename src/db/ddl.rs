//! The ledger's DDL, as `print-ddl` prints it.

use super::Backend;

/// The ledger's DDL, for an administrator to run where launchgate's role may not create tables.
/// `schema`: where the table goes; the default schema otherwise.
#[must_use]
pub fn ddl(backend: Backend, schema: Option<&str>) -> String {
    let dialect = backend.driver().dialect();
    let statements = dialect.create_ledger(schema).join(";\n\n");
    let grants = if dialect.has_roles() {
        "-- The role that runs launchgate needs SELECT, INSERT and UPDATE on it,\n\
         -- the role of `launchgate wait` SELECT.\n"
    } else {
        ""
    };
    format!("-- launchgate's ledger: one row per attempt to migrate.\n{grants}{statements};\n")
}
