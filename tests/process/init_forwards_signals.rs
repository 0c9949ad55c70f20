//! `--init`: signals and exit codes, and how little is left in front of the server.
//!
//! "The server runs as a child; launchgate stays as a proper init: every signal forwarded (1 to 31
//! less KILL, STOP, CHLD, and the real-time ones; the synchronous ones too when a process sent
//! them), every zombie reaped, the terminal's foreground group handed over, stop and continue
//! handled, and the server's exit status as its own." (contract, section 7)

use std::fs;

use crate::common::{ALL, Given, Mode, Place, Run, migrate, processes, signals, stub, wait_until};
use crate::{four_modes, init_modes};

init_modes!(
    every_signal_that_can_be_caught_is_forwarded,
    a_value_that_was_queued_goes_along,
    a_signal_is_rewritten_or_dropped,
    a_group_gets_what_its_leader_gets,
    without_a_group_the_leader_alone_gets_it,
    the_servers_end_is_launchgates,
    a_server_that_any_signal_ended_is_128_and_its_number,
    an_exit_code_is_remapped,
    a_server_that_ignores_term_runs_on,
    a_server_that_stops_itself_is_waited_for,
    a_server_dies_with_launchgate,
    nothing_of_the_gate_is_left_in_front_of_the_server,
    a_signal_that_was_inherited_as_ignored_is_forwarded_all_the_same,
    a_server_that_can_not_be_executed_is_told_as_without_init,
);

four_modes!(a_gate_that_fails_starts_no_server);

fn every_signal_that_can_be_caught_is_forwarded(mode: Mode) {
    let place = Place::new();
    let server = stub().record_signals("heard", ALL, 64);
    let run = place
        .gate(mode, &["--migrate=true"])
        .server(&server)
        .start();
    place.wait_for_line("heard", "ready");
    let uncaught = [libc::SIGKILL, libc::SIGSTOP, libc::SIGCHLD];
    let sent: Vec<i32> = (1..=64).filter(|n| !uncaught.contains(n)).collect();
    for number in &sent {
        run.signal(*number);
        wait_until(&format!("signal {number} at the server"), || {
            let heard = place.lines("heard");
            (heard.last()? == &number.to_string()).then_some(())
        });
    }
    run.end().code(0);
    assert_eq!(place.lines("heard").len(), sent.len() + 1, "each one once");
}

fn a_value_that_was_queued_goes_along(mode: Mode) {
    for number in [libc::SIGUSR1, 40] {
        let place = Place::new();
        let server = stub().record_signal_value("heard", number);
        let run = place
            .gate(mode, &["--migrate=true"])
            .server(&server)
            .start();
        place.wait_for_line("heard", "ready");
        processes::queue(run.pid(), number, 0x1234_5678_9abc);
        run.end().code(0);
        assert_eq!(place.lines("heard")[1], 0x1234_5678_9abc_u64.to_string());
    }
}

fn a_signal_is_rewritten_or_dropped(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--migrate=true",
        "--rewrite-signal=15:3",
        "--rewrite-signal=SIGHUP:0",
        "--rewrite-signal=usr1:RTMIN+2",
        "--rewrite-signal=64:USR2",
    ];
    let server = stub().record_signals("heard", ALL, libc::SIGUSR2);
    let run = place.gate(mode, &flags).server(&server).start();
    place.wait_for_line("heard", "ready");
    for (sent, heard) in [(1, None), (15, Some("3")), (10, Some("36")), (2, Some("2"))] {
        run.signal(sent);
        if let Some(heard) = heard {
            place.wait_for_line("heard", heard);
        }
    }
    run.signal(64);
    run.end().code(0);
    assert_eq!(place.lines("heard"), ["ready", "3", "36", "2", "12"]);
}

/// A server with a child in its group; both listen for USR1 and TERM.
fn pair(place: &Place, mode: Mode, flag: &str) -> Run {
    let server = stub()
        .child(stub().record_signals(
            "child",
            signals(&[libc::SIGUSR1, libc::SIGTERM]),
            libc::SIGTERM,
        ))
        .record_signals(
            "server",
            signals(&[libc::SIGUSR1, libc::SIGTERM]),
            libc::SIGTERM,
        );
    let run = place
        .gate(mode, &["--migrate=true", flag])
        .server(&server)
        .start();
    place.wait_for_line("child", "ready");
    place.wait_for_line("server", "ready");
    run.signal(libc::SIGUSR1);
    place.wait_for_line("server", "10");
    run
}

fn a_group_gets_what_its_leader_gets(mode: Mode) {
    let place = Place::new();
    let run = pair(&place, mode, "--init-group");
    place.wait_for_line("child", "10");
    run.signal(libc::SIGTERM);
    run.end().code(0);
    assert_eq!(place.lines("server"), ["ready", "10", "15"]);
    assert_eq!(place.lines("child")[..2], ["ready", "10"]);
}

