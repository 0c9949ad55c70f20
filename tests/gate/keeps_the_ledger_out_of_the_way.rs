//! The ledger is where no tool trips over it, and nobody else's is believed.
//!
//! "It must not be in the way of tools that want an empty schema (Prisma, Flyway) or drop what they don't
//! know" (contract, section 5)
//!
//! "A ledger that a step drops while the lock is held is created anew, the success is recorded there, and a
//! warning names `--ledger`." (contract, section 5)

use std::process::Command;

use crate::common::{Db, Run, Scene, home::output, on_each, until};

const LEDGER_0_1: &str = include_str!("../ledger/ledger_0_1/postgres.sql");

/// As Prisma asks before its first migration.
fn the_app_s_schema_is_empty_when_the_first_step_runs(db: &Db) {
    let scene = Scene::new(db);
    scene.write_program(
        "do-migrate",
        "test \"$(\"$dir/ask\" \"select count(*) from information_schema.tables \
         where table_schema in ('public', 'shop')\")\" = 0 || exit 9\n",
    );
    scene.run("v1").finish().ends_with(0);
    scene.check_settled("v1");
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.count("start"), 1);
}
on_each!(the_app_s_schema_is_empty_when_the_first_step_runs: postgres);

fn drops(scene: &Scene<'_>, statements: &str) -> Run {
    scene.write_program(
        "do-migrate",
        &format!("\"$dir/ask\" '{statements}' || exit 4\n"),
    );
    scene.run("v2").finish()
}

fn a_step_may_drop_the_ledger(db: &Db) {
    const PUBLIC: &str = "drop schema public cascade; create schema public";
    let scene = Scene::new(db);
    // Nothing of the ledger's is there.
    drops(&scene, PUBLIC).ends_with(0);
    scene.check_settled("v2");
    // A ledger that an older launchgate made there.
    db.sql("drop schema launchgate cascade");
    db.sql(LEDGER_0_1);
    drops(&scene, PUBLIC).ends_with(0).says("--ledger");
    scene.check_settled("v2");
    assert_eq!(
        db.sql("select to_regclass('public.launchgate_runs') is null"),
        "t"
    );
    db.sql("update launchgate.launchgate_runs set state = 'failed'");
    drops(&scene, "drop schema launchgate cascade")
        .ends_with(0)
        .says("a step dropped the ledger")
        .says("--ledger");
    assert_eq!(scene.states(), ["succeeded"]);
    let starts = scene.count("start");
    drops(&scene, PUBLIC).ends_with(0);
    assert_eq!(scene.count("start"), starts, "it does not run again");
}
on_each!(a_step_may_drop_the_ledger: [postgres_15, pgbouncer]);

#[test]
fn nobody_else_s_ledger_is_believed() {
    let db = Db::postgres_15();
    db.sql(
        "create role deploy login password 'p'; create role mallory; grant create on database shop to deploy; \
         grant create on schema public to deploy; create schema theirs authorization mallory",
    );
    db.sql(&LEDGER_0_1.replace("launchgate_runs (", "theirs.launchgate_runs ("));
    db.sql(
        "insert into theirs.launchgate_runs (app, revision, run_id, attempt, state, holder, version, started_at) \
         select 'app-' || n, 'v1', n, 1, 'succeeded', 'me', '0', now() from generate_series(0, 99) n; \
         alter table theirs.launchgate_runs owner to mallory; grant usage on schema theirs to public; \
         grant all on theirs.launchgate_runs to public; alter database shop set search_path = theirs, public",
    );
    let mut scene = Scene::new(&db);
    scene.url = db.url_as("deploy", "p");
    scene.write_program("do-migrate", ":\n");
    scene
        .run("v1")
        .finish()
        .ends_with(0)
        .says("passing over the table launchgate_runs in schema theirs, which is mallory's")
        .says("--ledger theirs");
    assert_eq!(scene.count("start"), 1);
    let check = scene.command("check");
    let mut check = check
        .args(["--release", "v1", "--migrate", "true"])
        .finish();
    check.ends_with(0);
    assert!(
        check
            .out()
            .contains("exists in launchgate, owned by deploy"),
        "{}",
        check.out()
    );
    db.sql("alter schema launchgate owner to mallory; grant usage on schema launchgate to deploy");
    for verb in ["job", "check"] {
        let start = scene.command(verb);
        let start = start.args(["--release", "v2", "--migrate", "true"]);
        start
            .finish()
            .ends_with(78)
            .says("launchgate")
            .says("--ledger launchgate");
    }
    let named = scene.command("job");
    let named = named.args([
        "--release",
        "v2",
        "--migrate",
        "true",
        "--ledger=launchgate",
    ]);
    named.finish().ends_with(0);
}

#[test]
fn the_printed_ddl_and_grants_are_all_there_is_to_do() {
    let db = Db::postgres_15();
    db.sql("create role \"odd role\" login password 'p'; create role web login password 'p'");
    let mut scene = Scene::new(&db);
    scene.url = db.url_as("odd%20role", "p");
    scene.write_program("do-migrate", ":\n");
    let mut refused = scene.run("v1").finish();
    refused
        .ends_with(78)
        .says("launchgate print-ddl --database postgres --role 'odd role' | psql -h 127.0.0.1");
    for role in ["odd role", "web"] {
        let print = ["print-ddl", "--database", "postgres", "--role", role];
        db.sql(&output(
            Command::new(env!("CARGO_BIN_EXE_launchgate")).args(print),
        ));
    }
    scene.run("v1").finish().ends_with(0);
    scene.url = db.url_as("web", "p");
    let wait = scene.command("wait").args(["--release", "v1"]);
    wait.finish().ends_with(0);
}

