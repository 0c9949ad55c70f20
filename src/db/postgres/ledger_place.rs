//! Where the ledger is on Postgres.
//!
//! The catalog shows every table of that name, wherever it is, and who owns it: neither the `search_path`
//! nor its changes (`ALTER DATABASE … SET search_path`) decide which ledger counts. Whoever may create
//! objects somewhere could put a table there that says what suits them, or whose triggers run with this
//! role's rights. So a ledger counts by its owner.
//!
//! One statement finds the ledgers and reads them: `query_to_xml` is the only built-in function that
//! reads a table whose name is data.
//! <https://www.postgresql.org/docs/current/functions-xml.html#FUNCTIONS-XML-MAPPING>
//!
//! Names in these statements are qualified, operators too: with types that match better, an operator in
//! a schema of the `search_path` would win over the built-in one.
//! <https://wiki.postgresql.org/wiki/A_Guide_to_CVE-2018-1058:_Protect_Your_Search_Path>

use std::time::Duration;

use super::{
    dialect::SQL,
    quoting::{literal, quoted},
};
use crate::db::{
    Error, Target,
    connection::Connection,
    fault::Fault,
    ledger::ForeignLedger,
    ledger_read::{Question, READ_COLUMNS},
    ledger_sql::{HOME, LedgerSql, TABLE},
    place::{Found, Home},
    rows::TextRow,
};

const EQ: &str = "OPERATOR(pg_catalog.=)";

/// `pg_database_owner`, whose only member is the database's owner, has this fixed number.
/// <https://www.postgresql.org/docs/current/predefined-roles.html>
const DATABASE_OWNER: &str = "6171::pg_catalog.oid";

/// No role has this number. A superuser counts as a member of every role, of this one too, and nobody else
/// does: it is the quickest way to find out who is one.
const NOBODY: &str = "1::pg_catalog.oid";

/// Whether what `owner` owns is trusted: this role, one that it is a member of, the database's owner, a
/// superuser. `d` is this database's row of `pg_database`.
///
/// `pg_has_role` says yes to a superuser whatever the role, so those are asked for their memberships.
/// Since PostgreSQL 16 a role is a member of each that it created, in order to administer it: that alone
/// is no trust.
fn trusted(owner: &str) -> String {
    format!(
        "({owner} {EQ} {DATABASE_OWNER} OR {owner} {EQ} d.datdba \
         OR pg_catalog.pg_get_userbyid({owner}) {EQ} CURRENT_USER \
         OR CASE WHEN pg_catalog.current_setting('is_superuser') {EQ} 'on' \
         THEN EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.roleid {EQ} {owner} \
         AND pg_catalog.pg_get_userbyid(m.member) {EQ} CURRENT_USER) \
         ELSE pg_catalog.pg_has_role({owner}, 'USAGE') OR pg_catalog.pg_has_role({owner}, \
         CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.<) 160000 \
         THEN 'MEMBER' ELSE 'SET' END) END \
         OR pg_catalog.pg_has_role({owner}, {NOBODY}, 'USAGE'))"
    )
}

const THIS_DATABASE: &str = "JOIN pg_catalog.pg_database d \
    ON d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()";

/// Finds the ledgers and asks them the question: with one statement, unless the server was built without
/// XML, or this role may not call that function.
pub(super) async fn find(
    connection: &mut dyn Connection,
    target: &Target,
    question: Option<Question<'_>>,
    preamble: String,
    bound: Duration,
) -> Result<Found, Error> {
    let ask = preamble.clone() + &survey(target, question.as_ref());
    let question = match (connection.rows(ask, bound).await, question) {
        (Err(fault), Some(question)) if lacks_xml(&fault) => question,
        (answer, _) => return surveyed(&answer?),
    };
    let ask = preamble + &survey(target, None);
    let found = surveyed(&connection.rows(ask, bound).await?)?;
    let mut answers = Vec::new();
    for sql in &found.ledgers {
        let ask = (sql.dialect.preamble)(bound) + &sql.read(&question);
        answers.push(connection.rows(ask, bound).await?);
    }
    Ok(found.with(answers))
}

/// `feature_not_supported`, or no right to call it.
fn lacks_xml(fault: &Fault) -> bool {
    fault.code == "0A000" || fault.message.contains("query_to_xml")
}

