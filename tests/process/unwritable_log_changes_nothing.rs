//! A log that cannot be written, or that nobody reads, changes nothing.
//!
//! "Log on standard error, one line per transition, `launchgate: MESSAGE key=value`; standard
//! output belongs to the steps." (contract, section 8)

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, fcntl};
use nix::unistd::pipe;
use serde_json::Value;

use crate::common::{Given, Mode, Place, migrate, processes, stub, verify, wait_until};
use crate::four_modes;

four_modes!(
    a_closed_standard_error_changes_nothing,
    a_full_disk_behind_standard_error_changes_nothing,
    a_limit_on_file_size_changes_nothing,
    a_full_pipe_that_nobody_reads_changes_nothing,
    a_pipe_whose_reader_left_changes_nothing,
    signals_are_obeyed_while_nobody_reads_the_log,
    signals_are_obeyed_while_nobody_reads_the_steps_output,
    a_slow_reader_still_gets_everything,
    a_full_socket_that_nobody_reads_changes_nothing,
    a_failure_code_needs_no_reader,
    signals_are_obeyed_while_nobody_reads_what_is_printed,
    a_reader_that_is_late_still_learns_why,
);

/// A full pipe: what reads it, and what would write.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = pipe().unwrap();
    let size = fcntl(&write, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    File::from(write.try_clone().unwrap())
        .write_all(&vec![b'x'; usize::try_from(size).unwrap()])
        .unwrap();
    (read, write)
}

fn passes(place: &Place, gate: crate::common::Gate<'_>) {
    let server = stub().append("order", "server").exit(5);
    gate.server(&server).end().code(5).leaves_nothing();
    assert_eq!(place.lines("order"), ["step", "server"]);
}

const STEP: [&str; 1] = ["--migrate=./stub append order step"];

fn a_closed_standard_error_changes_nothing(mode: Mode) {
    let place = Place::new();
    passes(&place, place.gate(mode, &STEP).closed(2));
}

fn a_full_disk_behind_standard_error_changes_nothing(mode: Mode) {
    let place = Place::new();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    passes(&place, place.gate(mode, &STEP).descriptor(2, full));
}

fn a_limit_on_file_size_changes_nothing(mode: Mode) {
    let place = Place::new();
    // A write past the limit also sends SIGXFSZ to whoever wrote: that is no signal for a step.
    let run = place
        .gate(mode, &[migrate(stub().wait_for("go"))])
        .given(Given::Limit(libc::RLIMIT_FSIZE, 0, 0))
        .server(stub().exit(5))
        .start();
    wait_until("the step", || (!run.others().is_empty()).then_some(()));
    place.write("go", "");
    run.end().code(5);
}

fn a_full_pipe_that_nobody_reads_changes_nothing(mode: Mode) {
    let place = Place::new();
    let (_read, write) = full_pipe();
    passes(&place, place.gate(mode, &STEP).descriptor(2, write));
}

