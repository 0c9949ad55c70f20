//! `--prepare` and `--warm-up`: commands that run at every start of every replica.
//!
//! "`--prepare CMD`: repeatable. Before anything connects: templates, permissions, a stale pid file,
//! a restore, creating the database. Its exit code ends the start." (contract, section 3)
//!
//! "`--warm-up CMD`: repeatable. After the gate opened, before the server: caches that need the
//! schema. Its exit code ends the start." (contract, section 3)

use crate::common::{Mode, Place, migrate, stub, stub::flag};
use crate::{both_modes, four_modes};

four_modes!(
    they_run_around_the_steps_in_order,
    they_see_what_the_server_sees,
    they_run_with_skip_too,
    their_exit_code_ends_the_start,
);

both_modes!(
    a_signal_stops_one_and_the_start,
    one_that_was_stopped_runs_again,
    nothing_of_one_is_left_behind,
    one_has_no_time_limit,
    prepare_runs_as_the_starter_and_warm_up_as_the_server,
    the_settings_file_has_them_with_names_and_words,
    their_output_is_wrapped_in_json,
);

fn prepare(stub: crate::common::stub::Stub) -> &'static str {
    flag("prepare", stub)
}

fn warm_up(stub: crate::common::stub::Stub) -> &'static str {
    flag("warm-up", stub)
}

fn note(line: &str) -> crate::common::stub::Stub {
    stub().append("order", line)
}

fn they_run_around_the_steps_in_order(mode: Mode) {
    let place = Place::new();
    let flags = [
        warm_up(note("warm 1")),
        migrate(note("migrate")),
        prepare(note("prepare 1")),
        warm_up(note("warm 2")),
        prepare(note("prepare 2")),
    ];
    let end = place.gate(mode, &flags).server(note("server")).end();
    end.code(0).says(&["prepare started", "prepare 1"]);
    end.says(&["time spent in the gate", "prepare", "migrate", "warm-up"]);
    assert_eq!(
        place.lines("order"),
        [
            "prepare 1",
            "prepare 2",
            "migrate",
            "warm 1",
            "warm 2",
            "server"
        ]
    );
}

/// "They see the server's environment."
fn they_see_what_the_server_sees(mode: Mode) {
    let place = Place::new();
    let flags = [
        prepare(stub().report("first")),
        warm_up(stub().report("last")),
        "--step-env=FOR_STEPS=x",
        "--step-env-from=URL=ADMIN_URL",
        "--unset-env=SECRET",
        "--release=v1",
    ];
    let gate = place.gate(mode, &flags).env("ADMIN_URL", "x");
    let gate = gate.env("SECRET", "x").env("KEPT", "x");
    let gate = gate.env("LAUNCHGATE_APP", "shop");
    gate.server(stub().report("server")).end().code(0);
    let server = place.report("server").environment();
    assert!(server.contains(&"KEPT=x".to_owned()), "{server:?}");
    for name in ["first", "last"] {
        assert_eq!(place.report(name).environment(), server, "{name}");
    }
}

/// "run at every start of every replica, in `run` and `wait`, also with `LAUNCHGATE_SKIP`"
fn they_run_with_skip_too(mode: Mode) {
    let place = Place::new();
    let flags = [
        prepare(note("prepare")),
        migrate(note("migrate")),
        warm_up(note("warm-up")),
    ];
    let gate = place.gate(mode, &flags).env("LAUNCHGATE_SKIP", "on");
    let end = gate.server(note("server")).end();
    end.code(0).says(&["warning", "LAUNCHGATE_SKIP"]);
    assert_eq!(place.lines("order"), ["prepare", "warm-up", "server"]);
}

fn their_exit_code_ends_the_start(mode: Mode) {
    let place = Place::new();
    for (flags, ran) in [
        (
            [
                prepare(note("failed").exit(7)),
                prepare(note("next")),
                migrate(note("migrate")),
                warm_up(note("warm-up")),
            ],
            &["failed"][..],
        ),
        (
            [
                migrate(note("migrate")),
                warm_up(note("failed").exit(7)),
                warm_up(note("next")),
                prepare(note("prepare")),
            ],
            &["prepare", "migrate", "failed"],
        ),
    ] {
        place.remove("order");
        let end = place.gate(mode, &flags).server(note("server")).end();
        end.code(7).says(&["error", "exited with code 7"]);
        assert_eq!(place.lines("order"), ran);
    }
}

