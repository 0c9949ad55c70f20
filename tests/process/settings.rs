//! Flags, variables and which of them wins.
//!
//! "Precedence: flag, then `LAUNCHGATE_*` variable, then `launchgate.toml`" (contract, section 3)

use crate::common::{Finished, Mode, Place};

fn with(variables: &[(&str, &str)], flags: &[&str]) -> (Place, Finished) {
    let place = Place::new();
    let mut gate = place.gate(Mode::Ordinary, flags);
    for (name, value) in variables {
        gate = gate.env(name, value);
    }
    let end = gate.server(["./stub", "report", "served"]).end();
    (place, end)
}

#[test]
fn every_step_flag_has_its_variable() {
    let (place, end) = with(
        &[
            ("LAUNCHGATE_BACKUP", "./stub append order backup"),
            (
                "LAUNCHGATE_MIGRATE",
                "./stub append order one\n\n  ./stub append order two  \n",
            ),
            ("LAUNCHGATE_VERIFY", "./stub report step"),
            ("LAUNCHGATE_STEP_ENV", "A=1\nB=2"),
            ("LAUNCHGATE_STEP_ENV_FROM", "C=SECRET"),
            ("LAUNCHGATE_UNSET_ENV", "GONE\nALSO-GONE"),
            ("LAUNCHGATE_APP", "shop"),
            ("LAUNCHGATE_VERBOSE", "1"),
            ("SECRET", "s"),
            ("GONE", "1"),
            ("ALSO-GONE", "1"),
            ("KEPT", "1"),
        ],
        &[],
    );
    end.code(0).says(&["found", "backup"]);
    assert_eq!(place.lines("order"), ["backup", "one", "two"]);
    let step = place.report("step").environment();
    for entry in ["A=1", "B=2", "C=s", "LAUNCHGATE_APP=shop"] {
        assert!(step.iter().any(|e| e == entry), "{entry}: {step:?}");
    }
    assert_eq!(place.report("served").environment()[1..], ["KEPT=1"]);
}

#[test]
fn limits_have_variables_too() {
    let (_, end) = with(
        &[
            ("LAUNCHGATE_MIGRATE_TIMEOUT", "100ms"),
            ("LAUNCHGATE_STOP_GRACE", "0"),
            ("LAUNCHGATE_MIGRATE", "./stub wait-forever"),
        ],
        &[],
    );
    end.code(124);
}

#[test]
fn the_longest_duration_is_one() {
    let longest = "18446744073709551615s";
    let place = Place::new();
    let limits = ["migrate-timeout", "stop-grace"].map(|name| format!("--{name}={longest}"));
    let flags: Vec<&str> = limits.iter().map(String::as_str).collect();
    for more in [&[][..], &["--init"]] {
        let flags = [&["--migrate=true"], &flags[..], more].concat();
        let gate = place.gate(Mode::Ordinary, &flags);
        gate.server(["./stub", "exit", "5"]).end().code(5);
    }
    // launchgate's own steps get some of them.
    std::fs::create_dir(place.path("migrations")).unwrap();
    place.write("migrations/1_a.sql", "create table a (x int);");
    let waits = ["wait-timeout", "lock-timeout", "orphan-timeout"];
    let waits = waits.map(|name| format!("--{name}={longest}"));
    let words = ["./launchgate", "job", "--database-url=sqlite:db"];
    let words = words.iter().copied().chain(["--sql=migrations"]);
    let words: Vec<&str> = words.chain(waits.iter().map(String::as_str)).collect();
    place.run(Mode::Ordinary, &words).end().code(0);
}

/// Also where there is no step during which it would be used.
#[test]
fn what_is_told_outside_is_read_by_every_start() {
    let place = Place::new();
    let database = "--database-url=sqlite:db";
    let commands = [
        &[
            "run",
            "--no-database",
            "--",
            "./stub",
            "append",
            "started",
            "x",
        ][..],
        &["job", "--no-database"],
        &["check", "--no-database"],
        &["wait", database, "--release=1", "--lock-timeout=1ms"],
    ];
    let start = |command: &[&str], flag: &str| {
        let flag = Some(flag).filter(|flag| !flag.is_empty());
        let words = ["./launchgate", command[0]].into_iter().chain(flag);
        let words: Vec<&str> = words.chain(command[1..].iter().copied()).collect();
        let end = place.run(Mode::Ordinary, &words).end();
        assert!(!place.has("started") && !place.has("db"), "{end}");
        end
    };
    for command in commands {
        for flag in [
            "--health-listen=garbage",
            "--health-listen=",
            "--termination-log=",
        ] {
            let name = flag.split('=').next().unwrap();
            start(command, flag).code(64).says(&["error", name]);
        }
        for line in [
            "health-listen = \"garbage\"",
            "health-listen = 8080",
            "health-listen = [\":80\"]",
            "termination-log = \"\"",
            "termination-log = [\"a\", \"b\"]",
            "termination-log = 1.5",
        ] {
            place.write("launchgate.toml", format!("{line}\n"));
            let name = line.split(' ').next().unwrap();
            let place = format!("launchgate.toml:1 {name}");
            start(command, "").code(64).says(&["error", &place]);
        }
        std::fs::remove_file(place.path("launchgate.toml")).unwrap();
    }
}

