//! What keeps the gate closed, with the exit code that says so and what to do about it.
//!
//! "**Closed by default.** Whatever launchgate can't make sense of keeps the server from starting:
//! a setting nobody expanded, a database it can't identify, a ledger it can't trust." (contract,
//! section 1)

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use crate::common::home::free_port;
use crate::common::{Db, Gate, Run, Scene, on_each};

/// Ends with `code` before any step or server, says why and what to do, and shows no password.
fn refused(replica: Gate<'_>, code: i32, words: &[&str]) -> Run {
    let scene = replica.place();
    let before = scene.evidence().len();
    let mut replica = replica.start();
    replica.ends_with(code).says("hint=");
    for word in words {
        replica.says(word);
    }
    for secret in ["s3cret", "geheim"] {
        assert!(!replica.log().contains(secret), "{}", replica.log());
    }
    assert_eq!(scene.evidence().len(), before);
    replica
}

#[test]
fn settings_that_cannot_be_meant_are_64() {
    let db = Db::sqlite();
    let scene = Scene::new(&db).without_database_file();
    let with = |url: &str| scene.run("v1").env("DATABASE_URL", url);
    refused(with("postgres://u:geheim@ho st/x"), 64, &["DATABASE_URL"]);
    refused(
        with("mongodb://u:geheim@host/x"),
        64,
        &["DATABASE_URL", "--no-database", "--database-url"],
    );
    refused(with("not a url"), 64, &["DATABASE_URL"]);
    let lease = |lease: &str, grace: &str| {
        scene
            .run("v1")
            .env("LAUNCHGATE_LEASE", lease)
            .env("LAUNCHGATE_STOP_GRACE", grace)
    };
    refused(lease("3s", "1100ms"), 64, &["--lease"]);
    refused(lease("30s", "19100ms"), 64, &["--lease"]);
    refused(lease("2s", "0"), 64, &["LAUNCHGATE_LEASE"]);
    refused(lease("61m", "0"), 64, &["LAUNCHGATE_LEASE"]);
    refused(
        lease("30s", "18446744073709551615s"),
        64,
        &["LAUNCHGATE_STOP_GRACE", "at most"],
    );
    refused(scene.run(&"r".repeat(10_000)), 64, &["--release"]);
    refused(scene.run("two\nlines"), 64, &["--release"]);
    let wait = scene.command("wait").start();
    refused_alone(wait);
    assert!(!db.sqlite_file().exists());
}

/// "A release, an app's name or a database URL that still holds a placeholder is refused (64), with
/// the reason: the exec form expands nothing."
#[test]
fn a_name_that_nothing_expanded_is_64() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let step = scene.path("step");
    let job = || scene.command("job").args(["--migrate", &step]);
    for text in [
        "$TAG",
        "${GIT_SHA}",
        "$(git rev-parse HEAD)",
        "${{ github.sha }}",
        "{{ .Values.tag }}",
        "%SHA%",
    ] {
        let words = ["still contains the placeholder", text, "without a shell"];
        refused(
            scene.run(text),
            64,
            &["--release", words[0], words[1], words[2]],
        );
        let by_variable = job().env("GIT_SHA", text);
        refused(by_variable, 64, &["GIT_SHA", words[0], words[1], words[2]]);
        let app = scene.run("v1").env("LAUNCHGATE_APP", text);
        refused(
            app,
            64,
            &["LAUNCHGATE_APP", "still contains the placeholder", text],
        );
    }
}

/// Names that move and names that say nothing "are passed over with a warning where a platform's
/// variable has them, and refused (64) in `--release`, its variable and its key".
#[test]
fn a_release_that_tells_nothing_is_64_and_passed_over_in_a_platforms_variable() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let step = scene.path("step");
    let job = || scene.command("job").args(["--migrate", &step]);
    for name in ["latest", "MAIN", "nightly", "unknown", "null", "app:latest"] {
        refused(scene.run(name), 64, &["--release", name, "commit"]);
        let by_variable = job().env("LAUNCHGATE_RELEASE", name);
        refused(by_variable, 64, &["LAUNCHGATE_RELEASE", name]);
        let passed = job().env("GIT_SHA", name).env("COMMIT_SHA", "c0ffee");
        let mut passed = passed.start();
        passed
            .ends_with(0)
            .says("revision=c0ffee source=COMMIT_SHA");
        passed.says(&format!("ignoring GIT_SHA={name}"));
    }
}

