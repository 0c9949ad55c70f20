//! Replicas that are killed, stopped and frozen at random moments until the release is out.
//!
//! "whatever is killed, at whatever moment, the next start goes on by itself." (contract, section
//! 5)

use std::time::{Duration, Instant};

use crate::common::{DEADLINE, Db, Run, Scene, on_each, signal_tree};
use nix::sys::signal::Signal;

/// How many releases each database is put through; more with `LAUNCHGATE_TEST_CHAOS=100`.
fn rounds() -> usize {
    let asked = std::env::var("LAUNCHGATE_TEST_CHAOS").ok();
    asked.map_or(3, |rounds| rounds.parse().expect("a number"))
}

/// As many releases at a time, each with an app of its own.
const SCENES: usize = 4;

struct Dice(u64);

impl Dice {
    /// xorshift64: any seed but zero.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

const STEPS: [&str; 3] = ["backup", "migrate", "verify"];

/// Three replicas, of which one is hit at any moment, until three servers have started.
fn release(scene: &Scene<'_>, revision: &str, dice: &mut Dice) {
    let end = Instant::now() + DEADLINE * 2;
    let mut replicas: Vec<Run> = Vec::new();
    let mut frozen: Vec<(Run, Instant)> = Vec::new();
    let mut hits = 4;
    let before = scene.count("server");
    while scene.count("server") < before + 3 {
        assert!(Instant::now() < end, "{revision} does not come through");
        while replicas.len() < 3 {
            replicas.push(scene.run_steps(revision, &STEPS).start());
        }
        let at = Instant::now() + Duration::from_millis(dice.roll(400));
        while Instant::now() < at {
            std::thread::sleep(Duration::from_millis(1));
        }
        if hits > 0 {
            hits -= 1;
            let at = usize::try_from(dice.roll(3)).expect("small");
            let victim = replicas.swap_remove(at);
            match dice.roll(4) {
                0 => victim.signal(Signal::SIGKILL),
                1 => victim.signal(Signal::SIGTERM),
                2 => signal_tree(victim.pid(), Signal::SIGKILL),
                _ if matches!(scene.db, Db::Sqlite(_)) => victim.signal(Signal::SIGINT),
                _ => {
                    // As a machine that is suspended: its step can't do anything meanwhile.
                    signal_tree(victim.pid(), Signal::SIGSTOP);
                    scene.remove("exclusive");
                    let thaws = Instant::now() + Duration::from_millis(dice.roll(6000));
                    frozen.push((victim, thaws));
                    continue;
                }
            }
            drop(victim);
        }
        frozen.retain(|(victim, thaws)| {
            let keep = Instant::now() < *thaws;
            if !keep {
                victim.signal(Signal::SIGCONT);
            }
            keep
        });
        for replica in &mut replicas {
            if replica.has_ended() {
                let code = replica.wait();
                assert!(matches!(code, 0 | 76), "{code}: {}", replica.log());
            }
        }
        replicas.retain_mut(|replica| !replica.has_ended());
    }
    drop(frozen);
    for replica in &mut replicas {
        replica.wait();
    }
}

fn random_faults(db: &Db) {
    std::thread::scope(|scope| {
        for number in 0..SCENES {
            scope.spawn(move || {
                let scene = Scene::new(db);
                let seed =
                    u64::from(std::process::id()) * 31 + u64::try_from(number).expect("small") + 1;
                let mut dice = Dice(seed);
                for round in 0..rounds() {
                    let revision = format!("v{round}");
                    release(&scene, &revision, &mut dice);
                    scene.check_rules();
                }
                // What nobody lived to close is closed by the next holder.
                scene.run("last").finish().ends_with(0);
                for round in 0..rounds() {
                    scene.check_settled(&format!("v{round}"));
                }
            });
        }
    });
}
on_each!(random_faults: each_version);
