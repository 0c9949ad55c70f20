//! What a start costs the database, according to the server's own log, and what it never touches.
//!
//! "Fast path: a replica whose revision succeeded makes one short connection and one round trip
//! after connecting, then execs. No DDL, no lock, no second statement." (contract, section 5)
//!
//! "Waiters hold no connection." (contract, section 5)

use crate::common::servers::postgres_15;
use crate::common::{Db, Run, Scene, on_each, until};

/// What the server logged between two marks.
fn logged(db: &Db, work: impl FnOnce()) -> Vec<String> {
    let server = db.postgres();
    let mark = |name: &str| {
        db.sql(&format!("select '{name}'"));
        until("the mark", || {
            server.log().contains(&format!("select '{name}'"))
        });
    };
    mark("mark-begin");
    work();
    mark("mark-end");
    let log = server.log();
    let from = log.find("select 'mark-begin'").expect("a mark");
    let to = log.find("select 'mark-end'").expect("a mark");
    log[from..to].lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn an_up_to_date_start_is_one_connection_and_one_message_on_postgres() {
    let settings = [
        "log_statement=all",
        "log_connections=on",
        "log_line_prefix=%a|%u|",
    ];
    let db = Db::postgres_with(&postgres_15(), &settings);
    let scene = Scene::new(&db);
    scene.run("v1").finish().ends_with(0);
    scene.write_program("server", "#!/bin/sh\nexit 0\n");
    let lines = logged(&db, || {
        scene.run("v1").finish().ends_with(0);
    });
    let find = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
    assert_eq!(
        find("connection authorized"),
        2,
        "one is the mark's own: {lines:#?}"
    );
    let statements: Vec<_> = lines
        .iter()
        .filter(|l| l.contains("launchgate:look|") && l.contains("statement:"))
        .collect();
    assert_eq!(statements.len(), 1, "{lines:#?}");
    assert!(
        statements[0].contains("SELECT tableoid, id, state"),
        "{statements:?}"
    );
    assert_eq!(
        find("advisory") + find("CREATE") + find("BEGIN") + find("ERROR:"),
        0,
        "{lines:#?}"
    );
}

#[test]
fn an_up_to_date_start_is_one_connection_and_one_statement_on_mariadb() {
    let db = Db::mariadb();
    let scene = Scene::new(&db);
    scene.run("v1").finish().ends_with(0);
    scene.write_program("server", "#!/bin/sh\nexit 0\n");
    db.sql("set global log_output = 'TABLE'; set global general_log = 1");
    scene.run("v1").finish().ends_with(0);
    let mine = "user_host not like '%localhost []%'";
    until("the goodbye", || {
        db.sql(&format!(
            "select count(*) from mysql.general_log where {mine} and command_type = 'Quit'"
        )) == "1"
    });
    let commands = db.sql(&format!(
        "select command_type from mysql.general_log where {mine} order by event_time"
    ));
    assert_eq!(commands, "Connect\nQuery\nQuit");
}

/// Whether there is a ledger is asked in a way that is no error, which the server would log.
#[test]
fn a_replica_that_waits_for_a_new_ledger_leaves_no_errors_on_postgres() {
    let settings = ["log_statement=all", "log_line_prefix=%a|%u|"];
    let db = Db::postgres_with(&postgres_15(), &settings);
    let server = db.postgres();
    let scene = Scene::new(&db);
    let count = |what: &str| server.log().matches(what).count();
    let mut waiter = scene.command("wait").args(["--release", "v1"]).start();
    until("several looks", || count("SELECT n.nspname") >= 4);
    scene.run("v1").finish().ends_with(0);
    waiter.ends_with(0);
    let log = server.log();
    let errors: Vec<_> = log
        .lines()
        .filter(|line| line.contains("launchgate:") && line.contains("ERROR"))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// Twenty replicas wait, a holder has its lock: neither holds a snapshot.
#[test]
fn an_index_is_built_concurrently_while_replicas_wait() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    db.sql("create table t as select generate_series(1, 1000) a");
    scene.touch("hold-migrate");
    scene.write_program("do-migrate", "psql -Xqw \"$DATABASE_URL\" -v ON_ERROR_STOP=1 -c 'create index concurrently i on t (a)' || exit 4\n");
    let mut replicas: Vec<Run> = (0..21)
        .map(|_| scene.run("v1").env("LAUNCHGATE_LEASE", "30s").start())
        .collect();
    until("replicas that wait", || {
        replicas
            .iter()
            .filter(|r| r.log().contains("waiting"))
            .count()
            == 20
    });
    // Dead rows can be removed while they wait.
    let dead = || db.sql("select n_dead_tup from pg_stat_all_tables where relname = 't'");
    db.sql("delete from t where a > 500");
    until("the server's count of the deleted rows", || dead() == "500");
    db.sql("vacuum t");
    assert_eq!(dead(), "0");
    scene.let_go();
    for replica in &mut replicas {
        replica.ends_with(0);
    }
    assert_eq!(
        db.sql("select indisvalid from pg_index where indexrelid = 'i'::regclass"),
        "t"
    );
    assert_eq!(scene.count("start"), 1);
    scene.check_settled("v1");
}

/// Nobody but the holder has a session while everybody waits for the next look.
fn waiters_hold_no_connection(db: &Db) {
    let scene = Scene::new(db);
    scene.touch("hold-migrate");
    let mut replicas: Vec<Run> = (0..3)
        .map(|_| scene.run("v1").env("LAUNCHGATE_LEASE", "30s").start())
        .collect();
    until("waiters", || {
        replicas
            .iter()
            .filter(|r| r.log().contains("waiting"))
            .count()
            == 2
    });
    let sessions = || match db {
        Db::Maria(_) => {
            db.sql("select count(*) from information_schema.processlist where host like '%:%'")
        }
        _ => db.sql(
            "select count(*) from pg_stat_activity where application_name like 'launchgate:%'",
        ),
    };
    // Their looks are short: the holder's two are all there is, most of the time.
    let mut seen: Vec<String> = (0..30).map(|_| sessions()).collect();
    seen.sort();
    assert_eq!(seen[20], "2", "{seen:?}");
    scene.let_go();
    for replica in &mut replicas {
        replica.ends_with(0);
    }
}
on_each!(waiters_hold_no_connection: each_server);

#[test]
fn a_step_s_sessions_are_named_after_lock_and_run() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    scene.write_program(
        "do-migrate",
        "echo \"name $PGAPPNAME\" >> \"$dir/evidence\"\n",
    );
    scene.run("v1").finish().ends_with(0);
    let name = scene.evidence()[1].0.replace("name ", "");
    let parts: Vec<&str> = name.split('/').collect();
    assert_eq!((parts.len(), parts[0]), (3, "launchgate"));
    assert_eq!(parts[2], scene.ledger("run_id")[0]);
    assert!(name.len() <= 63, "{name}");
    let own = scene.run("v2").args(["--step-env", "PGAPPNAME=mine"]);
    own.finish().ends_with(0).says("warning").says("PGAPPNAME");
    assert!(scene.evidence().iter().any(|line| line.0 == "name mine"));
}

/// One connection is not enough for a lock and a heartbeat: said, and given up in time.
#[test]
fn a_role_with_one_connection_is_given_up_in_time() {
    let db = Db::postgres_15();
    db.sql("create role narrow login password 'n' connection limit 1; grant all on schema public to narrow");
    let scene = Scene::new(&db);
    let url = db.url_as("narrow", "n");
    let mut replica = scene
        .run("v1")
        .env("DATABASE_URL", &url)
        .args(["--wait-timeout", "2s"])
        .start();
    replica.ends_with(69).says("too many connections");
    assert_eq!(scene.evidence().len(), 0);
    db.sql("alter role narrow connection limit 2");
    scene
        .run("v1")
        .env("DATABASE_URL", &url)
        .finish()
        .ends_with(0);
}
