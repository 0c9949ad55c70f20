//! SQLite's lock file: what waiters read, and what happens to its holder.
//!
//! "waiters poll the file and don't touch the database; never a database lock while a step runs."
//! (contract, section 5)

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Db, Run, Scene, until};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

fn lock_file(scene: &Scene<'_>) -> PathBuf {
    let name = format!("shop.db.{}.launchgate.lock", scene.app);
    scene.db.sqlite_file().with_file_name(name)
}

/// How often a file is opened, by anybody, from now on.
struct Opens(Inotify, usize);

impl Opens {
    fn of(path: &Path) -> Self {
        let watch = Inotify::init(InitFlags::IN_NONBLOCK).expect("inotify");
        let opened = AddWatchFlags::IN_OPEN;
        watch.add_watch(path, opened).expect("a watch");
        Self(watch, 0)
    }

    fn count(&mut self) -> usize {
        self.1 += self.0.read_events().map_or(0, |events| events.len());
        self.1
    }
}

/// Whatever a replica waits for: from its second look on the database is the holder's alone.
#[test]
fn waiters_open_nothing_but_the_lock_file() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let mut holder = scene.start_held(scene.run("v1"));
    let wait = |revision| {
        let command = scene.command("wait").args(["--release", revision]);
        command.start()
    };
    let mut waiters: Vec<Run> = vec![scene.run("v1").start(), wait("v1"), wait("v2")];
    for waiter in &mut waiters {
        waiter.wait_for_log("another replica holds the lock, waiting");
    }
    let mut database = Opens::of(&db.sqlite_file());
    let mut lock = Opens::of(&lock_file(&scene));
    until("each one's looks at the lock file", || lock.count() > 24);
    assert_eq!(database.count(), 0);
    scene.let_go();
    holder.ends_with(0);
    let mut last = waiters.pop().expect("a waiter");
    for waiter in &mut waiters {
        waiter.ends_with(0);
    }
    // First no replica runs its release, then one does.
    scene.run("v2").finish().ends_with(0);
    last.ends_with(0);
    scene.check_settled("v1");
}

/// Others lock the file that has the name: a holder whose file has none holds nothing.
#[test]
fn a_step_that_removes_the_lock_file_is_stopped() {
    // The ledger goes along, or it does not.
    for (files, states) in [
        ("shop.db.*.lock", &["interrupted", "succeeded"][..]),
        ("shop.db*", &["succeeded"]),
    ] {
        let db = Db::sqlite();
        let scene = Scene::new(&db);
        let folder = db.sqlite_file().with_file_name(files);
        scene.write_program(
            "do-migrate",
            &format!(
                "rm -f {}\nsay removed\nwhile [ -e \"$dir/hold-end\" ]; do sleep 0.02; done\n",
                folder.display()
            ),
        );
        scene.touch("hold-end");
        let mut holder = scene.run("v1").start();
        until("the removal", || scene.count("removed") == 1);
        holder.ends_with(76).says("the lock file").says("hint=");
        scene.remove("do-migrate");
        scene.run("v1").finish().ends_with(0);
        assert_eq!((scene.count("end"), scene.count("server")), (1, 1));
        assert_eq!(scene.states(), states);
        scene.check_settled("v1");
    }
}

/// Between two looks, and then the steps end well: that is no success.
#[test]
fn a_lock_file_that_went_at_the_last_moment_is_missed() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let file = lock_file(&scene).display().to_string();
    for how in ["rm", "touch new; mv new"] {
        scene.write_program("do-migrate", &format!("{how} '{file}'\n"));
        let replica = scene.run("v1").env("LAUNCHGATE_LEASE", "1h");
        replica.finish().ends_with(76).says("the lock file");
    }
    scene.remove("do-migrate");
    scene.run("v1").finish().ends_with(0);
    assert_eq!(scene.states(), ["interrupted", "interrupted", "succeeded"]);
    scene.check_settled("v1");
}

/// An app may be named with 255 bytes, which is as much as a file may.
#[test]
fn an_app_with_a_long_name_has_a_lock_too() {
    let db = Db::sqlite();
    let scene = Scene::named(&db, &"long-".repeat(50));
    let mut holder = scene.start_held(scene.run("v1"));
    let mut waiter = scene.run("v1").start();
    waiter.wait_for_log("another replica holds the lock");
    let other = Scene::named(&db, &format!("{}x", scene.app));
    other.run("v1").finish().ends_with(0);
    scene.let_go();
    holder.ends_with(0);
    waiter.ends_with(0);
    scene.check_settled("v1");
    other.check_settled("v1");
}