fn without_a_group_the_leader_alone_gets_it(mode: Mode) {
    let place = Place::new();
    let run = pair(&place, mode, "--init-group=off");
    run.signal(libc::SIGTERM);
    run.end().code(0);
    assert_eq!(place.lines("server"), ["ready", "10", "15"]);
    // What outlives the server is asked to go.
    assert_eq!(place.lines("child"), ["ready", "15"]);
}

fn the_servers_end_is_launchgates(mode: Mode) {
    for code in [0, 1, 64, 71, 127, 128, 143, 255] {
        let place = Place::new();
        let server = stub().exit(code);
        let gate = place.gate(mode, &["--migrate=true"]);
        gate.server(&server).end().code(code).leaves_nothing();
    }
}

fn a_server_that_any_signal_ended_is_128_and_its_number(mode: Mode) {
    // Those whose default action ends a process (signal(7)).
    let harmless = [17, 18, 19, 20, 21, 22, 23, 28];
    for number in (1..=64).filter(|n| !harmless.contains(n) && ![32, 33].contains(n)) {
        let place = Place::new();
        let server = stub().die_of(number);
        let gate = place.gate(mode, &["--no-database"; 0]);
        gate.server(&server).end().code(128 + number);
    }
}

fn an_exit_code_is_remapped(mode: Mode) {
    for (server, code) in [
        (stub().die_of(libc::SIGTERM), 0),
        (stub().exit(143), 0),
        (stub().exit(3), 4),
        (stub().exit(0), 9),
        (stub().exit(4), 4),
    ] {
        let place = Place::new();
        let flags = ["--remap-exit=143:0", "--remap-exit=3:4", "--remap-exit=0:9"];
        let gate = place.gate(mode, &flags);
        gate.server(server).end().code(code);
    }
}

fn a_server_that_ignores_term_runs_on(mode: Mode) {
    let place = Place::new();
    let server = stub()
        .ignore_signals(libc::SIGTERM)
        .wait_for_signal("heard", libc::SIGUSR1)
        .exit(4);
    let run = place
        .gate(mode, &["--migrate=true", "--stop-grace=0"])
        .server(&server)
        .start();
    place.wait_for_line("heard", "ready");
    run.signal(libc::SIGTERM);
    run.signal(libc::SIGUSR1);
    run.end().code(4);
}

fn a_server_that_stops_itself_is_waited_for(mode: Mode) {
    let place = Place::new();
    let server = stub().append_pid("up").stop_itself().exit(5);
    let run = place
        .gate(mode, &["--migrate=true"])
        .server(&server)
        .start();
    let server = run.find(place.wait_for_pid("up")).unwrap().pid;
    wait_until("a stopped server and an init that sleeps", || {
        let is_stopped = processes::see(server)?.state == 'T';
        (is_stopped && processes::waits_in_poll(run.pid())).then_some(())
    });
    run.signal(libc::SIGCONT);
    run.end().code(5);
}

fn a_server_dies_with_launchgate(mode: Mode) {
    for user in ["--user=0", "--user=54321"] {
        let place = Place::new();
        let flags = ["--migrate=true", user];
        let run = place
            .gate(mode, &flags)
            .server(["sh", "-c", "echo x; sleep 1000"])
            .start();
        place.wait_for_line("stdout", "x");
        run.signal(libc::SIGKILL);
        let end = run.end();
        assert_eq!(end.ended, crate::common::Ended::Signal(9));
        wait_until("the end of the server", || {
            let left = processes::in_folder(place.folder());
            // Its own child is init's matter, and there is none where launchgate is not PID 1.
            (!left.iter().any(|seen| seen.command.starts_with("sh "))).then_some(())
        });
        for seen in processes::in_folder(place.folder()) {
            processes::signal(seen.pid, libc::SIGKILL);
        }
    }
}