/// One row for each ledger: schema, owner, whether it is trusted, may be read, may be written, its number,
/// and what it answers to the question.
fn survey(target: &Target, question: Option<&Question<'_>>) -> String {
    let (of, is_trusted) = match &target.ledger {
        Some(named) => (
            format!(" AND n.nspname {EQ} {}", literal(named)),
            "true".to_owned(),
        ),
        None => (
            String::new(),
            // in a schema of its own, whose owner could replace it, of that one too
            format!(
                "(SELECT pg_catalog.bool_and({}) FROM (VALUES (c.relowner), \
                 (CASE WHEN n.nspname {EQ} '{HOME}' THEN n.nspowner ELSE c.relowner END)) o (owner))",
                trusted("o.owner")
            ),
        ),
    };
    let (answer, newest) = question.map_or(("NULL".to_owned(), String::new()), answers);
    format!(
        "SELECT l.schema, l.owner, l.trusted, l.may_read, l.may_write, l.oid, {answer} \
         FROM (SELECT n.nspname AS schema, pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.{TABLE}') AS name, \
         pg_catalog.pg_get_userbyid(c.relowner) AS owner, {is_trusted} AS trusted, \
         pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS may_read, \
         pg_catalog.has_table_privilege(c.oid, 'INSERT') AND pg_catalog.has_table_privilege(c.oid, 'UPDATE') AS may_write, \
         c.oid AS oid \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid {EQ} c.relnamespace {THIS_DATABASE} \
         WHERE c.relname {EQ} '{TABLE}' AND c.relkind {EQ} ANY ('{{r,p}}'::pg_catalog.\"char\"[]) \
         AND c.relpersistence OPERATOR(pg_catalog.<>) 't'{of} OFFSET 0) l{newest}"
    )
}

/// The expression for a ledger's answer, and what it needs behind the ledgers.
///
/// A revision that has succeeded shows that in its newest rows, and then nothing else matters. Only where
/// it has not, the long question is planned and asked.
fn answers(question: &Question<'_>) -> (String, String) {
    // a name that no text in the statement can contain: those are hexadecimal or have no braces
    let sql = LedgerSql::named(&SQL, "{ledger}");
    let ask = |read: &str| {
        format!(
            "pg_catalog.query_to_xml(pg_catalog.replace('{}', '{{ledger}}', l.name), false, true, '')::pg_catalog.text",
            read.replace('\'', "''")
        )
    };
    // the path holds for what query_to_xml parses, and ends with the transaction
    let may_ask = "l.trusted AND l.may_read \
         AND pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true) IS NOT NULL";
    let all = ask(&sql.read(question));
    let Some(newest) = sql.read_newest(question) else {
        return (format!("CASE WHEN {may_ask} THEN {all} END"), String::new());
    };
    (
        format!(
            "CASE WHEN {may_ask} THEN CASE WHEN pg_catalog.strpos(a.newest, '<state>succeeded</state>') \
             OPERATOR(pg_catalog.>) 0 THEN a.newest ELSE {all} END END"
        ),
        format!(
            " LEFT JOIN LATERAL (SELECT CASE WHEN {may_ask} THEN {} END AS newest OFFSET 0) a ON true",
            ask(&newest)
        ),
    )
}

struct SurveyedLedger {
    schema: String,
    owner: String,
    may_read: bool,
    may_write: bool,
    oid: i64,
    answer: String,
}

/// What the survey found.
fn surveyed(rows: &[TextRow]) -> Result<Found, Error> {
    let mut found = Found::default();
    let mut trusted = Vec::new();
    for row in rows {
        let ledger = SurveyedLedger {
            schema: row.text(0),
            owner: row.text(1),
            may_read: row.flag(3),
            may_write: row.flag(4),
            oid: row.int(5)?,
            answer: row.text(6),
        };
        if row.flag(2) {
            trusted.push(ledger);
            continue;
        }
        let SurveyedLedger { schema, owner, .. } = ledger;
        if schema == HOME {
            found.refuse(foreign(&format!(
                "the ledger in schema {HOME} is {owner}'s, or the schema's owner is not trusted"
            )));
        }
        found.passed_over.push(ForeignLedger { schema, owner });
    }
    // The same one for every replica, whatever its search_path.
    trusted.sort_by_key(|ledger| (ledger.schema != HOME, !ledger.may_write, ledger.oid));
    for ledger in trusted {
        let schema = &ledger.schema;
        if !ledger.may_read {
            found.refuse(Error::refused(
                format!(
                    "permission denied: this role may not read the ledger {}.{TABLE}",
                    quoted(schema)
                ),
                "grant the role USAGE on the schema, and SELECT, INSERT and UPDATE on the table (`launchgate wait` needs SELECT only), or name the ledger to use with --ledger",
            ));
            continue;
        }
        found.owner.get_or_insert(ledger.owner);
        found.add(
            LedgerSql::new(&SQL, Some(schema), None),
            xml_rows(&ledger.answer, &READ_COLUMNS),
        );
    }
    Ok(found)
}

