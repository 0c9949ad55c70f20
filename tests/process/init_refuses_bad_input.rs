//! What `--init` and `--user` refuse, before anything runs.
//!
//! "A value that does not parse is an error naming the flag, variable or file and line it came
//! from, never a silent default." (contract, section 3)

use crate::common::{Mode, Place, migrate, stub};

fn refused(flags: &[&str], variable: Option<(&str, &str)>, words: &[&str]) {
    let place = Place::new();
    let all = [&[migrate(stub().append("started", "x"))], flags].concat();
    let mut gate = place.gate(Mode::Ordinary, &all);
    if let Some((name, value)) = variable {
        gate = gate.env(name, value);
    }
    let end = gate.server(stub().append("started", "y")).end();
    let mut said = vec!["error", "hint="];
    said.extend(words);
    end.code(64).says(&said).leaves_nothing();
    assert!(!place.has("started"), "something was started\n{end}");
}

#[test]
fn what_is_no_signal_is_refused() {
    for pair in [
        "TERMX:3",
        "15:TERMX",
        "65:1",
        "1:65",
        "0:1",
        "-1:2",
        "1:-1",
        "RTMIN+31:1",
        "1:RTMAX-31",
        "SIG:1",
        "1.5:2",
        " 15:3",
    ] {
        refused(
            &["--init", &format!("--rewrite-signal={pair}")],
            None,
            &["--rewrite-signal", "is not a signal"],
        );
    }
    for pair in ["15", "TERM", ":", "15:", ":3"] {
        refused(
            &["--init", &format!("--rewrite-signal={pair}")],
            None,
            &["--rewrite-signal"],
        );
    }
    for name in ["TERMX", "0", "65"] {
        refused(
            &["--init", &format!("--parent-death-signal={name}")],
            None,
            &["--parent-death-signal", name, "is not a signal"],
        );
    }
}

#[test]
fn what_can_not_be_caught_is_refused_in_a_rewrite() {
    for pair in [
        "9:15",
        "KILL:15",
        "SIGSTOP:0",
        "19:0",
        "15:9",
        "15:SIGKILL",
        "20:19",
    ] {
        refused(
            &["--init", &format!("--rewrite-signal={pair}")],
            None,
            &["no program can catch"],
        );
    }
    refused(
        &["--init", "--rewrite-signal=CHLD:0"],
        None,
        &["SIGCHLD", "not forwarded"],
    );
}

#[test]
fn what_is_no_exit_code_is_refused() {
    for pair in [
        "256:0", "0:256", "-1:0", "143", "143:", ":0", "a:0", "+1:0", "1:2:3",
    ] {
        refused(
            &["--init", &format!("--remap-exit={pair}")],
            None,
            &["--remap-exit", "0 to 255"],
        );
    }
}

/// "Whatever launchgate can't make sense of keeps the server from starting" (contract).
#[test]
fn two_rules_for_one_signal_or_exit_code_are_refused() {
    for [first, second, name] in [
        [
            "--rewrite-signal=15:3",
            "--rewrite-signal=TERM:2",
            "SIGTERM",
        ],
        ["--rewrite-signal=15:0", "--rewrite-signal=15:0", "SIGTERM"],
        // A rule that changes nothing is one too.
        ["--rewrite-signal=15:15", "--rewrite-signal=15:3", "SIGTERM"],
        ["--remap-exit=143:0", "--remap-exit=143:1", "143"],
        ["--remap-exit=143:143", "--remap-exit=143:0", "143"],
    ] {
        let said = format!("is the second rule for {name}");
        refused(&["--init", first, second], None, &[&said, "keep one"]);
    }
}

#[test]
fn what_init_would_do_is_refused_without_it() {
    for flag in [
        "--init-group",
        "--rewrite-signal=15:3",
        "--remap-exit=143:0",
        "--parent-death-signal=TERM",
    ] {
        let name = flag.split('=').next().unwrap();
        refused(&[flag], None, &[name, "without --init", "add --init"]);
        refused(&["--init=off", flag], None, &[name, "without --init"]);
    }
    refused(
        &[],
        Some(("LAUNCHGATE_INIT_GROUP", "yes")),
        &["LAUNCHGATE_INIT_GROUP", "without --init"],
    );
    refused(
        &["--init=maybe"],
        None,
        &["--init", "is not a valid switch"],
    );
}

#[test]
fn who_is_unknown_is_refused() {
    for flag in ["--user", "--step-user"] {
        for (value, words) in [
            ("nobody-here", "/etc/passwd has no entry for nobody-here"),
            ("0day", "/etc/passwd has no entry for 0day"),
            ("0:nobody-here", "/etc/group has no entry for nobody-here"),
            (":nobody-here", "/etc/group has no entry for nobody-here"),
            (":", "has neither a user nor a group"),
            ("-1", "has an invalid user or group ID"),
            ("4294967295", "has an invalid user or group ID"),
            ("0:2147483648", "has an invalid user or group ID"),
        ] {
            refused(&[&format!("{flag}={value}")], None, &[flag, value, words]);
        }
        refused(&[&format!("{flag}=")], None, &[flag, "empty"]);
    }
    refused(
        &[],
        Some(("LAUNCHGATE_USER", "nobody-here")),
        &["LAUNCHGATE_USER"],
    );
}

#[test]
fn variables_do_what_flags_do() {
    let place = Place::new();
    let end = place
        .gate(Mode::Ordinary, &["--migrate=true"])
        .env("LAUNCHGATE_INIT", "yes")
        .env("LAUNCHGATE_REMAP_EXIT", "3:0\n4:5")
        .server(stub().exit(4))
        .end();
    end.code(5);
}

#[test]
fn check_shows_them_with_their_origins() {
    let place = Place::new();
    let flags = [
        "./launchgate",
        "check",
        "--no-database",
        "--init",
        "--rewrite-signal=TERM:QUIT",
        "--user=0:1",
        "--",
        "true",
    ];
    let end = place
        .run(Mode::Ordinary, flags)
        .env("LAUNCHGATE_REMAP_EXIT", "143:0")
        .end();
    end.code(0);
    let shown = String::from_utf8(end.stdout).unwrap();
    let has = |words: &[&str]| {
        let line = |line: &str| line.split_whitespace().eq(words.iter().copied());
        assert!(shown.lines().any(line), "no line {words:?} in\n{shown}");
    };
    has(&["init", "on", "--init"]);
    has(&["rewrite-signal", "TERM:QUIT", "--rewrite-signal"]);
    has(&["remap-exit", "143:0", "LAUNCHGATE_REMAP_EXIT"]);
    has(&["user", "0:1", "--user"]);
    has(&["step-user", "0:1", "--user"]);
}

#[test]
fn with_skip_an_init_stays_in_front_too() {
    let place = Place::new();
    let end = place
        .gate(
            Mode::Ordinary,
            &[
                migrate(stub().append("started", "x")),
                "--init",
                "--remap-exit=6:60",
            ],
        )
        .env("LAUNCHGATE_SKIP", "1")
        .server(stub().exit(6))
        .end();
    end.code(60);
    assert!(!place.has("started"));
}
