//! Which schema the ledger is in, where the URL names none.
//!
//! The `search_path` finds it only until someone changes that path, and such a change (a migration
//! with `ALTER DATABASE … SET search_path`) does not move the ledger. A ledger that the path no
//! longer
//! reaches is found all the same: a revision that succeeded must not run again.

use super::quoting::literal;
use crate::db::ledger_sql::TABLE;

/// The ledgers in this database that this role may read: those first that it may write, then the
/// oldest.
fn elsewhere(condition: &str) -> String {
    format!(
        "SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relname = '{TABLE}' AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' \
         AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AND {condition} \
         ORDER BY {MAY_WRITE} DESC, c.oid LIMIT 1"
    )
}

const MAY_WRITE: &str =
    "(has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE'))";

/// One row with the schema of the ledger to write: the named one, else where the `search_path` finds a
/// ledger, else where another one is, else where one would be created. NULL where the `search_path`
/// names no schema that exists.
pub(super) fn find(named: Option<&str>) -> String {
    if let Some(named) = named {
        return format!("SELECT {}", literal(named));
    }
    format!(
        "SELECT coalesce((SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = to_regclass('{TABLE}')), ({}), current_schema()::text)",
        elsewhere(MAY_WRITE)
    )
}

/// The schema of a ledger that the `search_path` does not find, for a reader; no row where there is
/// none.
pub(super) fn find_elsewhere() -> String {
    elsewhere("true")
}
