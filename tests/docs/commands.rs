//! The command lines that the documents show: each is one that launchgate understands.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use launchgate::cli::{self, Operand, Parsed, Raw, SettingId, Verb};
use launchgate::shell_words::{self, Expansion};

#[test]
fn every_command_of_the_documents_is_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = fs::read_dir(root.join("docs")).unwrap();
    let pages = pages.map(|page| page.unwrap().path());
    let mut count = 0;
    for page in pages.chain([root.join("README.md")]) {
        if page.extension() != Some(OsStr::new("md")) {
            continue;
        }
        for words in commands(&fs::read_to_string(&page).unwrap()) {
            count += 1;
            let shown = format!("{}: {words:?}", page.display());
            let words: Vec<_> = words.into_iter().map(OsString::from).collect();
            match cli::parse(&words) {
                Ok(Parsed::Command(raw)) => understood(&raw, &shown),
                other => panic!("{shown}: {other:?}"),
            }
        }
    }
    assert!(count > 15, "the commands are found: {count}");
}

fn understood(raw: &Raw, shown: &str) {
    for step in [SettingId::Backup, SettingId::Migrate, SettingId::Verify] {
        for text in raw.values(step).into_iter().flatten() {
            let split = shell_words::split(text.as_bytes(), Expansion::Off);
            assert!(split.is_ok(), "{shown}: {:?}", split.err());
        }
    }
    let has_server = raw.verb != Verb::Run || !raw.words(Operand::Server).is_empty();
    assert!(has_server, "{shown}: no server");
}

/// Those of fenced blocks: lines that begin with launchgate, and those of a Dockerfile.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for block in text.split("\n```").skip(1).step_by(2) {
        let (kind, block) = block.split_once('\n').unwrap_or_default();
        if kind == "console" {
            continue;
        }
        for line in block.replace("\\\n", " ").lines() {
            if let Some(list) = line.strip_prefix("CMD ") {
                commands.push(serde_json::from_str(list).unwrap());
            } else if line.starts_with("launchgate ") {
                let line = line.split(" | ").next().unwrap_or_default();
                commands.push(shlex::split(line).unwrap());
            }
        }
    }
    commands
}
