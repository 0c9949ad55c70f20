//! Releases on real databases, with faults at random moments, judged by what steps and servers wrote down
//! themselves.
//!
//! These are short runs. `scripts/chaos` makes a long one of one of these tests: it sets
//! `LAUNCHGATE_CHAOS_SEED`, `_SECONDS` and `_SUBJECT`.

#![allow(clippy::print_stderr, reason = "what a run found is to be read")]

#[path = "../common/mod.rs"]
mod common;

mod arena;
mod clock;
mod dice;
mod faults;
mod judge;
mod release;
mod server_faults;
mod subject;

use arena::Arena;
use common::Db;
use subject::Subject;

fn variable(name: &str) -> Option<String> {
    std::env::var(format!("LAUNCHGATE_CHAOS_{name}")).ok()
}

fn number(name: &str) -> Option<u64> {
    variable(name).map(|text| text.parse().expect("a number"))
}

/// Runs it and prints what happened.
fn run(name: &str, arena: &Arena, subject: Subject) -> usize {
    let seed = number("SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let seconds = number("SECONDS").unwrap_or(6);
    let summary = arena.run(subject, seed, seconds);
    eprintln!("{name}: {summary}");
    summary.violations.len()
}

/// "whatever is killed, at whatever moment, the next start goes on by itself." (contract, section 5),
/// and none of the other four rules is broken.
fn random_faults(arena: impl FnOnce() -> Arena, name: &str) {
    let subject = match variable("SUBJECT").as_deref() {
        None | Some("launchgate") => Subject::Launchgate,
        Some("shell") => Subject::Shell,
        Some("advisory") => Subject::Advisory,
        Some(other) => panic!("no subject {other}"),
    };
    assert_eq!(run(name, &arena(), subject), 0);
}

macro_rules! short_runs {
    ($($backend:ident: $arena:expr),+ $(,)?) => {
        mod random_faults {
            use super::{Arena, Db};

            $(#[test]
            fn $backend() {
                super::random_faults(|| $arena, stringify!($backend));
            })+
        }
    };
}
short_runs! {
    postgres: Arena::with_standby(),
    postgres_18: Arena::new(Db::postgres_18()),
    pgbouncer: Arena::new(Db::pgbouncer()),
    mariadb: Arena::new(Db::mariadb()),
    mysql: Arena::new(Db::mysql()),
    galera: Arena::galera(),
    sqlite: Arena::new(Db::sqlite()),
}

/// The judge can see. A shell breaks the rules in any run; an advisory lock around the migration needs the
/// longer run that `scripts/chaos --subject advisory` is.
#[test]
fn the_judge_sees_what_a_shell_lets_happen() {
    let arena = Arena::new(Db::postgres_15());
    assert_ne!(run("postgres", &arena, Subject::Shell), 0);
}