/// `check` and `run` refuse it, saying `words`, and a revision that succeeded starts all the same.
fn is_refused(scene: &Scene<'_>, inside: &[&str], words: &[&str]) {
    for verb in ["check", "run"] {
        let command = scene.run("v2").args(["--wait-timeout=1s"]);
        let mut command = match (verb, inside) {
            ("check", _) => {
                let check = scene
                    .command("check")
                    .args(["--release=v2", "--migrate=true"]);
                check.args(["--wait-timeout=1s"])
            }
            _ => command,
        };
        if !inside.is_empty() {
            command = command.inside(inside);
        }
        let mut refused = command.start();
        refused.ends_with(78);
        for word in words {
            refused.says(word);
        }
    }
    scene.run("v1").finish().ends_with(0);
}

/// "A database file with a second hard link, or one that is itself a mount point, has several lock
/// files: it is refused (78), and the hint is to mount its folder."
#[test]
fn a_file_that_may_be_elsewhere_too_is_refused() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    scene.run("v1").finish().ends_with(0);
    let file = db.sqlite_file();
    let other = file.with_file_name("other.db");
    fs::hard_link(&file, &other).expect("a link");
    is_refused(&scene, &[], &["hard links", "mount its folder"]);
    fs::remove_file(&other).expect("removed");
    fs::copy(&file, &other).expect("a copy");
    let mount = format!(
        "mount --bind {} {} && exec \"$@\"",
        other.display(),
        file.display()
    );
    let inside = ["unshare", "-m", "sh", "-c", &mount, "sh"];
    is_refused(&scene, &inside, &["is a mount point", "mount the folder"]);
    scene.run("v2").finish().ends_with(0);
    scene.check_settled("v2");
}

/// "A lock file that is a symbolic link, or another user's in a folder that others may write, is
/// refused (78)."
#[test]
fn a_lock_file_that_others_made_is_refused() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    scene.run("v1").finish().ends_with(0);
    let lock = lock_file(&scene);
    let folder = lock.parent().expect("a folder");
    fs::remove_file(&lock).expect("removed");
    symlink("elsewhere", &lock).expect("a link");
    is_refused(&scene, &[], &["the lock file", "is a symbolic link"]);
    fs::remove_file(&lock).expect("removed");
    nix::unistd::mkfifo(&lock, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    is_refused(&scene, &[], &["the lock file", "is not a regular file"]);
    fs::remove_file(&lock).expect("removed");
    fs::write(&lock, "").expect("a file");
    chown(&lock, Some(12345), None).expect("another owner");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o1777)).expect("a mode");
    is_refused(&scene, &[], &["belongs to another user (12345)"]);
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("a mode");
    scene.run("v2").finish().ends_with(0);
    scene.check_settled("v2");
}

/// Whoever can open the lock file can lock it.
#[test]
fn a_reader_of_the_folder_cannot_lock_the_lock_file() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let lock = lock_file(&scene);
    let folder = lock.parent().expect("a folder");
    let reader_locks = || {
        let mut flock = Command::new("setpriv");
        flock.args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "flock",
            "-n",
        ]);
        flock
            .arg(&lock)
            .arg("true")
            .output()
            .expect("flock")
            .status
            .success()
    };
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("a mode");
    scene.run("v1").finish().ends_with(0);
    assert!(!reader_locks());
    // One that version 0.1 left.
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).expect("a mode");
    assert!(reader_locks());
    scene.run("v2").finish().ends_with(0);
    assert!(!reader_locks());
    // Those who may make files in the folder, and so remove it, may lock it.
    let folder_of_a_group = |mode| {
        chown(folder, Some(12345), Some(23456)).expect("an owner");
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("a mode");
        fs::remove_file(&lock).expect("removed");
        scene.run(&format!("v{mode}")).finish().ends_with(0);
        let meta = lock.metadata().expect("a lock file");
        (meta.uid(), meta.gid(), meta.mode() & 0o777)
    };
    assert_eq!(folder_of_a_group(0o755), (12345, 23456, 0o600));
    assert_eq!(folder_of_a_group(0o775), (12345, 23456, 0o660));
}
