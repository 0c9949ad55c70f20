//! Stop signals that launchgate's parent ignored, blocked or sent before launchgate started.
//!
//! "SIGHUP, SIGINT and SIGQUIT that were inherited as ignored (nohup, a background job) stay
//! ignored." (contract, section 6)
//!
//! "Before the server starts, in every phase: SIGTERM, SIGINT, SIGHUP, SIGQUIT stop the gate."
//! (contract, section 6)

use crate::common::{Given, Mode, Place, migrate, signals, stub};
use crate::four_modes;
use crate::signals_stop_the_step::heard;

four_modes!(
    ignored_stop_signals_stay_ignored,
    term_is_obeyed_although_it_was_ignored,
    blocked_stop_signals_are_obeyed,
    a_stop_that_waits_since_before_starts_no_step,
);

fn ignored_stop_signals_stay_ignored(mode: Mode) {
    let place = Place::new();
    let mut run = place
        .gate(
            mode,
            &[migrate(stub().record_signals(
                "heard",
                signals(&[libc::SIGUSR1, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT]),
                libc::SIGUSR1,
            ))],
        )
        .given(Given::Ignored(libc::SIGHUP))
        .given(Given::Ignored(libc::SIGINT))
        .given(Given::Ignored(libc::SIGQUIT))
        .start();
    place.wait_for_line("heard", "ready");
    for number in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
        run.signal(number);
    }
    assert_eq!(run.look(), None);
    run.signal(libc::SIGUSR1);
    run.end().code(0);
    assert_eq!(heard(&place), ["10"]);
}

fn term_is_obeyed_although_it_was_ignored(mode: Mode) {
    let place = Place::new();
    let run = place
        .gate(
            mode,
            &[migrate(stub().wait_for_signal("heard", libc::SIGTERM))],
        )
        .given(Given::Ignored(libc::SIGTERM))
        .start();
    place.wait_for_line("heard", "ready");
    run.signal(libc::SIGTERM);
    run.end().code(143);
}

fn blocked_stop_signals_are_obeyed(mode: Mode) {
    let place = Place::new();
    let run = place
        .gate(
            mode,
            &[migrate(stub().wait_for_signal("heard", libc::SIGTERM))],
        )
        .given(Given::Blocked(libc::SIGTERM))
        .start();
    place.wait_for_line("heard", "ready");
    run.signal(libc::SIGTERM);
    run.end().code(143);
}

fn a_stop_that_waits_since_before_starts_no_step(mode: Mode) {
    for database in ["--no-database", "--database-url=sqlite:gate.db"] {
        let place = Place::new();
        let words = [
            "./launchgate",
            "run",
            database,
            "--release=1",
            migrate(stub().append("started", "step")),
            "--",
            "./stub",
            "append",
            "started",
            "server",
        ];
        let run = place.run(mode, words);
        let end = run.given(Given::Pending(libc::SIGTERM)).end();
        end.code(143).says(&["error", "stopped by SIGTERM"]);
        assert!(!place.has("started"), "{database}");
    }
}
