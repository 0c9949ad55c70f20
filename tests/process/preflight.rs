//! "Executables of steps, start commands and the server are looked up before anything runs or
//! connects: there, executable by the user who will run it, for this machine's architecture, with
//! an interpreter that is there." (contract, section 4)

use crate::common::{Finished, Mode, Place, backup, migrate, stub};

/// Has `program` as the migration and as the server. Nothing may run before it is refused.
fn refused(place: &Place, program: &str, code: i32, words: &[&str]) {
    let earlier = backup(stub().append("started", "backup"));
    let step = format!("--migrate={program}");
    let end = place
        .gate(Mode::Ordinary, &[earlier, &step])
        .server(stub().append("started", "server"))
        .end();
    end.code(code).says(&["error", "--migrate"]).says(words);
    let end = place
        .gate(Mode::Ordinary, &[earlier])
        .server([program])
        .end();
    end.code(code).says(&["error", "server"]).says(words);
    assert!(!place.has("started"), "something was started\n{end}");
}

/// The beginning of this very program, which the kernel could execute.
fn own_program() -> Vec<u8> {
    let mut head = std::fs::read("/proc/self/exe").unwrap();
    head.truncate(4096);
    head
}

fn write_binary(place: &Place, name: &str, contents: &[u8]) {
    place.write_program(name, "");
    place.write(name, contents);
}

#[test]
fn a_program_for_another_architecture_is_refused() {
    let place = Place::new();
    let mut foreign = own_program();
    // No machine has this number, so no emulator is registered for it.
    foreign[18..20].copy_from_slice(&[0xed, 0xfe]);
    write_binary(&place, "foreign", &foreign);
    let words = ["./foreign is built for machine 65261", "--platform"];
    refused(&place, "./foreign", 126, &words);
}

#[test]
fn a_file_that_is_no_linux_program_is_refused() {
    let place = Place::new();
    let mut object = own_program();
    object[16] = 1;
    for (contents, words) in [
        (object.as_slice(), "an object file"),
        (b"\x7fELF\x02\x01\x01", "damaged"),
        (b"\xcf\xfa\xed\xfe\x0c\0\0\x01", "a macOS program"),
        (b"MZ\x90\0\x03\0", "a Windows program"),
        (b"\0\x01\x02\x03", "not in a format"),
    ] {
        write_binary(&place, "other", contents);
        refused(&place, "./other", 126, &["./other is ", words]);
    }
}

#[test]
fn a_missing_dynamic_loader_is_named() {
    let place = Place::new();
    let mut program = own_program();
    let at = program.windows(4).position(|word| word == b"/ld-");
    let at = at.expect("the tests are linked dynamically");
    program[at..at + 4].copy_from_slice(b"/no-");
    write_binary(&place, "dynamic", &program);
    let words = [
        "./dynamic needs the dynamic loader /",
        "/no-",
        "does not exist",
    ];
    refused(&place, "./dynamic", 127, &words);
}

#[test]
fn an_interpreter_must_exist_and_run() {
    let place = Place::new();
    place.write("plain", "#!/bin/sh\n");
    place.write_program("broken", "#!/no/such/interpreter\n");
    let folder = place.folder().display();
    let (plain, broken) = (format!("{folder}/plain"), format!("{folder}/broken"));
    for (line, code, words) in [
        ("#!/no/such/interpreter", 127, "/no/such/interpreter"),
        ("#! /usr/bin/env no-such-node", 127, "no-such-node"),
        ("#!/usr/bin/env -S no-such-node --x", 127, "no-such-node"),
        ("#!/usr/bin/env sh -e", 127, "env -S sh -e"),
        (&format!("#!{plain}"), 126, "plain is not executable"),
        (&format!("#!{broken}"), 127, "/no/such/interpreter"),
        (
            &format!("#!/usr/bin/env {broken}"),
            127,
            "/no/such/interpreter",
        ),
    ] {
        place.write_program("script", &format!("{line}\n"));
        refused(&place, "./script", code, &["./script", words]);
    }
}

#[test]
fn windows_line_endings_are_named() {
    let place = Place::new();
    for line in [
        "#!/bin/sh",
        "#!/usr/bin/env sh",
        "#!/usr/bin/env no-such-node",
        "#!/usr/bin/env -S sh -e",
        "#!/bin/sh -e",
    ] {
        place.write_program("script", &format!("{line}\r\necho\r\n"));
        refused(
            &place,
            "./script",
            127,
            &["./script has Windows line endings"],
        );
    }
}

#[test]
fn what_the_kernel_and_env_understand_is_not_refused() {
    let place = Place::new();
    place.write_program("through", "#!/bin/sh\nexec sh \"$1\"\n");
    let through = format!("#!{}/through", place.folder().display());
    for line in [
        "#!/bin/sh",
        "#! /bin/sh -e",
        "#!/usr/bin/env sh",
        "#!/usr/bin/env -S sh -e",
        "#!/usr/bin/env -S A=1 sh",
        "#!/usr/bin/env -S -u HOME sh",
        &through,
    ] {
        place.write_program("script", &format!("{line}\necho \"$0\" >>order\n"));
        place
            .gate(Mode::Ordinary, &["--migrate=./script"])
            .server(["./script"])
            .end()
            .code(0);
    }
    assert_eq!(place.lines("order").len(), 14);
}

fn of_server(words: &[&str]) -> Finished {
    let place = Place::new();
    let step = migrate(stub().append("started", "step"));
    let end = place.gate(Mode::Ordinary, &[step]).server(words).end();
    assert!(!place.has("started"));
    end
}

