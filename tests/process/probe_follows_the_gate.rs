//! `launchgate probe`: healthy while the gate is closed, then the command decides.
//!
//! "for an exec health check in an image with no shell: exit 0 while process N (default 1) is
//! still launchgate in its gate, else exec COMMAND; without COMMAND exit 0 while process N lives,
//! 1 where there is none" (contract, section 2)

use std::process::Command;

use crate::both_modes;
use crate::common::{Mode, Place, migrate, stub, wait_until};

both_modes!(
    a_closed_gate_is_healthy,
    behind_the_gate_the_command_decides,
    what_is_no_process_is_no_gate,
    a_zombie_does_not_live,
);

/// Its exit code and what it says. Beside the gate, so not by the harness, which ends all that
/// is left in a place.
fn probe(place: &Place, pid: i32, command: &[&str]) -> (Option<i32>, String) {
    let mut probe = Command::new(place.path("launchgate"));
    probe.args(["probe", "--pid", &pid.to_string()]);
    if !command.is_empty() {
        probe.arg("--").args(command);
    }
    let done = probe.env_clear().current_dir(place.folder()).output();
    let done = done.expect("it starts");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    (done.status.code(), said)
}

/// Its exit code tells that it was reached.
const COMMAND: [&str; 3] = ["./stub", "exit", "3"];

fn a_closed_gate_is_healthy(mode: Mode) {
    let place = Place::new();
    let step = migrate(stub().append("at", "step").wait_for("go"));
    let run = place.gate(mode, &[step]).start();
    place.wait_for_line("at", "step");
    assert_eq!(probe(&place, run.pid(), &COMMAND), (Some(0), String::new()));
    place.write("go", "");
    run.end().code(0);
}

fn behind_the_gate_the_command_decides(mode: Mode) {
    let place = Place::new();
    for init in ["--init=off", "--init"] {
        let flags = ["--migrate=true", init];
        let server = stub().append("at", "server").wait_for("end");
        let run = place.gate(mode, &flags).server(&server).start();
        place.wait_for_line("at", "server");
        assert_eq!(probe(&place, run.pid(), &COMMAND).0, Some(3));
        assert_eq!(probe(&place, run.pid(), &[]).0, Some(0));
        place.write("end", "");
        run.end().code(0);
        std::fs::remove_file(place.path("end")).unwrap();
        std::fs::remove_file(place.path("at")).unwrap();
    }
}

fn a_zombie_does_not_live(_: Mode) {
    let place = Place::new();
    let mut ended = Command::new("true").spawn().expect("it starts");
    let pid = ended.id();
    wait_until("a zombie", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("/proc");
        stat.contains(") Z ").then_some(())
    });
    assert_eq!(probe(&place, pid.cast_signed(), &[]).0, Some(1));
    ended.wait().expect("it has ended");
}

fn what_is_no_process_is_no_gate(mode: Mode) {
    let place = Place::new();
    let words = [
        "./launchgate",
        "probe",
        "--pid=2147483647",
        "--",
        "./stub",
        "exit",
        "3",
    ];
    place.run(mode, words).end().code(3);
    place
        .run(mode, &words[..3])
        .end()
        .code(1)
        .says(&["there is no process 2147483647"]);
    for wrong in ["--pid=0", "--pid=-1", "--pid=x"] {
        let words = ["./launchgate", "probe", wrong];
        place.run(mode, words).end().code(64).says(&["--pid"]);
    }
    let words = ["./launchgate", "probe", "--pid=2147483647", "--", "absent"];
    place.run(mode, words).end().code(127).says(&["absent"]);
}

#[test]
fn a_command_that_is_not_there_is_no_server() {
    let place = Place::new();
    let words = ["./launchgate", "probe", "--pid=1", "--", "nosuch"];
    let end = place.run(Mode::Ordinary, words).end();
    end.code(127)
        .says(&["error: command: nosuch was not found"])
        .never_says("server");
}