#[test]
fn a_bad_command_line_is_told_in_the_format_that_wins() {
    let place = Place::new();
    let said = |flags: &[&str]| {
        let words = [&["./launchgate", "job", "--bogus"], flags].concat();
        let gate = place.run(Mode::Ordinary, &words);
        let end = gate.env("LAUNCHGATE_LOG_FORMAT", "json").end();
        end.code(64);
        end.stderr
    };
    assert!(said(&[]).starts_with('{'));
    for flags in [&["--log-format=text"][..], &["--log-format", "text"]] {
        assert!(said(flags).starts_with("launchgate: error"));
    }
}

#[test]
fn switches_have_variables_too() {
    let (_, end) = with(
        &[
            ("LAUNCHGATE_SHELL", "on"),
            ("LAUNCHGATE_MIGRATE", "exit 3; true"),
        ],
        &[],
    );
    end.code(3);
    let (_, end) = with(
        &[
            ("LAUNCHGATE_EXPAND_ENV", "yes"),
            ("LAUNCHGATE_MIGRATE", "./stub exit $CODE"),
            ("CODE", "6"),
        ],
        &[],
    );
    end.code(6);
    let (_, end) = with(
        &[("LAUNCHGATE_QUIET", "true"), ("LAUNCHGATE_MIGRATE", "true")],
        &[],
    );
    assert_eq!(end.code(0).stderr, "");
}

#[test]
fn a_flag_wins_over_its_variable() {
    let variables = [
        ("LAUNCHGATE_MIGRATE", "./stub exit 1"),
        ("LAUNCHGATE_STOP_GRACE", "not looked at"),
        ("LAUNCHGATE_SHELL", "nor this"),
        ("LAUNCHGATE_BACKUP", "'nor this"),
    ];
    let flags = [
        "--migrate=true",
        "--stop-grace=1s",
        "--shell=off",
        "--backup=true",
    ];
    with(&variables, &flags).1.code(0);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let names = [
        "MIGRATE",
        "BACKUP",
        "SHELL",
        "MIGRATE_TIMEOUT",
        "STEP_ENV",
        "UNSET_ENV",
        "EXPAND_ENV",
        "SKIP",
    ];
    let names = names.map(|name| format!("LAUNCHGATE_{name}"));
    let variables: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let (place, end) = with(&variables, &["--migrate=./stub append order flag"]);
    end.code(0);
    assert_eq!(place.lines("order"), ["flag"]);
}

#[test]
fn a_variable_of_blanks_is_a_value() {
    for name in [
        "LAUNCHGATE_APP",
        "LAUNCHGATE_STOP_GRACE",
        "LAUNCHGATE_SHELL",
    ] {
        let (place, end) = with(&[(name, " ")], &["--migrate=./stub append started x"]);
        end.code(64).says(&["error", name, "hint="]);
        assert!(!place.has("started") && !place.has("served"));
    }
}

#[test]
fn an_empty_flag_is_an_error() {
    for flag in [
        "--migrate-timeout=",
        "--stop-grace=",
        "--step-env=",
        "--step-env-from=",
        "--unset-env=",
        "--app=",
        "--shell=",
    ] {
        let (place, end) = with(&[], &["--migrate=./stub append started x", flag]);
        end.code(64)
            .says(&["error", flag.trim_end_matches('='), "empty"]);
        assert!(!place.has("started") && !place.has("served"));
    }
}

#[test]
fn a_switch_has_four_spellings_of_each_kind() {
    for (value, code) in [
        ("1", 3),
        ("true", 3),
        ("yes", 3),
        ("on", 3),
        ("ON", 3),
        ("0", 127),
        ("false", 127),
        ("no", 127),
        ("off", 127),
    ] {
        let flags = [&format!("--shell={value}"), "--migrate=exit 3"];
        with(&[], &flags.map(|flag: &str| flag)).1.code(code);
        with(&[("LAUNCHGATE_SHELL", value)], &["--migrate=exit 3"])
            .1
            .code(code);
    }
    with(&[], &["--shell", "--migrate=exit 3"]).1.code(3);
    for (flags, variables, named) in [
        (vec!["--shell=maybe"], vec![], "--shell"),
        (vec![], vec![("LAUNCHGATE_SHELL", "2")], "LAUNCHGATE_SHELL"),
    ] {
        let flags: Vec<&str> = flags.into_iter().chain(["--migrate=true"]).collect();
        with(&variables, &flags).1.code(64).says(&["error", named]);
    }
}