fn a_signal_stops_one_and_the_start(mode: Mode) {
    for name in ["prepare", "warm-up"] {
        let place = Place::new();
        let command = stub()
            .append_pid("pid")
            .wait_for_signal("got", libc::SIGTERM);
        let flags = [flag(name, command), migrate(note("migrate"))];
        let run = place.gate(mode, &flags).server(note("server")).start();
        place.wait_for_pid("pid");
        run.signal(libc::SIGTERM);
        let end = run.end();
        end.code(143).says(&["error", "SIGTERM", name]);
        assert!(!place.text("order").contains("server"), "{end}");
    }
}

/// Behind the gate the steps have succeeded, and do not run again.
fn one_that_was_stopped_runs_again(mode: Mode) {
    for name in ["prepare", "warm-up"] {
        let place = Place::new();
        let command = stub().append_pid("pid").wait_forever();
        let flags = [flag(name, command), migrate(note("migrate"))];
        let run = place.gate(mode, &flags).server(note("server")).start();
        place.wait_for_pid("pid");
        run.signal(libc::SIGTERM);
        let end = run.end();
        end.code(143)
            .says(&[name, "the next start runs this command again"]);
    }
}

/// "nothing of them left behind"
fn nothing_of_one_is_left_behind(mode: Mode) {
    for name in ["prepare", "warm-up"] {
        let place = Place::new();
        let daemon = stub().append_pid("daemon").wait_forever();
        let command = stub().child(daemon).wait_for("daemon");
        let flags = [flag(name, command)];
        let end = place.gate(mode, &flags).server(note("server")).end();
        end.code(0).says(&[name, "left processes"]).leaves_nothing();
        assert_eq!(place.lines("order"), ["server"]);
    }
}

/// "have no lock and no time limit"
fn one_has_no_time_limit(mode: Mode) {
    let place = Place::new();
    let flags = ["--migrate-timeout=1ms", "--prepare=sleep 0.2"];
    place
        .gate(mode, &flags)
        .server(note("server"))
        .end()
        .code(0);
    place.write(
        "launchgate.toml",
        "prepare = { command = \"true\", timeout = \"1s\" }",
    );
    let end = place.gate(mode, &[""; 0]).server(note("again")).end();
    end.code(64).says(&["launchgate.toml:1", "timeout"]);
    assert_eq!(place.lines("order"), ["server"]);
}

/// "`--prepare` runs as the user that launchgate was started as, so that it can change owners before
/// `--user` takes effect; `--warm-up` runs as the server's user."
fn prepare_runs_as_the_starter_and_warm_up_as_the_server(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--user=1000",
        "--step-user=0",
        "--shell",
        "--prepare=id -u >prepare; touch warm-up; chown 1000 warm-up",
        "--migrate=id -u >migrate",
        "--warm-up=id -u >>warm-up",
    ];
    place.gate(mode, &flags).server(["true"]).end().code(0);
    for (name, user) in [("prepare", "0"), ("migrate", "0"), ("warm-up", "1000")] {
        assert_eq!(place.text(name), format!("{user}\n"), "{name}");
    }
}

fn the_settings_file_has_them_with_names_and_words(mode: Mode) {
    let place = Place::new();
    place.write(
        "launchgate.toml",
        "prepare = [{ command = [\"./stub\", \"append\", \"order\", \"a b\"], name = \"pid file\" }, \"./stub append order second\"]\n\
         warm-up = { command = \"./stub append order $WHAT\", env = { WHAT = \"x\" } }\nexpand-env = true\n",
    );
    let check = place.run(
        mode,
        ["./launchgate", "check", "--no-database", "--migrate=true"],
    );
    let end = check.end();
    end.code(0);
    let shown = String::from_utf8(end.stdout.clone()).unwrap();
    for words in ["prepare.name", "pid file", "warm-up.env", "WHAT=***"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let gate = place.gate(mode, &[migrate(note("migrate"))]);
    gate.server(note("server"))
        .end()
        .code(0)
        .says(&["pid file started"]);
    assert_eq!(
        place.lines("order"),
        ["a b", "second", "migrate", "x", "server"]
    );
    place.remove("order");
    // "`job` has none: their variables and keys are not used there."
    place
        .gate(mode, &[migrate(note("migrate"))])
        .env("LAUNCHGATE_PREPARE", "./stub append order prepare")
        .end()
        .code(0)
        .never_says("LAUNCHGATE_PREPARE");
    assert_eq!(place.lines("order"), ["migrate"]);
    let job = place.gate(mode, &["--prepare=true", "--migrate=true"]);
    job.end().code(64).says(&["--prepare"]);
}

fn their_output_is_wrapped_in_json(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--log-format=json",
        prepare(stub().print("template written")),
    ];
    let end = place.gate(mode, &flags).server(["true"]).end();
    end.code(0)
        .says(&["step.output", "template written", "\"step\":\"prepare\""]);
}