fn a_full_socket_that_nobody_reads_changes_nothing(mode: Mode) {
    let place = Place::new();
    let (_ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    while (&theirs).write(&[b'x'; 4096]).is_ok() {}
    theirs.set_nonblocking(false).unwrap();
    passes(&place, place.gate(mode, &STEP).descriptor(2, theirs));
}

fn a_pipe_whose_reader_left_changes_nothing(mode: Mode) {
    let place = Place::new();
    let (read, write) = pipe().unwrap();
    drop(read);
    passes(&place, place.gate(mode, &STEP).descriptor(2, write));
}

fn signals_are_obeyed_while_nobody_reads_the_log(mode: Mode) {
    let place = Place::new();
    let (_read, write) = full_pipe();
    let run = place
        .gate(
            mode,
            &[
                "-v",
                migrate(stub().wait_for_signal("heard", libc::SIGTERM)),
            ],
        )
        .descriptor(2, write)
        .server(stub().append("started", "x"))
        .start();
    place.wait_for_line("heard", "ready");
    run.signal(libc::SIGTERM);
    run.end().code(143);
    assert!(!place.has("started"));
}

fn signals_are_obeyed_while_nobody_reads_the_steps_output(mode: Mode) {
    for database in ["--no-database", "--database-url=sqlite:gate.db"] {
        let place = Place::new();
        let (_read, write) = full_pipe();
        place.write("bytes", vec![b'x'; 1_000_000]);
        let flags = [
            "job",
            database,
            "--release=1",
            migrate(stub().append_pid("up").exec(&["/bin/cat", "bytes"])),
        ];
        let words: Vec<&str> = std::iter::once("./launchgate").chain(flags).collect();
        let run = place.run(mode, &words).descriptor(1, write).start();
        let step = place.wait_for_pid("up");
        wait_until("the step to wait for its reader", || {
            let seen = run.find(step)?;
            (seen.command.contains("cat") && seen.state == 'S').then_some(())
        });
        run.signal(libc::SIGTERM);
        run.end().code(143).leaves_nothing();
    }
}

fn a_slow_reader_still_gets_everything(mode: Mode) {
    for database in ["--no-database", "--database-url=sqlite:gate.db"] {
        let place = Place::new();
        let bytes: Vec<u8> = (0..600_000u32).map(|i| (i % 253) as u8).collect();
        place.write("bytes", &bytes);
        let (read, write) = pipe().unwrap();
        let words = [
            "./launchgate",
            "run",
            database,
            "--release=1",
            "--migrate=cat bytes",
            verify(stub().append_pid("verifies")),
            "--",
            "./stub",
            "print",
            "served",
        ];
        let run = place.run(mode, words).descriptor(1, write).start();
        let mut read = File::from(read);
        let mut arrived = vec![0; 100];
        read.read_exact(&mut arrived).unwrap();
        // The step has more to say than a pipe holds, so the gate can't be further yet.
        assert!(!place.has("verifies"));
        read.read_to_end(&mut arrived).unwrap();
        run.end().code(0);
        assert!(
            arrived == [&bytes[..], b"served\n"].concat(),
            "{} bytes",
            arrived.len()
        );
    }
}

fn a_failure_code_needs_no_reader(mode: Mode) {
    let place = Place::new();
    let (_read, write) = full_pipe();
    let gate = place.gate(mode, &[migrate(stub().exit(9))]);
    gate.descriptor(2, write.try_clone().unwrap()).end().code(9);
    let gate = place.gate(mode, &["--migrate-timeout=x"]);
    gate.descriptor(2, write).end().code(64);
}

fn a_reader_that_is_late_still_learns_why(mode: Mode) {
    let place = Place::new();
    let (read, write) = pipe().unwrap();
    fcntl(&write, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    place.write("bytes", "a line of many\n".repeat(20_000));
    let flags = [
        "--log-format=json",
        migrate(stub().append_pid("up").exec(&["/bin/cat", "bytes"])),
    ];
    let run = place.gate(mode, &flags).descriptor(2, write).start();
    let step = place.wait_for_pid("up");
    wait_until("the step to wait for its reader", || {
        let seen = run.find(step)?;
        (seen.command.contains("cat") && seen.state == 'S').then_some(())
    });
    run.signal(libc::SIGTERM);
    // All is said by then, and waits for a last second.
    wait_until("the end of the step, and its news to wait", || {
        (run.find(step).is_none() && processes::waits_in_poll(run.pid())).then_some(())
    });
    let mut text = String::new();
    File::from(read).read_to_string(&mut text).unwrap();
    run.end().code(143);
    let objects: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let [.., missing, last] = objects.as_slice() else {
        panic!("{text}")
    };
    assert_eq!(missing["event"], "log.left_out", "{missing}");
    assert!(
        missing["lines"].is_number() && missing["hint"].is_string(),
        "{missing}"
    );
    assert_eq!(last["event"], "gate.failed", "{last}");
}

fn signals_are_obeyed_while_nobody_reads_what_is_printed(mode: Mode) {
    for words in [
        &["generate", "man"][..],
        &["run", "--help"],
        &["check", "--no-database"],
    ] {
        let place = Place::new();
        let (read, write) = full_pipe();
        let all = [&["./launchgate"][..], words].concat();
        let run = place.run(mode, &all).descriptor(1, write).start();
        wait_until("it to wait for its reader", || {
            let seen = processes::see(run.pid())?;
            (seen.state == 'S' && processes::waits_in_poll(run.pid())).then_some(())
        });
        run.signal(libc::SIGTERM);
        run.end().code(143);
        drop(read);
    }
}
