//! One question for a start with nothing to do: has the revision succeeded? Most of its cost is what a new
//! session has to load, so the question uses few functions, and plans no more than it needs.

use std::time::Duration;

use super::{
    dialect::SQL,
    ledger_place::{EQ, NOBODY, of_schema, trusted},
};
use crate::db::{
    Error, Target,
    connection::Connection,
    ledger::{LedgerRow, RowLease, RunState},
    ledger_sql::{HOME, LedgerSql, TABLE},
    rows::TextRow,
};

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
        Ok(answer) => Ok(success_in(&answer, revision)),
        // whatever the server refuses, such as XML that it was built without: `find` tells
        Err(Error::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Asks for one row for each table of the ledger's name: its number, what it is, and the revision's rows if it
/// can be a ledger and its owner is trusted. Behind those, for a schema of our own whose owner is not plainly
/// trusted, one that says whether it is.
fn ask_for_success(target: &Target, revision: &str) -> String {
    let ledger = LedgerSql::named(&SQL, TABLE);
    let rows = format!(
        " WHERE {} AND {} LIMIT {MOST_ROWS}",
        ledger.of_app(&target.app),
        ledger.is("revision", revision),
    );
    // A view would run with this role's rights.
    let read = |is_trusted: &str, otherwise: &str| {
        format!(
            "CASE WHEN c.relkind {EQ} 'r' AND c.relpersistence {EQ} 'p' AND {is_trusted} THEN {} ELSE {otherwise} END \
             FROM pg_catalog.pg_class c WHERE c.",
            lazily(&format!(
                "pg_catalog.concat('SELECT tableoid, id, state, run_id, holder FROM ', c.oid::pg_catalog.regclass, {})",
                quoted_text(&rows)
            ))
        )
    };
    let tables = |read: String| {
        format!("SELECT c.oid, c.relkind, c.relpersistence, {read}relname {EQ} '{TABLE}'")
    };
    if let Some(named) = &target.ledger {
        return tables(read("true", "NULL")) + &of_schema(named);
    }
    let not_trusted = lazily("'SELECT ''not trusted'' AS tableoid'");
    let in_doubt = format!(
        "SELECT {}oid {EQ} ",
        read(&trusted("c.relowner"), &not_trusted)
    );
    let in_doubt = lazily(&format!(
        "pg_catalog.concat({}, c.oid)",
        quoted_text(&in_doubt)
    ));
    let home = format!("FROM pg_catalog.pg_namespace n WHERE n.nspname {EQ} '{HOME}' AND ");
    let home_in_doubt = format!("SELECT 1 AS trusted {home}{}", trusted("n.nspowner"));
    format!(
        "{}; SELECT {} {home}NOT {}",
        tables(read(&plainly_trusted("c.relowner"), &in_doubt)),
        lazily(&quoted_text(&home_in_doubt)),
        plainly_trusted("n.nspowner"),
    )
}

/// Whether `owner` is trusted for the reason that most are: it is a superuser, or this role has its rights and is
/// no superuser, who has everybody's.
fn plainly_trusted(owner: &str) -> String {
    format!(
        "(pg_catalog.pg_has_role({owner}, {NOBODY}, 'USAGE') \
         OR NOT pg_catalog.pg_has_role({NOBODY}, 'USAGE') AND pg_catalog.pg_has_role({owner}, 'USAGE'))"
    )
}

/// An expression that runs a statement, which is an expression too. The server plans the statement only when it
/// gets there, so what is seldom needed costs little, and nothing looks for a table that is missing.
fn lazily(statement: &str) -> String {
    format!("pg_catalog.query_to_xml({statement}, false, false, '')")
}

/// A text literal for a statement of ours, none of which has a backslash.
fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The newest success of the revision. None where the answer doesn't settle it: an operator has blocked it since,
/// rows are in several ledgers, one ledger or our own schema is not trusted, a newer launchgate wrote a state
/// that this one does not know, or there are more rows.
fn success_in(answer: &[TextRow], revision: &str) -> Option<LedgerRow> {
    let mut found = Vec::new();
    for row in answer {
        match row.0.as_slice() {
            [home] => {
                home.as_ref().filter(|xml| xml.contains("<trusted>"))?;
            }
            [table, kind, persistence, xml] => {
                let is_table = matches!(kind.as_deref(), Some("r" | "p"));
                if !is_table || persistence.as_deref() == Some("t") {
                    continue;
                }
                let rows = rows_in(xml.as_ref()?, table.as_ref()?, revision)?;
                if !rows.is_empty() && !found.is_empty() {
                    return None;
                }
                found.extend(rows);
            }
            _ => {}
        }
    }
    let decide = [Some(RunState::Succeeded), Some(RunState::Blocked)];
    let decisive = found.into_iter().filter(|row| decide.contains(&row.state));
    let newest = decisive.max_by_key(|row| row.id);
    newest.filter(|row| row.state == decide[0])
}

/// The rows that `query_to_xml` wrote. None if they are too many, or another's: a table that has this one's name
/// by now.
fn rows_in(xml: &str, table: &str, revision: &str) -> Option<Vec<LedgerRow>> {
    let rows = xml.split("<tableoid>").skip(1);
    let rows: Option<Vec<_>> = rows.map(|row| row_in(row, table, revision)).collect();
    rows.filter(|rows| rows.len() < MOST_ROWS)
}

/// A row, from its table's number on: an element for each column.
fn row_in(xml: &str, table: &str, revision: &str) -> Option<LedgerRow> {
    let row = xml.strip_prefix(table)?.strip_prefix("</tableoid>")?;
    let field = |name: &str| {
        let (_, from) = row.split_once(&format!("<{name}>"))?;
        let (text, _) = from.split_once("</")?;
        let text = text.replace("&lt;", "<").replace("&gt;", ">");
        Some(text.replace("&#x0d;", "\r").replace("&amp;", "&"))
    };
    Some(LedgerRow {
        id: field("id")?.parse().ok()?,
        revision: revision.to_owned(),
        run_id: field("run_id")?,
        state: Some(RunState::named(&field("state")?)?),
        lease: RowLease::Over,
        holder: field("holder")?,
        age_ms: 0,
        ended_ms: None,
        note: None,
    })
}