#[test]
fn a_command_in_one_word_is_told_apart() {
    of_server(&["node server.js"]).code(127).says(&[
        "`node server.js` was passed as one word",
        "write `-- node server.js`",
    ]);
    of_server(&["'node server.js'", "--x"])
        .code(127)
        .says(&["one word", "write `-- node server.js --x`"]);
    let place = Place::new();
    // `docker run --env-file` keeps the quotation marks.
    for (variable, value) in [
        ("LAUNCHGATE_MIGRATE", "\"node migrate.js\""),
        ("LAUNCHGATE_VERIFY", "'node migrate.js'"),
    ] {
        let gate = place.gate(Mode::Ordinary, &[""; 0]).env(variable, value);
        gate.end().code(127).says(&[
            variable,
            "`node migrate.js` was passed as one word",
            "remove the quotation marks",
        ]);
    }
}

#[test]
fn a_flag_that_follows_the_dashes_is_told_where_it_goes() {
    of_server(&["--init", "node", "server.js"])
        .code(127)
        .says(&["--init follows `--`", "put --init before `--`"]);
    of_server(&["--", "node"])
        .code(127)
        .says(&["-- follows `--`", "write `--` once"]);
}

#[test]
fn a_job_has_no_server_to_speak_of() {
    let place = Place::new();
    for (step, code) in [
        (stub().exit(3), 3),
        (stub().die_of(libc::SIGKILL), 137),
        (stub().wait_forever(), 124),
    ] {
        let step = migrate(step);
        let words = [
            "./launchgate",
            "job",
            "--no-database",
            "--migrate-timeout=200ms",
            "--stop-grace=0",
            step,
        ];
        let end = place.run(Mode::Ordinary, words).end();
        end.code(code)
            .says(&["error", "hint="])
            .never_says("server");
    }
}

#[test]
fn a_variable_that_nothing_expands_is_warned_of() {
    let warning = "is not expanded, because this command runs without a shell";
    let end = |words: &[&str]| {
        let place = Place::new();
        let end = place
            .gate(Mode::Ordinary, &["--migrate=true"])
            .server(words)
            .end();
        end.code(0);
        end
    };
    end(&["true", "--port", "$PORT"]).says(&["warning", "`$PORT`", warning, "--expand-env"]);
    end(&["true", "--port=${PORT}"]).says(&["`${PORT}`", warning]);
    end(&["true", "--url=redis://u:pa$$word@h"]).never_says("$word");
    for (command, shown) in [("true $HOST", "`$HOST`"), ("true x${HOST}y", "`${HOST}`")] {
        let place = Place::new();
        let gate = place.gate(Mode::Ordinary, &["--migrate", command]);
        let end = gate.server(["true"]).end();
        end.code(0).says(&["--migrate", shown, warning]);
    }
    for words in [
        &["true", "$", "$1", "50%"][..],
        &["sh", "-c", "exit ${PORT:-0}"],
        &["env", "/bin/sh", "-c", "exit $((0))$PORT"],
    ] {
        end(words).never_says(warning);
    }
}

#[test]
fn a_forgotten_command_and_a_mistyped_variable_are_guessed() {
    let place = Place::new();
    for (words, says) in [
        (
            &["--migrate", "true", "--", "true"][..],
            "launchgate run --migrate …",
        ),
        (&["--init=on", "--", "true"], "launchgate run --init=on …"),
        (&["--", "true"], "launchgate run -- …"),
    ] {
        let words = [&["./launchgate"], words].concat();
        let end = place.run(Mode::Ordinary, &words).end();
        end.code(64)
            .says(&["no command before", "did you mean", says]);
    }
    for (words, says) in [
        (
            &["init", "--migrate=true", "--", "true"][..],
            "`launchgate init` has no --migrate; `launchgate run` has it",
        ),
        (
            &["job", "--prepare=true"],
            "`launchgate job` has no --prepare",
        ),
        (&["job", "--nonsense"], "see `launchgate --help`"),
        (&["generate", "nonsense"], "write one of man, bash"),
    ] {
        let end = place
            .run(Mode::Ordinary, ["./launchgate"])
            .args(words)
            .end();
        end.code(64).says(&[says]);
    }
    let gate = place.gate(Mode::Ordinary, &["--migrate=true"]);
    let end = gate.env("LAUNCHGATE_MIGRAT", "true").end();
    end.code(0).says(&[
        "unknown environment variable LAUNCHGATE_MIGRAT",
        "did you mean LAUNCHGATE_MIGRATE?",
    ]);
    let gate = place.gate(Mode::Ordinary, &["--migrate=true"]);
    let end = gate.env("LAUNCHGATE_postgres://u:hidden@h", "true").end();
    end.code(0)
        .says(&["unknown environment variable LAUNCHGATE_postgres…"])
        .never_says("hidden");
}

/// The kernel executes such a file, and then its interpreter can't open it.
#[test]
fn a_script_that_the_user_can_not_read_is_refused() {
    let place = Place::new();
    place.write_program("script", "#!/bin/sh\nexit 0\n");
    let mode = |mode: u32| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(place.path("script"), permissions).unwrap();
    };
    let job = || {
        let flags = ["--migrate=./script", "--user=1234:1234"];
        place.gate(Mode::Ordinary, &flags).end()
    };
    mode(0o711);
    job().code(126).says(&[
        "--migrate: migrate step: ./script can't be read by this user",
        "chmod +r ./script",
    ]);
    mode(0o755);
    job().code(0);
    // A program that changes its user, as sudo is installed on some systems, is no script.
    std::fs::copy("/bin/true", place.path("script")).unwrap();
    mode(0o4711);
    job().code(0);
}
