//! One question for a start with nothing to do: has the revision succeeded? Most of its cost is what a new
//! session has to load, so the question uses few functions, and plans no more than it needs.

use std::time::Duration;

use super::{
    dialect::SQL,
    ledger_place::{EQ, IS_TABLE, MAY_READ, of_schema, quickly_trusted},
};
use crate::db::{
    Error, Target,
    connection::Connection,
    ledger::{LedgerRow, RowLease, RunState},
    ledger_sql::{HOME, LedgerSql, TABLE},
};

/// `pg_authid`. A superuser has every right to it, and as a rule nobody else has one.
const FOR_SUPERUSERS: &str = "1260::pg_catalog.oid";

/// How many rows of a revision are read. Where there are more, `find` decides.
const MOST_ROWS: usize = 100;

/// The revision's newest success, where one question is enough to be sure that it counts.
pub(super) async fn newest_success(
    connection: &mut dyn Connection,
    target: &Target,
    revision: &str,
    bound: Duration,
) -> Result<Option<LedgerRow>, Error> {
    let ask = (SQL.preamble)(bound) + &ask_for_success(target, revision);
    match connection.rows(ask, bound).await.map_err(Error::from) {
        Ok(rows) => Ok(rows
            .last()
            .and_then(|row| success_in(&row.text(0), revision))),
        // whatever the server refuses, such as XML that it was built without: `find` tells
        Err(Error::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Asks for the rows of a revision in launchgate's own schema if the ledger there is this role's, else in
/// every ledger that is trusted.
///
/// Which table an index belongs to and who owns both, a session can find out without reading a catalog, which
/// would take longer. No grant gives a right to an index, so a role that has one is the owner, or a member of the
/// owner. A superuser has every right, and so takes the other way. The schema's owner can pass on the right to
/// grant; that does no harm, since no one else could make this table. `to_regclass` fails for a schema that this
/// role may not use.
fn ask_for_success(target: &Target, revision: &str) -> String {
    let ledger = LedgerSql::named(&SQL, TABLE);
    let columns = "SELECT tableoid, id, state, run_id, holder FROM ";
    let rows = format!(
        " WHERE {} AND {} LIMIT {MOST_ROWS}",
        ledger.of_app(&target.app),
        ledger.is("revision", revision),
    );
    // how the definition of the table's key ends
    let key = format!("{TABLE}_pkey ON {HOME}.{TABLE} USING btree (id)");
    let (own, of, trusted) = match &target.ledger {
        Some(named) => ("false".to_owned(), of_schema(named), "true".to_owned()),
        None => (
            format!(
                "pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('{HOME}'), 'USAGE WITH GRANT OPTION') \
                 AND pg_catalog.has_table_privilege(pg_catalog.to_regclass('{HOME}.{TABLE}_pkey'), 'REFERENCES') \
                 AND NOT pg_catalog.has_table_privilege({FOR_SUPERUSERS}, 'REFERENCES') \
                 AND pg_catalog.right(pg_catalog.pg_get_indexdef(pg_catalog.to_regclass('{HOME}.{TABLE}_pkey')), {length}) \
                 {EQ} '{key}'",
                length = key.len(),
            ),
            String::new(),
            // in a schema of its own, whose owner could replace it, of that one too
            format!(
                "{} AND (SELECT n.nspname OPERATOR(pg_catalog.<>) '{HOME}' OR {} \
                 FROM pg_catalog.pg_namespace n WHERE n.oid {EQ} c.relnamespace)",
                quickly_trusted("c.relowner"),
                quickly_trusted("n.nspowner"),
            ),
        ),
    };
    let in_each = format!(
        "SELECT CASE WHEN {trusted} AND {MAY_READ} THEN pg_catalog.query_to_xml(pg_catalog.concat({}, c.oid::pg_catalog.regclass, {}), \
         false, false, '') ELSE {} END FROM pg_catalog.pg_class c WHERE c.relname {EQ} '{TABLE}' AND {IS_TABLE}{of}",
        quoted_text(columns),
        quoted_text(&rows),
        lazily("SELECT 0 AS tableoid, 'not trusted' AS state"),
    );
    format!(
        "SELECT CASE WHEN {own} THEN {} ELSE {} END",
        lazily(&format!("{columns}{HOME}.{TABLE}{rows}")),
        lazily(&in_each),
    )
}

/// An expression that runs a statement. The server plans that only when it gets there, so that what is seldom
/// needed costs little, and a table that is missing is no error.
fn lazily(statement: &str) -> String {
    let statement = quoted_text(statement);
    format!("pg_catalog.query_to_xml({statement}, false, false, '')")
}

/// A text literal for a statement of ours, none of which has a backslash.
fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The newest success of the revision whose rows these are. None where they don't settle it: an operator
/// has blocked it since, rows are in several ledgers, one ledger is not trusted, a newer launchgate wrote a
/// state that this one does not know, or there are more rows.
fn success_in(xml: &str, revision: &str) -> Option<LedgerRow> {
    let rows = xml.split("<tableoid>").skip(1);
    let rows: Option<Vec<_>> = rows.map(|row| row_in(row, revision)).collect();
    let rows = rows.filter(|rows| rows.len() < MOST_ROWS)?;
    let (table, _) = *rows.first()?;
    if rows.iter().any(|(of, _)| *of != table) {
        return None;
    }
    let decide = [Some(RunState::Succeeded), Some(RunState::Blocked)];
    let rows = rows.into_iter().map(|(_, row)| row);
    let newest = rows
        .filter(|row| decide.contains(&row.state))
        .max_by_key(|row| row.id);
    newest.filter(|row| row.state == decide[0])
}

/// A row as `query_to_xml` writes it, from its table's number on: an element for each column.
fn row_in<'a>(xml: &'a str, revision: &str) -> Option<(&'a str, LedgerRow)> {
    let (table, row) = xml.split_once("</tableoid>")?;
    let field = |name: &str| {
        let (_, from) = row.split_once(&format!("<{name}>"))?;
        let (text, _) = from.split_once("</")?;
        let text = text.replace("&lt;", "<").replace("&gt;", ">");
        Some(text.replace("&#x0d;", "\r").replace("&amp;", "&"))
    };
    let row = LedgerRow {
        id: field("id")?.parse().ok()?,
        revision: revision.to_owned(),
        run_id: field("run_id")?,
        state: Some(RunState::named(&field("state")?)?),
        lease: RowLease::Over,
        holder: field("holder")?,
        age_ms: 0,
        ended_ms: None,
        note: None,
    };
    Some((table, row))
}