#[test]
fn every_command_finds_the_ledger_that_is_named() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    scene.write_program("do-migrate", "exit 7\n");
    let command = |verb: &str| scene.command(verb).env("LAUNCHGATE_LEDGER", "ops");
    let step = format!("--migrate={}", scene.path("step"));
    let job = command("job").args(["--ledger=ops", "--release=v1", "--max-attempts=1", &step]);
    job.finish()
        .ends_with(7)
        .says("launchgate resolve --app app-0 --ledger ops v1");
    assert_eq!(db.sql("select state from ops.launchgate_runs"), "failed");
    let mut status = command("status").finish();
    status.ends_with(0);
    assert!(status.out().contains("failed"), "{}", status.out());
    let resolve = command("resolve").args(["v1", "--as", "succeeded"]);
    resolve.finish().ends_with(0);
    command("wait")
        .args(["--release", "v1"])
        .finish()
        .ends_with(0);
    let mut check = command("check").args(["--release", "v1", &step]).finish();
    check.ends_with(0);
    assert!(check.out().contains("exists in ops"), "{}", check.out());
    assert_eq!(db.sql("select to_regnamespace('launchgate') is null"), "t");
}

/// "SQLite: in the file, but launchgate never creates the file nor the table before the steps ran: a first
/// attempt that leaves no file is neither counted nor delayed, and the log says so." (contract, section 5)
/// Another app's role may create tables in the app's database alone, and does so at the same moment.
#[test]
fn on_mariadb_two_ledgers_may_be_created_at_once() {
    let db = Db::mariadb();
    db.sql("create database launchgate");
    let scene = Scene::new(&db);
    let client = db.ask().replace("#!/bin/sh\n", "").replace("exec ", "");
    let client = client.replace(" -e \"$1\"", "");
    // No table of this name can be created meanwhile.
    let lock = "echo 'backup lock launchgate.launchgate_runs;'; echo '\\! touch locked'";
    let wait = "until test -e created; do sleep 0.05; done";
    scene.write_program("lock", &format!("({lock}; {wait}) | {client}"));
    let mut admin = Command::new("sh")
        .arg(scene.path("lock"))
        .current_dir(scene.folder())
        .spawn()
        .expect("a session");
    until("the lock", || scene.has("locked"));
    let mut replica = scene.run("v1").start();
    until("the ledger's creation", || {
        let waiting = "select count(*) from information_schema.processlist \
            where state = 'Waiting for table metadata lock'";
        db.sql(waiting) == "1"
    });
    db.sql(include_str!("../ledger/ledger_0_1/mysql.sql"));
    scene.touch("created");
    assert!(admin.wait().expect("the session").success());
    replica.ends_with(0);
    scene.check_settled("v1");
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.count("start"), 1);
}

#[test]
fn on_sqlite_a_step_finds_no_file_that_launchgate_made() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    std::fs::remove_file(db.sqlite_file()).expect("a file");
    let file = db.sqlite_file().display().to_string();
    let job = |revision: &str, script: &str| {
        scene.write_program("migrate", &format!("#!/bin/sh\n{script}\n"));
        let migrate = format!("--migrate={}", scene.path("migrate"));
        let job = scene.command("job");
        job.args(["--release", revision, "--max-attempts=2", &migrate])
            .finish()
    };
    for _ in 0..4 {
        let mut failed = job("v1", "exit 7");
        failed.ends_with(7).says("neither recorded nor counted");
        assert!(!failed.log().contains("attempt 1 of"), "{}", failed.log());
        assert!(!db.sqlite_file().exists());
    }
    // A restore where there is no file, by a script that looks.
    let restore =
        format!("test -e '{file}' && exit 8\nsqlite3 '{file}' 'create table restored (a)'");
    job("v1", &restore).ends_with(0);
    assert_eq!(scene.states(), ["succeeded"]);
    job("v1", "exit 9").ends_with(0);
    // It may replace the file as well, with one that has an older ledger.
    let older = format!("{file}.older");
    std::fs::copy(db.sqlite_file(), &older).expect("a copy");
    job("v2", &format!("cp '{older}' '{file}'")).ends_with(0);
    assert_eq!(
        scene.ledger("revision, state"),
        ["v1|succeeded", "v2|succeeded"]
    );
    let named = scene.command("status");
    let mut named = named.args(["--ledger", "ops"]).finish();
    named.ends_with(64).says("--ledger");
}

/// "`--retries`: how often this replica tries the failed steps again by itself" (contract, section 3), also
/// where no file counts the attempts.
#[test]
fn on_sqlite_a_replica_tries_again_without_a_file() {
    let db = Db::sqlite();
    let scene = Scene::new(&db).without_database_file();
    let migrate = format!("--migrate={}", scene.path("migrate"));
    let job = |retries: &str, end: &str| {
        let script = format!("#!/bin/sh\ncd \"${{0%/*}}\"\necho try >> tries\n{end}\n");
        scene.write_program("migrate", &script);
        let job = scene.command("job");
        job.args(["--release=v1", "--max-attempts=1", retries, &migrate])
            .finish()
    };
    let mut last = job("--retries=2", "exit $((10 + $(wc -l < tries)))");
    last.ends_with(13)
        .says("retries_left=0")
        .says("neither recorded nor counted");
    assert!(!db.sqlite_file().exists());
    job("--retries=1", "[ $(wc -l < tries) = 5 ]").ends_with(0);
    assert_eq!(scene.lines("tries").len(), 5);
    assert_eq!(scene.ledger("state, attempt"), ["succeeded|1"]);
}
