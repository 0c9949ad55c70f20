//! A database, the networks to it, and what goes wrong with the server itself.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::backends::Cut;
use crate::common::servers::MariaDb;
use crate::common::wire::Network;
use crate::common::{Db, Scene, lock, until};
use crate::dice::Dice;
use crate::judge;
use crate::release::Course;
use crate::subject::Subject;

/// As many apps at a time, each with replicas of its own.
const SCENES: u64 = 6;

pub(crate) struct Arena {
    pub(crate) db: Db,
    /// Of a Galera cluster.
    second_node: Option<Mutex<MariaDb>>,
}

/// What happened.
pub(crate) struct Summary {
    seed: u64,
    faults: usize,
    starts: usize,
    servers: usize,
    pub(crate) violations: Vec<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in self.violations.iter().take(20) {
            writeln!(f, "{violation}")?;
        }
        write!(
            f,
            "seed {}: {} faults, {} steps started, {} servers started, {} violations",
            self.seed,
            self.faults,
            self.starts,
            self.servers,
            self.violations.len()
        )
    }
}

/// The port in a URL.
fn port(url: &str) -> Option<u16> {
    let address = url.rsplit_once('/')?.0;
    address.rsplit_once(':')?.1.parse().ok()
}

impl Arena {
    pub(crate) fn new(db: Db) -> Self {
        Self {
            db,
            second_node: None,
        }
    }

    /// The first node goes on where the second one dies.
    pub(crate) fn galera() -> Self {
        let mut one = MariaDb::galera();
        let two = *one.peer.take().expect("a second node");
        one.create_database("shop");
        one.sql("", "SET GLOBAL wsrep_provider_options = 'pc.weight=3'");
        Self {
            db: Db::Maria(Mutex::new(one)),
            second_node: Some(Mutex::new(two)),
        }
    }

    /// The way to each node, for one scene; none to a file.
    fn networks(&self) -> Vec<Network> {
        let first = port(&self.db.url()).filter(|_| !self.db.is_sqlite());
        let second = self.second_node.as_ref().map(|node| lock(node).port);
        first.into_iter().chain(second).map(Network::to).collect()
    }

    /// The database's URL over this network.
    pub(crate) fn url(&self, network: Option<&Network>) -> String {
        let url = self.db.url();
        match (port(&url), network) {
            (Some(own), Some(network)) => {
                url.replace(&format!(":{own}/"), &format!(":{}/", network.port))
            }
            _ => url,
        }
    }

    pub(crate) fn run(&self, subject: Subject, seed: u64, seconds: u64) -> Summary {
        let end = Instant::now() + Duration::from_secs(seconds);
        let over = AtomicBool::new(false);
        let faults = AtomicUsize::new(0);
        let ways: Vec<Vec<Network>> = (0..SCENES).map(|_| self.networks()).collect();
        let scenes: Vec<Scene<'_>> = ways.iter().map(|_| Scene::new(&self.db)).collect();
        std::thread::scope(|scope| {
            let courses = scenes.iter().zip(&ways).zip(0..);
            let threads: Vec<_> = courses
                .map(|((scene, ways), number)| {
                    let dice = Dice::new(seed, number);
                    let course = Course::new(self, scene, ways, subject, dice, &faults);
                    scope.spawn(move || course.run(end))
                })
                .collect();
            scope.spawn(|| self.server_faults(&mut Dice::new(seed, SCENES), &ways, &over, &faults));
            for thread in threads {
                thread.join().expect("a course");
            }
            over.store(true, Ordering::Relaxed);
        });
        let count = |word| scenes.iter().map(|scene| scene.count(word)).sum();
        let mut violations = Vec::new();
        for scene in &scenes {
            violations.extend(judge::violations(&scene.evidence()));
            if subject == Subject::Launchgate {
                violations.extend(judge::in_ledger(&scene.ledger("revision, state")));
            }
        }
        if !violations.is_empty() && subject == Subject::Launchgate {
            for scene in &scenes {
                eprintln!("--- {}:\n{}", scene.app, scene.text("evidence"));
            }
        }
        Summary {
            seed,
            faults: faults.load(Ordering::Relaxed),
            starts: count("start"),
            servers: count("server"),
            violations,
        }
    }

    /// Restarts and cut sessions, every few seconds.
    fn server_faults(
        &self,
        dice: &mut Dice,
        ways: &[Vec<Network>],
        over: &AtomicBool,
        faults: &AtomicUsize,
    ) {
        if self.db.is_sqlite() {
            return;
        }
        let mut took = Duration::ZERO;
        loop {
            // A server that takes long to restart is there most of the time nevertheless.
            let pause = Duration::from_secs(3).max(took * 4) + dice.milliseconds(5000);
            let at = Instant::now() + pause;
            while Instant::now() < at {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                sleep(Duration::from_millis(20));
            }
            faults.fetch_add(1, Ordering::Relaxed);
            let begun = Instant::now();
            match (&self.db, &self.second_node, dice.roll(4)) {
                (_, Some(node), _) => fail_over(&self.db, node, ways),
                (Db::Pooled(..), None, 0 | 1) => self.db.restart_pooler(),
                (Db::Postgres(_) | Db::Pooled(..), None, 2 | 3) => self.db.cut(Cut::Lock),
                _ => self.db.crash(),
            }
            took = begun.elapsed();
        }
    }
}

/// The second node dies. Its clients are led to the first one, until it has joined again.
fn fail_over(db: &Db, node: &Mutex<MariaDb>, ways: &[Vec<Network>]) {
    let Db::Maria(first) = db else { return };
    let (first, mut second) = (lock(first).port, lock(node));
    second.stop_immediate();
    let lead_to = |port| ways.iter().for_each(|way| way[1].lead_to(port));
    lead_to(first);
    sleep(Duration::from_secs(1));
    second.restart();
    until("a node that has joined", || {
        let status = "SHOW STATUS LIKE 'wsrep_local_state_comment'";
        let answer = second.client().args(["-e", status]).output();
        answer.is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).contains("Synced"))
    });
    lead_to(second.port);
}
