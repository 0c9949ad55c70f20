//! "`launchgate init [OPTIONS] -- SERVER [ARG]...`: no gate at all: stays in front of SERVER as
//! section 7 says, and reads none of the gate's settings, wherever they come from." (contract,
//! section 2)

use crate::both_modes;
use crate::common::{Mode, Place};

both_modes!(
    no_setting_of_the_gate_matters,
    signals_are_forwarded_and_the_servers_end_is_its_own,
    its_own_settings_count_wherever_they_come_from,
);

/// Variables that end a `run` with 64, or make it wait for a database.
const BROKEN: [(&str, &str); 12] = [
    ("DATABASE_URL", "postgres://nobody:x@127.0.0.1:1/x"),
    ("LAUNCHGATE_DATABASE_URL", "oracle://x"),
    ("LAUNCHGATE_MIGRATE", "a && b; \"c"),
    ("LAUNCHGATE_MIGRATE_TIMEOUT", "soon"),
    ("LAUNCHGATE_STEP_ENV", "x"),
    ("LAUNCHGATE_STEP_ENV_FROM", "A=NO_SUCH_VARIABLE"),
    ("LAUNCHGATE_STEP_USER", "no-such-user"),
    ("LAUNCHGATE_LEASE", "1y"),
    ("LAUNCHGATE_RELEASE", "$TAG"),
    ("LAUNCHGATE_HEALTH_LISTEN", "nowhere"),
    ("LAUNCHGATE_SKIP", "maybe"),
    ("LAUNCHGATE_INIT", "perhaps"),
];

fn no_setting_of_the_gate_matters(mode: Mode) {
    let place = Place::new();
    place.write(
        "launchgate.toml",
        "no-such-key = 1\nlease = true\nmigrate = 7\nbackup = { no-such = 1 }\nsql = []\n",
    );
    let words = ["./launchgate", "init", "--", "./probe", "look", "seen"];
    let mut gate = place.run(mode, &words);
    for (name, value) in BROKEN {
        gate = gate.env(name, value);
    }
    gate.end().code(0);
    let seen = place.look("seen");
    for entry in seen.environment() {
        assert!(!entry.starts_with("LAUNCHGATE_"), "{entry}");
    }
}

fn signals_are_forwarded_and_the_servers_end_is_its_own(mode: Mode) {
    let place = Place::new();
    let words = [
        "./launchgate",
        "init",
        "--rewrite-signal=TERM:QUIT",
        "--remap-exit=9:5",
        "--",
        "./probe",
        "listen",
        "heard",
        "all",
        "3",
        "exit",
        "9",
    ];
    let run = place.run(mode, &words).start();
    place.wait_for_line("heard", "ready");
    run.signal(libc::SIGUSR1);
    place.wait_for_line("heard", "10");
    run.signal(libc::SIGTERM);
    run.end().code(5).leaves_nothing();
    assert_eq!(place.lines("heard"), ["ready", "10", "3"]);
}

fn its_own_settings_count_wherever_they_come_from(mode: Mode) {
    let place = Place::new();
    place.write("launchgate.toml", "remap-exit = [\"7:1\", \"8:2\"]\n");
    let end = |code: &str, variable: &str| {
        let words = ["./launchgate", "init", "--", "./probe", "exit", code];
        place
            .run(mode, &words)
            .env("LAUNCHGATE_REMAP_EXIT", variable)
            .end()
    };
    end("8", "").code(2);
    end("8", "8:3").code(3);
    end("8", "x").code(64).says(&["LAUNCHGATE_REMAP_EXIT"]);
    let words = [
        "./launchgate",
        "init",
        "--expand-env",
        "--unset-env=A",
        "--",
    ];
    let server = ["./probe", "exit", "$CODE"];
    let gate = place.run(mode, &[&words[..], &server].concat());
    gate.env("CODE", "4").end().code(4);
}

#[test]
fn what_it_can_not_start_is_refused() {
    let place = Place::new();
    for (words, code, says) in [
        (&["init"][..], 64, "no server to start"),
        (&["init", "./probe", "exit", "0"], 64, "`--`"),
        (
            &["init", "--migrate=true", "--", "./probe"],
            64,
            "--migrate",
        ),
        (&["init", "--", "./absent"], 127, "./absent"),
        (&["init", "--", "/"], 126, "directory"),
        (&["init", "--user=no-such", "--", "./probe"], 64, "--user"),
    ] {
        let words = [&["./launchgate"], words].concat();
        let end = place.run(Mode::Ordinary, &words).end();
        end.code(code).says(&["error", says, "hint="]);
    }
}

#[test]
fn a_settings_file_that_is_no_toml_is_refused() {
    // It may name the user that the server must run as.
    let place = Place::new();
    place.write("launchgate.toml", "user = \"nobody\nlease = 1\n");
    let words = [
        "./launchgate",
        "init",
        "--",
        "./probe",
        "note",
        "started",
        "x",
    ];
    let end = place.run(Mode::Ordinary, &words).end();
    end.code(64).says(&["launchgate.toml:1"]);
    assert!(!place.has("started"));
}
