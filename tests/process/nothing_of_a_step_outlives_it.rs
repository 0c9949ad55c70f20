//! Nothing of a step outlives it.
//!
//! "Nothing of a step outlives it: what it left running is stopped (TERM, grace, KILL) and reaped
//! before the next step, also where it left its process group or session." (contract, section 4)

use crate::both_modes;
use crate::common::{
    Given, Mode, NONE, Place, Stub, backup, migrate, processes, signals, stub, verify,
};

both_modes!(
    a_background_child_is_stopped_before_the_next_step,
    a_daemon_in_its_own_session_is_stopped,
    a_daemon_that_forked_twice_is_stopped,
    a_daemon_without_environment_is_stopped,
    a_process_in_another_group_is_stopped,
    what_ignores_term_is_killed_after_the_grace,
    what_is_stopped_is_woken_and_stopped_for_good,
    a_leftover_may_clean_up_within_the_grace,
    two_hundred_leftovers_are_stopped,
    leftovers_that_keep_forking_are_stopped,
    a_leftover_of_any_name_is_found,
    zombies_are_no_leftovers,
    leftovers_do_not_change_the_steps_own_code,
    a_failed_step_leaves_nothing_either,
    a_stop_while_leftovers_are_stopped_is_obeyed,
    what_was_inherited_as_ignored_is_no_way_to_survive,
    a_leftover_that_may_not_be_signalled_is_named,
);

/// Runs a step, then one that looks around: only launchgate may be there.
fn is_alone_after(mode: Mode, step: Stub, flags: &[&str]) -> crate::common::Finished {
    let place = Place::new();
    let steps = [backup(step), migrate(stub().report("seen"))];
    let all = [&steps, flags].concat();
    let end = place.gate(mode, &all).end();
    end.code(0).leaves_nothing();
    assert!(place.has("up"), "the step did what it should");
    let seen = place.report("seen");
    let others = seen.list("neighbours");
    assert_eq!(others.len(), 1, "only launchgate: {others:#?}");
    end
}

fn a_background_child_is_stopped_before_the_next_step(mode: Mode) {
    let step = stub()
        .child(stub().append_pid("up").wait_forever())
        .wait_for("up");
    is_alone_after(mode, step, &[]).says(&["warning", "backup", "left", "processes=1"]);
}

fn a_daemon_in_its_own_session_is_stopped(mode: Mode) {
    is_alone_after(
        mode,
        stub()
            .child(stub().new_session().append_pid("up").wait_forever())
            .wait_for("up"),
        &[],
    );
}

fn a_daemon_that_forked_twice_is_stopped(mode: Mode) {
    let step = stub()
        .child(
            stub()
                .new_session()
                .detach()
                .detach()
                .append_pid("up")
                .wait_forever(),
        )
        .wait_for("up");
    is_alone_after(mode, step, &[]);
}

fn a_daemon_without_environment_is_stopped(mode: Mode) {
    let step = stub()
        .child(
            stub()
                .new_session()
                .detach()
                .drop_environment()
                .append_pid("up")
                .wait_forever(),
        )
        .wait_for("up");
    is_alone_after(mode, step, &[]);
}

fn a_process_in_another_group_is_stopped(mode: Mode) {
    is_alone_after(
        mode,
        stub()
            .child(stub().new_group().append_pid("up").wait_forever())
            .wait_for("up"),
        &[],
    );
}

fn what_ignores_term_is_killed_after_the_grace(mode: Mode) {
    let step = stub()
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
        .wait_for("up");
    is_alone_after(mode, step.clone(), &["--stop-grace=100ms"]).says(&["warning", "killing"]);
    is_alone_after(mode, step, &["--stop-grace=0"]);
}

fn what_is_stopped_is_woken_and_stopped_for_good(mode: Mode) {
    // Without a wake-up it would hold out for the whole grace, which is longer than any wait here.
    let step = stub()
        .child(stub().new_session().append_pid("up").stop_itself())
        .wait_for("up");
    is_alone_after(mode, step, &["--stop-grace=1h"]);
}

