//! `--init`: zombies, orphans, and what outlives the server.
//!
//! "every zombie reaped" (contract, section 7)
//!
//! "As a process that is not PID 1 it makes itself subreaper." (contract, section 7)

use crate::common::{Mode, Place, processes, signals, stub, wait_until};
use crate::init_modes;

init_modes!(
    a_thousand_orphans_at_once_leave_no_zombie,
    an_orphan_of_an_orphan_is_reaped,
    what_outlives_the_server_is_asked_to_go_and_waited_for,
    what_does_not_go_is_killed_after_the_grace,
    without_a_grace_it_is_killed_at_once,
    a_server_that_forks_to_the_background_has_ended,
    what_keeps_forking_is_ended_too,
    what_is_stopped_is_woken_to_end,
    a_server_that_leaves_nothing_waits_for_nothing,
);

/// The children of launchgate, zombies too.
fn children(launchgate: i32) -> Vec<processes::Seen> {
    let mut found = processes::all();
    found.retain(|seen| seen.parent == launchgate);
    found
}

fn a_thousand_orphans_at_once_leave_no_zombie(mode: Mode) {
    let place = Place::new();
    let server = stub().leave_orphans(1000, "end").wait_for("go").exit(6);
    let run = place
        .gate(mode, &["--migrate=true"])
        .server(&server)
        .start();
    place.wait_for_line("end.ready", "ready");
    wait_until("a thousand children by adoption", || {
        (children(run.pid()).len() == 1001).then_some(())
    });
    place.write("end", "");
    wait_until("the server to be the only child", || {
        (children(run.pid()).len() == 1).then_some(())
    });
    place.write("go", "");
    run.end().code(6).never_says("left processes");
}

fn an_orphan_of_an_orphan_is_reaped(mode: Mode) {
    let place = Place::new();
    let server = stub()
        .child(
            stub()
                .new_session()
                .detach()
                .detach()
                .append_pid("up")
                .wait_for("end"),
        )
        .wait_for("go")
        .exit(6);
    let run = place
        .gate(mode, &["--migrate=true"])
        .server(&server)
        .start();
    let orphan = run.find(place.wait_for_pid("up")).unwrap().pid;
    wait_until("the adoption", || {
        (processes::see(orphan)?.parent == run.pid()).then_some(())
    });
    place.write("end", "");
    wait_until("the orphan to be gone", || {
        processes::see(orphan).is_none().then_some(())
    });
    place.write("go", "");
    run.end().code(6);
}

fn what_outlives_the_server_is_asked_to_go_and_waited_for(mode: Mode) {
    let place = Place::new();
    let server = stub()
        .child(
            stub()
                .wait_for_signal("heard", libc::SIGTERM)
                .append("heard", "bye"),
        )
        .wait_for("heard")
        .exit(3);
    let run = place
        .gate(mode, &["--migrate=true", "--stop-grace=1h"])
        .server(&server)
        .start();
    let end = run.end();
    end.code(3)
        .leaves_nothing()
        .says(&["warning", "left processes", "hint="]);
    assert_eq!(place.lines("heard"), ["ready", "15", "bye"]);
}

fn what_does_not_go_is_killed_after_the_grace(mode: Mode) {
    let place = Place::new();
    let server = stub()
        .child(
            stub()
                .new_session()
                .ignore_signals(signals(&[
                    libc::SIGHUP,
                    libc::SIGINT,
                    libc::SIGQUIT,
                    libc::SIGTERM,
                ]))
                .append_pid("up")
                .wait_forever(),
        )
        .wait_for("up")
        .exit(3);
    let gate = place.gate(mode, &["--migrate=true", "--stop-grace=100ms"]);
    let end = gate.server(&server).end();
    end.code(3)
        .leaves_nothing()
        .says(&["warning", "killing", "--stop-grace"]);
}

fn without_a_grace_it_is_killed_at_once(mode: Mode) {
    let place = Place::new();
    let server = stub()
        .child(stub().wait_for_signal("heard", libc::SIGTERM))
        .wait_for("heard")
        .exit(3);
    let gate = place.gate(mode, &["--migrate=true", "--stop-grace=0"]);
    gate.server(&server).end().code(3).leaves_nothing();
    assert_eq!(place.lines("heard"), ["ready"]);
}

fn a_server_that_forks_to_the_background_has_ended(mode: Mode) {
    let place = Place::new();
    let server = stub()
        .child(
            stub()
                .new_session()
                .detach()
                .wait_for_signal("heard", libc::SIGTERM)
                .append("heard", "bye"),
        )
        .wait_for("heard");
    let gate = place.gate(mode, &["--migrate=true", "--stop-grace=1h"]);
    gate.server(&server).end().code(0).leaves_nothing();
    assert_eq!(place.lines("heard"), ["ready", "15", "bye"]);
}

fn what_keeps_forking_is_ended_too(mode: Mode) {
    let place = Place::new();
    // Each of its processes leaves another one behind and ends.
    place.write_program("chain", "#!/bin/sh\ntrap '' TERM\nsleep 0.01\n./chain &\n");
    let server = ["sh", "-c", "./chain & sleep 0.1; exit 3"];
    let gate = place.gate(mode, &["--migrate=true", "--stop-grace=50ms"]);
    gate.server(server).end().code(3).leaves_nothing();
}

fn what_is_stopped_is_woken_to_end(mode: Mode) {
    let place = Place::new();
    let server = stub()
        .child(stub().append_pid("up").stop_itself())
        .wait_for("up")
        .exit(3);
    let gate = place.gate(mode, &["--migrate=true", "--stop-grace=1h"]);
    gate.server(&server).end().code(3).leaves_nothing();
}

fn a_server_that_leaves_nothing_waits_for_nothing(mode: Mode) {
    let place = Place::new();
    let gate = place.gate(mode, &["--migrate=true", "--stop-grace=1h"]);
    let end = gate.server(stub().leave_zombie().exit(3)).end();
    end.code(3).never_says("left processes");
}
