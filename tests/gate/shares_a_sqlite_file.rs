//! SQLite: a lock that lasts as long as the step, and a database file that others use as well.
//!
//! "SQLite: `flock` on `DATABASE.APP.launchgate.lock`, inherited by the step so that the lock
//! outlives a killed launchgate until the step ends" (contract, section 5)

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::common::home::output;
use crate::common::{Db, Scene, is_alive, signal_tree, until};
use nix::sys::signal::Signal;

/// A session that has the whole database for itself.
struct Exclusive(Child);

impl Exclusive {
    fn on(db: &Db) -> Self {
        Self::with(db, "begin exclusive")
    }

    /// Everybody else may read, and nobody write.
    fn writer(db: &Db) -> Self {
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
    scene.script(
        "deep",
        "#!/bin/sh\ndir=${0%/*}\n(while [ -e \"$dir/hold-child\" ]; do sleep 0.02; done; \
         echo \"late\" >> \"$dir/evidence\") &\necho \"deep pid=$!\" >> \"$dir/evidence\"\nwait\n",
    );
    let mut holder = scene
        .bare("v1")
        .args(["--migrate", &scene.path("deep")])
        .start();
    until("the step's child", || scene.count("deep") == 1);
    holder.signal(Signal::SIGKILL);
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
    let mut replica = scene.run("v1").start();
    replica.wait_for_log("waiting for the database");
    let mut stopped = scene.run("v1").start();
    stopped.wait_for_log("waiting for the database");
    stopped.signal(Signal::SIGTERM);
    stopped.ends_with(143);
    drop(session);
    replica.ends_with(0);
    scene.check_settled("v1");
}

/// Whether a replica of the scene's app has the lock.
fn is_locked(scene: &Scene<'_>) -> bool {
    let mut path = scene.db.sqlite_file().into_os_string();
    path.push(format!(".{}.launchgate.lock", scene.app));
    fs::File::open(PathBuf::from(path))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
}

/// "what the step did is recorded" (contract, section 6)
#[test]
fn a_stop_leaves_time_to_record_what_the_steps_did() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    scene.run("v1").finish().ends_with(0);
    let mut stopped = scene.start_held(scene.run("v2"));
    let session = Exclusive::writer(&db);
    stopped.signal(Signal::SIGTERM);
    stopped.wait_for_log("migrate was killed by SIGTERM");
    // Another writer gives up later than the replica would if the stop had arrived only now.
    let other = Command::new("sqlite3")
        .args(["-cmd", ".timeout 1000"])
        .arg(db.sqlite_file())
        .arg("begin immediate")
        .output()
        .expect("sqlite3");
    assert!(!other.status.success(), "{other:?}");
    drop(session);
    stopped.ends_with(143).says("state=interrupted");
    assert_eq!(scene.states(), ["succeeded", "interrupted"]);
}

/// The failure line tells that the call was given up, and not what came after it.
#[test]
fn a_stop_is_obeyed_while_the_gate_waits_to_write() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    db.sql("create table guests (name text)");
    let stopped = || {
        let session = Exclusive::writer(&db);
        let mut replica = scene.run("v1").start();
        until("a holder", || is_locked(&scene));
        replica.signal(Signal::SIGTERM);
        replica
            .ends_with(143)
            .says("while calling the database under the lock");
        drop(session);
        assert_eq!(scene.count("server"), 0);
    };
    // The ledger is to be made.
    stopped();
    let mut killed = scene.start_held(scene.run("v1"));
    signal_tree(killed.pid(), Signal::SIGKILL);
    killed.ends_with(137);
    until("its step has let go of the lock", || !is_locked(&scene));
    // A dead run is to be marked.
    stopped();
    scene.let_go();
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.states(), ["interrupted", "succeeded"]);
    scene.check_settled("v1");
}