fn a_leftover_may_clean_up_within_the_grace(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--stop-grace=1h",
        backup(
            stub()
                .child(
                    stub()
                        .new_session()
                        .wait_for_signal("heard", libc::SIGTERM)
                        .append("order", "cleaned"),
                )
                .wait_for("heard"),
        ),
        migrate(stub().append("order", "migrate")),
    ];
    place.gate(mode, &flags).end().code(0).leaves_nothing();
    assert_eq!(place.lines("order"), ["cleaned", "migrate"]);
}

fn two_hundred_leftovers_are_stopped(mode: Mode) {
    let place = Place::new();
    place.write_program(
        "storm",
        "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9 10; do\n  (trap '' HUP; for j in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 1000 & done) &\ndone\nwait\necho up >up\n",
    );
    let flags = ["--backup=./storm", migrate(stub().report("seen"))];
    place.gate(mode, &flags).end().code(0).leaves_nothing();
    assert!(place.has("up"));
    assert_eq!(place.report("seen").list("neighbours").len(), 1);
}

fn leftovers_that_keep_forking_are_stopped(mode: Mode) {
    let place = Place::new();
    // Each generation starts the next before it ends, and none listens to TERM.
    place.write_program(
        "hydra",
        "#!/bin/sh\ntrap '' TERM\necho up >>up\n./hydra &\n./hydra2 &\nexit 0\n",
    );
    place.write_program("hydra2", "#!/bin/sh\ntrap '' TERM\nsleep 1000 &\nexit 0\n");
    let flags = [
        "--stop-grace=200ms",
        "--backup=./hydra",
        migrate(stub().report("seen")),
    ];
    place.gate(mode, &flags).end().code(0).leaves_nothing();
    assert_eq!(place.report("seen").list("neighbours").len(), 1);
}

fn a_leftover_of_any_name_is_found(mode: Mode) {
    // No UTF-8, as where the kernel cuts a name of many bytes after fifteen; parentheses; a
    // line break.
    for name in [&b"\xc3\xa9\xc3"[..], b") S 1 ", b"\n\n", b"\xff"] {
        let hex = name.iter().map(|byte| format!("{byte:02x}"));
        let hex = hex.collect::<Vec<_>>().concat();
        let leftover = stub().new_session().set_name(hex);
        let step = stub()
            .child(leftover.append_pid("up").wait_forever())
            .wait_for("up");
        is_alone_after(mode, step, &[]);
    }
}

fn zombies_are_no_leftovers(mode: Mode) {
    let place = Place::new();
    let end = place
        .gate(mode, &[migrate(stub().leave_zombie().leave_zombie())])
        .end();
    end.code(0).never_says("left processes");
}

fn leftovers_do_not_change_the_steps_own_code(mode: Mode) {
    let place = Place::new();
    let flags = [
        migrate(stub().child(stub().new_session().wait_forever())),
        verify(stub().child(stub().new_session().wait_forever()).exit(41)),
    ];
    place.gate(mode, &flags).end().code(41).leaves_nothing();
}

fn a_failed_step_leaves_nothing_either(mode: Mode) {
    let place = Place::new();
    let flags = [migrate(
        stub()
            .child(stub().new_session().append_pid("up").wait_forever())
            .wait_for("up")
            .die_of(libc::SIGSEGV),
    )];
    let end = place.gate(mode, &flags).end();
    end.code(128 + 11).leaves_nothing().says(&["SIGSEGV"]);
}

fn a_stop_while_leftovers_are_stopped_is_obeyed(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--stop-grace=1h",
        migrate(
            stub()
                .child(
                    stub()
                        .new_session()
                        .record_signals("heard", libc::SIGTERM, NONE),
                )
                .wait_for("heard"),
        ),
    ];
    let run = place
        .gate(mode, &flags)
        .server(stub().append("started", "x"))
        .start();
    place.wait_for_line("heard", "15");
    run.signal(libc::SIGTERM);
    run.wait_for_log("stopping migrate");
    let left = run.others();
    assert_eq!(left.len(), 1, "{left:#?}");
    processes::signal(left[0].pid, libc::SIGKILL);
    run.end().code(143);
    assert!(!place.has("started"));
}

