//! What goes wrong with the server itself, every few seconds: restarts, cut sessions, the death of a node
//! or a primary, a clock that jumps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::arena::{Arena, Second};
use crate::common::backends::Cut;
use crate::common::home::{command_as, output};
use crate::common::servers::{MariaDb, Postgres};
use crate::common::wire::Network;
use crate::common::{Db, Scene, lock, processes, until};
use crate::dice::Dice;
use crate::faults::Faults;
use crate::{release, subject};

/// Further than any lease lasts, in seconds.
const FAR: i64 = 2 * 60 * 60;

/// As long between two faults at most, however long a busy machine takes to restart a server.
const LONG: Duration = Duration::from_secs(12);

pub(crate) struct ServerFaults<'a> {
    pub(crate) arena: &'a Arena,
    pub(crate) scenes: &'a [Scene<'a>],
    pub(crate) ways: &'a [Vec<Network>],
    pub(crate) faults: &'a Faults,
    pub(crate) dice: Dice,
    /// Of the database's clock from the real one, in seconds.
    pub(crate) offset: i64,
}

impl ServerFaults<'_> {
    pub(crate) fn run(mut self, over: &AtomicBool) {
        let mut took = Duration::ZERO;
        loop {
            // A server that takes long to restart is there most of the time nevertheless.
            let pause =
                Duration::from_secs(2).max(took * 3).min(LONG) + self.dice.milliseconds(3000);
            let at = Instant::now() + pause;
            while Instant::now() < at {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                sleep(Duration::from_millis(20));
            }
            if self.dice.roll(3) == 0 {
                self.jump(over);
                continue;
            }
            let begun = Instant::now();
            self.hit();
            took = begun.elapsed();
        }
    }

    fn hit(&mut self) {
        let db = &self.arena.db;
        match (db, &self.arena.second, self.dice.roll(4)) {
            (_, Some(Second::Node(node)), _) => {
                self.faults.note("a node killed");
                replace_node(db, node, self.ways);
            }
            (_, Some(Second::Standby(standby)), 0 | 1) => {
                self.faults.note("failover to the standby");
                self.fail_over(standby);
            }
            (Db::Postgres(_, Some(_)), _, 0 | 1) => {
                self.faults.note("pooler restarted");
                db.restart_pooler();
            }
            (Db::Postgres(..), _, 2) => {
                self.faults.note("locks' sessions ended");
                db.cut(Cut::Lock);
            }
            _ => {
                self.faults.note("server restarted");
                db.crash();
            }
        }
    }

    /// The database's clock jumps. Where it jumps ahead by more than the lease, steps that run at a time may
    /// be those that the documentation excepts, until they have settled.
    fn jump(&mut self, over: &AtomicBool) {
        self.faults.note("clock jumped");
        let (by, is_excepted) = match self.dice.roll(5) {
            0 => (1, false),
            1 => (-2, false),
            2 | 3 => (-FAR, false),
            _ => (FAR, true),
        };
        self.offset += by;
        if is_excepted {
            self.say("ahead");
        }
        self.arena.clock.set(self.offset);
        if is_excepted {
            self.wait_for_older_steps(over);
            self.say("settled");
        }
    }

    /// A jump ahead matters until no run has a lease of before it, and then until the steps that go on have
    /// ended. Those that are stopped with their replica are excepted anyway.
    fn wait_for_older_steps(&self, over: &AtomicBool) {
        let is_over = || over.load(Ordering::Relaxed);
        let db = &self.arena.db;
        let older = if db.is_postgres() {
            "heartbeat_at < clock_timestamp() - interval '1 hour'"
        } else {
            "heartbeat_at < utc_timestamp() - interval 1 hour"
        };
        let exists =
            "select count(*) from information_schema.tables where table_name = 'launchgate_runs'";
        let running =
            format!("select count(*) from launchgate_runs where state = 'running' and {older}");
        until("leases that were renewed", || {
            is_over() || db.sql(exists) == "0" || db.sql(&running) == "0"
        });
        let steps = || {
            let folders = self.scenes.iter().map(|scene| scene.folder());
            let all = folders.flat_map(processes::in_folder);
            all.filter(|seen| seen.state != 'T' && seen.command.contains("/step"))
                .map(|seen| seen.pid)
        };
        let older: Vec<i32> = steps().collect();
        until("the end of older steps", || {
            is_over() || !steps().any(|pid| older.contains(&pid))
        });
    }

    /// Where steps and servers write, too.
    fn say(&self, word: &str) {
        for scene in self.scenes {
            release::say(scene, word);
            subject::insert(scene, word);
        }
    }

    /// The primary dies, and its standby, which has every commit that was confirmed, takes its place. What
    /// was the primary then becomes the standby.
    fn fail_over(&self, standby: &Mutex<Arc<Postgres>>) {
        let Db::Postgres(first, _) = &self.arena.db else {
            return;
        };
        let (mut primary, mut standby) = (lock(first), lock(standby));
        primary.stop();
        standby.promote();
        wait_for_standby(&standby, false);
        std::mem::swap(&mut *primary, &mut *standby);
        let port = primary.port;
        drop(primary);
        self.ways.iter().for_each(|ways| ways[0].lead_to(port));
        let ask = self.arena.db.ask();
        self.scenes
            .iter()
            .for_each(|scene| scene.write_program("ask", &ask));
        lead(&self.arena.db, &standby);
    }
}

