//! `launchgate probe`: healthy while the gate is closed, then the command decides.

use crate::both_modes;
use crate::common::{Finished, Mode, Place, Run};

both_modes!(
    a_closed_gate_is_healthy,
    behind_the_gate_the_command_decides,
    what_is_no_process_is_no_gate,
);

/// The command says 3 where it is reached.
fn probe(place: &Place, run: &Run, pid: i32) -> Finished {
    let _ = run;
    let pid = pid.to_string();
    let words = [
        "./launchgate",
        "probe",
        "--pid",
        &pid,
        "--",
        "./probe",
        "exit",
        "3",
    ];
    place.run(Mode::Ordinary, &words).named("probe").end()
}

fn a_closed_gate_is_healthy(mode: Mode) {
    let place = Place::new();
    let step = "--migrate=./probe note at step await go";
    let run = place.gate(mode, &[step]).start();
    place.wait_for_line("at", "step");
    let end = probe(&place, &run, run.pid());
    end.code(0);
    assert!(end.stderr.is_empty(), "{end}");
    place.write("go", "");
    run.end().code(0);
}

fn behind_the_gate_the_command_decides(mode: Mode) {
    let place = Place::new();
    for init in ["--init=off", "--init"] {
        let flags = ["--migrate=true", init];
        let server = ["./probe", "note", "at", "server", "await", "end"];
        let run = place.gate(mode, &flags).server(&server).start();
        place.wait_for_line("at", "server");
        probe(&place, &run, run.pid()).code(3);
        let pid = run.pid().to_string();
        let words = ["./launchgate", "probe", "--pid", &pid];
        place
            .run(Mode::Ordinary, &words)
            .named("probe")
            .end()
            .code(0);
        place.write("end", "");
        run.end().code(0);
        std::fs::remove_file(place.path("end")).unwrap();
        std::fs::remove_file(place.path("at")).unwrap();
    }
}

fn what_is_no_process_is_no_gate(mode: Mode) {
    let place = Place::new();
    let words = [
        "./launchgate",
        "probe",
        "--pid=2147483647",
        "--",
        "./probe",
        "exit",
        "3",
    ];
    place.run(mode, &words).end().code(3);
    for wrong in ["--pid=0", "--pid=-1", "--pid=x"] {
        let words = ["./launchgate", "probe", wrong];
        place.run(mode, &words).end().code(64).says(&["--pid"]);
    }
    let words = ["./launchgate", "probe", "--pid=2147483647", "--", "absent"];
    place.run(mode, &words).end().code(127).says(&["absent"]);
}
