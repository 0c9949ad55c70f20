//! What others may put where a ledger is looked for on Postgres. A start reads the ledger in the message
//! that finds it, so nothing else may be read by it, let alone run.
//!
//! "Nobody else's ledger is believed." (contract, section 5)

use launchgate::db::{
    Target,
    ledger::{Ledger, RunState},
};

use super::{
    common::{
        backends::Db,
        servers::{Postgres, Proxy},
    },
    connection::{connect, run, target},
    place::{read, role, succeed},
    postgres::RUN,
    rules::{hold, outcome},
};

/// Whatever reads the table in schema `own`, where everybody looks first, leaves a trace that no rollback
/// removes.
fn set_trap(db: &Db) -> Target {
    let deploy = role(db, "deploy");
    role(db, "mallory");
    db.sql(
        "GRANT CREATE ON DATABASE shop TO deploy; CREATE SCHEMA own AUTHORIZATION mallory; \
         GRANT USAGE ON SCHEMA own TO public; CREATE SEQUENCE own.trapped; GRANT ALL ON own.trapped TO public; \
         ALTER DATABASE shop SET search_path = own, public; \
         CREATE TABLE own.launchgate_runs (id bigint, app text, revision text, run_id text, state text, holder text, \
         note text, started_at timestamptz, finished_at timestamptz, lease_until timestamptz); \
         INSERT INTO own.launchgate_runs VALUES (1, 'default', 'r', 'x', 'succeeded', 'me', NULL, now(), now(), now())",
    );
    deploy
}

fn is_trapped(db: &Db) -> bool {
    db.sql("SELECT is_called FROM own.trapped") == "t"
}

/// With no ledger, with one, and with one in which the revision has succeeded.
fn stays_unread(db: &Db, deploy: &Target) {
    run(async {
        assert_eq!(read(deploy).await, Ledger::Missing);
        let locked = hold(deploy, "r", RUN).await;
        assert!(matches!(read(deploy).await, Ledger::Rows(rows) if rows[0].run_id == RUN));
        locked
            .record(RUN, &outcome(RunState::Succeeded), &mut |_| {})
            .await
            .expect("recorded");
        assert!(matches!(read(deploy).await, Ledger::Rows(rows) if rows[0].run_id == RUN));
    });
    assert!(!is_trapped(db));
    // as another role, since no policy holds a superuser
    db.sql("CREATE ROLE reader; SET ROLE reader; SELECT * FROM own.launchgate_runs");
    assert!(is_trapped(db), "a trap that does not snap proves nothing");
}

#[test]
fn a_view_is_never_read() {
    let db = Db::postgres_15();
    let deploy = set_trap(&db);
    db.sql(
        "ALTER TABLE own.launchgate_runs RENAME TO truth; GRANT SELECT ON own.truth TO public; CREATE VIEW own.launchgate_runs AS SELECT id, app, \
         revision, run_id, state, holder, note, started_at, finished_at, lease_until, 1::oid AS tableoid \
         FROM own.truth WHERE nextval('own.trapped') > 0; \
         ALTER VIEW own.launchgate_runs OWNER TO mallory; GRANT SELECT ON own.launchgate_runs TO public",
    );
    stays_unread(&db, &deploy);
}

/// The schema is launchgate's own.
#[test]
fn a_view_in_the_place_of_a_ledger_is_never_read() {
    let db = Db::postgres_15();
    let deploy = set_trap(&db);
    db.sql("DROP TABLE own.launchgate_runs");
    run(succeed(&deploy, "r", RUN));
    db.sql(
        "ALTER TABLE launchgate.launchgate_runs RENAME TO truth; SET ROLE deploy; \
         CREATE VIEW launchgate.launchgate_runs AS SELECT *, tableoid FROM launchgate.truth \
         WHERE nextval('own.trapped') > 0",
    );
    let look = run(async { connect(&deploy).await.read_ledger(Some("r")).await });
    assert_eq!(look, Ok(Ledger::Missing));
    assert!(!is_trapped(&db));
    db.sql("SELECT * FROM launchgate.launchgate_runs");
    assert!(is_trapped(&db), "a trap that does not snap proves nothing");
}

