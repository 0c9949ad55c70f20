//! Every relative link in the documents leads somewhere: the file is there, and so is the heading.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = Vec::new();
    for folder in ["", "docs", "examples"] {
        collect(&root.join(folder), folder == "examples", &mut documents);
    }
    assert!(documents.len() > 12, "the documents are found");
    let mut dead = Vec::new();
    let mut count = 0;
    for document in &documents {
        let text = fs::read_to_string(document).unwrap();
        for target in links(&text) {
            count += 1;
            if !leads_somewhere(document, target) {
                dead.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(count > 60, "the links are found: {count}");
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn a_dead_link_is_found() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    assert!(leads_somewhere(&readme, "docs/inits.md#measured"));
    assert!(leads_somewhere(&readme, "#try-it"));
    assert!(!leads_somewhere(&readme, "docs/inits.md#no-such-heading"));
    assert!(!leads_somewhere(&readme, "docs/no-such-page.md"));
    assert_eq!(
        links("a [b](c.md), `[d](e)`\n```\n[f](g)\n```\n![h](i)"),
        ["c.md", "i"]
    );
    assert_eq!(
        anchor("## `--sql DIR`: what it's for"),
        "--sql-dir-what-its-for"
    );
}

/// The Markdown files of a folder; below it too, but for what package managers install there.
fn collect(folder: &Path, deeply: bool, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && deeply && name != "node_modules" && name != ".venv" {
            collect(&path, true, into);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            into.push(path);
        }
    }
}

/// The targets of the relative links, outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for line in prose(text) {
        // Every second part of a line stands between backticks; a link's own name may too.
        let mut rest = line;
        while let Some(at) = rest.find("](") {
            let (before, behind) = (&rest[..at], &rest[at + 2..]);
            let Some(end) = behind.find(')') else { break };
            let is_code = before.matches('`').count() % 2 == 1;
            if !is_code && !behind[..end].contains("://") {
                links.push(&behind[..end]);
            }
            rest = &behind[end..];
            if is_code {
                rest = rest.split_once('`').map_or("", |(_, rest)| rest);
            }
        }
    }
    links
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

fn leads_somewhere(document: &Path, target: &str) -> bool {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() {
        document.to_path_buf()
    } else {
        document.with_file_name(file)
    };
    if heading.is_empty() {
        return path.exists();
    }
    let Ok(text) = fs::read_to_string(path) else {
        return false;
    };
    anchors(&text).contains_key(heading)
}

/// The anchors of the headings; one that comes again gets a number.
fn anchors(text: &str) -> HashMap<String, u32> {
    let mut seen: HashMap<String, u32> = HashMap::new();
    for line in prose(text).filter(|line| line.starts_with('#')) {
        let anchor = anchor(line);
        let count = seen.get(&anchor).copied();
        let anchor = count.map_or(anchor.clone(), |count| format!("{anchor}-{}", count + 1));
        *seen.entry(anchor).or_default() += count.unwrap_or_default();
    }
    seen
}

/// As the common renderers make it: lowercase, blanks as dashes, other signs gone.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