fn nothing_of_the_gate_is_left_in_front_of_the_server(mode: Mode) {
    let place = Place::new();
    let run = place
        .gate(mode, &["--migrate=true", "--step-env=SECRET=s3cret"])
        .env("PASSWORD", "s3cret")
        .env("LAUNCHGATE_APP", "s3cret")
        .descriptor(7, fs::File::open("/dev/zero").unwrap())
        .server(stub().append_pid("up").wait_for("go"))
        .start();
    let server = place.wait_for_pid("up");
    let about = |name: &str| {
        let bytes = fs::read(format!("/proc/{}/{name}", run.pid())).unwrap();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    wait_until("launchgate to sleep in its small state", || {
        let small = about("cmdline").starts_with("launchgate init-loop ");
        (small && processes::waits_in_poll(run.pid())).then_some(())
    });
    let command = about("cmdline");
    assert!(command.contains(&format!(" server={server} ")), "{command}");
    assert!(
        command.ends_with("-- ./stub append-pid up wait-for go "),
        "{command}"
    );
    assert_eq!(about("environ"), "");
    assert_eq!(about("comm"), "launchgate\n");
    let folder = fs::read_link(format!("/proc/{}/cwd", run.pid())).unwrap();
    assert_eq!(folder, std::path::Path::new("/"));
    assert!(about("status").contains("Threads:\t1\n"));
    let files: Vec<_> = fs::read_dir(format!("/proc/{}/fd", run.pid()))
        .unwrap()
        .map(|entry| fs::read_link(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(files.len(), 4, "streams and signals: {files:?}");
    place.write("go", "");
    run.end().code(0);
}

fn a_signal_that_was_inherited_as_ignored_is_forwarded_all_the_same(mode: Mode) {
    let place = Place::new();
    let run = place
        .gate(mode, &["--migrate=true"])
        .given(Given::Ignored(libc::SIGHUP))
        .server(stub().wait_for_signal("heard", libc::SIGHUP))
        .start();
    place.wait_for_line("heard", "ready");
    run.signal(libc::SIGHUP);
    run.end().code(0);
}

fn a_server_that_can_not_be_executed_is_told_as_without_init(mode: Mode) {
    let place = Place::new();
    place.write_program("tool", "#!/bin/sh\n");
    let end = place
        .gate(mode, &["--migrate=rm tool"])
        .server(["./tool"])
        .end();
    end.code(127).says(&["error", "./tool", "hint="]);
}

fn a_gate_that_fails_starts_no_server(mode: Mode) {
    let place = Place::new();
    let server = stub().append("started", "x");
    let gate = place.gate(mode, &[migrate(stub().exit(3))]);
    gate.server(&server).end().code(3).leaves_nothing();
    assert!(!place.has("started"));
}

/// Waits until launchgate sleeps in front of its server, with this command line.
fn settled(run: &Run, command: &str) {
    wait_until(&format!("an init that shows as {command}"), || {
        let shown = processes::see(run.pid())?.command;
        (shown.starts_with(command) && processes::waits_in_poll(run.pid())).then_some(())
    });
}

/// A shell that ends with 7 at a TERM: a stub needs /proc.
const SHELL: [&str; 3] = [
    "sh",
    "-c",
    "trap 'exit 7' TERM; echo up >up; while :; do sleep 0.01; done",
];

#[test]
fn without_proc_it_finds_itself_by_the_name_it_was_started_by() {
    let place = Place::new();
    let run = place
        .gate(Mode::PidOneInit, &["--migrate=true"])
        .given(Given::NoProc)
        .server(SHELL)
        .start();
    place.wait_for_line("up", "up");
    settled(&run, "launchgate init-loop ");
    run.signal(libc::SIGTERM);
    run.end().code(7).leaves_nothing();
}

#[test]
fn where_it_can_not_be_executed_again_it_stays_as_it_is() {
    let place = Place::new();
    fs::copy(env!("CARGO_BIN_EXE_launchgate"), place.path("copy")).unwrap();
    let words = [
        "./copy",
        "run",
        "--no-database",
        "--init",
        "--migrate=rm copy",
        "--",
    ];
    let run = place
        .run(Mode::PidOneInit, [&words[..], &SHELL].concat())
        .given(Given::NoProc)
        .start();
    place.wait_for_line("up", "up");
    settled(&run, "./copy run ");
    run.signal(libc::SIGTERM);
    run.end().code(7).leaves_nothing();
}

/// The words of the small state, written by hand.
#[test]
fn in_front_of_nobody_it_does_not_stay() {
    let place = Place::new();
    let words = [
        "./launchgate",
        "init-loop",
        "server=1",
        "grace=1ms",
        "--",
        "x",
    ];
    place.run(Mode::Ordinary, words).end().code(70);
}

#[test]
fn the_parents_death_is_a_signal_that_is_forwarded() {
    let place = Place::new();
    let launchgate = stub()
        .child(stub().exec(&[
            "./launchgate",
            "run",
            "--no-database",
            "--init",
            "--parent-death-signal=USR2",
            "--migrate=true",
            "--",
            "./stub",
            "append-pid",
            "server",
            "record-signals",
            "heard",
            "12",
            "12",
            "append",
            "heard",
            "bye",
        ]))
        .wait_for("go");
    let mut run = place.run(Mode::Ordinary, &launchgate).start();
    place.wait_for_line("heard", "ready");
    let server = run.find(place.wait_for_pid("server")).unwrap();
    place.write("go", "");
    // `end` would also kill the server.
    run.ends_with(0);
    place.wait_for_line("heard", "bye");
    wait_until("the end of launchgate", || {
        processes::see(server.parent)
            .is_none_or(|seen| seen.state == 'Z')
            .then_some(())
    });
}