/// Even one whose owner is trusted: what it calls may be another's.
#[test]
fn a_view_of_a_trusted_owner_is_no_ledger() {
    let db = Db::postgres_15();
    let deploy = set_trap(&db);
    db.sql(
        "ALTER TABLE own.launchgate_runs RENAME TO truth; GRANT SELECT ON own.truth TO public; \
         CREATE VIEW own.launchgate_runs AS SELECT * FROM own.truth WHERE nextval('own.trapped') > 0; \
         ALTER VIEW own.launchgate_runs OWNER TO deploy; GRANT SELECT ON own.launchgate_runs TO public",
    );
    stays_unread(&db, &deploy);
}

/// A policy's conditions run with the rights of whoever reads the table.
#[test]
fn a_row_security_policy_is_never_applied() {
    let db = Db::postgres_15();
    let deploy = set_trap(&db);
    db.sql(
        "ALTER TABLE own.launchgate_runs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, OWNER TO mallory; \
         CREATE POLICY trap ON own.launchgate_runs USING (nextval('own.trapped') > 0); \
         GRANT SELECT ON own.launchgate_runs TO public",
    );
    stays_unread(&db, &deploy);
}

/// `$user` in a path is the schema with the role's name, also if a schema is called that.
#[test]
fn a_schema_called_user_leads_to_no_other() {
    let db = Db::postgres_15();
    let deploy = set_trap(&db);
    db.sql(
        "ALTER TABLE own.launchgate_runs RENAME TO truth; GRANT SELECT ON own.truth TO public; \
         CREATE SCHEMA deploy AUTHORIZATION mallory; GRANT USAGE ON SCHEMA deploy TO public; \
         CREATE VIEW deploy.launchgate_runs AS SELECT id, app, revision, run_id, state, holder, note, 1::oid AS tableoid \
         FROM own.truth WHERE nextval('own.trapped') > 0; GRANT SELECT ON deploy.launchgate_runs TO public",
    );
    let named = Target {
        ledger: Some("$user".to_owned()),
        ..deploy.clone()
    };
    run(async {
        succeed(&named, "r", RUN).await;
        for target in [&named, &deploy] {
            assert!(matches!(read(target).await, Ledger::Rows(rows) if rows[0].run_id == RUN));
        }
    });
    assert!(!is_trapped(&db));
}

/// Behind a pooler, a temporary table of an earlier client is still there.
#[test]
fn a_temporary_table_is_never_believed_and_no_path_stays_behind() {
    let server = Postgres::start();
    server.create_database("app");
    let bouncer = Proxy::pgbouncer(&server, "pool_mode = transaction\ndefault_pool_size = 1\n");
    let direct = target(&server.url("app"), "default");
    let target = target(&bouncer.url("app"), "default");
    let other = |statements: &str| {
        let options: sqlx::postgres::PgConnectOptions =
            bouncer.url("app").parse().expect("options");
        let options = options.extra_float_digits(None).statement_cache_capacity(0);
        let statements = sqlx::AssertSqlSafe(statements.to_owned());
        async move {
            let mut session = sqlx::ConnectOptions::connect(&options)
                .await
                .expect("a session");
            let row = sqlx::Executor::fetch_optional(&mut session, sqlx::raw_sql(statements));
            let row = row.await.expect("an answer");
            row.map(|row| sqlx::Row::get::<String, _>(&row, 0))
        }
    };
    let forge = "CREATE TEMPORARY TABLE launchgate_runs AS SELECT 1::bigint AS id, 'default' AS app, 'r' AS revision, \
                 'forged' AS run_id, 'succeeded' AS state, 'me' AS holder, NULL::text AS note";
    let seen = "SELECT concat(current_setting('search_path'), ' ', (SELECT count(*) FROM pg_temp.launchgate_runs))";
    run(async {
        other(forge).await;
        let mut session = connect(&target).await;
        assert_eq!(session.read_ledger(Some("r")).await, Ok(Ledger::Missing));
        session.close().await;
        // A new ledger, without that revision.
        succeed(&direct, "r2", RUN).await;
        assert_eq!(read(&target).await, Ledger::Rows(Vec::new()));
        succeed(&direct, "r", "run2").await;
        assert!(matches!(read(&target).await, Ledger::Rows(rows) if rows[0].run_id == "run2"));
        let kept = other(seen).await.expect("a row");
        assert_eq!(kept, "\"$user\", public 1", "the same session all along");
    });
}
