//! Where the ledger is.
//!
//! "The ledger's place. It must not be in the way of tools that want an empty schema […] or drop what they
//! don't know" (contract, section 5)

use launchgate::db::{
    Backend, DroppedLedger, LedgerCreation, Recorded, Target, ddl,
    ledger::{Ledger, RunState},
};

use super::{
    common::backends::{Db, target},
    connection::{connect, lock, run},
    postgres::{RUN, refused},
    rules::{hold, outcome, rows},
};

/// A run that succeeded.
pub(crate) async fn succeed(target: &Target, revision: &str, run_id: &str) {
    let locked = hold(target, revision, run_id).await;
    let recorded = locked
        .record(run_id, &outcome(RunState::Succeeded), &mut |_| {})
        .await;
    assert_eq!(recorded, Ok(Recorded::Written));
}

fn named(db: &Db, ledger: &str) -> Target {
    Target {
        ledger: Some(ledger.to_owned()),
        ..db.target()
    }
}

/// The schemas, or databases, that hold a ledger.
pub(crate) fn places(db: &Db) -> String {
    let all = db.sql(
        "SELECT table_schema FROM information_schema.tables WHERE table_name = 'launchgate_runs' ORDER BY 1",
    );
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A login without privileges, and the database as it sees it.
pub(crate) fn role(db: &Db, name: &str) -> Target {
    db.sql(&format!("CREATE ROLE {name} LOGIN PASSWORD 'p'"));
    target(&db.url_as(name, "p"), "default")
}

pub(crate) async fn read(target: &Target) -> Ledger {
    let mut session = connect(target).await;
    let ledger = session.read_ledger(Some("r")).await.expect("a look");
    session.close().await;
    ledger
}

#[test]
fn a_new_ledger_is_in_a_schema_of_its_own() {
    let db = Db::postgres_15();
    run(async {
        let mut locked = lock(&db.target()).await;
        let created = locked.create_ledger().await.expect("a ledger");
        assert_eq!(
            created,
            LedgerCreation::Created {
                table: "\"launchgate\".launchgate_runs".to_owned(),
                in_the_way: None
            }
        );
        locked.release().await;
        assert_eq!(places(&db), "launchgate");
    });
}

#[test]
fn a_role_that_may_not_create_schemas_gets_it_where_its_tables_are_and_a_warning() {
    let db = Db::postgres_15();
    let target = role(&db, "deploy");
    db.sql(
        "CREATE SCHEMA own AUTHORIZATION deploy; ALTER ROLE deploy SET search_path = own, public",
    );
    run(async {
        let mut locked = lock(&target).await;
        let created = locked.create_ledger().await.expect("a ledger");
        let LedgerCreation::Created { table, in_the_way } = created else {
            panic!("{created:?}");
        };
        assert_eq!(table, "\"own\".launchgate_runs");
        let (why, hint) = in_the_way.expect("a warning");
        assert!(why.contains("schema launchgate"), "{why}");
        assert!(hint.contains("--ledger own"), "{hint}");
        assert!(
            hint.contains("print-ddl --database postgres --role deploy | psql"),
            "{hint}"
        );
        locked.release().await;
        succeed(&target, "r", RUN).await;
        // Whatever the search_path becomes, and whatever can be created later.
        db.sql(
            "ALTER ROLE deploy SET search_path = public; GRANT CREATE ON DATABASE shop TO deploy",
        );
        assert_eq!(rows(&target, "r").await.len(), 1);
        succeed(&target, "r2", "run2").await;
        assert_eq!(places(&db), "own");
    });
}

#[test]
fn a_named_ledger_is_created_where_it_may_be_and_no_other_is_asked() {
    let db = Db::postgres_15();
    let odd = named(&db, "odd \"name");
    let deploy = Target {
        ledger: Some("elsewhere".to_owned()),
        ..role(&db, "deploy")
    };
    run(async {
        succeed(&db.target(), "r", "run1").await;
        assert_eq!(read(&odd).await, Ledger::Missing);
        succeed(&odd, "r", "run2").await;
        assert_eq!(rows(&odd, "r").await.len(), 1);
        let error = lock(&deploy).await.create_ledger().await;
        let error = error.expect_err("no privilege");
        refused(&error, "may not create it");
        let hint = error.hint().expect("a hint");
        assert!(
            hint.contains("--role deploy --ledger elsewhere | psql"),
            "{hint}"
        );
    });
}

/// The newer of a block and a success counts, wherever it is.
#[test]
fn a_block_in_another_ledger_counts_at_a_start() {
    let db = Db::postgres_15();
    let deploy = role(&db, "deploy");
    db.sql("GRANT CREATE ON DATABASE shop TO deploy");
    run(succeed(&deploy, "r", RUN));
    db.sql(&ddl(Backend::Postgres, Some("older"), Some("deploy")));
    assert!(matches!(run(read(&deploy)), Ledger::Rows(rows) if rows[0].run_id == RUN));
    db.sql(
        "INSERT INTO older.launchgate_runs (app, revision, run_id, attempt, state, holder, version, started_at) \
         VALUES ('default', 'r', 'old1', 1, 'blocked', 'op', '0.1.0', now())",
    );
    assert!(matches!(run(read(&deploy)), Ledger::Rows(rows) if rows[0].run_id == "old1"));
}

/// Where XML is missing, or this role may not have it, a start takes more statements.
#[test]
fn a_success_is_read_without_xml_too() {
    let db = Db::postgres_15();
    let deploy = role(&db, "deploy");
    db.sql(
        "GRANT CREATE ON DATABASE shop TO deploy; \
         REVOKE EXECUTE ON FUNCTION query_to_xml(text, boolean, boolean, text) FROM public",
    );
    run(succeed(&deploy, "r", RUN));
    assert!(matches!(run(read(&deploy)), Ledger::Rows(rows) if rows[0].run_id == RUN));
}

#[test]
fn the_holder_of_a_success_is_read_as_it_was_written() {
    let db = Db::postgres_15();
    run(succeed(&db.target(), "r", RUN));
    let holder = "a<b>&amp;\"c\" \u{e9}\u{1f680}\r\n:1";
    db.sql(&format!(
        "UPDATE launchgate.launchgate_runs SET holder = '{holder}'"
    ));
    assert!(matches!(run(read(&db.target())), Ledger::Rows(rows) if rows[0].holder == holder));
}

#[test]
fn every_trusted_ledger_is_asked_before_a_step_runs() {
    let db = Db::postgres_15();
    let deploy = role(&db, "deploy");
    db.sql(&ddl(Backend::Postgres, Some("older"), Some("deploy")));
    db.sql(&ddl(Backend::Postgres, None, Some("deploy")));
    let insert = |revision: &str, run_id: &str, state: &str| {
        db.sql(&format!(
            "INSERT INTO older.launchgate_runs (app, revision, run_id, attempt, state, holder, version, started_at) \
             VALUES ('default', '{revision}', '{run_id}', 1, '{state}', 'old:1', '0.1.0', now())"
        ))
    };
    insert("r", "old1", "succeeded");
    insert("r2", "old2", "blocked");
    insert("r3", "old3", "running");
    run(async {
        let states = async |revision: &str| {
            let rows = rows(&deploy, revision).await;
            rows.into_iter().map(|row| row.run_id).collect::<Vec<_>>()
        };
        assert_eq!(states("r").await, ["old3", "old1"]);
        assert_eq!(states("r2").await, ["old3", "old2"]);
        let mut locked = hold(&deploy, "r3", RUN).await;
        assert_eq!(states("r3").await, [RUN, "old3"]);
        let closed = locked.interrupt(&["old3".to_owned()], "dead").await;
        assert_eq!(closed, Ok(1));
        locked
            .record(RUN, &outcome(RunState::Failed), &mut |_| {})
            .await
            .expect("recorded");
        assert_eq!(
            db.sql("SELECT count(*) FROM launchgate.launchgate_runs"),
            "1"
        );
        let mut session = connect(&deploy).await;
        let history = session.history(3).await.expect("history");
        assert_eq!(history[0].run_id, RUN);
        assert_eq!(history.len(), 3);
        session.close().await;
        // What can't be asked keeps the gate closed.
        db.sql("REVOKE SELECT ON older.launchgate_runs FROM deploy");
        let look = connect(&deploy).await.read_ledger(Some("r")).await;
        refused(
            &look.expect_err("unreadable"),
            "may not read the ledger \"older\"",
        );
    });
}

/// Functions and operators of another's schema, which fit the types better than the built-in ones.
#[test]
fn no_statement_calls_what_a_search_path_offers() {
    let db = Db::postgres_15();
    let deploy = role(&db, "deploy");
    db.sql("GRANT CREATE ON DATABASE shop TO deploy; CREATE SCHEMA trap; GRANT USAGE ON SCHEMA trap TO public");
    for (left, operator, right, result, value) in [
        ("text", "=", "text", "bool", "true"),
        ("name", "=", "name", "bool", "true"),
        ("oid", "=", "oid", "bool", "true"),
        ("bigint", "=", "bigint", "bool", "true"),
        ("int", "=", "int", "bool", "true"),
        ("double precision", "*", "int", "double precision", "0"),
        ("numeric", "*", "int", "numeric", "0"),
        ("timestamptz", ">", "timestamptz", "bool", "true"),
        ("timestamptz", "<=", "timestamptz", "bool", "true"),
        ("timestamptz", "+", "interval", "timestamptz", "now()"),
        (
            "timestamptz",
            "-",
            "timestamptz",
            "interval",
            "interval '0'",
        ),
    ] {
        let name = format!(
            "trap.f{}",
            db.sql("SELECT count(*) FROM pg_proc WHERE pronamespace = 'trap'::regnamespace")
        );
        db.sql(&format!(
            "CREATE FUNCTION {name}(a {left}, b {right}) RETURNS {result} LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'trapped by {left} {operator} {right}'; RETURN {value}; END $$; \
             CREATE OPERATOR trap.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = {name})"
        ));
    }
    for function in [
        "clock_timestamp() RETURNS timestamptz",
        "now() RETURNS timestamptz",
        "current_database() RETURNS name",
        "pg_try_advisory_xact_lock(a int, b int) RETURNS bool",
        "date_part(a text, b interval) RETURNS double precision",
        "current_setting(a text) RETURNS text",
        "decode(a text, b text) RETURNS bytea",
        "to_regclass(a text) RETURNS regclass",
    ] {
        db.sql(&format!(
            "CREATE FUNCTION trap.{function} LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped by a function'; END $$"
        ));
    }
    db.sql("ALTER ROLE deploy SET search_path = trap, public, pg_catalog");
    run(async {
        assert_eq!(read(&deploy).await, Ledger::Missing);
        let mut locked = hold(&deploy, "größe", RUN).await;
        locked.prove().await.expect("a proof");
        assert!(locked.orphans(&[]).await.expect("orphans").is_empty());
        locked
            .renew(RUN, Some(("migrate", "x")), || ())
            .await
            .lease
            .expect("a heartbeat");
        locked
            .record(RUN, &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        let mut session = connect(&deploy).await;
        session
            .read_ledger_again(Some("größe"))
            .await
            .expect("a look");
        session.history(3).await.expect("history");
        session.is_locked().await.expect("an answer");
        session.describe().await.expect("a description");
        session
            .decide_by_operator("r", RunState::Blocked, None, "me")
            .await
            .expect("decided");
        session.close().await;
        assert_eq!(rows(&deploy, "größe").await.len(), 1);
    });
}

#[test]
fn a_step_may_drop_the_ledger() {
    let db = Db::postgres_15();
    let target = db.target();
    run(async {
        succeed(&target, "r1", "run1").await;
        let mut locked = hold(&target, "r2", RUN).await;
        db.sql("DROP SCHEMA launchgate CASCADE");
        let renewal = locked.renew(RUN, None, || ()).await;
        let recreated = DroppedLedger::Recreated("\"launchgate\".launchgate_runs".to_owned());
        assert_eq!(
            (renewal.lock, renewal.lease),
            (Ok(()), Ok(Some(recreated.clone())))
        );
        assert_eq!(locked.renew(RUN, None, || {}).await.lease, Ok(None));
        assert_eq!(rows(&target, "r2").await[0].state, Some(RunState::Running));
        db.sql("DROP SCHEMA launchgate CASCADE");
        assert_eq!(locked.keep_row(RUN).await, Ok(Some(recreated)));
        locked
            .record(RUN, &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        assert_eq!(
            rows(&target, "r2").await[0].state,
            Some(RunState::Succeeded)
        );
        // TRUNCATE is no drop: the row may be gone because another replica closed it.
        let mut locked = hold(&target, "r3", "run3").await;
        db.sql("TRUNCATE launchgate.launchgate_runs");
        assert!(locked.renew("run3", None, || {}).await.lease.is_err());
    });
}

#[test]
fn a_ledger_beside_the_app_s_tables_is_recreated_only_after_the_steps() {
    let db = Db::postgres_15();
    let deploy = role(&db, "deploy");
    db.sql("ALTER SCHEMA public OWNER TO deploy");
    run(async {
        let mut locked = hold(&deploy, "r", RUN).await;
        assert_eq!(places(&db), "public");
        db.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION deploy");
        let later = DroppedLedger::CreatedAfterSteps;
        assert_eq!(locked.renew(RUN, None, || {}).await.lease, Ok(Some(later)));
        assert_eq!(locked.renew(RUN, None, || {}).await.lease, Ok(None));
        assert_eq!(places(&db), "", "the step may need an empty schema");
        let recreated = DroppedLedger::Recreated("\"public\".launchgate_runs".to_owned());
        assert_eq!(locked.keep_row(RUN).await, Ok(Some(recreated)));
        locked
            .record(RUN, &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        assert_eq!(rows(&deploy, "r").await[0].state, Some(RunState::Succeeded));
    });
}
