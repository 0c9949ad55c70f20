//! The same promises where launchgate keeps a step's last output for the ledger: the step
//! writes into a pipe, and launchgate passes it on.

use std::fs::{File, OpenOptions};
use std::io::Read;

use nix::unistd::pipe;

use crate::both_modes;
use crate::common::{Gate, Mode, Place, wait_until};

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

fn gate<'a>(place: &'a Place, mode: Mode, flags: &[&str], server: &[&str]) -> Gate<'a> {
    let mut words = vec![
        "./launchgate",
        "run",
        "--database-url=sqlite:gate.db",
        "--release=1",
    ];
    words.extend(flags);
    words.push("--");
    words.extend(server);
    place.run(mode, &words)
}

fn captured_output_is_passed_on_byte_for_byte(mode: Mode) {
    let place = Place::new();
    let bytes: Vec<u8> = (0..5_000_000u32).map(|i| (i * 7 % 251) as u8).collect();
    place.write("bytes", &bytes);
    let flags = ["--migrate=cat bytes", "--verify=./probe err wrong"];
    let end = gate(&place, mode, &flags, &["./probe", "say", "served"]).end();
    end.code(0).says(&["wrong"]);
    assert!(end.stdout == [&bytes[..], b"served\n"].concat());
}

fn captured_streams_on_one_pipe_keep_their_order(mode: Mode) {
    let place = Place::new();
    let (read, write) = pipe().unwrap();
    let flags = ["-q", "--migrate=./probe say 1 err 2 say 3 err 4 say 5"];
    let run = gate(&place, mode, &flags, &["./probe", "say", "6"])
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
    let flags = ["--migrate=./probe say first await go say second"];
    let run = gate(&place, mode, &flags, &["true"]).start();
    place.wait_for_line("stdout", "first");
    place.write("go", "");
    assert_eq!(run.end().code(0).stdout, b"first\nsecond\n");
}

fn who_holds_the_pipe_open_holds_nothing_up(mode: Mode) {
    let place = Place::new();
    // The daemon keeps the step's streams and prints when it is asked to go.
    let flags = [
        "--migrate=./probe fork session listen heard 15 15 say bye / await heard say hello exit 0",
    ];
    let end = gate(&place, mode, &flags, &["./probe", "say", "served"]).end();
    assert_eq!(end.code(0).stdout, b"hello\nbye\nserved\n");
    end.leaves_nothing();
}

fn a_reader_that_left_is_seen_by_a_captured_step(mode: Mode) {
    let place = Place::new();
    let (read, write) = pipe().unwrap();
    drop(read);
    let flags = ["--migrate=./storm"];
    place.write_program("storm", "#!/bin/sh\nwhile echo line; do :; done\n");
    let gate = gate(&place, mode, &flags, &["./probe", "note", "started", "x"]);
    gate.descriptor(1, write).end().code(128 + libc::SIGPIPE);
    assert!(!place.has("started"));
}

fn the_server_keeps_no_descriptor_of_database_and_pipes(mode: Mode) {
    let place = Place::new();
    place.run(mode, &["./probe", "look", "seen"]).end().code(0);
    let alone = place.look("seen").comparable();
    let flags = ["--migrate=./probe fork session wait / exit 0"];
    gate(&place, mode, &flags, &["./probe", "look", "seen"])
        .end()
        .code(0);
    alone.assert_same(&place.look("seen").comparable());
    gate(&place, mode, &flags, &["./probe", "look", "seen"])
        .end()
        .code(0);
    alone.assert_same(&place.look("seen").comparable());
}

fn a_captured_step_is_stopped(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--stop-grace=15s",
        "--migrate=./probe listen heard all 15 say rolled-back exit 0",
    ];
    let run = gate(&place, mode, &flags, &["./probe", "note", "started", "x"]).start();
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
    let flags = ["--migrate=./probe say one await go say two note done x"];
    let server = ["./probe", "note", "served", "x"];
    let run = gate(&place, mode, &flags, &server)
        .descriptor(1, full)
        .start();
    run.wait_for_log("can't be written");
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
    assert_eq!(end.stderr.matches("can't be written").count(), 1, "{end}");
    assert!(place.has("done") && place.has("served"));
}
