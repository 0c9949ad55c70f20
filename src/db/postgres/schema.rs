//! Which schema the ledger is in, where the URL names none.

use super::super::{
    Backend,
    sql::{Sql, TABLE},
};

/// One row with the schema of the ledger to write: the one that is named, else where the
/// `search_path` finds a ledger, else where one would be made. NULL where the `search_path` names
/// no schema that exists.
pub(in crate::db) fn find(named: Option<&str>) -> String {
    if let Some(named) = named {
        let sql = Sql::new(Backend::Postgres, None);
        return format!("SELECT {}", sql.text(named));
    }
    format!(
        "SELECT coalesce((SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = to_regclass('{TABLE}')), current_schema()::text)"
    )
}
