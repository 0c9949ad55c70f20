//! Names and text in Postgres' SQL.

use crate::db::hex::hex;

/// `name` as a quoted identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text literal that no setting of the server can change the meaning of.
pub(super) fn literal(text: &str) -> String {
    format!(
        "pg_catalog.convert_from(pg_catalog.decode('{}','hex'),'UTF8')",
        hex(text.as_bytes())
    )
}
