//! The pages of `docs/` that are generated from the code, and the tests that compare them with
//! it. `scripts/generate-docs` writes the pages.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod commands;
mod events;
mod exits;
mod settings;

use std::path::Path;
use std::{env, fs};

use launchgate::exit::FailureKind;

/// Set by `scripts/generate-docs`: write what else would be compared.
const WRITE: &str = "LAUNCHGATE_WRITE_PAGES";

/// The first line of every generated page.
const MADE: &str = "<!-- Generated from the code by scripts/generate-docs: edit the code. -->";

fn hold(path: &str, text: &str) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os(WRITE).is_some() {
        fs::write(&full, text).unwrap();
    }
    let found = fs::read_to_string(&full).unwrap_or_default();
    assert!(
        found == text,
        "{path} is out of date: run `scripts/generate-docs`"
    );
}

#[test]
fn the_page_of_events_is_that_of_the_code() {
    hold("docs/events.md", &events::page());
}

#[test]
fn the_page_of_exit_codes_is_that_of_the_code() {
    hold("docs/exit-codes.md", &exits::page());
}

#[test]
fn the_page_of_settings_is_that_of_the_code() {
    hold("docs/settings.md", &settings::page());
}

#[test]
fn the_drawing_of_the_gate_shows_every_exit_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let drawing = fs::read_to_string(root.join("docs/gate.svg")).unwrap();
    let labels = drawing.split("<text ").skip(1).filter_map(|tag| {
        let (_, label) = tag.split_once('>')?;
        label.split_once('<').map(|(label, _)| label)
    });
    let codes: Vec<&str> = labels
        .filter_map(|label| label.rsplit(": ").next())
        .flat_map(|codes| codes.trim_start_matches("exit ").split(", "))
        .collect();
    for &kind in FailureKind::ALL {
        let code = match kind {
            FailureKind::Stopped(_) => "128+n".to_owned(),
            FailureKind::Step(_) => "its own".to_owned(),
            // Nobody plans for a bug.
            FailureKind::Bug => continue,
            other => other.code().to_string(),
        };
        assert!(codes.contains(&&*code), "{code} is missing");
    }
}

#[test]
fn the_schema_of_the_settings_file_is_that_of_the_code() {
    hold(
        "docs/launchgate.schema.json",
        &launchgate::commands::generate::schema(),
    );
}
