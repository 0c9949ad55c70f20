//! Where the ledger is on Postgres.
//!
//! The catalog shows every table of that name, wherever it is, and who owns it: neither the `search_path`
//! nor its changes (`ALTER DATABASE … SET search_path`) decide which ledger counts. Whoever may create
//! objects somewhere could put a table there that says what suits them, or whose triggers run with this
//! role's rights. So a ledger counts by its owner.
//!
//! A start with nothing to do asks less (`newest_success.rs`).
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
    ledger::ForeignLedger,
    ledger_read::Question,
    ledger_sql::{HOME, LedgerSql, TABLE},
    place::{Found, Home},
    rows::TextRow,
};

pub(super) const EQ: &str = "OPERATOR(pg_catalog.=)";

/// What can be a ledger. A view would run with this role's rights.
const IS_TABLE: &str = "c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog.\"char\"[]) \
    AND c.relpersistence OPERATOR(pg_catalog.<>) 't'";

/// Whether this role may read a table.
const MAY_READ: &str = "pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE') \
    AND pg_catalog.has_table_privilege(c.oid, 'SELECT')";

/// `pg_database_owner`, whose only member is the database's owner, has this fixed number.
/// <https://www.postgresql.org/docs/current/predefined-roles.html>
const DATABASE_OWNER: &str = "6171::pg_catalog.oid";

/// No role has this number. A superuser counts as a member of every role, of this one too, and nobody else
/// does: it is the quickest way to find out who is one.
pub(super) const NOBODY: &str = "1::pg_catalog.oid";

/// This database's owner.
const LANDLORD: &str = "(SELECT d.datdba FROM pg_catalog.pg_database d \
    WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())";

/// Whether what `owner` owns is trusted: this role, one that it is a member of, the database's owner, a
/// superuser.
///
/// `pg_has_role` says yes to a superuser whatever the role, so those are asked for their memberships. Since
/// PostgreSQL 16 a role is a member of each that it created, in order to administer it: that alone is no trust.
pub(super) fn trusted(owner: &str) -> String {
    format!(
        "(CASE WHEN pg_catalog.current_setting('is_superuser') {EQ} 'off' \
         THEN pg_catalog.pg_has_role({owner}, 'USAGE') OR pg_catalog.pg_has_role({owner}, \
         CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.<) 160000 \
         THEN 'MEMBER' ELSE 'SET' END) \
         ELSE EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.roleid {EQ} {owner} \
         AND pg_catalog.pg_get_userbyid(m.member) {EQ} CURRENT_USER) END \
         OR pg_catalog.pg_has_role({owner}, {NOBODY}, 'USAGE') OR {owner} {EQ} {LANDLORD} OR {owner} {EQ} {DATABASE_OWNER})"
    )
}

/// Finds the ledgers and asks them the question.
pub(super) async fn find(
    connection: &mut dyn Connection,
    target: &Target,
    question: Option<Question<'_>>,
    bound: Duration,
) -> Result<Found, Error> {
    let ask = (SQL.preamble)(bound) + &survey(target);
    let mut found = surveyed(&connection.rows(ask, bound).await?)?;
    let Some(question) = question else {
        return Ok(found);
    };
    let mut answers = Vec::new();
    for sql in &found.ledgers {
        let ask = (sql.dialect.preamble)(bound) + &sql.read(&target.app, question);
        answers.push(connection.rows(ask, bound).await?);
    }
    found.answers = answers;
    Ok(found)
}

/// One row for each ledger: schema, owner, whether it is trusted, may be read, may be written, and its
/// number.
fn survey(target: &Target) -> String {
    let (of, is_trusted) = match &target.ledger {
        Some(named) => (of_schema(named), "true".to_owned()),
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
    format!(
        "SELECT n.nspname, pg_catalog.pg_get_userbyid(c.relowner), {is_trusted}, \
         {MAY_READ}, \
         pg_catalog.has_table_privilege(c.oid, 'INSERT') AND pg_catalog.has_table_privilege(c.oid, 'UPDATE'), \
         c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid {EQ} c.relnamespace \
         WHERE c.relname {EQ} '{TABLE}' AND {IS_TABLE}{of}"
    )
}

/// The condition that a table is in the schema of this name.
pub(super) fn of_schema(name: &str) -> String {
    format!(
        " AND c.relnamespace {EQ} (SELECT s.oid FROM pg_catalog.pg_namespace s WHERE s.nspname {EQ} {})",
        literal(name)
    )
}

struct SurveyedLedger {
    schema: String,
    owner: String,
    may_read: bool,
    may_write: bool,
    oid: i64,
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
        found.add(LedgerSql::new(&SQL, Some(schema), None), Vec::new());
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
         o.nspname, pg_catalog.has_schema_privilege(o.oid, 'CREATE') FROM (SELECT) one \
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