/// Whichever command runs first reports a grace that is too long for the lease.
#[test]
fn a_grace_too_long_for_the_lease_is_64_wherever_there_is_a_database() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    std::fs::remove_file(db.sqlite_file()).expect("a file");
    for words in [
        &["wait", "--release=v1"][..],
        &["status"],
        &["resolve", "v1", "--as=retry"],
        &["check", "--migrate=true"],
    ] {
        let replica = scene.command(words[0]).args(&words[1..]);
        let replica = replica
            .env("LAUNCHGATE_LEASE", "30s")
            .env("LAUNCHGATE_STOP_GRACE", "25s");
        refused(replica, 64, &["LAUNCHGATE_STOP_GRACE", "two thirds"]);
    }
    // A lease alone says nothing of a grace that only `run` has a flag for.
    let status = scene.command("status").env("LAUNCHGATE_STOP_GRACE", "");
    status.finish().ends_with(0);
    assert!(!db.sqlite_file().exists());
}

/// One error and no warning about steps, which `wait` never runs.
fn refused_alone(mut wait: Run) {
    wait.ends_with(64).says("nothing to wait for");
    assert!(!wait.log().contains("warning"), "{}", wait.log());
}

fn a_revision_with_quotes_is_a_revision(db: &Db) {
    let scene = Scene::new(db);
    for revision in ["it's", "a\"b", "c\\d", "e`f", "%s;--", "größe-⛴"] {
        let step = scene.path("step");
        for _ in 0..2 {
            let replica = scene
                .command("job")
                .args(["--release", revision, "--migrate", &step]);
            replica.finish().ends_with(0);
        }
    }
    assert_eq!(scene.count("start"), 6);
    assert_eq!(scene.states(), ["succeeded"; 6]);
}
on_each!(a_revision_with_quotes_is_a_revision: each);

#[test]
fn a_revision_with_a_dash_in_front_can_be_resolved_as_the_hint_says() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let resolve = |decision: &str| {
        let replica = scene.command("resolve");
        replica.args(["--as", decision, "--", "-r1"]).finish()
    };
    resolve("blocked").ends_with(0);
    let step = format!("--migrate={}", scene.path("step"));
    let job = || scene.command("job").args(["--release=-r1", &step]);
    let retry = format!("`launchgate resolve --app {} --as retry -- -r1`", scene.app);
    refused(job(), 77, &[&retry]);
    resolve("retry").ends_with(0);
    job().finish().ends_with(0);
}

/// As `--release` takes one.
#[test]
fn a_revision_to_resolve_is_trimmed_and_is_text() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let resolve = scene.command("resolve").args([" rb\n", "--as=blocked"]);
    resolve.finish().ends_with(0);
    assert_eq!(scene.ledger("revision"), ["rb"]);
    let step = format!("--migrate={}", scene.path("step"));
    let job = scene.command("job").args(["--release= rb ", &step]);
    refused(job, 77, &["revision rb was blocked"]);
    let bytes = OsStr::from_bytes(b"r\xff");
    let resolve = scene.command("resolve").args(["--as=retry"]).args([bytes]);
    refused(resolve, 64, &["REVISION is not UTF-8"]);
    let resolve = scene
        .command("resolve")
        .args(["rb", "--as=retry", "--note"]);
    refused(resolve.args([bytes]), 64, &["--note is not UTF-8"]);
    let resolve = scene.command("resolve").args(["  ", "--as=retry"]);
    refused(resolve, 64, &["REVISION"]);
    assert_eq!(scene.states(), ["blocked"]);
}

#[test]
fn a_port_where_nobody_listens_is_69() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://u:geheim@127.0.0.1:{}/x", free_port());
        let replica = || scene.run("v1").env("DATABASE_URL", &url);
        refused(
            replica().args(["--wait-timeout", "1s"]),
            69,
            &["did not accept a connection for 1 s"],
        );
        let mut stopped = replica().start();
        stopped.wait_for_log("waiting for the database");
        stopped.signal(libc::SIGTERM);
        stopped.ends_with(143);
        let url = format!("{scheme}://u:geheim@no-such-host.invalid/x");
        let replica = scene.run("v1").env("DATABASE_URL", &url);
        refused(
            replica.args(["--wait-timeout", "1s"]),
            69,
            &["did not accept"],
        );
    }
}

#[test]
fn a_database_that_comes_up_later_is_waited_for() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    db.stop();
    let mut replicas: Vec<Run> = (0..3).map(|_| scene.run("v1").start()).collect();
    for replica in &mut replicas {
        replica.wait_for_log("waiting for the database");
    }
    db.crash();
    for replica in &mut replicas {
        replica.ends_with(0);
    }
    assert_eq!(scene.count("start"), 1);
    scene.check_settled("v1");
}

