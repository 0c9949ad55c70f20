//! Where the ledger is on Postgres.
//!
//! The catalog shows every table of that name, wherever it is, and who owns it: neither the `search_path`
//! nor its changes (`ALTER DATABASE … SET search_path`) decide which ledger counts. Whoever may create
//! objects somewhere could put a table there that says what suits them, or whose triggers run with this
//! role's rights. So a ledger counts by its owner.
//!
//! A start with nothing to do takes one message (`quick`), whose statements Postgres runs one after the
//! other in one transaction: they find the ledger, set the `search_path` to its schema if it is trusted,
//! and read the table. The last one is parsed when the path is set. So it reads a table whose name is data,
//! and where no ledger is trusted it finds none. A path that ends with the transaction stays with it behind
//! every pooler.
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT>
//!
//! Names in these statements are qualified, operators too: with types that match better, an operator in
//! a schema of the `search_path` would win over the built-in one.
//! <https://wiki.postgresql.org/wiki/A_Guide_to_CVE-2018-1058:_Protect_Your_Search_Path>

use std::{cmp::Reverse, time::Duration};

use super::{
    dialect::SQL,
    quoting::{literal, quoted},
};
use crate::db::{
    Error, Target,
    connection::Connection,
    ledger::ForeignLedger,
    ledger_read::{Question, Reader},
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

/// This database's owner.
const LANDLORD: &str = "(SELECT d.datdba FROM pg_catalog.pg_database d \
    WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())";

/// What follows the ledger's schema in the path: where a session's temporary tables would otherwise be first.
const PATH_END: &str = ",pg_temp";

/// How many columns a table has in the answer to the quick statements; a row of the ledger has more.
const QUICK_TABLE: usize = 4;

/// How many rows of a revision the quick statements read. Where there are more, they are not enough.
const QUICK: usize = 100;

/// Whether what `owner` owns is trusted: this role, one that it is a member of, the database's owner, a
/// superuser.
///
/// `pg_has_role` says yes to a superuser whatever the role, so those are asked for their memberships.
fn trusted(owner: &str) -> String {
    format!(
        "({quickly} OR {owner} {EQ} {DATABASE_OWNER} OR pg_catalog.current_setting('is_superuser') {EQ} 'on' \
         AND EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.roleid {EQ} {owner} \
         AND pg_catalog.pg_get_userbyid(m.member) {EQ} CURRENT_USER))",
        quickly = quickly_trusted(owner)
    )
}

/// The same without what takes long to plan for the few that need it: NULL, or false, where the owner may
/// be trusted for another reason.
///
/// Since PostgreSQL 16 a role is a member of each that it created, in order to administer it: that alone
/// is no trust.
fn quickly_trusted(owner: &str) -> String {
    format!(
        "(CASE WHEN pg_catalog.current_setting('is_superuser') {EQ} 'off' \
         THEN pg_catalog.pg_has_role({owner}, 'USAGE') OR pg_catalog.pg_has_role({owner}, \
         CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.<) 160000 \
         THEN 'MEMBER' ELSE 'SET' END) END \
         OR pg_catalog.pg_has_role({owner}, {NOBODY}, 'USAGE') OR {owner} {EQ} {LANDLORD})"
    )
}

/// Finds the ledgers and asks them the question.
pub(super) async fn find(
    connection: &mut dyn Connection,
    target: &Target,
    question: Option<Question<'_>>,
    bound: Duration,
) -> Result<Found, Error> {
    let mut found = None;
    // Where no ledger is trusted the quick statements end with an error, which the server logs: a start may
    // cause one, a replica that waits must not at every look.
    if let Some(question) = question
        && question.reader == Reader::Start
        && let Some(revision) = question.revision
    {
        let ask = quick(target, &target.app, revision);
        match connection.rows(ask, bound).await.map_err(Error::from) {
            Ok(rows) => found = quickly_found(rows),
            // No ledger that is trusted, or that can be read: the survey tells.
            Err(Error::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut found = match found {
        Some(found) if found.has_succeeded() => return Ok(found),
        Some(found) => found,
        None => {
            let ask = (SQL.preamble)(bound) + &survey(target);
            surveyed(&connection.rows(ask, bound).await?)?
        }
    };
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

/// The statements of a start with nothing to do: one row for each table of the ledger's name, one if the
/// schema `launchgate` is not to be trusted, and the revision's rows.
///
/// A new session loads what a statement needs, page by page, so what counts is how much of the server they
/// use: a join costs more than a statement, a sort more than a function. Half of the time of a survey.
fn quick(target: &Target, app: &str, revision: &str) -> String {
    let (of, is_trusted, of_home) = if let Some(named) = &target.ledger {
        (of_schema(named), "true".to_owned(), String::new())
    } else {
        let of_home = format!(
            "SELECT pg_catalog.set_config('search_path', 'pg_temp', true) FROM pg_catalog.pg_namespace n \
             WHERE n.nspname {EQ} '{HOME}' AND {} IS NOT TRUE; ",
            quickly_trusted("n.nspowner")
        );
        (String::new(), quickly_trusted("c.relowner"), of_home)
    };
    let ledger = LedgerSql::named(&SQL, TABLE);
    // A view would run with this role's rights. A path with `$user` means another schema; without the
    // name it is no path, and an error.
    format!(
        "SET LOCAL search_path TO pg_temp; \
         SELECT c.oid, c.relkind, c.relpersistence, CASE WHEN c.relkind {EQ} 'r' AND {is_trusted} \
         THEN pg_catalog.set_config('search_path', pg_catalog.concat(\
         NULLIF(c.relnamespace::pg_catalog.regnamespace::pg_catalog.text, '\"$user\"'), '{PATH_END}'), true) END \
         FROM pg_catalog.pg_class c WHERE c.relname {EQ} '{TABLE}'{of}; {of_home}\
         SELECT id, revision, run_id, state, 0, holder, 0, note, tableoid FROM {TABLE} \
         WHERE {} AND {} LIMIT {QUICK}",
        ledger.of_app(app),
        ledger.is("revision", revision),
    )
}

/// What the quick statements found, where that is certain: there is one ledger, and it is trusted. With the
/// revision's rows if it has succeeded: then nothing depends on what they leave out, what runs now and
/// since when.
fn quickly_found(rows: Vec<TextRow>) -> Option<Found> {
    let (mut tables, mut answer): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.0.len() <= QUICK_TABLE);
    tables.retain(|row| match row.0.as_slice() {
        [_, kind, persistence, _] => {
            matches!(kind.as_deref(), Some("r" | "p")) && persistence.as_deref() != Some("t")
        }
        _ => true,
    });
    let [table] = tables.as_slice() else {
        return None;
    };
    let path = table.opt(3)?;
    let schema = unquoted(path.strip_suffix(PATH_END)?);
    // A temporary table of this name is another one.
    let is_of_it = |row: &TextRow| row.opt(8) == table.opt(0);
    if answer.len() >= QUICK || !answer.iter().all(is_of_it) {
        answer.clear();
    }
    answer.retain(|row| row.text(3) != "running");
    for row in &mut answer {
        row.0.truncate(8);
    }
    answer.sort_by_key(|row| Reverse(row.int(0).unwrap_or_default()));
    let mut found = Found::default();
    found.add(LedgerSql::new(&SQL, Some(&schema), None), answer);
    Some(found)
}

/// A name as `regnamespace` shows it.
fn unquoted(name: &str) -> String {
    let quoted = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'));
    quoted.map_or(name.to_owned(), |name| name.replace("\"\"", "\""))
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
         pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'), \
         pg_catalog.has_table_privilege(c.oid, 'INSERT') AND pg_catalog.has_table_privilege(c.oid, 'UPDATE'), \
         c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid {EQ} c.relnamespace \
         WHERE c.relname {EQ} '{TABLE}' AND c.relkind {EQ} ANY ('{{r,p}}'::pg_catalog.\"char\"[]) \
         AND c.relpersistence OPERATOR(pg_catalog.<>) 't'{of}"
    )
}

/// The condition that a table is in the schema of this name.
fn of_schema(name: &str) -> String {
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
