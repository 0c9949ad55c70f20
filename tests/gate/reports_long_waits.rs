//! "A wait or a step that goes on says so every 30 s." (contract, section 8)

use crate::common::home::free_port;
use crate::common::{Db, Run, Scene, until};

/// All of them at once, since nothing makes 30 s shorter.
#[test]
fn a_wait_or_a_step_that_goes_on_says_so() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    scene.touch("fail-migrate");
    scene.run("v0").finish().ends_with(3);
    scene.remove("fail-migrate");
    let holder = scene.start_held(scene.run("v1"));
    let away = format!("postgres://u:p@127.0.0.1:{}/x", free_port());
    let wait = scene.command("wait").args(["--release=v2"]);
    let waits: [(&str, Run); 4] = [
        ("migrate is still running", holder),
        (
            "another replica holds the lock, waiting",
            scene.run("v1").start(),
        ),
        ("another replica holds the lock, waiting", wait.start()),
        (
            "waiting for the database",
            scene.run("v1").env("DATABASE_URL", away).start(),
        ),
    ];
    for (words, run) in &waits {
        // A wait is logged when it begins, too.
        let wanted = if *words == waits[0].0 { 1 } else { 2 };
        until(words, || {
            let log = run.log();
            let lines = log.lines().filter(|line| line.contains(words));
            lines.count() >= wanted
        });
        // 31 on a busy machine.
        run.says("seconds=3");
    }
}
