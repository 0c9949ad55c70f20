//! The same promises where launchgate keeps a step's last output for the ledger: the step
//! writes into a pipe, and launchgate passes it on.
//!
//! "its output passed through byte for byte, as it comes, to the same stream" (contract, section
//! 4)
//!
//! "A failed attempt stores the step, exit code or signal, duration and the last 4 KiB of output."
//! (contract, section 5)

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read;

use nix::unistd::pipe;

use crate::both_modes;
use crate::common::{ALL, Gate, Mode, Place, migrate, stub, verify, wait_until};

both_modes!(
    captured_output_is_passed_on_byte_for_byte,
    captured_streams_on_one_pipe_keep_their_order,
    captured_output_arrives_as_it_comes,
    who_holds_the_pipe_open_holds_nothing_up,
    a_reader_that_left_is_seen_by_a_captured_step,
    the_server_keeps_no_descriptor_of_database_and_pipes,
    a_captured_step_is_stopped,
    a_stream_that_can_not_be_written_is_said_and_stops_no_step,
);

fn gate<'a>(
    place: &'a Place,
    mode: Mode,
    flags: &[&str],
    server: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Gate<'a> {
    let mut words = vec![
        "./launchgate",
        "run",
        "--database-url=sqlite:gate.db",
        "--release=1",
    ];
    words.extend(flags);
    place.run(mode, &words).server(server)
}

fn captured_output_is_passed_on_byte_for_byte(mode: Mode) {
    let place = Place::new();
    let bytes: Vec<u8> = (0..5_000_000u32).map(|i| (i * 7 % 251) as u8).collect();
    place.write("bytes", &bytes);
    let flags = ["--migrate=cat bytes", verify(stub().eprint("wrong"))];
    let end = gate(&place, mode, &flags, stub().print("served")).end();
    end.code(0).says(&["wrong"]);
    assert!(end.stdout == [&bytes[..], b"served\n"].concat());
}

fn captured_streams_on_one_pipe_keep_their_order(mode: Mode) {
    let place = Place::new();
    let (read, write) = pipe().unwrap();
    let flags = [
        "-q",
        migrate(
            stub()
                .print("1")
                .eprint("2")
                .print("3")
                .eprint("4")
                .print("5"),
        ),
    ];
    let run = gate(&place, mode, &flags, stub().print("6"))
        .descriptor(1, write.try_clone().unwrap())
        .descriptor(2, write)
        .start();
    let mut arrived = String::new();
    File::from(read).read_to_string(&mut arrived).unwrap();
    run.end().code(0);
    assert_eq!(arrived, "1\n2\n3\n4\n5\n6\n");
}

fn captured_output_arrives_as_it_comes(mode: Mode) {
    let place = Place::new();
    let flags = [migrate(
        stub().print("first").wait_for("go").print("second"),
    )];
    let run = gate(&place, mode, &flags, ["true"]).start();
    place.wait_for_line("stdout", "first");
    place.write("go", "");
    assert_eq!(run.end().code(0).stdout, b"first\nsecond\n");
}

fn who_holds_the_pipe_open_holds_nothing_up(mode: Mode) {
    let place = Place::new();
    // The daemon keeps the step's streams and prints when it is asked to go.
    let flags = [migrate(
        stub()
            .child(
                stub()
                    .new_session()
                    .wait_for_signal("heard", libc::SIGTERM)
                    .print("bye"),
            )
            .wait_for("heard")
            .print("hello"),
    )];
    let end = gate(&place, mode, &flags, stub().print("served")).end();
    assert_eq!(end.code(0).stdout, b"hello\nbye\nserved\n");
    end.leaves_nothing();
}

fn a_reader_that_left_is_seen_by_a_captured_step(mode: Mode) {
    let place = Place::new();
    let (read, write) = pipe().unwrap();
    drop(read);
    let flags = ["--migrate=./storm"];
    place.write_program("storm", "#!/bin/sh\nwhile echo line; do :; done\n");
    let gate = gate(&place, mode, &flags, stub().append("started", "x"));
    gate.descriptor(1, write).end().code(128 + libc::SIGPIPE);
    assert!(!place.has("started"));
}

fn the_server_keeps_no_descriptor_of_database_and_pipes(mode: Mode) {
    let place = Place::new();
    place.run(mode, stub().report("seen")).end().code(0);
    let alone = place.report("seen").comparable();
    let flags = [migrate(stub().child(stub().new_session().wait_forever()))];
    gate(&place, mode, &flags, stub().report("seen"))
        .end()
        .code(0);
    alone.assert_same(&place.report("seen").comparable());
    gate(&place, mode, &flags, stub().report("seen"))
        .end()
        .code(0);
    alone.assert_same(&place.report("seen").comparable());
}

fn a_captured_step_is_stopped(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--stop-grace=15s",
        migrate(
            stub()
                .record_signals("heard", ALL, libc::SIGTERM)
                .print("rolled-back"),
        ),
    ];
    let run = gate(&place, mode, &flags, stub().append("started", "x")).start();
    place.wait_for_line("heard", "ready");
    run.signal(libc::SIGUSR1);
    wait_until("the signal", || {
        place.text("heard").contains("10").then_some(())
    });
    run.signal(libc::SIGTERM);
    let end = run.end();
    assert_eq!(end.code(143).stdout, b"rolled-back\n");
    assert!(!place.has("started"));
}

fn a_stream_that_can_not_be_written_is_said_and_stops_no_step(mode: Mode) {
    let place = Place::new();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let flags = [migrate(
        stub()
            .print("one")
            .wait_for("go")
            .print("two")
            .append("done", "x"),
    )];
    let server = stub().append("served", "x");
    let run = gate(&place, mode, &flags, &server)
        .descriptor(1, full)
        .start();
    run.wait_for_log("can't write to");
    place.write("go", "");
    let end = run.end();
    let words = [
        "warning",
        "standard output",
        "migrate",
        "No space left",
        "hint=",
    ];
    end.code(0).says(&words);
    assert_eq!(end.stderr.matches("can't write to").count(), 1, "{end}");
    assert!(place.has("done") && place.has("served"));
}