fn the_wait_for_a_holder_has_a_limit(db: &Db) {
    let scene = Scene::new(db);
    let mut holder = scene.start_held(scene.run("v1"));
    refused(
        scene.run("v1").args(["--lock-timeout", "1s"]),
        75,
        &["--lock-timeout"],
    );
    let wait = scene
        .command("wait")
        .args(["--release", "v1", "--lock-timeout", "1s"]);
    refused(wait, 75, &["--lock-timeout"]);
    let wait = scene
        .command("wait")
        .args(["--release", "v2", "--lock-timeout", "1s"]);
    refused(wait, 75, &["v2"]);
    let mut stopped = scene.run("v1").start();
    stopped.wait_for_log("waiting");
    stopped.signal(libc::SIGTERM);
    stopped.ends_with(143);
    scene.let_go();
    holder.ends_with(0);
    assert_eq!(scene.states(), ["succeeded"]);
    scene.check_settled("v1");
}
on_each!(the_wait_for_a_holder_has_a_limit: each_and_pooler);

#[test]
fn what_postgres_refuses_for_good_is_78_at_once() {
    let db = Db::postgres_15();
    db.sql("create role reader login password 'geheim'; create schema theirs; create role owner login password 'geheim'");
    let scene = Scene::new(&db);
    let with = |url: &str| scene.run("v1").env("DATABASE_URL", url);
    refused(with(&db.url_as("postgres", "geheim")), 78, &["password"]);
    refused(with(&db.url_as("nobody", "geheim")), 78, &["password"]);
    refused(with(&db.url().replace("/shop", "/shoe")), 78, &["shoe"]);
    // PostgreSQL 15 lets nobody but the owner create in public.
    refused(
        with(&db.url_as("reader", "geheim")),
        78,
        &["launchgate print-ddl --database postgres --role reader | psql -h 127.0.0.1 -p "],
    );
    refused(
        with(&format!("{}?sslmode=require", db.url())),
        78,
        &["TLS", "sslmode"],
    );
    db.sql("alter role owner set default_transaction_read_only = on; grant all on schema public to owner");
    let owner = with(&db.url_as("owner", "geheim")).args(["--wait-timeout=1s"]);
    refused(owner, 78, &["primary"]);
    db.sql("create table launchgate_runs (id int)");
    refused(with(&db.url()), 78, &["print-ddl"]);
}

#[test]
fn what_mariadb_refuses_for_good_is_78_at_once() {
    let db = Db::mariadb();
    db.sql(
        "create user 'reader'@'%' identified by 'geheim'; grant select on shop.* to 'reader'@'%'",
    );
    let scene = Scene::new(&db);
    let with = |url: &str| scene.run("v1").env("DATABASE_URL", url);
    refused(with(&db.url_as("root", "geheim")), 78, &["password"]);
    refused(with(&db.url().replace("/shop", "/shoe")), 78, &["shoe"]);
    refused(
        with(&db.url_as("reader", "geheim")),
        78,
        &["launchgate print-ddl --database mysql --role reader | mysql -h 127.0.0.1 -P "],
    );
    refused(
        with(&format!("{}?ssl-mode=REQUIRED", db.url())),
        78,
        &["TLS", "ssl-mode"],
    );
    db.sql("set global read_only = 1");
    let reader = with(&db.url_as("reader", "geheim")).args(["--wait-timeout=1s"]);
    refused(reader, 78, &["primary"]);
    db.sql("set global read_only = 0; create table launchgate_runs (id int)");
    refused(with(&db.url()), 78, &["print-ddl"]);
}

#[test]
fn what_pgbouncer_refuses_for_good_is_78_at_once() {
    let db = Db::pgbouncer();
    let scene = Scene::new(&db);
    let with = |url: &str| scene.run("v1").env("DATABASE_URL", url);
    refused(
        with(&db.url().replace("postgres:s3cret", "postgres:geheim")),
        78,
        &["password"],
    );
    refused(with(&db.url().replace("/shop", "/shoe")), 78, &["shoe"]);
    refused(with(&format!("{}?sslmode=require", db.url())), 78, &["TLS"]);
}

fn a_ledger_of_a_newer_version_is_not_guessed_at(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v1").finish().ends_with(0);
    db.sql("update launchgate_runs set state = 'paused'");
    refused(scene.run("v1"), 78, &["a newer launchgate"]);
    scene.run("v2").finish().ends_with(0);
}
on_each!(a_ledger_of_a_newer_version_is_not_guessed_at: each);
