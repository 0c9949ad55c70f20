//! Databases that cannot record a run, are busy, or do not exist: what starts, and what the log
//! says.
//!
//! "78: the database refuses: password, privileges, no such database, unsupported; a standby or a
//! node that is not ready, once `--wait-timeout` is over" (contract, section 6)

use crate::common::{Db, Scene, on_each, until};
use std::io::{Read as _, Write as _};

/// A ledger made by hand, or by another version, that lacks what a run's end is written into:
/// the migration must not find out after it ran.
fn a_ledger_without_a_column_starts_no_step(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v1").finish().ends_with(0);
    for column in ["output_tail", "heartbeat_at", "finished_at"] {
        db.sql(&format!(
            "alter table launchgate_runs rename column {column} to other"
        ));
        let refused = &mut scene.run("v2").finish();
        db.sql(&format!(
            "alter table launchgate_runs rename column other to {column}"
        ));
        refused.ends_with(78).says(column).says("print-ddl");
        assert_eq!(scene.count("start"), 1);
    }
    scene.run("v2").finish().ends_with(0);
    scene.check_settled("v2");
}
on_each!(a_ledger_without_a_column_starts_no_step: each);

fn a_role_that_may_not_update_starts_no_step(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v1").finish().ends_with(0);
    db.sql("create role appender login password 'x'; grant usage on schema launchgate to appender; grant select, insert on launchgate_runs to appender");
    let url = db.url_as("appender", "x");
    let refused = &mut scene.run("v2").env("DATABASE_URL", url).finish();
    refused
        .ends_with(78)
        .says("permission denied")
        .says("UPDATE");
    assert_eq!(scene.count("start"), 1);
    assert_eq!(scene.states(), ["succeeded"]);
}
on_each!(a_role_that_may_not_update_starts_no_step: [postgres_15]);

/// A migration in one long transaction keeps everybody out of the file: it finds it free when it
/// starts, without waiting for launchgate's own writes, and others wait for it, also those that
/// look at the ledger for the first time.
fn a_file_that_a_holders_step_keeps_busy_is_waited_for(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v1").finish().ends_with(0);
    scene.write_program(
        "exclusive",
        &format!(
            "#!/bin/sh\n(echo 'begin exclusive;'; echo .shell touch held; \
             while [ ! -e release ]; do sleep 0.05; done; echo 'commit;') | sqlite3 -bail {}\n",
            db.sqlite_file().display()
        ),
    );
    let step = format!("--migrate={}", scene.path("exclusive"));
    let mut holder = scene.bare("v2").args([&step]).start();
    until("the transaction", || scene.has("held"));
    let mut late = scene
        .bare("v2")
        .args([step.as_str(), "--wait-timeout=1s"])
        .args(["--health-listen=127.0.0.1:0"])
        .start();
    late.wait_for_log("another replica holds the lock");
    // Longer than it may take to reach a database that is not there, by its own count.
    let log = late.log();
    let address = log.split("address=").nth(1).expect("an address");
    let address = address.split_whitespace().next().expect("an address");
    until("a longer wait", || waited(address) >= 2);
    scene.touch("release");
    holder.ends_with(0);
    late.ends_with(0);
    assert!(!late.log().contains("waiting for the database"));
    assert_eq!(scene.states(), ["succeeded", "succeeded"]);
}
/// The seconds that a gate says it has waited for the lock.
fn waited(address: &str) -> u64 {
    let mut stream = std::net::TcpStream::connect(address).expect("a listener");
    let request = b"GET / HTTP/1.0\r\n\r\n";
    stream.write_all(request).expect("a request");
    let mut text = String::new();
    // The gate resets whoever waits for it to close.
    let _ = stream.read_to_string(&mut text);
    let (_, body) = text.split_once("\r\n\r\n").expect("a body");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["state"], "waiting-for-lock", "{body}");
    body["seconds"].as_u64().expect("a number")
}
on_each!(a_file_that_a_holders_step_keeps_busy_is_waited_for: [sqlite]);

fn the_log_says_which_database_and_who_named_it(db: &Db) {
    let scene = Scene::new(db);
    let nowhere = "postgres://user:sEcReT@127.0.0.1:1/shop";
    let run = |replica: crate::common::Gate<'_>| replica.args(["--wait-timeout=100ms"]).finish();
    let mut ended = run(scene.run("v1").env("DATABASE_URL", nowhere));
    ended
        .ends_with(69)
        .says("postgres://user:***@127.0.0.1:1/shop source=DATABASE_URL");
    let mut ended = run(scene
        .run("v1")
        .env("other", nowhere)
        .env("LAUNCHGATE_DATABASE_URL_ENV", "other"));
    ended.ends_with(69).says("source=other");
    std::fs::write(scene.path("secret"), nowhere).expect("a file");
    let mut ended = run(scene.run("v1").args(["--database-url-file=secret"]));
    ended.ends_with(69).says("--database-url-file secret");
    assert!(!ended.log().contains("sEcReT"), "{}", ended.log());
}
on_each!(the_log_says_which_database_and_who_named_it: [sqlite]);

fn a_session_name_that_a_setting_gives_stays(db: &Db) {
    let scene = Scene::new(db);
    scene.write_program("name", "#!/bin/sh\necho name=$PGAPPNAME >&2\n");
    let step = format!("--migrate={}", scene.path("name"));
    let mut given = scene
        .bare("v1")
        .args([step.as_str(), "--step-env=PGAPPNAME=mine"])
        .finish();
    given
        .ends_with(0)
        .says("name=mine")
        .says("launchgate can't recognize sessions");
    let mut own = scene
        .bare("v2")
        .args([step.as_str()])
        .env("PGAPPNAME", "inherited")
        .finish();
    own.ends_with(0).says("name=launchgate/");
}
on_each!(a_session_name_that_a_setting_gives_stays: [postgres_15]);
