//! "`launchgate init [OPTIONS] -- SERVER [ARG]...`: no gate at all: stays in front of SERVER as
//! section 7 says, and reads none of the gate's settings, wherever they come from." (contract,
//! section 2)

use crate::both_modes;
use crate::common::stub::ALL;
use crate::common::{Gate, Given, Mode, Place, Stub, stub};

both_modes!(
    no_setting_of_the_gate_matters,
    signals_are_forwarded_and_the_servers_end_is_its_own,
    its_own_settings_count_wherever_they_come_from,
    a_signal_from_before_the_server_is_forwarded_too,
);

/// `launchgate init` with flags and a server.
fn init<'a>(place: &'a Place, mode: Mode, flags: &[&str], server: &Stub) -> Gate<'a> {
    let gate = place.run(mode, ["./launchgate", "init"]);
    gate.args(flags).args(["--"]).args(server.words())
}

/// Variables that end a `run` with 64, or make it wait for a database.
const BROKEN: [(&str, &str); 15] = [
    ("DATABASE_URL", "postgres://nobody:x@127.0.0.1:1/x"),
    ("LAUNCHGATE_DATABASE_URL", "oracle://x"),
    ("LAUNCHGATE_MIGRATE", "a && b; \"c"),
    ("LAUNCHGATE_PREPARE", "a && b"),
    ("LAUNCHGATE_WARM_UP", "c; d"),
    ("LAUNCHGATE_SHELL", "maybe"),
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
    let mut gate = init(&place, mode, &[], &stub().report("seen"));
    for (name, value) in BROKEN {
        gate = gate.env(name, value);
    }
    gate.end().code(0);
    let seen = place.report("seen");
    for entry in seen.environment() {
        assert!(!entry.starts_with("LAUNCHGATE_"), "{entry}");
    }
}

fn signals_are_forwarded_and_the_servers_end_is_its_own(mode: Mode) {
    let place = Place::new();
    let server = stub().record_signals("heard", ALL, libc::SIGQUIT).exit(9);
    let flags = ["--rewrite-signal=TERM:QUIT", "--remap-exit=9:5"];
    let run = init(&place, mode, &flags, &server).start();
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
    let end = |code, variable| {
        let gate = init(&place, mode, &[], &stub().exit(code));
        gate.env("LAUNCHGATE_REMAP_EXIT", variable).end()
    };
    end(8, "").code(2);
    end(8, "8:3").code(3);
    end(8, "x").code(64).says(&["LAUNCHGATE_REMAP_EXIT"]);
    let gate = place.run(
        mode,
        ["./launchgate", "init", "--expand-env", "--unset-env=A"],
    );
    let gate = gate.args(["--", "sh", "-c", "exit $${A:-$$0}", "$CODE"]);
    gate.env("CODE", "4").env("A", "5").end().code(4);
}

/// "every signal forwarded" (contract, section 7)
fn a_signal_from_before_the_server_is_forwarded_too(mode: Mode) {
    for signal in [libc::SIGTERM, libc::SIGUSR1] {
        let place = Place::new();
        let server = stub().wait_for_signal("heard", signal).exit(143);
        let gate = init(&place, mode, &["--remap-exit=143:0"], &server);
        gate.given(Given::Pending(signal)).end().code(0);
        assert!(place.has("heard"));
    }
}

#[test]
fn what_it_can_not_start_is_refused() {
    let place = Place::new();
    for (words, code, says) in [
        (&["init"][..], 64, "no server to start"),
        (&["init", "true"], 64, "`--`"),
        (&["init", "--migrate=true", "--", "true"], 64, "--migrate"),
        (&["init", "--", "./absent"], 127, "./absent"),
        (&["init", "--", "/"], 126, "directory"),
        (&["init", "--user=no-such", "--", "true"], 64, "--user"),
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
    let end = init(&place, Mode::Ordinary, &[], &stub().append("started", "x")).end();
    end.code(64).says(&["launchgate.toml:1"]);
    assert!(!place.has("started"));
}
