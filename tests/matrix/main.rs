//! Every rule of `core_rules` with every version of every database, pooler and balancer.
//!
//! `scripts/matrix` installs them and runs this, which writes the table of docs/databases.md. It is no part of
//! `cargo test`: without `--write FILE` it does nothing.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a report to whoever started it"
)]

#[path = "../common/mod.rs"]
mod common;

mod systems;
mod table;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread,
    time::Instant,
};

use common::{
    core_rules::{self, RULES},
    lock,
};
use systems::{Expected, System};

/// How one system did.
#[derive(Debug)]
pub struct Row {
    /// Its name in the table.
    pub system: String,
    /// Its own, and where something is in front, the server's.
    pub version: String,
    /// One for each rule.
    pub cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    Holds,
    Broken,
    Refused,
}

fn main() -> std::process::ExitCode {
    let mut words = std::env::args().skip(1);
    let (mut write, mut only) = (None, String::new());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--write" => write = words.next(),
            "--only" => only = words.next().unwrap_or_default(),
            _ => {}
        }
    }
    let Some(page) = write else {
        return std::process::ExitCode::SUCCESS;
    };
    let chosen: Vec<System> = systems::all()
        .into_iter()
        .filter(|system| system.name.contains(&only))
        .collect();
    let rows = run(chosen);
    let broken: usize = rows
        .iter()
        .map(|row| {
            row.cells
                .iter()
                .filter(|cell| **cell == Cell::Broken)
                .count()
        })
        .sum();
    table::write(&page, &rows);
    eprintln!("{} systems, {broken} broken rules", rows.len());
    if broken == 0 {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    }
}

/// A few at a time: most of a test is waiting.
fn run(systems: Vec<System>) -> Vec<Row> {
    let numbered: Vec<(usize, System)> = systems.into_iter().enumerate().rev().collect();
    let (queue, done) = (Mutex::new(numbered), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let Some((number, system)) = lock(&queue).pop() else {
                        break;
                    };
                    let row = ask(&system);
                    lock(&done).push((number, row));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, row)| row).collect()
}

fn ask(system: &System) -> Row {
    let started = Instant::now();
    let holds = |check: &dyn Fn()| catch_unwind(AssertUnwindSafe(check)).is_ok();
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let db = (system.open)();
        let version = (system.version)(&db);
        (db, version)
    }));
    let (version, cells) = match &opened {
        Err(_) => ("did not start".to_owned(), vec![Cell::Broken; RULES.len()]),
        Ok((db, version)) => {
            let cells = match system.expected {
                Expected::Works => RULES
                    .iter()
                    .map(|(name, check)| {
                        if holds(&|| check(db)) {
                            Cell::Holds
                        } else {
                            eprintln!("=== {}: broken: {}", system.name, name);
                            Cell::Broken
                        }
                    })
                    .collect(),
                Expected::Refused if holds(&|| core_rules::refused(db)) => {
                    vec![Cell::Refused; RULES.len()]
                }
                Expected::Refused => vec![Cell::Broken; RULES.len()],
            };
            (version.clone(), cells)
        }
    };
    let seconds = started.elapsed().as_secs();
    eprintln!("=== {}, {version}: {cells:?} ({seconds} s)", system.name);
    Row {
        system: system.name.to_owned(),
        version,
        cells,
    }
}
