//! Limits and exit codes.
//!
//! "the step's own: a step failed; 128+n where a signal ended it" (contract, section 6)
//!
//! "124: a step ran past `--migrate-timeout`" (contract, section 6)
//!
//! "`LAUNCHGATE_SKIP` (a switch) goes straight to the server, and the log says so." (contract,
//! section 3)

use crate::common::{Mode, Place, migrate, signals, stub, verify};
use crate::four_modes;

four_modes!(
    a_steps_own_code_is_passed_on,
    a_step_that_a_signal_ended_is_128_and_its_number,
    a_step_past_its_limit_is_stopped_with_124,
    the_limit_counts_for_each_step_alone,
    a_limit_of_zero_is_none,
    the_servers_own_end_is_the_end,
    an_executable_that_vanishes_during_the_gate_is_127,
    with_skip_no_step_runs,
    a_gate_without_steps_starts_the_server,
    a_stop_after_the_limit_is_told_as_the_stop,
    more_and_less_to_say_is_an_error_unless_a_flag_wins,
);

fn a_steps_own_code_is_passed_on(mode: Mode) {
    for code in [1, 2, 64, 77, 124, 143, 255] {
        let place = Place::new();
        let step = verify(stub().exit(code));
        let server = stub().append("started", "x");
        let end = place.gate(mode, &[step]).server(&server).end();
        end.code(code)
            .says(&["error", "verify", &format!("code={code}")]);
        assert!(!place.has("started"));
    }
}

fn a_step_that_a_signal_ended_is_128_and_its_number(mode: Mode) {
    for signal in [1, 2, 3, 6, 9, 11, 13, 15, 31, 34, 64] {
        let place = Place::new();
        let step = migrate(stub().die_of(signal));
        let server = stub().append("started", "x");
        let end = place.gate(mode, &[step]).server(&server).end();
        end.code(128 + signal).says(&["error", "migrate", "hint="]);
        assert!(!place.has("started"));
    }
}

fn a_step_past_its_limit_is_stopped_with_124(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--migrate-timeout=200ms",
        "--stop-grace=1h",
        migrate(stub().wait_for_signal("heard", libc::SIGTERM)),
        verify(stub().append("started", "verify")),
    ];
    let end = place
        .gate(mode, &flags)
        .server(stub().append("started", "x"))
        .end();
    end.code(124).says(&["error", "--migrate-timeout"]);
    assert_eq!(place.lines("heard"), ["ready", "15"]);
    assert!(!place.has("started"));
}

fn the_limit_counts_for_each_step_alone(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--migrate-timeout=1h",
        "--backup=true",
        "--migrate=true",
        "--verify=true",
    ];
    place.gate(mode, &flags).end().code(0);
    let flags = [
        "--migrate-timeout=100ms",
        "--stop-grace=0",
        "--backup=true",
        verify(stub().wait_forever()),
    ];
    place
        .gate(mode, &flags)
        .end()
        .code(124)
        .says(&["error", "verify"]);
}

fn a_limit_of_zero_is_none(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--migrate-timeout=0",
        migrate(stub().append_pid("up").wait_for("go")),
    ];
    let mut run = place.gate(mode, &flags).start();
    place.wait_for_pid("up");
    assert_eq!(run.look(), None);
    place.write("go", "");
    run.end().code(0);
}

fn a_stop_after_the_limit_is_told_as_the_stop(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--migrate-timeout=100ms",
        "--stop-grace=1h",
        migrate(stub().record_signals(
            "heard",
            signals(&[libc::SIGTERM, libc::SIGINT]),
            libc::SIGINT,
        )),
    ];
    let run = place.gate(mode, &flags).start();
    place.wait_for_line("heard", "15");
    run.signal(libc::SIGINT);
    run.end().code(130);
}

fn the_servers_own_end_is_the_end(mode: Mode) {
    let place = Place::new();
    for code in [0, 7, 200] {
        let server = stub().exit(code);
        place
            .gate(mode, &["--migrate=true"])
            .server(&server)
            .end()
            .code(code);
    }
}

fn an_executable_that_vanishes_during_the_gate_is_127(mode: Mode) {
    let place = Place::new();
    place.write_program("tool", "#!/bin/sh\ntrue\n");
    let end = place
        .gate(mode, &["--migrate=rm tool"])
        .server(["./tool"])
        .end();
    end.code(127).says(&["error", "tool", "hint="]);
    place.write_program("tool", "#!/bin/sh\ntrue\n");
    let flags = [
        "--backup=rm tool",
        "--migrate=./tool",
        verify(stub().append("started", "x")),
    ];
    place
        .gate(mode, &flags)
        .end()
        .code(127)
        .says(&["error", "migrate", "hint="]);
    place.write_program("tool", "#!/bin/sh\ntrue\n");
    let flags = ["--migrate=chmod -x tool"];
    place
        .gate(mode, &flags)
        .server(["./tool"])
        .end()
        .code(126)
        .says(&["error", "tool"]);
    assert!(!place.has("started"));
}

fn with_skip_no_step_runs(mode: Mode) {
    let place = Place::new();
    let flags = [migrate(stub().append("started", "step"))];
    let gate = place.gate(mode, &flags).env("LAUNCHGATE_SKIP", "yes");
    let end = gate.server(stub().report("seen")).end();
    end.code(0).says(&["warning", "LAUNCHGATE_SKIP"]);
    assert_eq!(place.report("seen").environment().len(), 1);
    place
        .gate(mode, &flags)
        .env("LAUNCHGATE_SKIP", "1")
        .end()
        .code(0);
    assert!(!place.has("started"));
    let wrong = place
        .gate(mode, &flags)
        .env("LAUNCHGATE_SKIP", "maybe")
        .end();
    wrong.code(64).says(&["error", "LAUNCHGATE_SKIP", "maybe"]);
    place
        .gate(mode, &flags)
        .env("LAUNCHGATE_SKIP", "off")
        .end()
        .code(0);
    place
        .gate(mode, &flags)
        .env("LAUNCHGATE_SKIP", "")
        .end()
        .code(0);
    assert_eq!(place.lines("started").len(), 2);
}

fn a_gate_without_steps_starts_the_server(mode: Mode) {
    let place = Place::new();
    let none: [&str; 0] = [];
    place
        .gate(mode, &none)
        .server(stub().append("started", "x"))
        .end()
        .code(0);
    assert!(place.has("started"));
}

fn more_and_less_to_say_is_an_error_unless_a_flag_wins(mode: Mode) {
    let place = Place::new();
    let gate = |flags: &[&'static str], variable| {
        let step = [migrate(stub().exit(0))];
        place
            .gate(mode, &[flags, &step].concat())
            .env(variable, "1")
            .end()
    };
    gate(&["-v"], "LAUNCHGATE_QUIET")
        .code(0)
        .says(&["found the executable"]);
    gate(&["-q"], "LAUNCHGATE_VERBOSE").code(0);
    assert_eq!(place.text("stderr"), "");
    gate(&["-v", "-q"], "X")
        .code(64)
        .says(&["--verbose", "--quiet"]);
}
