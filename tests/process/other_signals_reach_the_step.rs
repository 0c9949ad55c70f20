//! Signals that don't stop the gate.
//!
//! "Every other signal goes to the step and does nothing where there is none." (contract, section 6)

use crate::common::{ALL, Mode, NONE, Place, migrate, processes, stub, wait_until};
use crate::four_modes;
use crate::signals_stop_the_step::{for_ever, heard, listening};

four_modes!(
    every_other_signal_goes_to_the_step,
    other_signals_do_nothing_where_there_is_no_step,
    a_signal_that_kills_the_step_is_no_stop,
);

fn every_other_signal_goes_to_the_step(mode: Mode) {
    let place = Place::new();
    let run = listening(&place, mode, for_ever(), &["--stop-grace=0"]);
    let sent: Vec<i32> = (1..=64)
        .filter(|n| ![1, 2, 3, 9, 15, 17, 18, 19, 32, 33].contains(n))
        .collect();
    for number in &sent {
        run.signal(*number);
        wait_until("the signal to arrive", || {
            heard(&place).contains(&number.to_string()).then_some(())
        });
    }
    run.signal(libc::SIGTERM);
    run.end().code(143);
    let expected: Vec<String> = sent.iter().map(ToString::to_string).collect();
    assert_eq!(heard(&place), expected);
}

/// The gate has no step while it waits for its reader of standard output: `check` and `job`
/// print nothing, so the moment before the server is all there is. The stress test of the last
/// moment looks there; here the step is gone and its leftover remains.
fn other_signals_do_nothing_where_there_is_no_step(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--stop-grace=1h",
        migrate(
            stub()
                .child(stub().new_session().record_signals("heard", ALL, NONE))
                .wait_for("heard"),
        ),
    ];
    let mut run = place
        .gate(mode, &flags)
        .server(stub().append("started", "x"))
        .start();
    place.wait_for_line("heard", "15");
    for number in [
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGALRM,
        libc::SIGWINCH,
        34,
        64,
    ] {
        run.signal(number);
    }
    assert_eq!(run.look(), None);
    let left = run.others();
    assert_eq!(left.len(), 1, "{left:#?}");
    processes::signal(left[0].pid, libc::SIGKILL);
    run.end().code(0);
    assert!(place.has("started"));
}

fn a_signal_that_kills_the_step_is_no_stop(mode: Mode) {
    let place = Place::new();
    let run = place
        .gate(mode, &[migrate(stub().append_pid("up").wait_forever())])
        .start();
    place.wait_for_pid("up");
    run.signal(libc::SIGUSR1);
    run.end()
        .code(128 + libc::SIGUSR1)
        .says(&["error", "SIGUSR1"]);
}
