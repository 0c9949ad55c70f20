//! SQLite on a disk that is full: before anything ran, before the run's row, and after the steps.
//!
//! "no server starts before its revision is recorded as succeeded" (contract, section 5)

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::common::home::output;
use crate::common::{Db, Scene, until};

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
