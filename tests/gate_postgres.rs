//! What a migration on Postgres may do to its database, and a database's settings to launchgate.

#[path = "common/gate.rs"]
mod gate;

use gate::backends::{Db, on_each};
use gate::replicas::Scene;

/// The lock's session has no lock on the system's tables, which both want for themselves.
fn a_step_may_rebuild_every_table(db: &Db) {
    let scene = Scene::new(db);
    scene.script(
        "do-migrate",
        "for what in 'reindex database shop' 'vacuum full pg_class' 'vacuum full'; do\n\
         PGOPTIONS='-c lock_timeout=20s' \"$dir/ask\" \"$what\" || exit 4\ndone\n",
    );
    let replica = scene.run("v1").env("LAUNCHGATE_LEASE", "30s");
    replica.finish().ends_with(0);
    scene.check_settled("v1");
}
on_each!(a_step_may_rebuild_every_table: postgres_15, postgres_18, pgbouncer, pgbouncer_18);

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
            .without_server()
            .finish()
    };
    for revision in [r"a\b'c", r"a\b'c", "v2"] {
        job(revision).ends_with(0);
    }
    let resolve = ["v3", "--as", "blocked", "--note", r"it's \x00"];
    let resolve = scene.command("resolve").args(resolve).without_server();
    resolve.finish().ends_with(0);
    job("v3").ends_with(77).says(r"it's \x00");
    let mut status = scene.command("status").without_server().finish();
    status.ends_with(0);
    assert!(status.out().contains(r"a\b'c"), "{}", status.out());
    assert_eq!(scene.states(), ["succeeded", "succeeded", "blocked"]);
    assert_eq!(scene.count("start"), 2);
}
on_each!(a_database_s_settings_change_no_statement: postgres_15, postgres_18, pgbouncer);
