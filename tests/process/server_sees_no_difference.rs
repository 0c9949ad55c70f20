//! What the server sees: the same as without launchgate, which is run first to compare.
//!
//! "The server: exactly what it would have seen without launchgate. Same PID, arguments, working
//! directory, standard streams, signal mask and dispositions, limits, no extra open file, no child
//! or zombie of launchgate's making, no changed subreaper or parent-death setting" (contract,
//! section 4)

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

use crate::common::{Gate, Given, Mode, Place, Stub, migrate, report::Report, stub};
use crate::terminal::Terminal;
use crate::{both_modes, four_modes};

both_modes!(
    the_server_has_launchgates_process_id,
    subreaper_and_death_signal_are_as_they_were,
);

four_modes!(
    the_server_sees_what_it_would_have_seen,
    arguments_are_passed_on_byte_for_byte,
    closed_streams_stay_closed,
    all_streams_closed_is_possible,
    extra_descriptors_stay_open_and_no_other_is,
    blocked_signals_stay_blocked,
    ignored_signals_stay_ignored,
    nohup_stays_in_force,
    limits_and_file_mask_are_untouched,
    an_undumpable_process_is_no_obstacle,
    the_environment_keeps_order_and_junk,
    the_server_sees_no_setting_and_nothing_of_the_steps,
    unset_env_removes_every_entry_of_that_name,
    a_secret_for_steps_never_reaches_the_server,
    the_server_has_no_child_of_the_gate,
    a_session_with_a_terminal_is_handed_on,
);

// A short grace, since what these leave inherits a blocked or ignored TERM.
const STEPS: [&str; 4] = [
    "--stop-grace=100ms",
    "--backup=./stub leave-zombie",
    "--migrate=./stub child-of 2 new-session wait-forever",
    "--verify=true",
];

