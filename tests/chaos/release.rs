//! Releases of one app, one after the other, each hit until its servers run.

use std::fs::OpenOptions;
use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::arena::Arena;
use crate::common::wire::Network;
use crate::common::{DEADLINE, Run, Scene, processes, signal_tree};
use crate::dice::Dice;
use crate::faults::Faults;
use crate::subject::{NOT_WRITTEN, Subject};

/// How many replicas a release has.
const REPLICAS: usize = 3;

/// How many faults a release is put through at most.
const HITS: u64 = 40;

/// A pause this long, and a heartbeat before it, are shorter than the lease of three seconds.
const SHORT_PAUSE: u64 = 1000;

/// The releases of one app.
pub(crate) struct Course<'a> {
    arena: &'a Arena,
    scene: &'a Scene<'a>,
    ways: &'a [Network],
    subject: Subject,
    dice: Dice,
    faults: &'a Faults,
    replicas: Vec<Run>,
    /// Those that were asked to stop.
    leaving: Vec<Run>,
    paused: Vec<(Run, Instant)>,
    /// When a network that delivers nothing, or late, is as before.
    disturbed: Option<Instant>,
}

impl<'a> Course<'a> {
    pub(crate) fn new(
        arena: &'a Arena,
        scene: &'a Scene<'a>,
        ways: &'a [Network],
        subject: Subject,
        dice: Dice,
        faults: &'a Faults,
    ) -> Self {
        Self {
            arena,
            scene,
            ways,
            subject,
            dice,
            faults,
            replicas: Vec::new(),
            leaving: Vec::new(),
            paused: Vec::new(),
            disturbed: None,
        }
    }

    /// One release after the other until `end`; how many there were.
    pub(crate) fn run(mut self, end: Instant) -> usize {
        let mut releases = 0;
        while releases == 0 || Instant::now() < end {
            self.release(&format!("v{releases}"));
            releases += 1;
        }
        releases
    }

