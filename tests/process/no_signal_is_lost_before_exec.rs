//! Signals at any moment, above all between the last step and the server's first.
//!
//! "A signal that arrives between the last step's end and exec is not lost." (contract, section 6)

use std::time::{Duration, Instant};

use crate::common::{Ended, Given, Mode, Place, migrate, processes, stub, wait_until};
use crate::four_modes;

four_modes!(
    a_stop_at_any_moment_is_obeyed_or_reaches_the_server,
    a_stop_that_the_server_holds_back_is_never_lost,
    other_signals_at_the_last_moment_do_not_stop_the_gate,
);

const ROUNDS: u32 = 120;

/// Lets a different moment pass in each round: what is tried, not waited for.
fn let_pass(round: u32) {
    let until = Instant::now() + Duration::from_micros(u64::from(round * 7919 % ROUNDS) * 25);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

fn a_stop_at_any_moment_is_obeyed_or_reaches_the_server(mode: Mode) {
    for round in 0..ROUNDS {
        let place = Place::new();
        let server = stub().wait_for_signal("heard", libc::SIGTERM);
        let mut run = place
            .gate(mode, &["--migrate=true"])
            .server(&server)
            .start();
        run.wait_for_log("migrate started");
        let_pass(round);
        run.signal(libc::SIGTERM);
        let before_exec = !place.text("stderr").contains("starting the server");
        let ended = wait_until("the end, or a server", || {
            run.look()
                .or_else(|| place.has("heard").then_some(Ended::Code(0)))
        });
        if before_exec {
            assert_eq!(ended, Ended::Code(143), "a signal before the server");
            assert!(!place.has("heard"));
        }
        if ended == Ended::Code(0) {
            // Until its handler stands the kernel drops the signal for a PID 1.
            processes::signal(run.pid(), libc::SIGTERM);
            run.end().code(0);
        } else if mode != Mode::Ordinary {
            assert_eq!(ended, Ended::Code(143));
        } else {
            // The default action, between exec and the server's handler.
            assert!(
                [Ended::Code(143), Ended::Signal(15)].contains(&ended),
                "{ended:?}"
            );
        }
    }
}

fn a_stop_that_the_server_holds_back_is_never_lost(mode: Mode) {
    for round in 0..ROUNDS {
        let place = Place::new();
        let server = stub().wait_for_signal("heard", libc::SIGTERM);
        let run = place
            .gate(mode, &["--migrate=true"])
            .given(Given::Blocked(libc::SIGTERM))
            .server(&server)
            .start();
        run.wait_for_log("migrate started");
        let_pass(round);
        run.signal(libc::SIGTERM);
        // Were it lost, the server would wait for ever.
        let end = run.end();
        let expected = if place.has("heard") { 0 } else { 143 };
        end.code(expected);
    }
}

fn other_signals_at_the_last_moment_do_not_stop_the_gate(mode: Mode) {
    for round in 0..ROUNDS / 2 {
        let place = Place::new();
        let server = stub().exit(0);
        let run = place
            .gate(mode, &[migrate(stub().ignore_signals(libc::SIGWINCH))])
            .server(&server)
            .start();
        run.wait_for_log("migrate started");
        let_pass(round);
        run.signal(libc::SIGWINCH);
        run.signal(libc::SIGURG);
        run.end().code(0);
    }
}