/// What has the schema's name is not ours.
fn foreign(what: &str) -> Error {
    Error::refused(
        format!("{what}: anyone who may create objects in this database could have made it"),
        format!(
            "if it is meant to be the ledger, pass --ledger {HOME}, or give it to this role or to the database's owner; otherwise drop it"
        ),
    )
}

/// The rows of what `query_to_xml` returns as a forest. A column that is NULL has no element.
fn xml_rows(xml: &str, columns: &[&str]) -> Vec<TextRow> {
    let row = |text: &str| {
        let value = |name: &&str| {
            let (_, rest) = text.split_once(&format!("<{name}>"))?;
            let (value, _) = rest.split_once(&format!("</{name}>"))?;
            Some(unescaped(value))
        };
        TextRow(columns.iter().map(value).collect())
    };
    xml.split_inclusive("</row>")
        .filter(|part| part.contains("<row"))
        .map(row)
        .collect()
}

/// Postgres escapes these four and nothing else.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#x0d;", "\r")
        .replace("&amp;", "&")
}

/// One row about where a ledger can be created: of its own schema the owner, whether it is trusted and
/// whether this role may create in it; whether this role may create schemas; another schema, and
/// whether this role may create in that.
///
/// The other one is the URL's, else the first of the `search_path`, as the database sets it: a pooler may
/// lend a connection whose last client changed it.
pub(super) fn ask_homes(target: &Target) -> String {
    let home = literal(target.ledger.as_deref().unwrap_or(HOME));
    let other = match target.url.schema() {
        Some(schema) => literal(schema),
        None => "pg_catalog.current_schema()::pg_catalog.text".to_owned(),
    };
    format!(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path TO DEFAULT; \
         SELECT pg_catalog.pg_get_userbyid(h.nspowner), {}, pg_catalog.has_schema_privilege(h.oid, 'CREATE'), \
         pg_catalog.has_database_privilege(pg_catalog.current_database()::pg_catalog.text, 'CREATE'), \
         o.nspname, pg_catalog.has_schema_privilege(o.oid, 'CREATE') FROM (SELECT) one {THIS_DATABASE} \
         LEFT JOIN pg_catalog.pg_namespace h ON h.nspname::pg_catalog.text {EQ} {home} \
         LEFT JOIN pg_catalog.pg_namespace o ON o.nspname::pg_catalog.text {EQ} {other}",
        trusted("h.nspowner")
    )
}

/// Where a ledger can be created, the best place first. Empty where this role may create it nowhere.
pub(super) fn homes(target: &Target, row: &TextRow) -> Result<Vec<Home>, Error> {
    let name = target.ledger.as_deref().unwrap_or(HOME);
    let mut homes = Vec::new();
    let mut add = |schema: &str, before, in_the_way| {
        homes.push(Home {
            sql: LedgerSql::new(&SQL, Some(schema), None),
            before,
            in_the_way,
        });
    };
    match row.opt(0) {
        Some(owner) if !row.flag(1) && target.ledger.is_none() => {
            return Err(foreign(&format!("the schema {HOME} is {owner}'s")));
        }
        Some(_) if row.flag(2) => add(name, None, None),
        None if row.flag(3) => add(
            name,
            Some(format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(name))),
            None,
        ),
        Some(_) | None => {}
    }
    if let Some(other) = row
        .opt(4)
        .filter(|_| row.flag(5) && target.ledger.is_none())
    {
        let why = format!("this role may not create the schema {HOME}, or tables in it");
        add(&other, None, Some(why));
    }
    Ok(homes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_of_xml_as_they_went_in() {
        let xml = "<row xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n  <id>7</id>\n  \
                   <note>a &lt;/note&gt; &amp;amp; b\n&#x0d;</note>\n</row>\n\n<row>\n  <id>6</id>\n  <note></note>\n</row>\n\n\
                   <row>\n  <id>5</id>\n</row>\n";
        let rows = xml_rows(xml, &["id", "note"]);
        let seen: Vec<_> = rows.iter().map(|row| (row.text(0), row.opt(1))).collect();
        let note = |text: &str| Some(text.to_owned());
        assert_eq!(
            seen,
            [
                ("7".to_owned(), note("a </note> &amp; b\n\r")),
                ("6".to_owned(), note("")),
                ("5".to_owned(), None)
            ]
        );
        assert!(xml_rows("", &["id"]).is_empty());
    }
}
