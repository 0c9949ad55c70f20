//! Bad input is refused before anything runs.
//!
//! "64: usage or configuration; nothing was touched" (contract, section 6)
//!
//! "A missing SERVER is a usage error; so is a `run` or `job` without any step (a mistyped
//! variable must not start a server), unless `--no-database` says that nothing is gated"
//! (contract, section 2)

use std::ffi::OsStr;

use crate::both_modes;
use crate::common::{Ended, Finished, Given, Mode, Place, migrate, stub};

both_modes!(
    what_is_not_there_is_127_and_nothing_ran,
    what_can_not_be_executed_is_126_and_nothing_ran,
    too_long_arguments_are_refused_before_anything_runs,
    a_usage_error_wins_over_a_missing_executable,
    a_missing_server_is_a_usage_error,
    without_a_working_directory_a_gate_still_works,
    without_room_for_another_process_nothing_starts,
    without_a_descriptor_to_spare_the_failure_is_told,
);

const STARTED: [&str; 2] = [
    "--backup=./stub append started backup",
    "--migrate=./stub append started migrate",
];

/// Runs `launchgate` with everything that would leave a mark, and what is wrong.
fn refused(place: &Place, mode: Mode, flags: &[&str], server: &[&str], code: i32) -> Finished {
    let all = [&STARTED[..], flags].concat();
    let end = place.gate(mode, &all).server(server).end();
    end.code(code).says(&["error", "hint="]).leaves_nothing();
    assert!(!place.has("started"), "something was started\n{end}");
    end
}

const SERVER: [&str; 3] = ["./stub", "append", "started"];

fn what_is_not_there_is_127_and_nothing_ran(mode: Mode) {
    let place = Place::new();
    place.write_program("no-interpreter", "#!/no/such/interpreter\n");
    place.write_program("windows", "#!/bin/sh\r\necho\r\n");
    for (name, words) in [
        ("./absent", "does not exist"),
        ("absent-tool", "PATH"),
        ("/no/such/folder/tool", "does not exist"),
        ("./no-interpreter", "/no/such/interpreter"),
        ("./windows", "Windows line endings"),
    ] {
        refused(&place, mode, &[&format!("--verify={name} x")], &SERVER, 127)
            .says(&["--verify", name, words]);
        refused(&place, mode, &[], &[name], 127).says(&["server", name, words]);
    }
}

fn what_can_not_be_executed_is_126_and_nothing_ran(mode: Mode) {
    let place = Place::new();
    std::fs::create_dir(place.path("folder")).unwrap();
    place.write("plain", "#!/bin/sh\n");
    place.write_program("no-shebang", "echo started\n");
    place.write_program("empty", "");
    for (name, words) in [
        ("./folder", "directory"),
        ("/", "directory"),
        ("./plain", "not executable"),
        ("./no-shebang", "#!"),
        ("./empty", "#!"),
    ] {
        refused(&place, mode, &[&format!("--migrate={name}")], &SERVER, 126).says(&[
            "--migrate",
            name,
            words,
        ]);
        refused(&place, mode, &[], &[name], 126).says(&["server", name, words]);
    }
}

fn too_long_arguments_are_refused_before_anything_runs(mode: Mode) {
    let place = Place::new();
    // With a smaller stack than launchgate itself needed, or grown by expansion.
    let long = "x".repeat(70_000);
    let gate = place.gate(mode, &[&STARTED[..], &["--expand-env"]].concat());
    let end = gate
        .env("LONG", &long)
        .server(["./stub", "$LONG$LONG"])
        .end();
    end.code(126).says(&["error", "server", "longer than"]);
    let many: Vec<&str> = std::iter::once("./stub").chain(["$LONG"; 40]).collect();
    let gate = place.gate(mode, &[&STARTED[..], &["--expand-env"]].concat());
    let end = gate.env("LONG", &long).server(&many).end();
    end.code(126)
        .says(&["error", "server", "more than the kernel's"]);
    assert!(!place.has("started"));
}

fn a_usage_error_wins_over_a_missing_executable(mode: Mode) {
    let place = Place::new();
    refused(
        &place,
        mode,
        &["--verify=absent", "--migrate-timeout=x"],
        &["absent"],
        64,
    )
    .says(&["--migrate-timeout"]);
    refused(
        &place,
        mode,
        &["--migrate=absent", "--migrate=a;b"],
        &SERVER,
        64,
    )
    .says(&["`;`"]);
    refused(
        &place,
        mode,
        &["--migrate=absent", "--database-url=oracle://x"],
        &SERVER,
        64,
    );
    refused(
        &place,
        mode,
        &["--migrate=absent", "--step-env=x"],
        &SERVER,
        64,
    );
}