    fn release(&mut self, revision: &str) {
        let give_up = Instant::now() + DEADLINE * 2;
        let work = ["0.01", "0.1", "0.4", "1.1"][self.roll(4)];
        let mut hits = self.dice.roll(HITS);
        let servers = |scene: &Scene<'_>| {
            let is_own = |line: &&_| is_server_of(line, revision);
            scene.evidence().iter().filter(is_own).count()
        };
        while servers(self.scene) < REPLICAS {
            if Instant::now() > give_up {
                say(self.scene, &format!("stuck revision={revision}"));
                self.show_stuck();
                break;
            }
            while self.replicas.len() < REPLICAS {
                self.start(revision, work);
            }
            let at = Instant::now() + self.dice.milliseconds(250);
            while Instant::now() < at {
                sleep(Duration::from_millis(2));
            }
            if hits > 0 {
                hits -= 1;
                self.hit();
            }
            self.let_go_on();
            self.look_at_ends();
        }
        self.finish();
    }

    fn roll(&mut self, sides: u64) -> usize {
        usize::try_from(self.dice.roll(sides)).expect("small")
    }

    fn start(&mut self, revision: &str, work: &str) {
        let way = match self.ways {
            [] => None,
            [way] => Some(way),
            ways => Some(&ways[usize::try_from(self.dice.roll(2)).expect("small")]),
        };
        let url = self.arena.url(way);
        let replica = self.subject.replica(self.scene, revision, work);
        self.replicas.push(replica.env("DATABASE_URL", url).start());
    }

    fn hit(&mut self) {
        let fault = if self.ways.is_empty() {
            self.dice.roll(6)
        } else {
            self.dice.roll(10)
        };
        if fault > 6 {
            return self.hit_network(fault);
        }
        let at = self.roll(REPLICAS as u64);
        let victim = self.replicas.swap_remove(at);
        match fault {
            0 | 1 => {
                self.faults.note("killed");
                victim.signal(libc::SIGKILL);
            }
            2 => {
                self.faults.note("killed with its step");
                signal_tree(victim.pid(), libc::SIGKILL);
            }
            3 => {
                self.faults.note("terminated");
                victim.signal(libc::SIGTERM);
                self.leaving.push(victim);
            }
            _ => self.pause(victim, fault == 4),
        }
    }

    /// As a machine that is suspended: a step can't do anything meanwhile.
    fn pause(&mut self, victim: Run, is_long: bool) {
        signal_tree(victim.pid(), libc::SIGSTOP);
        let length = if is_long {
            self.faults.note("paused past its lease");
            let has_step = processes::all()
                .iter()
                .any(|seen| seen.parent == victim.pid());
            // On SQLite the lock lasts as long as the step, and so does the pause matter to nobody.
            if has_step && !self.ways.is_empty() {
                self.scene.remove("exclusive");
                say(self.scene, &format!("paused replica={}", victim.name()));
            }
            Duration::from_millis(3500) + self.dice.milliseconds(3000)
        } else {
            self.faults.note("paused");
            self.dice.milliseconds(SHORT_PAUSE)
        };
        self.paused.push((victim, Instant::now() + length));
    }

    fn hit_network(&mut self, fault: u64) {
        let at = self.roll(self.ways.len() as u64);
        let way = &self.ways[at];
        let length = match fault {
            7 => {
                self.faults.note("connections cut");
                return way.reset();
            }
            8 => {
                self.faults.note("connections silent");
                way.cut();
                4000
            }
            _ => {
                self.faults.note("connections slow");
                way.delay(self.dice.milliseconds(400));
                3000
            }
        };
        self.disturbed = Some(Instant::now() + self.dice.milliseconds(length));
    }

    /// Ends pauses and disturbances whose time is over.
    fn let_go_on(&mut self) {
        let now = Instant::now();
        let (over, paused): (Vec<_>, Vec<_>) =
            self.paused.drain(..).partition(|(_, until)| now >= *until);
        self.paused = paused;
        for (victim, _) in over {
            signal_tree(victim.pid(), libc::SIGCONT);
            self.leaving.push(victim);
        }
        if self.disturbed.is_some_and(|until| now >= until) {
            self.disturbed = None;
            self.ways.iter().for_each(Network::restore);
        }
    }

    fn look_at_ends(&mut self) {
        let mut unexpected = Vec::new();
        for replica in self.replicas.iter_mut().chain(&mut self.leaving) {
            if replica.look().is_some() {
                let code = replica.wait();
                let is_known = matches!(code, 0 | NOT_WRITTEN | 69 | 75 | 76 | 137 | 143);
                if !is_known && self.subject == Subject::Launchgate {
                    let log = replica.log();
                    unexpected.push(format!("exit {code}: {}", log.lines().last().unwrap_or("")));
                }
            }
        }
        for line in unexpected {
            say(self.scene, &line);
        }
        self.replicas.retain_mut(|replica| replica.look().is_none());
        self.leaving.retain_mut(|replica| replica.look().is_none());
    }

    /// Nothing of this release is left when the next one begins.
    fn finish(&mut self) {
        self.ways.iter().for_each(Network::restore);
        self.disturbed = None;
        self.paused.clear();
        self.replicas.clear();
        self.leaving.clear();
    }

    /// What there is to find out why.
    fn show_stuck(&self) {
        eprintln!("--- {}: {:?}", self.scene.app, self.scene.ledger("*"));
        for replica in self.replicas.iter().chain(&self.leaving) {
            eprintln!("--- replica {}:\n{}", replica.name(), replica.log());
        }
    }
}

/// Adds a line to the evidence, as steps and servers do.
pub(crate) fn say(scene: &Scene<'_>, line: &str) {
    let file = OpenOptions::new().append(true).open(scene.path("evidence"));
    let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
}

fn is_server_of(line: &crate::common::scene::Line, revision: &str) -> bool {
    line.word() == "server" && line.get("revision") == revision
}
