//! SQLite's lock file: what waiters look at, and what becomes of who holds it.

#[path = "common/gate.rs"]
mod gate;

use std::path::{Path, PathBuf};

use gate::backends::Db;
use gate::replicas::{Running, Scene, until};
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
    scene.touch("hold-migrate");
    let mut holder = scene.run("v1").start();
    until("the step", || scene.count("start") == 1);
    let wait = |revision| {
        let command = scene.command("wait").args(["--release", revision]);
        command.without_server().start()
    };
    let mut waiters: Vec<Running> = vec![scene.run("v1").start(), wait("v1"), wait("v2")];
    for waiter in &mut waiters {
        waiter.says_in_time("another replica holds the lock, waiting");
        let mut database = Opens::of(&db.sqlite_file());
        let mut lock = Opens::of(&lock_file(&scene));
        until("looks at the lock file", || lock.count() > 8);
        assert_eq!(database.count(), 0);
    }
    scene.remove("hold-migrate");
    holder.ends_with(0);
    let mut last = waiters.pop().expect("a waiter");
    for waiter in &mut waiters {
        waiter.ends_with(0);
    }
    // Nobody is at its release, and then somebody is.
    scene.run("v2").finish().ends_with(0);
    last.ends_with(0);
    scene.check_settled("v1");
}
