//! Whose ledger is believed on Postgres.
//!
//! "Nobody else's ledger is believed. On Postgres a ledger, and a schema `launchgate`, is trusted whose owner
//! is this role, one it is a member of, the database's owner or a superuser, or that `--ledger` names. Any
//! other ledger is passed over with a warning; a schema `launchgate` that is not trusted is 78." (contract,
//! section 5)

use launchgate::db::{
    Backend, Target, ddl,
    ledger::{ForeignLedger, Ledger},
};

use super::{
    common::backends::Db,
    connection::{connect, lock, run},
    place::{read, role, succeed},
    postgres::{RUN, refused},
};

/// A ledger in which revision `r` succeeded, as `owner` would make it in a schema of its own.
fn forge(db: &Db, schema: &str, owner: &str) {
    db.sql(&ddl(Backend::Postgres, Some(schema), None));
    db.sql(&format!(
        "ALTER SCHEMA {schema} OWNER TO {owner}; ALTER TABLE {schema}.launchgate_runs OWNER TO {owner}; \
         GRANT USAGE ON SCHEMA {schema} TO public; GRANT ALL ON {schema}.launchgate_runs TO public; \
         INSERT INTO {schema}.launchgate_runs (app, revision, run_id, attempt, state, holder, version, started_at) \
         VALUES ('default', 'r', '{schema}', 1, 'succeeded', 'me', '0', now())"
    ));
}

#[test]
fn a_ledger_of_a_role_that_is_not_trusted_is_passed_over() {
    let db = Db::postgres_15();
    let deploy = role(&db, "deploy");
    role(&db, "mallory");
    db.sql("GRANT CREATE ON DATABASE shop TO deploy");
    forge(&db, "own", "mallory");
    // In sight of both, as in the schema of a search_path.
    db.sql(
        "ALTER DATABASE shop SET search_path = own, public; \
         CREATE FUNCTION own.spring() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN EXECUTE ''CREATE TABLE own.trapped ()''; RETURN NULL; END'; \
         CREATE TRIGGER spring AFTER INSERT OR UPDATE ON own.launchgate_runs EXECUTE FUNCTION own.spring()",
    );
    let passed_over = [ForeignLedger {
        schema: "own".to_owned(),
        owner: "mallory".to_owned(),
    }];
    run(async {
        // A superuser has the rights of every role, and still believes its own kind only.
        for target in [&deploy, &db.target()] {
            let mut session = connect(target).await;
            assert_eq!(session.read_ledger(Some("r")).await, Ok(Ledger::Missing));
            assert_eq!(session.passed_over(), passed_over);
            session.close().await;
        }
        succeed(&deploy, "r", RUN).await;
        assert_eq!(
            db.sql("SELECT count(*) FROM launchgate.launchgate_runs"),
            "1"
        );
        assert_eq!(db.sql("SELECT count(*) FROM own.launchgate_runs"), "1");
        assert_eq!(db.sql("SELECT to_regclass('own.trapped') IS NULL"), "t");
        // A name is a decision.
        let named = Target {
            ledger: Some("own".to_owned()),
            ..deploy.clone()
        };
        assert!(matches!(read(&named).await, Ledger::Rows(rows) if rows.len() == 1));
    });
}

#[test]
fn whose_ledger_is_trusted() {
    let db = Db::postgres_15();
    let deploy = role(&db, "deploy");
    for (owner, so_that, is_trusted) in [
        ("stranger", "", false),
        ("itself", "GRANT itself TO deploy", true),
        (
            "far",
            "CREATE ROLE middle IN ROLE far; GRANT middle TO deploy",
            true,
        ),
        (
            "noinherit",
            "GRANT noinherit TO deploy; ALTER ROLE deploy NOINHERIT",
            true,
        ),
        ("chief", "ALTER ROLE chief SUPERUSER", true),
        ("landlord", "ALTER DATABASE shop OWNER TO landlord", true),
        (
            "member",
            "CREATE ROLE other IN ROLE deploy; GRANT deploy TO member",
            false,
        ),
    ] {
        role(&db, owner);
        db.sql(so_that);
        forge(&db, "place", owner);
        let ledger = run(read(&deploy));
        assert_eq!(ledger != Ledger::Missing, is_trusted, "{owner}");
        db.sql("DROP SCHEMA place CASCADE; ALTER ROLE deploy INHERIT");
    }
    forge(&db, "place", "deploy");
    assert!(run(read(&deploy)) != Ledger::Missing);
}

/// A role may be given every right to another's table, but that is not owning it.
#[test]
fn no_grant_makes_a_ledger_this_roles_own() {
    let db = Db::postgres_15();
    let deploy = role(&db, "deploy");
    role(&db, "mallory");
    forge(&db, "launchgate", "mallory");
    db.sql(
        "GRANT ALL ON SCHEMA launchgate TO deploy WITH GRANT OPTION; GRANT pg_read_all_data, pg_write_all_data TO deploy; \
         GRANT ALL ON launchgate.launchgate_runs TO deploy WITH GRANT OPTION",
    );
    let look = || run(async { connect(&deploy).await.read_ledger(Some("r")).await });
    refused(&look().expect_err("not trusted"), "is mallory's");
    db.sql("ALTER TABLE launchgate.launchgate_runs OWNER TO deploy");
    refused(
        &look().expect_err("the schema is not trusted"),
        "the schema's owner is not trusted",
    );
}

/// Since PostgreSQL 16 a role that creates another one is a member of it, in order to administer it.
#[test]
fn a_role_that_this_one_may_only_administer_is_not_trusted() {
    let db = Db::postgres_18();
    let deploy = role(&db, "deploy");
    db.sql("ALTER ROLE deploy CREATEROLE; SET ROLE deploy; CREATE ROLE app LOGIN PASSWORD 'p'");
    forge(&db, "place", "app");
    assert_eq!(run(read(&deploy)), Ledger::Missing);
    db.sql("SET ROLE deploy; GRANT app TO deploy");
    assert!(run(read(&deploy)) != Ledger::Missing);
}

#[test]
fn a_schema_of_that_name_which_is_not_trusted_keeps_the_gate_closed() {
    let db = Db::postgres_15();
    let deploy = role(&db, "deploy");
    role(&db, "mallory");
    db.sql("GRANT CREATE ON DATABASE shop TO deploy");
    run(async {
        db.sql("CREATE SCHEMA launchgate AUTHORIZATION mallory; GRANT ALL ON SCHEMA launchgate TO public");
        let error = lock(&deploy)
            .await
            .create_ledger()
            .await
            .expect_err("not trusted");
        refused(&error, "the schema launchgate is mallory's");
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("--ledger launchgate"))
        );
        // A table of this role's own in it does not help: the schema's owner can replace it.
        db.sql(&ddl(Backend::Postgres, None, None));
        db.sql("ALTER TABLE launchgate.launchgate_runs OWNER TO deploy");
        let look = connect(&deploy).await.read_ledger(Some("r")).await;
        refused(&look.expect_err("not trusted"), "schema launchgate");
        // A success elsewhere starts the server: no step runs.
        forge(&db, "older", "deploy");
        assert!(matches!(read(&deploy).await, Ledger::Rows(_)));
        let mut session = connect(&deploy).await;
        let look = session.read_ledger(Some("r2")).await;
        refused(&look.expect_err("not trusted"), "schema launchgate");
        session.close().await;
    });
}