/// What a stub with `words` behind its own sees, alone and behind a gate.
fn both(
    place: &Place,
    mode: Mode,
    words: &[&OsStr],
    given: impl Fn(Gate<'_>) -> Gate<'_>,
) -> (Report, Report) {
    let mut server: Vec<&OsStr> = ["./stub", "report", "seen", "exit", "0"]
        .map(OsStr::new)
        .to_vec();
    server.extend(words);
    given(place.run(mode, &server)).end().code(0);
    let alone = place.report("seen");
    let run = given(place.gate(mode, &STEPS).server(&server)).start();
    let own = run.own_pid();
    run.end().code(0).leaves_nothing();
    let gated = place.report("seen");
    if mode.has_init() {
        assert_eq!(gated.number("parent"), i64::from(own));
        assert_eq!(gated.number("death_signal"), i64::from(libc::SIGKILL));
        return (
            alone.comparable().behind_init(own),
            gated.comparable().behind_init(own),
        );
    }
    assert_eq!(gated.number("pid"), i64::from(own));
    (alone.comparable(), gated.comparable())
}

/// Asserts that both see the same, and shows the first difference.
fn same(mode: Mode, given: impl Fn(Gate<'_>) -> Gate<'_>) -> Report {
    let place = Place::new();
    let (alone, gated) = both(&place, mode, &[], given);
    alone.assert_same(&gated);
    gated
}

fn the_server_sees_what_it_would_have_seen(mode: Mode) {
    same(mode, |gate| gate);
}

fn the_server_has_launchgates_process_id(mode: Mode) {
    let place = Place::new();
    let server = stub().append_pid("up").wait_for("go");
    let run = place
        .gate(mode, &["--migrate=true"])
        .server(&server)
        .start();
    assert_eq!(place.wait_for_pid("up"), run.own_pid());
    place.write("go", "");
    run.end().code(0);
}

fn arguments_are_passed_on_byte_for_byte(mode: Mode) {
    let place = Place::new();
    let words = [
        &b""[..],
        b"\xff\xfe\x80",
        b"a b\n\t",
        b"--migrate",
        b"--",
        b"$HOME ${X} $$",
        b"*",
    ];
    let (alone, gated) = both(&place, mode, &words.map(OsStr::from_bytes), |gate| gate);
    alone.assert_same(&gated);
    assert_eq!(gated.argv()[6], "\\xff\\xfe\\x80");
}

fn closed_streams_stay_closed(mode: Mode) {
    for number in 0..3 {
        let seen = same(mode, |gate| gate.closed(number));
        assert_eq!(seen.descriptor(number), None);
    }
}

fn all_streams_closed_is_possible(mode: Mode) {
    let seen = same(mode, |gate| gate.closed(0).closed(1).closed(2));
    assert_eq!(seen.descriptors(), 0);
}

fn extra_descriptors_stay_open_and_no_other_is(mode: Mode) {
    let seen = same(mode, |gate| {
        gate.descriptor(7, File::open("/dev/zero").unwrap())
            .descriptor(3, File::open("/dev/zero").unwrap())
            .descriptor(60, File::open("/dev/full").unwrap())
    });
    assert_eq!(seen.descriptors(), 6);
}

fn blocked_signals_stay_blocked(mode: Mode) {
    same(mode, |gate| {
        gate.given(Given::Blocked(libc::SIGTERM))
            .given(Given::Blocked(libc::SIGCHLD))
            .given(Given::Blocked(libc::SIGUSR1))
            .given(Given::Blocked(33))
            .given(Given::Blocked(64))
    });
}

fn ignored_signals_stay_ignored(mode: Mode) {
    for number in [
        libc::SIGPIPE,
        libc::SIGCHLD,
        libc::SIGTERM,
        libc::SIGUSR1,
        libc::SIGTSTP,
        35,
    ] {
        let seen = same(mode, |gate| gate.given(Given::Ignored(number)));
        let ignored = seen.value("status")["SigIgn"].as_str().unwrap();
        let ignored = u64::from_str_radix(ignored, 16).unwrap();
        assert_eq!(ignored, 1 << (number - 1));
    }
}

fn nohup_stays_in_force(mode: Mode) {
    same(mode, |gate| {
        gate.given(Given::Ignored(libc::SIGHUP))
            .given(Given::Ignored(libc::SIGINT))
            .given(Given::Ignored(libc::SIGQUIT))
    });
}

fn limits_and_file_mask_are_untouched(mode: Mode) {
    same(mode, |gate| {
        gate.given(Given::Limit(libc::RLIMIT_NOFILE, 40, 50))
            .given(Given::Limit(libc::RLIMIT_CORE, 0, 0))
            .given(Given::Limit(libc::RLIMIT_STACK, 1 << 20, 1 << 22))
            .given(Given::Umask(0o77))
    });
}

fn subreaper_and_death_signal_are_as_they_were(mode: Mode) {
    let seen = same(mode, |gate| gate);
    assert_eq!(
        (seen.number("subreaper"), seen.number("death_signal")),
        (0, 0)
    );
    let seen = same(mode, |gate| {
        gate.given(Given::Subreaper)
            .given(Given::DeathSignal(libc::SIGUSR2))
    });
    assert_eq!(
        (seen.number("subreaper"), seen.number("death_signal")),
        (1, 12)
    );
}

fn an_undumpable_process_is_no_obstacle(mode: Mode) {
    same(mode, |gate| gate.given(Given::Undumpable));
}

fn the_environment_keeps_order_and_junk(mode: Mode) {
    let seen = same(mode, |gate| {
        gate.env("Z", "1")
            .entry(b"no equals sign")
            .entry(b"")
            .entry(b"=no name")
            .entry(b"A=1")
            .entry(b"A=2")
            .entry(b"B\xff=\xfe")
            .env("EMPTY", "")
    });
    assert_eq!(seen.environment().len(), 9);
}

fn the_server_sees_no_setting_and_nothing_of_the_steps(mode: Mode) {
    let place = Place::new();
    place
        .gate(mode, &["--step-env=S=1", "--migrate=true"])
        .env("LAUNCHGATE_APP", "a")
        .env("X", "LAUNCHGATE_Y=1")
        .env("LAUNCHGATE_WHATEVER", "a")
        .env("LAUNCHGATE_STEP", "a")
        .entry(b"LAUNCHGATE_WITHOUT_VALUE")
        .server(stub().report("seen"))
        .end()
        .code(0);
    assert_eq!(
        place.report("seen").environment()[1..],
        ["X=LAUNCHGATE_Y=1"]
    );
}

fn unset_env_removes_every_entry_of_that_name(mode: Mode) {
    let place = Place::new();
    place
        .gate(mode, &["--unset-env=A", "--unset-env=NF-X"])
        .env("A", "1")
        .env("AB", "2")
        .env("A", "3")
        .env("NF-X", "4")
        .server(stub().report("seen"))
        .end()
        .code(0);
    assert_eq!(place.report("seen").environment()[1..], ["AB=2"]);
}

fn a_secret_for_steps_never_reaches_the_server(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--step-env-from=URL=ADMIN_URL",
        migrate(stub().report("step")),
    ];
    let with = |server: Stub, flag: &str| {
        place
            .gate(mode, &flags)
            .env("ADMIN_URL", "s3cret")
            .env("LAUNCHGATE_EXPAND_ENV", flag)
            .server(server)
            .end()
    };
    with(stub().report("seen"), "0").code(0);
    assert_eq!(place.report("seen").environment().len(), 1);
    assert!(
        place
            .report("step")
            .environment()
            .contains(&"URL=s3cret".to_owned())
    );
    let removed = "removes from the server";
    for (word, why) in [
        ("$ADMIN_URL", removed),
        ("${ADMIN_URL}", removed),
        ("$URL", "unset variable"),
    ] {
        let end = with(stub().append("started", word), "1");
        end.code(64)
            .says(&["error", "URL", why])
            .never_says("s3cret");
    }
    assert!(!place.has("step") && !place.has("started"));
}

fn the_server_has_no_child_of_the_gate(mode: Mode) {
    let place = Place::new();
    let flags = [migrate(
        stub()
            .child(stub().detach().new_session().wait_forever())
            .child(stub().wait_forever()),
    )];
    place
        .gate(mode, &flags)
        .server(stub().report("seen"))
        .end()
        .code(0);
    let seen = place.report("seen");
    assert!(seen.list("children").is_empty(), "{seen:#?}");
    if !mode.has_init() {
        assert!(seen.list("neighbours").is_empty(), "{seen:#?}");
    }
}

fn a_session_with_a_terminal_is_handed_on(mode: Mode) {
    let terminal = Terminal::new();
    let seen = same(mode, |gate| {
        gate.descriptor(0, terminal.slave()).given(Given::Terminal)
    });
    assert_eq!(seen.value("foreground"), "own");
}