fn what_was_inherited_as_ignored_is_no_way_to_survive(mode: Mode) {
    let place = Place::new();
    let leftover = stub().new_session().append_pid("up").wait_forever();
    let step = stub().child(leftover).wait_for("up");
    let words = format!(
        "trap '' TERM; exec ./launchgate job --no-database --stop-grace 100ms --migrate '{step}'"
    );
    place
        .run(mode, ["sh", "-c", &words])
        .end()
        .code(0)
        .leaves_nothing();
}

fn a_leftover_that_may_not_be_signalled_is_named(mode: Mode) {
    let place = Place::new();
    place.write_program(
        "daemon",
        "#!/bin/sh\nsetsid setpriv --reuid=1234 --regid=1234 --clear-groups sleep 1000 &\n\
         until grep -q sleep /proc/$!/comm && grep -q '^State:.S' /proc/$!/status; do sleep 0.01; done\n",
    );
    let words = [
        "setpriv",
        "--bounding-set=-kill",
        "./launchgate",
        "job",
        "--no-database",
        "--stop-grace=100ms",
        "--migrate=./daemon",
    ];
    let run = place.run(mode, words).start();
    run.wait_for_log("killing");
    let left = run.others();
    assert_eq!(left.len(), 1, "{left:#?}");
    processes::signal(left[0].pid, libc::SIGKILL);
    let end = run.end();
    let pid = format!("pid={} ", left[0].own_pid);
    let words = [
        "warning",
        "migrate",
        "no permission to signal",
        &pid,
        "user=1234",
        "state=S",
        "hint=",
    ];
    end.code(0).says(&words);
    assert_eq!(end.stderr.matches("no permission").count(), 1, "{end}");
}

/// A stub needs /proc, so shells have to do.
pub(crate) const NO_OWN_PROC: [Given; 2] = [Given::NoProc, Given::OuterProc];

#[test]
fn a_pid_one_needs_no_proc_of_its_own_to_stop_leftovers() {
    for given in NO_OWN_PROC {
        let place = Place::new();
        place.write_program(
            "daemon",
            "#!/bin/sh\nsetsid sh -c 'echo up >up; exec sleep 1000' &\nuntil [ -e up ]; do sleep 0.01; done\n",
        );
        let flags = [
            "--stop-grace=1h",
            "--backup=./daemon",
            "--migrate=touch next",
        ];
        let end = place.gate(Mode::PidOne, &flags).given(given).end();
        end.code(0)
            .says(&["backup", "left"])
            .never_says("processes=");
        assert!(place.has("next"), "{given:?}");
        // One that does not listen.
        place.write_program(
            "daemon",
            "#!/bin/sh\ntrap '' TERM\nsetsid sleep 1000 &\nexit 0\n",
        );
        let flags = ["--stop-grace=50ms", "--backup=./daemon", "--migrate=true"];
        let end = place.gate(Mode::PidOne, &flags).given(given).end();
        end.code(0).says(&["backup", "killing"]);
    }
}

#[test]
fn without_a_proc_of_its_own_the_group_is_stopped_and_the_rest_waited_for() {
    for given in NO_OWN_PROC {
        let place = Place::new();
        place.write_program(
            "daemon",
            "#!/bin/sh\nsleep 999 &\nsetsid sh -c 'echo up >up; exec sleep 1000' &\nuntil [ -e up ]; do sleep 0.01; done\n",
        );
        let words = "./launchgate job --no-database --stop-grace=50ms --migrate=./daemon; exit $?";
        let run = place
            .run(Mode::PidOne, ["sh", "-c", words])
            .given(given)
            .start();
        run.wait_for_log("can't find the processes");
        let mut left = run.others();
        left.retain(|seen| seen.command.starts_with("sleep"));
        let [left] = left.as_slice() else {
            panic!("{left:#?}")
        };
        assert_eq!(left.command, "sleep 1000 ");
        processes::signal(left.pid, libc::SIGKILL);
        run.end().code(0).says(&["migrate", "/proc", "hint="]);
    }
}
