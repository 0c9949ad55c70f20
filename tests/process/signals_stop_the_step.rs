//! A signal while a step runs: the step gets it and may roll back, the server does not start, and
//! the exit code is that of the signal.
//!
//! "While a step runs, the signal goes to its process group, then grace, then KILL; what the step
//! did is recorded; the server is not started, even if the step ended well, and the exit code is
//! 128+n whatever the step's was." (contract, section 6)

use crate::common::{ALL, Mode, NONE, Place, Run, Stub, flag, migrate, stub, verify, wait_until};
use crate::four_modes;

four_modes!(
    each_stop_signal_reaches_the_step_and_the_code_tells,
    every_kind_of_step_can_be_stopped,
    a_step_that_ends_well_after_term_still_starts_nothing,
    the_rollback_is_waited_for,
    the_whole_group_gets_the_signal,
    a_step_that_ignores_term_is_killed_with_everything_after_the_grace,
    without_grace_a_step_is_killed_at_once,
    a_second_signal_reaches_the_step_too,
    the_first_signal_decides_the_code,
    a_stopped_step_is_woken_to_stop,
    what_a_stopped_step_leaves_is_stopped_too,
    a_shell_step_is_stopped_with_what_it_started,
    a_step_that_left_its_group_is_stopped_too,
);

/// A gate with this step, which records the signals that it gets in the file `heard`.
pub(crate) fn listening(place: &Place, mode: Mode, step: Stub, flags: &[&str]) -> Run {
    let all = [&[migrate(step)], flags].concat();
    let server = stub().append("started", "server");
    let run = place.gate(mode, &all).server(&server).start();
    place.wait_for_line("heard", "ready");
    run
}

/// A step that records every signal until this one comes.
fn until(last: i32) -> Stub {
    stub().record_signals("heard", ALL, last)
}

pub(crate) fn for_ever() -> Stub {
    stub().record_signals("heard", ALL, NONE)
}

pub(crate) fn heard(place: &Place) -> Vec<String> {
    let mut lines = place.lines("heard");
    lines.retain(|line| line != "ready" && line != "18");
    lines
}

fn each_stop_signal_reaches_the_step_and_the_code_tells(mode: Mode) {
    for number in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        let place = Place::new();
        let run = listening(&place, mode, until(number).exit(1), &[]);
        run.signal(number);
        let end = run.end();
        end.code(128 + number)
            .leaves_nothing()
            .says(&["error", "stopped by"]);
        assert_eq!(heard(&place), [number.to_string()]);
        assert!(!place.has("started"));
    }
}

fn every_kind_of_step_can_be_stopped(mode: Mode) {
    let order = ["backup", "migrate", "verify"];
    for stopped in order {
        let place = Place::new();
        let flags = order.map(|kind| {
            let step = stub().append("order", kind);
            if kind == stopped {
                flag(kind, step.wait_for_signal("heard", libc::SIGTERM))
            } else {
                flag(kind, step)
            }
        });
        let run = place
            .gate(mode, &flags)
            .server(stub().append("order", "server"))
            .start();
        place.wait_for_line("heard", "ready");
        run.signal(libc::SIGTERM);
        run.end().code(143).says(&["SIGTERM", stopped]);
        assert_eq!(place.lines("order").last().unwrap(), stopped);
    }
}

fn a_step_that_ends_well_after_term_still_starts_nothing(mode: Mode) {
    let place = Place::new();
    let run = listening(
        &place,
        mode,
        until(libc::SIGTERM),
        &[verify(stub().append("started", "verify"))],
    );
    run.signal(libc::SIGTERM);
    run.end().code(143);
    assert!(!place.has("started"));
}

fn the_rollback_is_waited_for(mode: Mode) {
    let place = Place::new();
    let step = until(libc::SIGTERM)
        .append("rollback", "begun")
        .wait_for("go")
        .append("rollback", "done")
        .exit(1);
    let mut run = listening(&place, mode, step, &["--stop-grace=1h"]);
    run.signal(libc::SIGTERM);
    place.wait_for_line("rollback", "begun");
    run.wait_for_log("stopping migrate");
    assert_eq!(run.look(), None);
    place.write("go", "");
    run.end().code(143);
    assert_eq!(place.lines("rollback"), ["begun", "done"]);
}

