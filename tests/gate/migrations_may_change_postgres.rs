//! What a migration may do to a Postgres database, and what its settings may do to launchgate.
//!
//! "A ledger that exists is used whatever the role may create" (contract, section 5)

use crate::common::{Db, Run, Scene, on_each, until};

/// The lock's session has no lock on the system's tables, which both want for themselves.
fn a_step_may_rebuild_every_table(db: &Db) {
    let scene = Scene::new(db);
    scene.write_program(
        "do-migrate",
        "for what in 'reindex database shop' 'vacuum full pg_class' 'vacuum full'; do\n\
         PGOPTIONS='-c lock_timeout=20s' \"$dir/ask\" \"$what\" || exit 4\ndone\n",
    );
    let replica = scene.run("v1").env("LAUNCHGATE_LEASE", "30s");
    replica.finish().ends_with(0);
    scene.check_settled("v1");
}
on_each!(a_step_may_rebuild_every_table: [postgres_15, postgres_18, pgbouncer, pgbouncer_18]);

/// Neither lock nor ledger goes by the `search_path`: while the step that changed it runs, nobody
/// else does, and what it succeeded with never runs again.
fn a_search_path_that_a_migration_changes_changes_nothing(db: &Db) {
    db.sql(
        "create role app superuser login password 'app'; create schema own; \
         alter role postgres in database shop set search_path = public",
    );
    let mut scene = Scene::new(db);
    scene.url = db.url_as("app", "app");
    scene.touch("hold-end");
    scene.write_program(
        "do-migrate",
        "\"$dir/ask\" 'alter database shop set search_path = own' || exit 4\n\
         say changed\nwhile [ -e \"$dir/hold-end\" ]; do sleep 0.02; done\n",
    );
    let mut replicas = vec![scene.run("v1").start()];
    until("the change", || scene.count("changed") == 1);
    replicas.push(scene.run("v1").start());
    let wait = |revision| scene.command("wait").args(["--release", revision]);
    replicas.push(wait("v1").start());
    for waiter in &mut replicas[1..] {
        waiter.wait_for_log("another replica is running the steps");
    }
    let mut status = scene.command("status").finish();
    status.ends_with(0);
    assert!(
        status.out().contains("has held the gate"),
        "{}",
        status.out()
    );
    scene.remove("hold-end");
    for replica in &mut replicas {
        replica.ends_with(0);
    }
    let up_to_date = |mut replica: Run| {
        replica.ends_with(0);
        assert_eq!(scene.count("start"), 1, "{}", replica.log());
    };
    up_to_date(scene.run("v1").finish());
    up_to_date(wait("v1").finish());
    scene.run("v2").finish().ends_with(0);
    assert_eq!(scene.states(), ["succeeded", "succeeded"]);
    let ledgers = || db.sql("select count(*) from pg_class where relname = 'launchgate_runs'");
    assert_eq!(ledgers(), "1");
    // Nor by the schema that a URL names.
    let url = format!("{}?schema=own", scene.url);
    scene
        .run("v1")
        .env("DATABASE_URL", url)
        .finish()
        .ends_with(0);
    assert_eq!((scene.count("start"), ledgers().as_str()), (2, "1"));
}
on_each!(a_search_path_that_a_migration_changes_changes_nothing: [postgres_15, postgres_18]);

/// What a statement means does not depend on how the database was set up.
fn a_database_s_settings_change_no_statement(db: &Db) {
    for setting in [
        "standard_conforming_strings = off",
        "backslash_quote = off",
        "bytea_output = escape",
        "datestyle = 'SQL, DMY'",
        "intervalstyle = sql_standard",
        "timezone = 'Asia/Kathmandu'",
        "transform_null_equals = on",
        "quote_all_identifiers = on",
        "extra_float_digits = -15",
        "default_transaction_isolation = serializable",
        "default_transaction_deferrable = on",
        "idle_in_transaction_session_timeout = '1s'",
        "lock_timeout = '1ms'",
    ] {
        db.sql(&format!("alter database shop set {setting}"));
    }
    let scene = Scene::new(db);
    let job = |revision: &str| {
        scene
            .command("job")
            .args(["--release", revision, "--migrate", &scene.path("step")])
            .finish()
    };
    for revision in [r"a\b'c", r"a\b'c", "v2"] {
        job(revision).ends_with(0);
    }
    let resolve = ["v3", "--as", "blocked", "--note", r"it's \x00"];
    let resolve = scene.command("resolve").args(resolve);
    resolve.finish().ends_with(0);
    job("v3").ends_with(77).says(r"it's \x00");
    let mut status = scene.command("status").finish();
    status.ends_with(0);
    assert!(status.out().contains(r"a\b'c"), "{}", status.out());
    assert_eq!(scene.states(), ["succeeded", "succeeded", "blocked"]);
    assert_eq!(scene.count("start"), 2);
}
on_each!(a_database_s_settings_change_no_statement: postgres);

/// What a step printed is kept as far as the database's encoding can hold it: an attempt that is not
/// recorded would be made again and again.
#[test]
fn a_database_that_is_not_utf_8_records_every_failure() {
    let db = Db::postgres_15();
    db.sql("create database narrow encoding 'LATIN1' template template0 locale 'C'");
    let mut scene = Scene::new(&db);
    scene.url = db.url().replace("/shop", "/narrow");
    scene.write_program(
        "odd",
        "#!/bin/sh\nprintf 'nul \\000, crab \\360\\237\\246\\200, bytes \\377.\\n'; exit 5\n",
    );
    let odd = scene.path("odd");
    let attempt = |app: &str, release: &str| {
        let replica = scene.command("job").env("LAUNCHGATE_APP", app);
        let replica = replica.args(["--release", release, "--migrate", &odd]);
        replica.args(["--max-attempts", "2"]).finish()
    };
    attempt(&scene.app, "größe").ends_with(5);
    attempt(&scene.app, "größe").ends_with(5);
    attempt(&scene.app, "größe").ends_with(77);
    let mut status = scene.command("status").finish();
    status.ends_with(0);
    let shown = status.out();
    assert!(shown.contains("nul ?, crab ?, bytes ?."), "{shown}");
    for (app, release) in [(scene.app.as_str(), "🦀"), ("🦀", "v1")] {
        attempt(app, release)
            .ends_with(78)
            .says("encoding")
            .says("--app, --release")
            .says("UTF8");
    }
}
