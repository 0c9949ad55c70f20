//! What has to hold with every database, pooler and balancer, as `scripts/matrix` asks each of them.

use super::{Db, Gate, Run, Scene, until};

/// A rule, in the words of the table in docs/databases.md.
type Rule = (&'static str, fn(&Db));

pub const RULES: [Rule; 7] = [
    ("first start, then the fast path", first_start),
    ("five replicas, one run", replicas),
    ("kill -9", killed_holder),
    ("failed step", failed_step),
    ("`check`, `status`", check_and_status),
    ("`resolve`", resolve),
    ("`--sql`", sql_folder),
];

/// Every rule on one database.
pub fn all(db: &Db) {
    for (name, check) in RULES {
        eprintln!("--- rule: {name}");
        check(db);
    }
}

fn first_start(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v1").finish().ends_with(0);
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.count("start"), 1);
    scene.run("v2").finish().ends_with(0);
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.count("start"), 2);
    assert_eq!(scene.count("server"), 4);
    scene.check_settled("v1");
}

fn replicas(db: &Db) {
    let scene = Scene::new(db);
    scene.touch("hold-migrate");
    let urls = db.urls();
    let mut replicas: Vec<Run> = (0..5)
        .map(|number| {
            let replica = scene.run("v1").env("LAUNCHGATE_LEASE", "30s");
            replica
                .env("DATABASE_URL", &urls[number % urls.len()])
                .start()
        })
        .collect();
    until("four replicas that wait", || {
        let waiting = replicas.iter().filter(|r| r.log().contains("waiting"));
        waiting.count() == 4
    });
    scene.let_go();
    for replica in &mut replicas {
        replica.wait();
        replica.ends_with(0);
    }
    assert_eq!(scene.count("start"), 1);
    assert_eq!(scene.count("server"), 5);
    scene.check_settled("v1");
}

fn killed_holder(db: &Db) {
    let scene = Scene::new(db);
    let mut holder = scene.start_held(scene.run("v1"));
    let mut waiter = scene.run("v1").start();
    waiter.wait_for_log("waiting");
    holder.signal(libc::SIGKILL);
    holder.ends_with(137);
    scene.let_go();
    waiter.ends_with(0);
    assert_eq!(scene.states(), ["interrupted", "succeeded"]);
    assert_eq!(scene.count("server"), 1);
    scene.check_settled("v1");
}

fn failed_step(db: &Db) {
    let scene = Scene::new(db);
    scene.touch("fail-migrate");
    scene.run("v1").finish().ends_with(3);
    assert_eq!(scene.ledger("state, step, exit_code"), ["failed|migrate|3"]);
    assert_eq!(scene.count("server"), 0);
    scene.remove("fail-migrate");
    operator(&scene, &["resolve", "v1", "--as", "retry"]).ends_with(0);
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.states(), ["failed", "reset", "succeeded"]);
    scene.check_settled("v1");
}

fn check_and_status(db: &Db) {
    let scene = Scene::new(db);
    let step = scene.path("step");
    let check = |scene: &Scene<'_>| {
        let gate = scene
            .command("check")
            .args(["--release", "v1", "--migrate", &step]);
        gate.args(["--", "/bin/true"]).finish().ends_with(0);
    };
    check(&scene);
    scene.run("v1").finish().ends_with(0);
    check(&scene);
    assert_eq!(scene.count("start"), 1);
    let mut status = operator(&scene, &["status"]);
    status.ends_with(0);
    assert!(status.out().contains("succeeded"), "{}", status.out());
}

fn resolve(db: &Db) {
    let scene = Scene::new(db);
    operator(&scene, &["resolve", "v1", "--as", "succeeded"]).ends_with(0);
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.count("start"), 0);
    assert_eq!(scene.count("server"), 1);
    operator(&scene, &["resolve", "v2", "--as", "blocked"]).ends_with(0);
    scene.run("v2").finish().ends_with(77);
    assert_eq!(scene.states(), ["succeeded", "blocked"]);
    scene.check_rules();
}

fn sql_folder(db: &Db) {
    let scene = Scene::new(db);
    let folder = scene.path("migrations");
    std::fs::create_dir(&folder).expect("a folder");
    scene.write("migrations/1_core.sql", "create table core_rules (x int);");
    scene.write(
        "migrations/2_core.sql",
        "insert into core_rules values (7);",
    );
    let start = |revision: &str| -> Run { scene.bare(revision).args(["--sql", &folder]).finish() };
    start("v1").ends_with(0);
    start("v2").ends_with(0);
    assert_eq!(db.sql("select x from core_rules"), "7");
    scene.check_settled("v2");
}

/// What a pooler that can't keep a transaction together gets: the same answer from both commands, before
/// any step runs.
pub fn refused(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v1").finish().ends_with(78);
    let step = scene.path("step");
    let check = scene
        .command("check")
        .args(["--release", "v1", "--migrate", &step]);
    check.args(["--", "/bin/true"]).finish().ends_with(78);
    assert_eq!(scene.count("start"), 0);
}

fn operator(scene: &Scene<'_>, words: &[&str]) -> Run {
    let gate: Gate<'_> = scene.command(words[0]).args(&words[1..]);
    gate.finish()
}
