//! What operators and other roles do with the ledger.
//!
//! "failed attempts of one revision, over all replicas, after which it is refused." (contract,
//! section 3)
//!
//! "an operator's decision, appended to the ledger: taken as done; attempts counted anew (a success stays
//! one, with a warning); this revision must never start." (contract, section 2)
//!
//! "A ledger that exists is used whatever the role may create" (contract, section 5)

use crate::common::{Db, Run, Scene, on_each};

fn failed_attempts_are_counted_over_replicas_and_reset_by_an_operator(db: &Db) {
    let scene = Scene::new(db);
    scene.touch("fail-migrate");
    let mut replicas: Vec<Run> = (0..5).map(|_| scene.run("v1").start()).collect();
    let mut codes: Vec<i32> = replicas.iter_mut().map(Run::wait).collect();
    codes.sort_unstable();
    assert_eq!(codes, [3, 3, 3, 77, 77]);
    assert_eq!(scene.states(), ["failed"; 3]);
    assert_eq!(scene.ledger("attempt"), ["1", "2", "3"]);
    scene.run("v1").finish().ends_with(77).says(&format!(
        "launchgate resolve --app {} v1 --as retry",
        scene.app
    ));
    scene
        .run("v1")
        .args(["--max-attempts", "4"])
        .finish()
        .ends_with(3);
    scene
        .run("v1")
        .args(["--max-attempts", "0"])
        .finish()
        .ends_with(3);
    let resolve = |how: &str| {
        let replica = scene
            .command("resolve")
            .args(["v1", "--as", how, "--note", "it's `mine`"]);
        replica.finish().ends_with(0);
    };
    resolve("retry");
    // Interrupted attempts are not failed ones.
    scene.remove("fail-migrate");
    for n in 1..=4 {
        let mut holder = scene.start_held(scene.run("v1").args(["--max-attempts", "1"]));
        assert_eq!(
            scene.evidence().last().expect("a step").get("attempt"),
            n.to_string()
        );
        holder.signal(libc::SIGTERM);
        holder.ends_with(143);
    }
    resolve("blocked");
    scene.run("v1").finish().ends_with(77).says("it's `mine`");
    resolve("retry");
    scene.let_go();
    scene.touch("fail-migrate");
    scene.run("v1").finish().ends_with(3);
    resolve("succeeded");
    let starts = scene.count("start");
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.count("start"), starts);
    resolve("blocked");
    scene.run("v1").finish().ends_with(77);
    let operator = scene.command("resolve").args(["v1", "--as", "retry"]);
    operator
        .finish()
        .ends_with(0)
        .says("warning: revision v1 has succeeded");
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.count("start"), starts);
}
on_each!(failed_attempts_are_counted_over_replicas_and_reset_by_an_operator: each_and_pooler);

/// An operator who blocks a revision while its steps run means its server too.
fn a_block_during_a_run_keeps_its_server_away(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v0").finish().ends_with(0);
    let mut holder = scene.start_held(scene.run("v1"));
    let words = ["v1", "--as", "blocked", "--note", "it loses orders"];
    let operator = scene.command("resolve").args(words);
    operator.finish().ends_with(0);
    scene.let_go();
    holder.ends_with(77).says("it loses orders");
    scene.run("v1").finish().ends_with(77);
    assert_eq!(scene.states(), ["succeeded", "succeeded", "blocked"]);
    assert_eq!((scene.count("start"), scene.count("server")), (2, 1));
}
on_each!(a_block_during_a_run_keeps_its_server_away: each_server_and_pooler);

/// Roles: one that may write the ledger and make nothing, one that may only read it.
fn a_ledger_that_exists_is_used_whatever_a_role_may_create(db: &Db) {
    let mut scene = Scene::new(db);
    let (kind, place) = if db.is_postgres() {
        ("postgres", "launchgate")
    } else {
        ("mysql", "shop")
    };
    let mut ddl = scene
        .command("print-ddl")
        .args(["--database", kind, "--ledger", place])
        .start();
    ddl.ends_with(0);
    db.sql(&ddl.out());
    db.sql(match db {
        Db::Maria(_) => {
            "create user writer@'%' identified by 'w'; create user reader@'%' identified by 'r'; \
             grant select, insert, update on shop.launchgate_runs to writer@'%'; grant select on shop.launchgate_runs to reader@'%'"
        }
        _ => {
            "create role writer login password 'w'; create role reader login password 'r'; \
             grant usage on schema launchgate to writer, reader; \
             grant select, insert, update on launchgate_runs to writer; grant select on launchgate_runs to reader"
        }
    });
    scene.url = db.url_as("writer", "w");
    let reader = db.url_as("reader", "r");
    let wait = |revision: &str| {
        let replica = scene.command("wait").args(["--release", revision]);
        let server = scene.path("server");
        replica
            .env("DATABASE_URL", &reader)
            .env("REVISION", revision)
            .args(["--", &server])
            .start()
    };
    let mut early = wait("v1");
    early.wait_for_log("waiting for the release");
    let mut job = scene.start_held(scene.run("v1"));
    scene.let_go();
    job.ends_with(0);
    early.ends_with(0);
    wait("v1").ends_with(0);
    scene
        .command("wait")
        .args(["--release", "v1"])
        .env("DATABASE_URL", &reader)
        .finish()
        .ends_with(0);
    assert_eq!(scene.count("server"), 3);
    // The fast path needs no more than that either.
    scene
        .run("v1")
        .env("DATABASE_URL", &reader)
        .finish()
        .ends_with(0);
    scene
        .run("v2")
        .env("DATABASE_URL", &reader)
        .finish()
        .ends_with(78);
    scene.check_settled("v1");
}
on_each!(a_ledger_that_exists_is_used_whatever_a_role_may_create: [postgres_15, postgres_18, mariadb]);
