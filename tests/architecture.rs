//! The law of rooms, which `ARCHITECTURE.md` explains: a room imports only rooms below it, and
//! files do not import each other in circles.
//!
//! Reads `use` declarations and paths that begin with `crate::`, `super::` or `self::` in `src`.
//! Unit tests may import what they like.

#![allow(clippy::unwrap_used, reason = "a test that can't read src has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use imports::Module;

#[path = "architecture/imports.rs"]
mod imports;

/// The way of a start, each room above the next.
const STOREYS: [&str; 6] = ["commands", "gate", "steps", "plan", "settings", "cli"];

/// What all of those may use.
const SHARED: [&str; 7] = [
    "output",
    "db",
    "sys",
    "exit",
    "redact",
    "placeholder",
    "shell_words",
];

fn may_import(room: &str, other: &str) -> bool {
    let below = STOREYS.iter().skip_while(|storey| **storey != room);
    match room {
        "commands" if other == "convert" => true,
        room if STOREYS.contains(&room) => {
            SHARED.contains(&other) || below.skip(1).any(|storey| *storey == other)
        }
        "output" => ["sys", "exit", "redact"].contains(&other),
        "db" => ["sys", "exit", "redact", "placeholder"].contains(&other),
        "exit" => ["sys", "redact"].contains(&other),
        "convert" => other == "shell_words",
        "sys" | "redact" | "placeholder" | "shell_words" => false,
        room => panic!("{room} is a new room: add it here and to ARCHITECTURE.md"),
    }
}

/// Files that import each other on purpose; `ARCHITECTURE.md` says why.
const CIRCLES: &[&[&str]] = &[];

/// The modules of this crate, from the files in `src`.
fn modules() -> Vec<Module> {
    fn walk(folder: &Path, found: &mut Vec<Module>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if let Ok(file) = path.strip_prefix(src()) {
                let text = fs::read_to_string(&path).unwrap();
                found.push(Module::new(file.to_str().unwrap(), &text));
            }
        }
    }
    fn src() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
    }
    let mut found = Vec::new();
    walk(&src(), &mut found);
    found.retain(|module| !module.is_root() && !module.is_test());
    found
}

