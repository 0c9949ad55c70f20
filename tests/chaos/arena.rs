//! A database, the networks to it, and the apps that are released on it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::common::servers::{MariaDb, Postgres, postgres_15};
use crate::common::wire::Network;
use crate::common::{Db, Scene};
use crate::dice::Dice;
use crate::faults::Faults;
use crate::judge;
use crate::release::Course;
use crate::server_faults::{self, ServerFaults};
use crate::subject::{self, Subject};

/// As many apps at a time, each with replicas of its own.
const SCENES: u64 = 6;

/// A server beside the first one.
pub(crate) enum Second {
    /// Of a Galera cluster.
    Node(MariaDb),
    /// It has every commit that was confirmed.
    Standby(Mutex<Arc<Postgres>>),
}

pub(crate) struct Arena {
    pub(crate) db: Db,
    pub(crate) second: Option<Second>,
    /// Of the servers.
    pub(crate) clock: Clock,
}

/// What happened.
pub(crate) struct Summary {
    seed: u64,
    faults: Faults,
    releases: usize,
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
            "seed {}: {}, {} releases, {} steps started, {} servers started, {} violations",
            self.seed,
            self.faults,
            self.releases,
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
        let clock = Clock::new();
        db.with_server(|server| server.restart_as(|command| clock.command(command)));
        Self {
            db,
            second: None,
            clock,
        }
    }

    /// The first node goes on where the second one dies.
    pub(crate) fn galera() -> Self {
        let clock = Clock::new();
        let mut one = MariaDb::galera(|command| clock.command(&command));
        let two = *one.peer.take().expect("a second node");
        one.create_database("shop");
        // It notices after two seconds, not five, that the other one is dead.
        let options = "pc.weight=3; evs.suspect_timeout=PT2S";
        one.sql(
            "",
            &format!("SET GLOBAL wsrep_provider_options = '{options}'"),
        );
        Self {
            db: Db::Maria(one),
            second: Some(Second::Node(two)),
            clock,
        }
    }

    /// A primary and its standby, each of which takes the other's place.
    pub(crate) fn with_standby() -> Self {
        // Replication that gives up because of a clock is not what this is about.
        let settings = [
            "wal_sender_timeout=0",
            "wal_receiver_timeout=0",
            "wal_retrieve_retry_interval=100ms",
        ];
        let mut arena = Self::new(Db::postgres_with(&postgres_15(), &settings));
        let standby = Postgres::with(&postgres_15(), &settings);
        standby.restart_as(|command| arena.clock.command(command));
        server_faults::lead(&arena.db, &standby);
        arena.second = Some(Second::Standby(Mutex::new(Arc::new(standby))));
        arena
    }

    /// The way to each node, for one scene; none to a file.
    fn networks(&self) -> Vec<Network> {
        let first = port(&self.db.url()).filter(|_| !self.db.is_sqlite());
        let second = match &self.second {
            Some(Second::Node(node)) => Some(node.port),
            Some(Second::Standby(_)) | None => None,
        };
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
        let faults = Faults::default();
        let ways: Vec<Vec<Network>> = (0..SCENES).map(|_| self.networks()).collect();
        let scenes: Vec<Scene<'_>> = ways.iter().map(|_| Scene::new(&self.db)).collect();
        subject::prepare(&self.db, &scenes);
        let releases = std::thread::scope(|scope| {
            let courses = scenes.iter().zip(&ways).zip(0..);
            let threads: Vec<_> = courses
                .map(|((scene, ways), number)| {
                    let dice = Dice::new(seed, number);
                    let course = Course::new(self, scene, ways, subject, dice, &faults);
                    scope.spawn(move || course.run(end))
                })
                .collect();
            if !self.db.is_sqlite() {
                let server = ServerFaults {
                    arena: self,
                    scenes: &scenes,
                    ways: &ways,
                    faults: &faults,
                    dice: Dice::new(seed, SCENES),
                    offset: 0,
                };
                let over = &over;
                scope.spawn(move || server.run(over));
            }
            let ended: Vec<_> = threads
                .into_iter()
                .map(std::thread::ScopedJoinHandle::join)
                .collect();
            over.store(true, Ordering::Relaxed);
            ended
                .into_iter()
                .map(|course| course.expect("a course"))
                .sum()
        });
        let count = |word| scenes.iter().map(|scene| scene.count(word)).sum();
        let violations: Vec<String> = scenes
            .iter()
            .flat_map(|scene| judge::scene(scene, subject == Subject::Launchgate))
            .collect();
        if !violations.is_empty() && subject == Subject::Launchgate {
            for scene in &scenes {
                eprintln!("--- {}:\n{}", scene.app, scene.text("evidence"));
            }
        }
        Summary {
            seed,
            faults,
            releases,
            starts: count("start"),
            servers: count("server"),
            violations,
        }
    }
}
