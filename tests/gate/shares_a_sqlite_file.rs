//! SQLite: a lock that lasts as long as the step, and a database file that others use as well.
//!
//! "SQLite: `flock` on `DATABASE.APP.launchgate.lock`, inherited by the step so that the lock
//! outlives a killed launchgate until the step ends" (contract, section 5)

use std::{
    fs,
    io::Write,
    process::{Child, Command, Stdio},
};

use crate::common::{Db, Scene, is_alive, until};

/// A session that has the whole database for itself.
pub(crate) struct Exclusive(Child);

impl Exclusive {
    pub(crate) fn on(db: &Db) -> Self {
        Self::with(db, "begin exclusive")
    }

    /// Everybody else may read, and nobody write.
    pub(crate) fn writer(db: &Db) -> Self {
        Self::with(db, "begin immediate")
    }

    fn with(db: &Db, begin: &str) -> Self {
        let mut child = Command::new("sqlite3")
            .args(["-cmd", ".timeout 20000"])
            .arg(db.sqlite_file())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sqlite3");
        let input = child.stdin.as_mut().expect("piped");
        input
            .write_all(format!("{begin}; select 'held';\n").as_bytes())
            .expect("written");
        let mut said = [0; 5];
        std::io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut said)
            .expect("an answer");
        Self(child)
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The parent-death signal reaches the step's first process only: what it started goes on,
/// and has the lock.
#[test]
fn the_lock_outlives_launchgate_until_the_last_of_the_step_is_gone() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    scene.touch("hold-child");
    scene.write_program(
        "deep",
        "#!/bin/sh\ndir=${0%/*}\n(while [ -e \"$dir/hold-child\" ]; do sleep 0.02; done; \
         echo \"late\" >> \"$dir/evidence\") &\necho \"deep pid=$!\" >> \"$dir/evidence\"\nwait\n",
    );
    let mut holder = scene
        .bare("v1")
        .args(["--migrate", &scene.path("deep")])
        .start();
    until("the step's child", || scene.count("deep") == 1);
    holder.signal(libc::SIGKILL);
    holder.ends_with(137);
    let child = scene.evidence()[0].get("pid").to_owned();
    assert!(is_alive(&child));
    let mut impatient = scene.run("v1").args(["--lock-timeout", "2s"]).start();
    impatient.ends_with(75);
    let mut follower = scene.run("v1").start();
    follower.wait_for_log("waiting");
    scene.remove("hold-child");
    follower.ends_with(0);
    let words: Vec<String> = scene
        .evidence()
        .iter()
        .map(|l| l.word().to_owned())
        .collect();
    assert_eq!(words, ["deep", "late", "start", "end", "server"]);
    assert_eq!(scene.states(), ["interrupted", "succeeded"]);
}

/// A step may have the database for itself, for longer than anybody waits for a lock on it.
#[test]
fn waiters_do_not_touch_the_database() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    scene.run("v0").finish().ends_with(0);
    let mut replicas = vec![scene.start_held(scene.run("v1"))];
    replicas.extend((0..3).map(|_| scene.run("v1").start()));
    for waiter in &mut replicas[1..] {
        waiter.wait_for_log("waiting");
    }
    let session = Exclusive::on(&db);
    // An impatient one's time is up while nobody else can read.
    scene_waits(&scene);
    drop(session);
    scene.let_go();
    for replica in &mut replicas {
        replica.ends_with(0);
        assert!(
            !replica.log().contains("waiting for the database"),
            "{}",
            replica.log()
        );
    }
    scene.check_settled("v1");
}

/// Another app's lock file, and a limit of 6 s: the lock timeout of its replica.
fn scene_waits(scene: &Scene<'_>) {
    let other = Scene::new(scene.db);
    let mut late = other.run("v1").args(["--wait-timeout", "6s"]).start();
    late.ends_with(69);
}

#[test]
fn a_busy_database_is_waited_for() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    scene.run("v0").finish().ends_with(0);
    let session = Exclusive::on(&db);
    let [mut replica, mut stopped] = [(); 2].map(|()| scene.run("v1").start());
    replica.wait_for_log("waiting for the database");
    stopped.wait_for_log("waiting for the database");
    stopped.signal(libc::SIGTERM);
    stopped.ends_with(143);
    drop(session);
    replica.ends_with(0);
    scene.check_settled("v1");
}

/// The lock file still keeps everybody else out, so there is time to record a success.
#[test]
fn a_database_that_is_busy_when_the_steps_end_costs_no_success() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let mut replica = scene.start_held(scene.run("v1"));
    let session = Exclusive::on(&db);
    scene.let_go();
    until("the step's end", || scene.count("end") == 1);
    scene_waits(&scene);
    scene_waits(&scene);
    drop(session);
    replica.ends_with(0);
    assert_eq!(scene.states(), ["succeeded"]);
    scene.check_settled("v1");
}

#[test]
fn files_that_cannot_be_used_are_78() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let folder = db.sqlite_file().parent().expect("a folder").to_owned();
    fs::write(
        folder.join("text.db"),
        "no database, whatever its name says\n".repeat(100),
    )
    .expect("a file");
    fs::create_dir(folder.join("folder.db")).expect("a folder");
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket.db"));
    for (path, words) in [
        ("missing/shop.db", "missing"),
        ("text.db", "not a database"),
        ("folder.db", "is a folder"),
        ("socket.db", "is a device, pipe or socket"),
    ] {
        let url = format!("sqlite://{}", folder.join(path).display());
        scene
            .run("v1")
            .env("DATABASE_URL", url)
            .finish()
            .ends_with(78)
            .says(words)
            .says("hint=");
    }
    // Another user, who may read everything here and write nothing.
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a mode");
    fs::set_permissions(
        scene.folder(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("a mode");
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--",
    ];
    let copy = folder.join("launchgate");
    fs::copy(env!("CARGO_BIN_EXE_launchgate"), &copy).expect("a copy");
    scene
        .run("v1")
        .program(&copy)
        .inside(&nobody)
        .finish()
        .ends_with(78)
        .says("hint=");
    scene.run("v0").finish().ends_with(0);
    scene
        .run("v1")
        .program(&copy)
        .inside(&nobody)
        .finish()
        .ends_with(78)
        .says("hint=");
    // What succeeded starts all the same.
    scene
        .run("v0")
        .program(&copy)
        .inside(&nobody)
        .start()
        .wait();
    assert_eq!(scene.count("start"), 1);
}