/// Imports that go up or sideways: room, imported room, and where.
fn breaches(modules: &[Module]) -> BTreeMap<(String, String), Vec<String>> {
    let mut found: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for module in modules {
        let room = module.room();
        for import in &module.imports {
            let other = &import.path[0];
            if other != room && !may_import(room, other) {
                let place = format!("src/{}:{}", module.file, import.line);
                let rooms = (room.to_owned(), other.clone());
                let places = found.entry(rooms).or_default();
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
    }
    found
}

/// Groups of files each of which reaches all others of its group through imports. A file and
/// the files of its own folder are one unit: a parent declares its parts, which use it.
fn circles(modules: &[Module]) -> BTreeSet<Vec<String>> {
    let names: BTreeSet<&[String]> = modules.iter().map(|m| m.path.as_slice()).collect();
    let target = |path: &[String]| {
        let lengths = (1..=path.len()).rev();
        lengths
            .map(|len| &path[..len])
            .find(|p| names.contains(p))
            .map(<[String]>::to_vec)
    };
    let mut edges: BTreeMap<&[String], BTreeSet<Vec<String>>> = BTreeMap::new();
    for module in modules {
        let targets = module
            .imports
            .iter()
            .filter_map(|import| target(&import.path));
        let own = module.path.as_slice();
        let others = targets.filter(|t| !t.starts_with(own) && !own.starts_with(t));
        edges.entry(own).or_default().extend(others);
    }
    let reach = |from: &[String]| {
        let mut seen: BTreeSet<Vec<String>> = BTreeSet::new();
        let mut next: Vec<Vec<String>> = edges[from].iter().cloned().collect();
        while let Some(path) = next.pop() {
            if seen.insert(path.clone()) {
                next.extend(edges[path.as_slice()].iter().cloned());
            }
        }
        seen
    };
    let reached: BTreeMap<&[String], BTreeSet<Vec<String>>> =
        names.iter().map(|name| (*name, reach(name))).collect();
    let mut found = BTreeSet::new();
    for name in &names {
        let group = names
            .iter()
            .filter(|other| reached[*name].contains(**other) && reached[*other].contains(*name));
        let group: Vec<String> = group.map(|path| path.join("::")).collect();
        if group.len() > 1 {
            found.insert(group);
        }
    }
    found
}

#[test]
fn a_room_imports_only_rooms_below_it() {
    let breaches = breaches(&modules());
    assert!(
        breaches.is_empty(),
        "these imports go up or sideways: {breaches:#?}"
    );
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let found = circles(&modules());
    let allowed = |group: &Vec<String>| CIRCLES.iter().any(|circle| group == circle);
    let new: Vec<_> = found.iter().filter(|group| !allowed(group)).collect();
    assert!(new.is_empty(), "these files import each other: {new:#?}");
    let page = include_str!("../ARCHITECTURE.md");
    for circle in CIRCLES {
        let is_there = found.iter().any(|group| group == circle);
        assert!(
            is_there,
            "{circle:?} is no circle any more: remove it from CIRCLES"
        );
        for file in *circle {
            let is_named = page.contains(&format!("`{file}`"));
            assert!(
                is_named,
                "ARCHITECTURE.md does not say why {circle:?} is a circle"
            );
        }
    }
}

/// The tests above pass on a tree without breaches; these show that they would not otherwise.
mod the_law_is_seen_to_fail {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Vec<Module> {
        let modules = files.iter().map(|(file, text)| Module::new(file, text));
        modules.collect()
    }

    fn places(file: &str, text: &str) -> Vec<String> {
        let found = breaches(&tree(&[(file, text)]));
        found.into_values().flatten().collect()
    }

    #[test]
    fn on_an_import_of_a_room_above() {
        for (file, line) in [
            ("gate/hold.rs", "use crate::commands::run;"),
            ("gate.rs", "pub(crate) use crate::commands;"),
            ("gate.rs", "use crate::{db::ledger, commands::{self, run}};"),
            ("gate.rs", "fn f() { crate::commands::run::run(); }"),
            ("gate/hold.rs", "use super::super::commands::run as r;"),
            ("sys/child.rs", "use crate::exit::Problem;"),
            ("db/url.rs", "fn f(s: &crate::settings::Sources<'_>) {}"),
            (
                "output/log.rs",
                "fn f<'a>(s: &'a str) -> crate::gate::Gate { todo!() }",
            ),
            ("convert/chain.rs", "use crate::redact;"),
            ("shell_words.rs", "use crate::exit::Failure;"),
        ] {
            assert_eq!(places(file, line), [format!("src/{file}:1")], "{line}");
        }
    }

    #[test]
    fn and_only_on_that() {
        for text in [
            "use crate::sys::host::Host;\nuse crate::gate::hold;\nuse std::fmt;",
            "// use crate::commands::run;\n/* crate::commands */",
            "const A: &str = \"crate::commands::run\"; const B: char = '\"';",
            "const A: &str = r#\"use crate::commands;\"#;",
            "use super::keep;\nmod parts { use super::Gate; }",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::commands::run;\n}\n",
        ] {
            assert_eq!(places("gate/hold.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn on_a_circle_of_files() {
        let three = tree(&[
            ("sys/a.rs", "use super::b::{self, B};"),
            ("sys/b.rs", "fn f() { crate::sys::c::f() }"),
            ("sys/c.rs", "use crate::sys::a::A;"),
            ("sys/d.rs", "use super::a;"),
        ]);
        let found = circles(&three);
        let circle = ["sys::a", "sys::b", "sys::c"].map(str::to_owned).to_vec();
        assert_eq!(found, BTreeSet::from([circle]));
    }

    #[test]
    fn and_not_on_a_file_and_its_parts() {
        let parts = tree(&[
            ("sys/watch.rs", "use ending::end;"),
            ("sys/watch/ending.rs", "use super::Watch;"),
        ]);
        assert_eq!(circles(&parts), BTreeSet::new());
    }
}
