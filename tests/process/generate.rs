//! Help, man page and completions.
//!
//! "man page (with exit codes, variables and files), shell completions, the settings file's
//! schema, from the definitions of the flags" (contract, section 2)

use crate::common::{Mode, Place};

fn printed(words: &[&str]) -> String {
    let place = Place::new();
    let end = place
        .run(Mode::Ordinary, [&["./launchgate"], words].concat())
        .end();
    end.code(0);
    assert_eq!(end.stderr, "");
    String::from_utf8(end.stdout).unwrap()
}

const FLAGS: [&str; 12] = [
    "--backup",
    "--migrate",
    "--verify",
    "--shell",
    "--expand-env",
    "--migrate-timeout",
    "--stop-grace",
    "--step-env",
    "--step-env-from",
    "--unset-env",
    "--no-database",
    "--database-url",
];

#[test]
fn help_names_every_flag() {
    let help = printed(&["run", "--help"]);
    for flag in FLAGS {
        assert!(
            help.contains(&format!("{flag} ")) || help.contains(&format!("{flag}[")),
            "{flag}\n{help}"
        );
    }
    let commands = printed(&["--help"]);
    for command in [
        "run",
        "job",
        "wait",
        "status",
        "resolve",
        "check",
        "print-ddl",
        "convert",
        "generate",
    ] {
        assert!(
            commands.contains(&format!("  {command} ")),
            "{command}\n{commands}"
        );
    }
    assert!(printed(&["--version"]).starts_with("launchgate "));
}

#[test]
fn the_man_page_names_every_flag() {
    let page = printed(&["generate", "man"]).replace("\\-", "-");
    assert!(page.contains(".TH"));
    for flag in FLAGS {
        assert!(page.contains(flag), "{flag}");
    }
}

#[test]
fn completions_name_every_flag() {
    for shell in ["bash", "zsh", "fish"] {
        let text = printed(&["generate", shell]);
        for flag in FLAGS {
            let name = if shell == "fish" {
                flag.trim_start_matches('-')
            } else {
                flag
            };
            assert!(text.contains(name), "{shell}: {flag}");
        }
    }
}

#[test]
fn bash_understands_its_completions() {
    let place = Place::new();
    place.write("completions", printed(&["generate", "bash"]));
    let words = [
        "bash",
        "-c",
        "bash -n completions && . ./completions && complete -p launchgate",
    ];
    let end = place.run(Mode::Ordinary, words).end();
    end.code(0);
    assert_eq!(end.stderr, "");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::new();
    let words = [
        "bash",
        "-c",
        "./launchgate generate man | head -n 1; echo ${PIPESTATUS[0]} >code",
    ];
    place.run(Mode::Ordinary, words).end().code(0);
    assert!(
        ["0\n", "141\n"].contains(&&*place.text("code")),
        "{}",
        place.text("code")
    );
}

#[test]
fn what_is_not_known_is_a_usage_error() {
    for words in [&["generate"][..], &["generate", "tcsh"]] {
        let place = Place::new();
        let end = place
            .run(Mode::Ordinary, [&["./launchgate"], words].concat())
            .end();
        end.code(64).says(&["error"]);
    }
}

/// What is committed, and what prints it.
const COMMITTED: [(&str, &str); 5] = [
    ("docs/launchgate.1", "man"),
    ("completions/launchgate.bash", "bash"),
    ("completions/_launchgate", "zsh"),
    ("completions/launchgate.fish", "fish"),
    ("docs/launchgate.schema.json", "schema"),
];

#[test]
fn the_files_in_the_repository_are_what_the_binary_prints() {
    for (file, what) in COMMITTED {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == printed(&["generate", what]),
            "{file} is not what `launchgate generate {what}` prints: run scripts/generate"
        );
    }
}

#[test]
fn the_man_page_has_every_command() {
    let page = printed(&["generate", "man"]).replace("\\-", "-");
    let help = printed(&["--help"]);
    let commands = help.lines().filter_map(|line| line.strip_prefix("  "));
    let names = commands.filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())) {
        let title = format!(".SH \"LAUNCHGATE {}\"", name.to_uppercase());
        assert!(name == "launchgate" || page.contains(&title), "{title}");
    }
}
