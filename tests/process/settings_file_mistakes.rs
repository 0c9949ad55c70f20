//! What is wrong with `launchgate.toml`, and where.
//!
//! "A value that does not parse is an error naming the flag, variable or file and line it came from, never a
//! silent default." (contract, section 3)
//!
//! "An unknown key in the file is an error, an unknown `LAUNCHGATE_*` variable a warning."
//! (contract, section 3)

use std::fs;

use crate::common::{Mode, Place};

/// Refused with 64, and nothing started.
#[track_caller]
fn refused(file: impl AsRef<[u8]>, words: &[&str]) {
    let place = Place::new();
    place.write("launchgate.toml", file);
    let gate = place.gate(Mode::Ordinary, &["--backup=./stub append started backup"]);
    let end = gate.server(["./stub", "append", "started", "server"]).end();
    end.code(64).says(words).says(&["hint="]);
    assert!(!place.has("started"), "{end}");
}

#[test]
fn a_link_that_leads_nowhere_is_no_missing_file() {
    let place = Place::new();
    std::os::unix::fs::symlink("gone.toml", place.path("launchgate.toml")).expect("a link");
    let gate = place.gate(Mode::Ordinary, &["--migrate=./stub append started migrate"]);
    let end = gate.server(["./stub", "append", "started", "server"]).end();
    end.code(64)
        .says(&["launchgate.toml", "No such file", "hint="]);
    assert!(!place.has("started"), "{end}");
}

#[test]
fn an_unknown_key_is_reported_with_its_place_and_the_nearest() {
    refused(
        "app = \"x\"\n  migrat = \"true\"\n",
        &[
            "./launchgate.toml:2:3",
            "`migrat`",
            "did you mean `migrate`?",
        ],
    );
    refused(
        "[[migrate]]\ncommand = \"true\"\ntimout = \"5m\"\n",
        &[
            "./launchgate.toml:3:1",
            "`timout`",
            "did you mean `timeout`?",
        ],
    );
    refused("server = \"x\"\n", &["`server`", "after `--`"]);
    refused("config = \"x\"\n", &["`config`", "can't refer to another"]);
    refused(
        "[steps]\nmigrate = \"x\"\n",
        &["./launchgate.toml:1:2", "`steps`"],
    );
}

#[test]
fn a_value_that_does_not_parse_is_told_with_its_line() {
    let at = "./launchgate.toml:2 ";
    let told = |line: &str, words: &[&str]| {
        refused(format!("# first\n{line}\n"), &[&[at][..], words].concat());
    };
    told("stop-grace = 10", &["`10` has no unit", "10s"]);
    told("stop-grace = 1.5", &["is a fraction", "quotes"]);
    told("stop-grace = \"soon\"", &["`soon` is not a valid duration"]);
    told("stop-grace = [\"1s\"]", &["is a list"]);
    told("shell = \"maybe\"", &["`maybe` is not a valid switch"]);
    told("shell = \"\"", &["is empty"]);
    told("app = 1979-05-27", &["is a date"]);
    told("app = { a = 1 }", &["is a table"]);
    told("verify = \"a; b\"", &["found the shell operator `;`"]);
    told("verify = []", &["no program"]);
    told("verify = [\"\"]", &["no program"]);
    told(
        "verify = [\"a\", [\"b\"]]",
        &["a word of the command is a list"],
    );
    told("verify = { name = \"x\" }", &["no command"]);
    told(
        "verify = { command = \"true\", timeout = \"5\" }",
        &["timeout `5` has no unit"],
    );
    told(
        "verify = { command = \"true\", env = [\"A=1\"] }",
        &["env is not a table"],
    );
    told(
        "verify = { command = \"true\", env = { LAUNCHGATE_X = \"1\" } }",
        &["reserved for launchgate"],
    );
    told(
        "verify = { command = \"true\", user = \"nobody-here\" }",
        &["`nobody-here`"],
    );
    told(
        "verify = { command = \"true\", name = \" x\" }",
        &["is not a valid step name"],
    );
    told("step-env = [\"A\"]", &["NAME=VALUE"]);
    told(
        "migrate = [\"true\", \"a | b\"]",
        &["found the shell operator `|`"],
    );
}

