//! Colours and the live line appear only at a terminal.
//!
//! "Log on standard error, one line per transition, `launchgate: MESSAGE key=value`; standard
//! output belongs to the steps." (contract, section 8)

use std::net::TcpListener;

use crate::common::{Gate, Given, Mode, Place, Run, migrate, stub, wait_until};
use crate::terminal::Terminal;

/// A database that accepts connections and says nothing.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (
        listener,
        format!("--database-url=postgres://u:p@{address}/x"),
    )
}

fn sits(gate: Gate<'_>, terminal: &Terminal) -> Run {
    gate.descriptor(0, terminal.slave())
        .descriptor(2, terminal.slave())
        .given(Given::Terminal)
        .start()
}

/// What a terminal shows of a gate that warns and fails.
fn shown(variables: &[(&str, &str)]) -> String {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let gate = place.gate(Mode::Ordinary, &[migrate(stub().exit(3))]);
    let mut gate = gate.env("LAUNCHGATE_UNKNOWN", "1");
    for (name, value) in variables {
        gate = gate.env(name, value);
    }
    sits(gate, &terminal).end().code(3);
    terminal.wait_for("exited with code 3", 2);
    terminal.shown()
}

#[test]
fn a_terminal_gets_colours() {
    let text = shown(&[("TERM", "xterm")]);
    assert!(text.contains("\u{1b}[1;31merror:\u{1b}[0m "), "{text}");
    assert!(text.contains("\u{1b}[33mwarning:\u{1b}[0m "), "{text}");
    assert!(text.contains("\u{1b}[2mlaunchgate:\u{1b}[0m "), "{text}");
}

#[test]
fn who_wants_no_colours_gets_none() {
    for variables in [
        &[("TERM", "xterm"), ("NO_COLOR", "1")][..],
        &[("TERM", "dumb")],
        &[],
    ] {
        let text = shown(variables);
        assert!(!text.contains('\u{1b}'), "{variables:?}: {text}");
    }
    // An empty one counts as none.
    assert!(shown(&[("TERM", "xterm"), ("NO_COLOR", "")]).contains('\u{1b}'));
}

#[test]
fn a_pipe_gets_the_text_alone() {
    let place = Place::new();
    let (_listener, database) = silent();
    let words = [
        "./launchgate",
        "job",
        "--migrate=true",
        "--wait-timeout=2s",
        &database,
    ];
    let end = place.run(Mode::Ordinary, words).env("TERM", "xterm").end();
    end.code(69).never_says("\u{1b}").never_says("\r");
}

#[test]
fn a_wait_is_counted_on_the_terminals_last_line() {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let (_listener, database) = silent();
    let words = ["./launchgate", "job", "--migrate=true", &database];
    let run = sits(
        place.run(Mode::Ordinary, words).env("TERM", "xterm"),
        &terminal,
    );
    // A second may be passed over, but each count takes the place of the one before.
    terminal.wait_for("\r\u{1b}[Klaunchgate: waiting for the database, ", 3);
    run.signal(libc::SIGTERM);
    run.end().code(143);
    // Taken away before the next line is written.
    terminal.wait_for("stopped by SIGTERM", 1);
    let text = terminal.shown();
    let (live, last) = text.rsplit_once(" s\r\u{1b}[K").unwrap();
    assert!(
        live.contains("waiting for the database") && last.contains("stopped"),
        "{text}"
    );
}

/// How often the thread that writes the line has woken (proc(5)).
fn ticks(pid: i32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let statuses = threads
        .filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("status")).ok());
    let found = statuses.filter_map(|status| {
        let name = status.lines().next()?.contains("launchgate-live");
        let count = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        name.then(|| count?.trim().parse().ok())?
    });
    found.max().expect("the thread")
}

#[test]
fn a_step_has_the_terminal_for_itself() {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let words = [
        "./launchgate",
        "job",
        "--database-url=sqlite:a.db",
        migrate(stub().append("here", "step").wait_for("go")),
    ];
    let run = sits(
        place.run(Mode::Ordinary, words).env("TERM", "xterm"),
        &terminal,
    );
    place.wait_for_line("here", "step");
    let before = ticks(run.pid());
    wait_until("two ticks", || {
        (ticks(run.pid()) >= before + 2).then_some(())
    });
    place.write("go", "");
    run.end().code(0);
    terminal.wait_for("the gate is open", 1);
    assert!(
        !terminal.shown().contains("\u{1b}[K"),
        "{}",
        terminal.shown()
    );
}

#[test]
fn a_job_in_the_background_leaves_the_screen_alone() {
    let (place, mut terminal) = (Place::new(), Terminal::new());
    let (_listener, database) = silent();
    let script =
        "set -m; ./launchgate job --migrate=true --wait-timeout=3s \"$1\" & wait $!; echo over";
    let gate = place.run(Mode::Ordinary, ["bash", "-c", script, "bash", &database]);
    let run = sits(
        gate.env("TERM", "xterm").descriptor(1, terminal.slave()),
        &terminal,
    );
    run.end().code(0);
    terminal.wait_for("over", 1);
    let text = terminal.shown();
    assert!(text.contains("did not accept a connection"), "{text}");
    assert!(!text.contains("\u{1b}[K"), "{text}");
}
