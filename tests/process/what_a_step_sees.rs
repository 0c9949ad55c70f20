//! What a step sees.
//!
//! "A step: standard input from /dev/null unless it is a terminal; its own process group; its
//! output passed through byte for byte, as it comes, to the same stream; the parent's environment,
//! `--step-env*` applied, plus" (contract, section 4)

use crate::both_modes;
use crate::common::{Finished, Given, Mode, Place, backup, migrate, report::Report, signals, stub};

both_modes!(
    a_step_reads_from_dev_null,
    a_step_leads_a_group_of_its_own,
    a_step_is_told_about_the_run_and_of_no_other_setting,
    a_step_has_its_own_variables_and_the_rest_as_it_was,
    a_step_inherits_mask_dispositions_and_limits,
    a_step_has_no_descriptor_but_those_inherited,
    a_step_does_not_outlive_launchgate,
    every_step_sees_no_trace_of_the_one_before,
    a_step_whose_streams_are_closed_finds_them_closed,
);

fn reported(place: &Place, end: &Finished) -> Report {
    end.code(0);
    place.report("seen")
}

fn a_step_reads_from_dev_null(mode: Mode) {
    let place = Place::new();
    place.write("input", "do not read this");
    let input = std::fs::File::open(place.path("input")).unwrap();
    let end = place
        .gate(mode, &[migrate(stub().report("seen"))])
        .descriptor(0, input)
        .end();
    assert_eq!(reported(&place, &end).descriptor(0).unwrap(), "/dev/null");
}

fn a_step_leads_a_group_of_its_own(mode: Mode) {
    let place = Place::new();
    let run = place.gate(mode, &[migrate(stub().report("seen"))]).start();
    let (own, end) = (run.own_pid(), run.end());
    let seen = reported(&place, &end);
    assert_eq!(seen.number("group"), seen.number("pid"));
    assert_eq!(seen.number("parent"), i64::from(own));
    assert_eq!(seen.number("session"), i64::from(own));
    assert_eq!(seen.number("subreaper"), 0);
}

fn a_step_is_told_about_the_run_and_of_no_other_setting(mode: Mode) {
    let place = Place::new();
    let end = place
        .gate(mode, &["--app=shop", "--release=v7"])
        .env("LAUNCHGATE_VERIFY", stub().report("seen").to_string())
        .env("LAUNCHGATE_STOP_GRACE", "5s")
        .env("LAUNCHGATE_UNKNOWN", "x")
        .env("LAUNCHGATE_STEP", "stale")
        .entry(b"LAUNCHGATE_WITHOUT_VALUE")
        .end();
    let seen = reported(&place, &end);
    let own = |entry: &String| entry.starts_with("LAUNCHGATE_");
    let mut told: Vec<_> = seen.environment().into_iter().filter(own).collect();
    told.sort();
    let run_id = told
        .iter()
        .position(|entry| entry.starts_with("LAUNCHGATE_RUN_ID="));
    let run_id = told.remove(run_id.expect("a run id"));
    assert!(run_id.len() > "LAUNCHGATE_RUN_ID=".len(), "{run_id}");
    assert_eq!(
        told,
        [
            "LAUNCHGATE_APP=shop",
            "LAUNCHGATE_ATTEMPT=1",
            "LAUNCHGATE_RELEASE=v7",
            "LAUNCHGATE_REVISION=v7",
            "LAUNCHGATE_STEP=verify",
        ]
    );
}

fn a_step_has_its_own_variables_and_the_rest_as_it_was(mode: Mode) {
    let place = Place::new();
    let flags = [
        migrate(stub().report("seen")),
        "--step-env=B=of the step",
        "--step-env=NEW==x=",
        "--step-env-from=DATABASE=ADMIN-URI",
        "--unset-env=KEPT",
    ];
    let end = place
        .gate(mode, &flags)
        .env("B", "old")
        .entry(b"junk")
        .entry(b"=nameless")
        .env("ADMIN-URI", "secret")
        .entry(b"B=twice")
        .entry(b"BYTES=\xff\xfe")
        .env("KEPT", "yes")
        .end();
    let seen = reported(&place, &end);
    let mut environment = seen.environment();
    environment.retain(|entry| !entry.starts_with("LAUNCHGATE_"));
    assert!(environment.remove(0).starts_with("PATH="));
    assert_eq!(
        environment,
        [
            "B=of the step",
            "junk",
            "=nameless",
            "ADMIN-URI=secret",
            "BYTES=\\xff\\xfe",
            "KEPT=yes",
            "NEW==x=",
            "DATABASE=secret",
        ]
    );
}