/// What the first step did can't be recorded either, and the next start finds that out.
#[test]
fn a_stop_is_obeyed_while_the_ledger_is_to_be_told_of_the_next_step() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    scene.touch("hold-backup");
    let mut replica = scene.run_steps("v1", &["backup", "migrate"]).start();
    until("the first step", || scene.count("start") == 1);
    let session = Exclusive::on(&db);
    scene.remove("hold-backup");
    replica.wait_for_log("backup succeeded");
    replica.signal(Signal::SIGTERM);
    replica.ends_with(143);
    // Nobody waited for the file to say so.
    assert!(
        !replica.log().contains("could not be told"),
        "{}",
        replica.log()
    );
    drop(session);
    assert_eq!(scene.count("start"), 1);
    scene
        .run_steps("v1", &["backup", "migrate"])
        .finish()
        .ends_with(0);
    assert_eq!(scene.states(), ["interrupted", "succeeded"]);
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

/// A file system of 512 kB.
struct Small(PathBuf);

impl Small {
    fn at(path: &Path) -> Self {
        output(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"])
                .arg(path),
        );
        Self(path.to_owned())
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).expect("a file");
        while file.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
    }

    /// Not even the file's own free pages are left.
    fn fill_with(&self, db: &Db) {
        self.fill();
        let fill = "create table if not exists fill (a); insert into fill values (zeroblob(500))";
        while Command::new("sqlite3")
            .arg(db.sqlite_file())
            .arg(fill)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
        {}
    }

    fn free(&self) {
        fs::remove_file(self.0.join("filler")).expect("the filler");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_keeps_the_gate_closed_until_there_is_room() {
    let db = Db::sqlite();
    let disk = Small::at(db.sqlite_file().parent().expect("a folder"));
    let scene = Scene::new(&db);
    // Before anything ran.
    disk.fill();
    let mut replica = scene.run("v1").args(["--wait-timeout", "2s"]).start();
    let code = replica.wait();
    assert!(code == 69 || code == 78, "{code}: {}", replica.log());
    assert_eq!(scene.count("start"), 0);
    disk.free();
    scene.run("v1").finish().ends_with(0);
    // Before the run's row.
    disk.fill_with(&db);
    let mut replica = scene.run("v2").args(["--wait-timeout", "2s"]).start();
    replica.ends_with(69).says("full");
    assert_eq!(scene.count("start"), 1);
    disk.free();
    scene.run("v2").finish().ends_with(0);
    // While the step runs: no server starts, and nobody else runs, until the success stands.
    let mut replica = scene.start_held(scene.run("v3"));
    disk.fill_with(&db);
    scene.let_go();
    until("the step's end", || scene.count("end") == 3);
    scene
        .run("v3")
        .args(["--lock-timeout", "3s"])
        .finish()
        .ends_with(75);
    replica.wait_for_log("waiting for the database seconds=0 error=");
    replica.says("full");
    disk.free();
    replica.ends_with(0);
    scene.check_settled("v3");
}

/// "Before the server starts, in every phase: SIGTERM, SIGINT, SIGHUP, SIGQUIT stop the gate. While
/// waiting, at once" (contract, section 6)
#[test]
fn a_stop_ends_the_wait_for_a_full_disk_too() {
    let db = Db::sqlite();
    let disk = Small::at(db.sqlite_file().parent().expect("a folder"));
    let scene = Scene::new(&db);
    scene.run("v1").finish().ends_with(0);
    for stopped_during_step in [false, true] {
        let mut replica = scene.start_held(scene.run("v2"));
        disk.fill_with(&db);
        if stopped_during_step {
            replica.signal(libc::SIGTERM);
        } else {
            scene.let_go();
            replica.wait_for_log("waiting for the database");
            replica.signal(libc::SIGTERM);
            replica.ends_with(143).says("could not be recorded");
        }
        replica.ends_with(143);
        assert!(!replica.log().contains("calling the database"));
        disk.free();
    }
    scene.let_go();
    scene.run("v2").finish().ends_with(0);
}