fn the_whole_group_gets_the_signal(mode: Mode) {
    let place = Place::new();
    let step = migrate(
        stub()
            .child(stub().record_signals("child", ALL, libc::SIGTERM))
            .record_signals("heard", ALL, libc::SIGTERM)
            .wait_for("gone"),
    );
    let run = place.gate(mode, &[step, "--stop-grace=1h"]).start();
    place.wait_for_line("heard", "ready");
    place.wait_for_line("child", "ready");
    run.signal(libc::SIGTERM);
    place.wait_for_line("child", "15");
    place.wait_for_line("heard", "15");
    place.write("gone", "");
    run.end().code(143).leaves_nothing();
}

fn a_step_that_ignores_term_is_killed_with_everything_after_the_grace(mode: Mode) {
    let place = Place::new();
    let step = migrate(
        stub()
            .ignore_signals(libc::SIGTERM)
            .child(
                stub()
                    .new_session()
                    .detach()
                    .append_pid("up")
                    .wait_forever(),
            )
            .wait_for("up")
            .append("heard", "ready")
            .wait_forever(),
    );
    let run = place.gate(mode, &[step, "--stop-grace=300ms"]).start();
    place.wait_for_line("heard", "ready");
    run.signal(libc::SIGTERM);
    run.end()
        .code(143)
        .leaves_nothing()
        .says(&["killing", "step=migrate"]);
}

fn without_grace_a_step_is_killed_at_once(mode: Mode) {
    let place = Place::new();
    let run = listening(&place, mode, for_ever(), &["--stop-grace=0"]);
    run.signal(libc::SIGTERM);
    run.end().code(143).leaves_nothing();
    assert!(heard(&place).is_empty(), "no signal before the kill");
}

fn a_second_signal_reaches_the_step_too(mode: Mode) {
    let place = Place::new();
    let run = listening(
        &place,
        mode,
        until(libc::SIGINT).exit(1),
        &["--stop-grace=1h"],
    );
    run.signal(libc::SIGTERM);
    place.wait_for_line("heard", "15");
    run.signal(libc::SIGTERM);
    wait_until("the second TERM", || {
        (heard(&place).len() == 2).then_some(())
    });
    run.signal(libc::SIGINT);
    run.end().code(143);
    assert_eq!(heard(&place), ["15", "15", "2"]);
}

fn the_first_signal_decides_the_code(mode: Mode) {
    let place = Place::new();
    let run = listening(&place, mode, until(libc::SIGTERM), &["--stop-grace=1h"]);
    run.signal(libc::SIGINT);
    place.wait_for_line("heard", "2");
    run.signal(libc::SIGTERM);
    run.end().code(130);
}

fn a_stopped_step_is_woken_to_stop(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--stop-grace=1h",
        migrate(stub().append_pid("up").stop_itself().wait_forever()),
    ];
    let run = place.gate(mode, &flags).start();
    let step = place.wait_for_pid("up");
    wait_until("the step to stop", || {
        (run.find(step)?.state == 'T').then_some(())
    });
    run.signal(libc::SIGTERM);
    run.end().code(143);
}

fn what_a_stopped_step_leaves_is_stopped_too(mode: Mode) {
    let place = Place::new();
    let step = migrate(
        stub()
            .child(stub().new_session().append_pid("up").wait_forever())
            .wait_for("up")
            .wait_for_signal("heard", libc::SIGTERM)
            .exit(1),
    );
    let run = place.gate(mode, &[step, "--stop-grace=1h"]).start();
    place.wait_for_line("heard", "ready");
    run.signal(libc::SIGTERM);
    run.end().code(143).leaves_nothing();
}

fn a_shell_step_is_stopped_with_what_it_started(mode: Mode) {
    let place = Place::new();
    let step = "--migrate=trap '' HUP; (echo up >up; sleep 1000); echo survived >started";
    let run = place.gate(mode, &["--shell", step]).start();
    place.wait_for_line("up", "up");
    run.signal(libc::SIGTERM);
    run.end().code(143).leaves_nothing();
    assert!(!place.has("started"));
}

fn a_step_that_left_its_group_is_stopped_too(mode: Mode) {
    let place = Place::new();
    // The child makes a group and pulls the step into it, as a shell with job control may.
    let step = migrate(
        stub()
            .move_to_group_of_a_child()
            .wait_for_signal("heard", libc::SIGTERM)
            .exit(1),
    );
    let run = place.gate(mode, &[step, "--stop-grace=1h"]).start();
    place.wait_for_line("heard", "ready");
    run.signal(libc::SIGTERM);
    run.end().code(143);
    assert_eq!(heard(&place), ["15"]);
}
