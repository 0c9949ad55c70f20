//! `MySQL` 9, whose users log in with `caching_sha2_password`, over each kind of connection.
//!
//! "MySQL (8.0 and later, with `caching_sha2_password` with and without TLS)" (contract, section 5)

use crate::common::{Db, Scene};

/// The server forgets every password that it has seen, as after a restart. The next login is a full
/// one, which needs the password itself instead of a hash of it.
fn forget_passwords(db: &Db) {
    db.sql("flush privileges");
}

#[test]
fn a_user_that_the_server_has_not_seen_logs_in_over_each_connection() {
    let db = Db::mysql();
    let socket = db.maria_db().socket().display().to_string();
    db.sql(
        "create user app identified by 'the right one'; grant all on shop.* to app; \
         create user bare identified by ''; grant all on shop.* to bare",
    );
    let scene = Scene::new(&db);
    let tcp =
        |password: &str, mode: &str| format!("{}?ssl-mode={mode}", db.url_as("app", password));
    let by_socket = |password: &str, mode: &str| {
        format!("mysql://app:{password}@localhost/shop?socket={socket}&ssl-mode={mode}")
    };
    let start = |url: &str, code: i32| {
        forget_passwords(&db);
        let mut run = scene.run("v1").env("DATABASE_URL", url).finish();
        run.ends_with(code);
        run
    };
    for mode in ["DISABLED", "PREFERRED", "REQUIRED"] {
        for url in [
            tcp("the%20right%20one", mode),
            by_socket("the%20right%20one", mode),
        ] {
            start(&url, 0);
        }
        for url in [tcp("wrong", mode), by_socket("wrong", mode)] {
            let refused = start(&url, 78);
            refused
                .says("Access denied for user 'app'")
                .says("check the user and password");
        }
    }
    start(&format!("{}?ssl-mode=DISABLED", db.url_as("bare", "")), 0);
    assert_eq!(scene.count("start"), 1);
    // Step, operator and embedded migrations log in like the gate.
    forget_passwords(&db);
    let url = tcp("the%20right%20one", "DISABLED");

    std::fs::create_dir(scene.path("migrations")).expect("a folder");
    scene.write("migrations/1_a.sql", "create table a (x int)");
    let run = scene.bare("v2").env("DATABASE_URL", &url);
    run.args(["--sql", "migrations"]).finish().ends_with(0);
}

/// A socket counts as secure, so it needs no TLS either.
#[test]
fn a_server_without_tls_gets_the_password_over_its_socket() {
    let db = Db::mysql_with(&["--tls-version="]);
    let server = db.maria_db();
    let socket = server.socket().display().to_string();
    db.sql("create user app identified by 'the right one'; grant all on shop.* to app");
    let mut scene = Scene::new(&db);
    let url = |password: &str, mode: &str| {
        format!("mysql://app:{password}@localhost/shop?socket={socket}&ssl-mode={mode}")
    };
    for mode in ["DISABLED", "PREFERRED", "REQUIRED"] {
        forget_passwords(&db);
        scene.url = url("the%20right%20one", mode);
        scene.run("v1").finish().ends_with(0);
        forget_passwords(&db);
        scene.url = url("wrong", mode);
        let mut refused = scene.run("v1").finish();
        refused.ends_with(78).says("Access denied for user 'app'");
    }
}

/// "A standby, a read-only session, a Galera node that is joining or a server in offline mode is waited
/// for (`--wait-timeout`), then refused, unless the revision succeeded already"
#[test]
fn a_server_in_offline_mode_or_a_replica_is_waited_for() {
    let db = Db::mysql();
    db.sql("create user app identified by 'x'; grant all on shop.* to app");
    let mut scene = Scene::new(&db);
    scene.url = db.url_as("app", "x");
    scene.run("v0").finish().ends_with(0);
    for (variable, words) in [
        ("super_read_only", "the server is read-only"),
        ("offline_mode", "offline mode"),
    ] {
        db.sql(&format!("set global {variable} = on"));
        if variable == "super_read_only" {
            scene.run("v0").finish().ends_with(0);
        }
        let mut refused = scene.run(variable).args(["--wait-timeout=1s"]).start();
        refused.ends_with(78).says(words);
        let mut waiter = scene.run(variable).start();
        waiter.wait_for_log("waiting for the database");
        db.sql(&format!(
            "set global {variable} = off; set global read_only = off"
        ));
        waiter.ends_with(0);
        scene.check_settled(variable);
    }
}
