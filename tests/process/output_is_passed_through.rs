//! The output of steps is passed through unchanged.
//!
//! "its output passed through byte for byte, as it comes, to the same stream" (contract, section
//! 4)

use std::fs::File;
use std::io::Read;

use nix::unistd::pipe;

use crate::common::{Mode, Place, migrate, stub, verify};
use crate::four_modes;

four_modes!(
    output_goes_to_the_same_stream_byte_for_byte,
    large_output_arrives_whole_through_a_pipe,
    both_streams_on_one_pipe_keep_their_order,
    standard_output_belongs_to_the_steps,
    a_reader_that_left_is_seen_by_the_step,
    output_that_ends_in_no_line_break_gets_none,
);

fn output_goes_to_the_same_stream_byte_for_byte(mode: Mode) {
    let place = Place::new();
    let bytes = b"a\0b\xff\xfe\x80\r\n\n\x1b[31mno line break".to_vec();
    place.write("bytes", &bytes);
    let end = place
        .gate(
            mode,
            &["--migrate=cat bytes", migrate(stub().eprint("wrong"))],
        )
        .server(stub().print("served"))
        .end();
    end.code(0).says(&["wrong"]);
    assert_eq!(end.stdout, [bytes, b"served\n".to_vec()].concat());
}

fn output_that_ends_in_no_line_break_gets_none(mode: Mode) {
    let place = Place::new();
    place.write("bytes", "x");
    let end = place
        .gate(
            mode,
            &[
                "--backup=cat bytes",
                "--migrate=cat bytes",
                "--verify=cat bytes",
            ],
        )
        .end();
    assert_eq!(end.code(0).stdout, b"xxx");
}

fn large_output_arrives_whole_through_a_pipe(mode: Mode) {
    let place = Place::new();
    let bytes: Vec<u8> = (0..5_000_000u32).map(|i| (i * 7 % 251) as u8).collect();
    place.write("bytes", &bytes);
    let (read, write) = pipe().unwrap();
    let run = place
        .gate(mode, &["--migrate=cat bytes"])
        .descriptor(1, write)
        .start();
    let mut arrived = Vec::new();
    File::from(read).read_to_end(&mut arrived).unwrap();
    run.end().code(0);
    assert!(arrived == bytes, "{} bytes arrived", arrived.len());
}

fn both_streams_on_one_pipe_keep_their_order(mode: Mode) {
    let place = Place::new();
    let (read, write) = pipe().unwrap();
    let run = place
        .gate(
            mode,
            &[
                "-q",
                migrate(
                    stub()
                        .print("1")
                        .eprint("2")
                        .print("3")
                        .eprint("4")
                        .print("5"),
                ),
                verify(stub().eprint("6").print("7")),
            ],
        )
        .descriptor(1, write.try_clone().unwrap())
        .descriptor(2, write)
        .start();
    let mut arrived = String::new();
    File::from(read).read_to_string(&mut arrived).unwrap();
    run.end().code(0);
    assert_eq!(arrived, "1\n2\n3\n4\n5\n6\n7\n");
}

fn standard_output_belongs_to_the_steps(mode: Mode) {
    let place = Place::new();
    let end = place.gate(mode, &["-v", "--migrate=true"]).end();
    assert_eq!(end.code(0).stdout, b"");
    end.says(&["launchgate:", "migrate"]);
}

fn a_reader_that_left_is_seen_by_the_step(mode: Mode) {
    let place = Place::new();
    let (read, write) = pipe().unwrap();
    drop(read);
    let end = place
        .gate(
            mode,
            &[migrate(stub().print("lost").append("after", "write"))],
        )
        .descriptor(1, write)
        .end();
    end.code(128 + libc::SIGPIPE);
    assert!(!place.has("after"));
}