#[test]
fn what_is_wrong_in_a_steps_table_is_told_with_its_own_line() {
    for (lines, at, words) in [
        (
            "command = \"true\"\ntimeout = \"5\"",
            3,
            "timeout `5` has no unit",
        ),
        (
            "command = \"true\"\nname = \" x\"",
            3,
            "is not a valid step name",
        ),
        (
            "command = \"true\"\n\nuser = \"nobody-here\"",
            4,
            "`nobody-here`",
        ),
        (
            "name = \"x\"\ncommand = \"a; b\"",
            3,
            "found the shell operator `;`",
        ),
        ("name = \"x\"\ncommand = \"absent-tool\"", 3, "absent-tool"),
        (
            "name = \"x\"\ncommand = [\n\"a\",\n[]]",
            5,
            "a word of the command is a list",
        ),
        ("name = \"x\"\ncommand = []", 3, "no program"),
        ("command = \"true\"\nenv = 1", 3, "env is not a table"),
        (
            "command = \"true\"\n[migrate.env]\nA = \"1\"\nLAUNCHGATE_B = \"2\"",
            5,
            "reserved for launchgate",
        ),
        ("\nname = \"x\"", 1, "the step has no command"),
    ] {
        let place = Place::new();
        place.write("launchgate.toml", format!("[[migrate]]\n{lines}\n"));
        let end = place.gate(Mode::Ordinary, &[""; 0]).end();
        let code = if words == "absent-tool" { 127 } else { 64 };
        let at = format!("./launchgate.toml:{at} migrate:");
        end.code(code).says(&[&at, words]);
    }
}

#[test]
fn a_url_that_does_not_parse_is_told_without_its_password() {
    let place = Place::new();
    place.write(
        "launchgate.toml",
        "\ndatabase-url = \"oracle://u:verysecret@h/x\"\n",
    );
    let words = ["./launchgate", "job", "--migrate=true"];
    let end = place.run(Mode::Ordinary, words).end();
    end.code(64)
        .says(&["./launchgate.toml:2 database-url", "oracle"])
        .never_says("verysecret");
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    refused("app = \"x\"\nlease = 30s\n", &["./launchgate.toml:2:"]);
    refused(
        "app = \"x\"\napp = \"y\"\n",
        &["./launchgate.toml:2:1", "duplicate"],
    );
    refused("app = \"x\n", &["./launchgate.toml:1:"]);
}

#[test]
fn another_encoding_is_told() {
    let utf16: Vec<u8> = "\u{feff}app = \"x\"\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    refused(utf16, &["UTF-16", "save it as UTF-8"]);
    refused(
        b"app = \"caf\xe9\"\n",
        &["./launchgate.toml:1:11", "not UTF-8"],
    );
    refused([0xff; 100], &["not UTF-8"]);
}

#[test]
fn a_file_that_is_none_is_told() {
    let place = Place::new();
    let refused = |words: &[&str], said: &[&str]| {
        let words = [&["./launchgate", "job", "--no-database"], words].concat();
        let end = place.run(Mode::Ordinary, &words).end();
        end.code(64).says(said);
    };
    let step = "--migrate=true";
    refused(
        &[step, "--config", "gone.toml"],
        &["gone.toml (--config)", "No such file"],
    );
    let gate = place.gate(Mode::Ordinary, &[step]);
    let end = gate.env("LAUNCHGATE_CONFIG", "gone.toml").end();
    end.code(64).says(&["gone.toml (LAUNCHGATE_CONFIG)"]);
    refused(&[step, "--config="], &["--config is empty"]);
    refused(&[step, "--config", "/dev/zero"], &["not a regular file"]);
    refused(&[step, "--config", "/"], &["it is a folder"]);
    place.write("big.toml", "# a comment\n".repeat(100_000));
    refused(&[step, "--config", "big.toml"], &["larger than 1024 KiB"]);
    fs::create_dir(place.path("launchgate.toml")).unwrap();
    refused(&[step], &["./launchgate.toml", "it is a folder"]);
}

#[test]
fn a_file_that_may_not_be_read_is_no_missing_one() {
    let place = Place::new();
    place.write("launchgate.toml", "app = \"x\"\n");
    fs::set_permissions(
        place.path("launchgate.toml"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let words = ["setpriv", "--reuid=1234", "--clear-groups", "./launchgate"];
    let words = [&words[..], &["job", "--no-database", "--migrate=true"]].concat();
    let end = place.run(Mode::Ordinary, &words).end();
    end.code(64)
        .says(&["./launchgate.toml", "Permission denied"]);
}

#[test]
fn a_broken_file_is_told_to_the_platform_as_well() {
    let place = Place::new();
    place.write("why", "");
    place.write("launchgate.toml", "lease = 1\nx = 2\n");
    let gate = place.gate(Mode::Ordinary, &["--termination-log=why"]);
    gate.end().code(64);
    assert!(
        place.text("why").contains("launchgate.toml:2:1"),
        "{}",
        place.text("why")
    );
}