fn a_step_inherits_mask_dispositions_and_limits(mode: Mode) {
    let place = Place::new();
    let given = |gate: crate::common::Gate<'_>| {
        gate.given(Given::Blocked(libc::SIGUSR2))
            .given(Given::Blocked(40))
            .given(Given::Ignored(libc::SIGCHLD))
            .given(Given::Ignored(libc::SIGHUP))
            .given(Given::Limit(libc::RLIMIT_NOFILE, 64, 128))
            .given(Given::Umask(0o27))
            .end()
    };
    let alone = given(place.run(mode, stub().report("seen")));
    let alone = reported(&place, &alone);
    let gated = given(place.gate(mode, &[migrate(stub().report("seen"))]));
    let gated = reported(&place, &gated);
    for what in ["limits", "folder", "nice", "policy", "dumpable"] {
        assert_eq!(gated.value(what), alone.value(what), "{what}");
    }
    assert_eq!(gated.value("status"), alone.value("status"));
}

fn a_step_has_no_descriptor_but_those_inherited(mode: Mode) {
    let place = Place::new();
    place.write("extra", "");
    let extra = std::fs::File::open(place.path("extra")).unwrap();
    let end = place
        .gate(mode, &[migrate(stub().report("seen"))])
        .descriptor(7, extra)
        .end();
    let seen = reported(&place, &end);
    let folder = place.folder().display().to_string();
    let open: Vec<_> = [0, 1, 2, 7]
        .map(|n| seen.descriptor(n))
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(
        open,
        [
            "/dev/null".to_owned(),
            format!("{folder}/stdout"),
            format!("{folder}/stderr"),
            format!("{folder}/extra"),
        ]
    );
    assert_eq!(seen.descriptors(), 4, "{seen:#?}");
}

fn a_step_does_not_outlive_launchgate(mode: Mode) {
    let place = Place::new();
    let run = place
        .gate(
            mode,
            &[migrate(
                stub()
                    .ignore_signals(signals(&[
                        libc::SIGTERM,
                        libc::SIGHUP,
                        libc::SIGINT,
                        libc::SIGQUIT,
                    ]))
                    .append_pid("up")
                    .wait_forever(),
            )],
        )
        .start();
    let step = run.find(place.wait_for_pid("up")).expect("the step").pid;
    run.signal(libc::SIGKILL);
    crate::common::wait_until("the step's end", || {
        crate::common::processes::see(step)
            .is_none_or(|seen| seen.state == 'Z')
            .then_some(())
    });
}

fn every_step_sees_no_trace_of_the_one_before(mode: Mode) {
    let place = Place::new();
    let flags = [
        backup(stub().leave_zombie()),
        migrate(stub().child(stub().new_session().wait_forever())),
        migrate(stub().report("seen")),
    ];
    let run = place.gate(mode, &flags).start();
    let (own, end) = (run.own_pid(), run.end());
    let seen = reported(&place, &end);
    let others = seen.list("neighbours");
    assert_eq!(others.len(), 1, "only launchgate is there: {others:#?}");
    assert_eq!(others[0]["pid"], own);
    assert!(seen.list("children").is_empty());
}

fn a_step_whose_streams_are_closed_finds_them_closed(mode: Mode) {
    let place = Place::new();
    let end = place
        .gate(mode, &[migrate(stub().report("seen"))])
        .closed(1)
        .closed(2)
        .end();
    let seen = reported(&place, &end);
    assert_eq!(seen.descriptor(0).unwrap(), "/dev/null");
    assert_eq!(seen.descriptors(), 1, "{seen:#?}");
}