#[test]
fn a_duration_wants_a_unit_and_the_error_names_its_origin() {
    for text in [
        "30",
        "x",
        "5 s",
        "-5s",
        "1.5h",
        "5M",
        "99999999999999999999999h",
    ] {
        let flag = format!("--migrate-timeout={text}");
        let (place, end) = with(&[], &["--migrate=./stub append started x", &flag]);
        end.code(64)
            .says(&["error", "--migrate-timeout", text, "hint="]);
        assert!(!place.has("started"));
        let (_, end) = with(&[("LAUNCHGATE_STOP_GRACE", text)], &["--migrate=true"]);
        end.code(64)
            .says(&["error", "LAUNCHGATE_STOP_GRACE", text, "hint="]);
    }
    for text in ["0", "0s", "500ms", "30s", "5m", "1h30m"] {
        with(&[], &["--migrate=true", &format!("--stop-grace={text}")])
            .1
            .code(0);
    }
}

#[test]
fn a_variable_that_means_nothing_is_a_warning() {
    let (_, end) = with(
        &[("LAUNCHGATE_MIGRAT", "true"), ("LAUNCHGATE_STEP", "x")],
        &["--migrate=true"],
    );
    end.code(0)
        .says(&["warning", "LAUNCHGATE_MIGRAT"])
        .never_says("LAUNCHGATE_STEP ");
}

#[test]
fn names_and_pairs_are_checked() {
    for (flag, word) in [
        ("--step-env=A", "NAME=VALUE"),
        ("--step-env==x", "NAME=VALUE"),
        ("--step-env=LAUNCHGATE_X=1", "LAUNCHGATE_X"),
        ("--step-env-from=A", "NAME=SOURCE"),
        ("--step-env-from=A=", "--step-env-from"),
        ("--step-env-from=A=NOT_SET", "NOT_SET"),
        ("--unset-env=A=1", "A=1"),
    ] {
        let (place, end) = with(&[], &["--migrate=./stub append started x", flag]);
        end.code(64).says(&["error", word, "hint="]);
        assert!(!place.has("started"));
    }
}

#[test]
fn a_variable_for_the_steps_has_one_value() {
    let both = ["--step-env", "--step-env-from", "set A"];
    for (variables, flags, words) in [
        (
            &[][..],
            &["--step-env=A=x", "--step-env-from=A=SOURCE"][..],
            &both[..],
        ),
        (
            &[("LAUNCHGATE_STEP_ENV_FROM", "A=SOURCE")],
            &["--step-env=A=x"],
            &["--step-env", "LAUNCHGATE_STEP_ENV_FROM", "set A"],
        ),
        (
            &[],
            &["--step-env=A=x", "--step-env=A=y"],
            &["--step-env sets A"],
        ),
        (
            &[("LAUNCHGATE_STEP_ENV_FROM", "A=SOURCE\nA=HOME")],
            &[],
            &["LAUNCHGATE_STEP_ENV_FROM sets A"],
        ),
    ] {
        let flags = [flags, &["--migrate=./stub append started x"]].concat();
        let variables = [variables, &[("SOURCE", "x"), ("HOME", "/")]].concat();
        let (place, end) = with(&variables, &flags);
        end.code(64).says(words).says(&["hint=", "keep one"]);
        assert!(!place.has("started") && !place.has("served"));
    }
    let twice = ["--step-env=A=x", "--step-env=B=y", "--step-env=A=x"];
    let flags = [&twice[..], &["--migrate=./stub report step"]].concat();
    let (place, end) = with(&[("LAUNCHGATE_STEP_ENV", "A=other")], &flags);
    end.code(0);
    let environment = place.report("step").environment();
    let of_a = environment.iter().filter(|entry| entry.starts_with("A="));
    assert_eq!(of_a.collect::<Vec<_>>(), ["A=x"]);
}

/// "Without it and without a URL, `run` and `job` with steps are refused (64)."
#[test]
fn without_a_database_steps_run_only_where_no_database_says_so() {
    let place = Place::new();
    for verb in ["job", "check"] {
        let words = ["./launchgate", verb, "--migrate=touch ran"];
        place.run(Mode::Ordinary, words).end().code(64).says(&[
            "every replica",
            "--database-url",
            "--no-database",
        ]);
    }
    assert!(!place.has("ran"));
    place
        .gate(Mode::Ordinary, &["--migrate=true"])
        .end()
        .never_says("replica");
}

#[test]
fn a_step_may_itself_run_launchgate() {
    let (place, end) = with(
        &[(
            "LAUNCHGATE_MIGRATE",
            "./launchgate job --no-database --migrate './stub report step'",
        )],
        &[],
    );
    end.code(0).never_says("warning");
    assert!(place.has("step"));
}
