//! The termination log: why a gate failed, where a platform looks for it.
//!
//! "every gate that fails, whatever the reason, writes one short paragraph there" (contract,
//! section 3)

use std::fs;
use std::net::TcpListener;

use crate::both_modes;
use crate::common::{Finished, Mode, Place, migrate, stub};

both_modes!(
    every_gate_that_fails_leaves_its_reason,
    a_gate_that_opens_leaves_nothing,
    one_that_cannot_be_written_changes_nothing_else,
    the_default_is_written_only_where_it_exists,
    a_command_line_or_a_file_that_is_refused_still_says_where,
    what_has_no_gate_leaves_nothing,
);

const FILE: &str = "--termination-log=why";

#[track_caller]
fn left(place: &Place, end: &Finished, code: i32, words: &[&str]) {
    end.code(code);
    let text = place.text("why");
    assert_eq!(text.lines().count(), 1, "{text}\n{end}");
    for word in words
        .iter()
        .copied()
        .chain([&*format!("(exit code {code})")])
    {
        assert!(text.contains(word), "{word:?} in {text}\n{end}");
    }
}

fn every_gate_that_fails_leaves_its_reason(mode: Mode) {
    let place = Place::new();
    let gate = |flags: &[&str]| place.gate(mode, &[flags, &[FILE]].concat());
    let end = gate(&[migrate(stub().exit(3))]).server(["true"]).end();
    left(&place, &end, 3, &["migrate exited with code 3"]);
    let end = gate(&["--migrate=a; b"]).server(["true"]).end();
    left(&place, &end, 64, &["found the shell operator `;`"]);
    let end = gate(&["--migrate=not-here"]).server(["true"]).end();
    left(&place, &end, 127, &["not-here"]);
    place.write("data", "");
    let end = gate(&["--migrate=./data"]).server(["true"]).end();
    left(&place, &end, 126, &["./data"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--health-listen={}", taken.local_addr().unwrap());
    let end = gate(&["--migrate=true", &listen]).server(["true"]).end();
    left(&place, &end, 71, &["--health-listen", "in use"]);
    let job = |revision: &str, more: &str| {
        let words = [
            "./launchgate",
            "job",
            "--sql=sql",
            FILE,
            more,
            "--release",
            revision,
        ];
        place
            .run(mode, words)
            .env("DATABASE_URL", "sqlite:app.db")
            .end()
    };
    fs::create_dir(place.path("sql")).unwrap();
    place.write("sql/1_a.sql", "create table a (n int)");
    job("v1", "--quiet").code(0);
    place.write("sql/2_b.sql", "nonsense");
    left(&place, &job("v2", "--snapshot=/proc/no"), 73, &["/proc/no"]);
    left(&place, &job("v3", "--quiet"), 65, &["2_b.sql", "nonsense"]);
    // Not even the flags parse.
    let gate = place
        .gate(mode, &["--migrat=x"])
        .env("LAUNCHGATE_TERMINATION_LOG", "why");
    left(&place, &gate.server(["true"]).end(), 64, &["--migrat"]);
    let run = place
        .gate(
            mode,
            &[migrate(stub().append("here", "step").wait_forever()), FILE],
        )
        .server(["true"])
        .start();
    place.wait_for_line("here", "step");
    run.signal(libc::SIGTERM);
    left(&place, &run.end(), 143, &["stopped by SIGTERM"]);
    let url = "--database-url=postgres://u:verysecret@127.0.0.1:1/x";
    let words = [
        "./launchgate",
        "job",
        "--migrate=true",
        "--wait-timeout=100ms",
        url,
        FILE,
    ];
    let end = place.run(mode, words).end();
    left(
        &place,
        &end,
        69,
        &["the database did not accept a connection"],
    );
    assert!(!place.text("why").contains("verysecret"));
}

fn a_gate_that_opens_leaves_nothing(mode: Mode) {
    let place = Place::new();
    let gate = place.gate(mode, &["--migrate=true", FILE]);
    gate.server(stub().exit(5)).end().code(5);
    assert!(!place.has("why"));
}

fn one_that_cannot_be_written_changes_nothing_else(mode: Mode) {
    let place = Place::new();
    fs::create_dir(place.path("folder")).unwrap();
    let mut pipe = std::process::Command::new("mkfifo");
    assert!(pipe.arg(place.path("pipe")).status().unwrap().success());
    // A pipe that nobody reads is not waited for.
    for file in ["folder", "missing/why", "/dev/full", "pipe"] {
        let flags = [migrate(stub().exit(3)), "--termination-log", file];
        let end = place.gate(mode, &flags).server(["true"]).end();
        end.code(3)
            .says(&["warning", "failed to write", file, "--termination-log"]);
        end.says(&["error", "migrate exited with code 3"]);
    }
}

fn the_default_is_written_only_where_it_exists(mode: Mode) {
    let place = Place::new();
    let script = "mount -t tmpfs none /dev && touch $1 && shift && \"$@\"; echo $? >code; cat /dev/termination-log >why";
    let words = ["unshare", "-m", "sh", "-c", script, "sh"];
    let gate = [
        "./launchgate",
        "job",
        "--no-database",
        migrate(stub().exit(3)),
    ];
    let run = |file: &str| {
        let words = [&words[..], &[file], &gate].concat();
        place.run(mode, &words).end()
    };
    run("/dev/termination-log").never_says("warning: failed");
    assert_eq!(place.text("code"), "3\n");
    assert!(
        place.text("why").contains("exit code 3"),
        "{}",
        place.text("why")
    );
    run("/dev/another").never_says("warning: failed");
    assert_eq!(
        (place.text("code"), place.text("why")),
        ("3\n".into(), String::new())
    );
    let words = [&words[..], &["/dev/termination-log"], &gate, &["--bogus"]].concat();
    place.run(mode, &words).end();
    assert!(
        place.text("why").contains("--bogus"),
        "{}",
        place.text("why")
    );
}

fn a_command_line_or_a_file_that_is_refused_still_says_where(mode: Mode) {
    let place = Place::new();
    let end = |verb: &str, flags: &[&str], variable: &str| {
        let words = [&["./launchgate", verb], flags].concat();
        let gate = place.run(mode, &words);
        gate.env("LAUNCHGATE_TERMINATION_LOG", variable).end()
    };
    let check = |end: &Finished, words: &[&str]| {
        left(&place, end, 64, words);
        fs::remove_file(place.path("why")).unwrap();
    };
    for verb in ["run", "job", "wait"] {
        for flags in [
            &["--bogus", "--termination-log=why"][..],
            &["--termination-log", "why", "--bogus"],
        ] {
            check(&end(verb, flags, "another"), &["--bogus"]);
        }
        check(&end(verb, &["--bogus"], "why"), &["--bogus"]);
    }
    // Behind the dashes it is the server's.
    end("run", &["--bogus", "--", "x", "--termination-log=why"], "").code(64);
    assert!(!place.has("why") && !place.has("another"));
    for (name, flag) in [
        ("launchgate.toml", None),
        ("x.toml", Some("--config=x.toml")),
    ] {
        let flags = |more: &'static str| flag.into_iter().chain([more]).collect::<Vec<_>>();
        place.write(name, "termination-log = \"why\"\n");
        check(&end("job", &flags("--bogus"), ""), &["--bogus"]);
        place.write(name, "nonsense = 1\ntermination-log = \"why\"\n");
        check(&end("job", &flags("--migrate=true"), ""), &["`nonsense`"]);
        place.write(name, "log-format = \"x\"\ntermination-log = \"why\"\n");
        check(&end("job", &flags("--migrate=true"), ""), &["log-format"]);
        fs::remove_file(place.path(name)).unwrap();
    }
}

fn what_has_no_gate_leaves_nothing(mode: Mode) {
    let place = Place::new();
    for words in [
        &["status", "--bogus"][..],
        &["probe", "--bogus"],
        &["check", "--bogus"],
        &["generate", "foo"],
        &["rum"],
        &["status", "--database-url=x"],
    ] {
        let words = [&["./launchgate"], words].concat();
        let gate = place.run(mode, &words);
        gate.env("LAUNCHGATE_TERMINATION_LOG", "why").end().code(64);
        assert!(!place.has("why"), "{words:?}");
    }
}