fn a_missing_server_is_a_usage_error(mode: Mode) {
    for words in [
        &[
            "./launchgate",
            "run",
            migrate(stub().append("started", "x")),
        ][..],
        &[
            "./launchgate",
            "run",
            migrate(stub().append("started", "x")),
            "--",
        ],
        &[
            "./launchgate",
            "run",
            migrate(stub().append("started", "x")),
            "--",
            "",
        ],
        &[
            "./launchgate",
            "run",
            migrate(stub().append("started", "x")),
            "./stub",
            "exit",
        ],
        &[
            "./launchgate",
            "run",
            "--migrate",
            "./stub",
            "append",
            "started",
            "--",
            "./stub",
        ],
        &["./launchgate", "run", "--migrate"],
        &["./launchgate", "run", "--migrat=x", "--", "./stub"],
        &["./launchgate", "rum", "--", "./stub"],
        &[
            "./launchgate",
            "job",
            migrate(stub().append("started", "x")),
            "--",
            "./stub",
        ],
        &["./launchgate"],
    ] {
        let place = Place::new();
        let end = place.run(mode, words).end();
        end.code(64)
            .says(&["launchgate: error", "hint="])
            .leaves_nothing();
        assert!(!place.has("started"), "{words:?}\n{end}");
    }
}

fn without_a_working_directory_a_gate_still_works(mode: Mode) {
    let place = Place::new();
    let inner = place.path("inner");
    std::fs::create_dir(&inner).unwrap();
    let folder = place.folder().display();
    let words = format!(
        "cd inner && rmdir ../inner && exec {folder}/launchgate run --no-database \
         --migrate '{folder}/stub append {folder}/order step' -- {folder}/stub append {folder}/order server"
    );
    place.run(mode, ["sh", "-c", &words]).end().code(0);
    assert_eq!(place.lines("order"), ["step", "server"]);
}

#[test]
fn executables_are_found_in_the_path_that_they_will_have() {
    let place = Place::new();
    std::fs::create_dir(place.path("tools")).unwrap();
    place.write_program("tools/migrator", "#!/bin/sh\necho \"$0\" >>order\n");
    let path = format!("--step-env=PATH={}", place.path("tools").display());
    place
        .gate(Mode::Ordinary, &[&path, "--migrate=migrator"])
        .end()
        .code(0);
    assert_eq!(
        place.lines("order"),
        [place.path("tools/migrator").display().to_string()]
    );
    // The server's PATH is not the steps'.
    let gate = place.gate(
        Mode::Ordinary,
        &[&path, migrate(stub().append("started", "x"))],
    );
    gate.server(["migrator"]).end().code(127);
    assert!(!place.has("started"));
    // An empty element is the working directory, and a file that may not run hides none.
    place.write("tool", "no program");
    place.write_program("tools/tool", "#!/bin/sh\necho found >>order\n");
    let path = format!("--step-env=PATH=:{}:/bin", place.path("tools").display());
    place
        .gate(Mode::Ordinary, &[&path, "--migrate=tool"])
        .end()
        .code(0);
    assert_eq!(place.lines("order").last().unwrap(), "found");
}

#[test]
fn a_server_at_the_kernels_limit_still_starts() {
    let place = Place::new();
    // A small stack is 128 KiB of arguments and environment; launchgate itself fits just so.
    let room = (1000..125_000).step_by(31_000);
    for len in room {
        let pad = "x".repeat(len);
        let gate = place
            .gate(Mode::Ordinary, &[migrate(stub().append("order", "step"))])
            .given(Given::Limit(libc::RLIMIT_STACK, 512 << 10, 512 << 10));
        let server: [&OsStr; 4] = ["./stub", "exit", "0", &pad].map(OsStr::new);
        gate.server(server).end().code(0);
    }
}

fn without_room_for_another_process_nothing_starts(mode: Mode) {
    let place = Place::new();
    let words = stub().become_user_who_may_not_fork().exec(&[
        "./launchgate",
        "run",
        "--no-database",
        "--migrate=true",
        "--",
        "./stub",
        "exit",
        "0",
    ]);
    let end = place.run(mode, &words).end();
    end.code(71).says(&["error", "migrate", "limit"]);
}

/// "71: the system refuses" (contract, section 6)
#[test]
fn where_descriptors_run_out_the_hint_is_their_limit() {
    let place = Place::new();
    let words = [
        "./launchgate",
        "job",
        "--database-url=sqlite:shop.db",
        "--release=v1",
        "--migrate=true",
    ];
    // With one more each time, a start gets further: to the step, and past it.
    let ends = (6..40).map(|limit| {
        let run = place.run(Mode::Ordinary, words);
        let end = run.given(Given::Limit(libc::RLIMIT_NOFILE, limit, limit));
        end.end()
    });
    let failed: Vec<Finished> = ends.take_while(|end| end.ended != Ended::Code(0)).collect();
    assert!(failed.len() < 30);
    let at_the_step = failed
        .iter()
        .filter(|end| end.stderr.contains("failed to start migrate"));
    let at_the_step: Vec<&Finished> = at_the_step.collect();
    assert!(!at_the_step.is_empty());
    for end in at_the_step {
        end.code(71).says(&["error", "ulimit -n"]);
    }
}

fn without_a_descriptor_to_spare_the_failure_is_told(mode: Mode) {
    let place = Place::new();
    // The dynamic loader needs one more than launchgate itself: it is closed again by then.
    let flags = ["--migrate=true", "--termination-log=why"];
    let gate = place.gate(mode, &flags).closed(0);
    let end = gate.given(Given::Limit(libc::RLIMIT_NOFILE, 3, 3)).end();
    end.code(71).says(&["error", "hint="]).never_says("warning");
    let why = place.text("why");
    assert!(
        why.contains("failed to set up") && why.contains("(exit code 71)"),
        "{why}\n{end}"
    );
}