/// Makes `second` a standby, and has every commit wait until it is there, too.
pub(crate) fn lead(db: &Db, standby: &Postgres) {
    let primary = db.postgres();
    follow(standby, &primary);
    wait_for_standby(&primary, true);
}

/// Has a server begin again as a standby of `primary`, with a copy of what that has now.
fn follow(standby: &Postgres, primary: &Postgres) {
    standby.stop();
    let data = standby.socket().join("data");
    std::fs::remove_dir_all(&data).expect("the old data");
    let mut copy = command_as("postgres", &primary.bin.join("pg_basebackup"));
    copy.args(["-R", "-c", "fast", "--no-sync", "-U", "postgres", "-h"])
        .arg(primary.socket())
        .args(["-p", &primary.port.to_string(), "-D"])
        .arg(&data)
        .current_dir(standby.socket());
    output(&mut copy);
    standby.restart();
    standby.catch_up(primary);
}

/// Whether a commit counts only once a standby has it.
fn wait_for_standby(primary: &Postgres, waits: bool) {
    let names = if waits { "*" } else { "" };
    primary.sql(
        "postgres",
        &format!("alter system set synchronous_standby_names = '{names}'"),
    );
    primary.sql("postgres", "select pg_reload_conf()");
    until("synchronous replication as asked", || {
        primary.sql("postgres", "show synchronous_standby_names") == names
    });
}

/// The second node dies. Its clients are led to the first one, until it has joined again. Their connections
/// end with each change, as behind a balancer: two of one replica must not be with different nodes.
fn replace_node(db: &Db, second: &MariaDb, ways: &[Vec<Network>]) {
    let first = db.maria_db();
    second.stop();
    let lead_to = |port| {
        for way in ways {
            way[1].lead_to(port);
            way[1].reset();
        }
    };
    lead_to(first.port);
    until("a cluster that has noticed", || {
        has_status(first, "wsrep_cluster_size", "1")
    });
    second.restart();
    until("a node that has joined", || {
        has_status(second, "wsrep_local_state_comment", "Synced")
    });
    lead_to(second.port);
}

fn has_status(node: &MariaDb, name: &str, value: &str) -> bool {
    let status = format!("SHOW STATUS LIKE '{name}'");
    let answer = node.client().args(["-e", &status]).output();
    answer.is_ok_and(|answer| {
        String::from_utf8_lossy(&answer.stdout)
            .trim_end()
            .ends_with(value)
    })
}
