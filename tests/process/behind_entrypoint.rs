//! "Behind an ENTRYPOINT of `launchgate run … --`, an operator's `launchgate status`, `resolve`,
//! `check`, `probe`, `print-ddl`, `convert` or `generate` is carried out without passing the gate;
//! `launchgate run`, `job` or `wait` there is an error (64) that explains the two ways to write it.
//! The outer command's flags count there where the inner command gives none." (contract, section 2)

use crate::common::{Finished, Mode, Place, migrate, stub};

/// The ENTRYPOINT of an image, and what its user adds.
fn entrypoint(place: &Place, flags: &[&str], inner: &[&str]) -> Finished {
    let migration = migrate(stub().append("started", "migration"));
    let gate = place.run(Mode::Ordinary, ["./launchgate", "run", migration]);
    gate.args(flags).args(["--"]).args(inner).end()
}

const DATABASE: &str = "--database-url=sqlite:app.db";

#[test]
fn an_operators_command_passes_no_gate() {
    let place = Place::new();
    // Somebody else's launchgate of the same name, a path to this one, and another name for it.
    std::os::unix::fs::symlink("launchgate", place.path("lg")).unwrap();
    for program in ["launchgate", "./launchgate", "./lg"] {
        for (inner, says) in [
            (&["status"][..], "app"),
            (&["status", "--json"], "\"runs\""),
            (&["print-ddl", "--database", "postgres"], "launchgate_runs"),
            (&["generate", "bash"], "complete"),
            (&["check"], "migrate"),
            (&["probe", "--pid", "1"], ""),
        ] {
            let words = [&[program], inner].concat();
            entrypoint(&place, &[DATABASE, "--app=web"], &words).code(0);
            let printed = place.text("stdout");
            assert!(printed.contains(says), "{words:?}\n{printed}");
            assert!(!place.has("started"), "{words:?}");
        }
    }
    let words = ["launchgate", "convert", "sh -c './migrate; ./server'"];
    let end = entrypoint(&place, &[DATABASE], &words);
    assert!(place.text("stdout").contains("launchgate run"), "{end}");
    assert!(!place.has("started"));
    let health = [
        "launchgate",
        "probe",
        "--pid",
        "1",
        "--",
        "./stub",
        "exit",
        "3",
    ];
    entrypoint(&place, &[DATABASE], &health).code(3);
}

#[test]
fn the_outer_flags_count_unless_the_inner_command_gives_its_own() {
    let place = Place::new();
    let app = |inner: &[&str]| {
        let words = [&["launchgate", "status", "--json"], inner].concat();
        entrypoint(&place, &[DATABASE, "--app=web", "-q"], &words).code(0);
        let status: serde_json::Value = serde_json::from_str(&place.text("stdout")).unwrap();
        status["app"].as_str().unwrap().to_owned()
    };
    assert_eq!(app(&[]), "web");
    assert_eq!(app(&["--app=api"]), "api");
    // One way to name the database is enough, and one of -v and -q.
    place.write("url", "sqlite:other.db");
    assert_eq!(app(&["--database-url-file=url", "-v"]), "web");
    let words = ["launchgate", "status", "--database-url-file=absent"];
    let end = entrypoint(&place, &[DATABASE], &words);
    end.code(64).says(&["absent"]);
    // The log's format counts for mistakes too.
    let words = ["launchgate", "status", "--no-such-flag"];
    let end = entrypoint(&place, &["--log-format=json", DATABASE], &words);
    end.code(64).says(&["{\"code\":64", "--no-such-flag"]);
    assert!(!place.has("started"));
}

#[test]
fn a_gate_behind_a_gate_is_refused() {
    let place = Place::new();
    for inner in [
        &["launchgate", "run", "--migrate=true", "--", "./stub"][..],
        &["./launchgate", "job", "--migrate=true"],
        &["launchgate", "wait", "--bogus"],
    ] {
        let end = entrypoint(&place, &["--no-database"], inner);
        end.code(64)
            .says(&["ENTRYPOINT", "only the server's command", "--entrypoint"]);
        assert!(!place.has("started"), "{inner:?}");
    }
}

#[test]
fn what_is_misspelled_there_is_no_server() {
    let place = Place::new();
    for inner in [&["launchgate", "stauts"][..], &["launchgate"]] {
        entrypoint(&place, &["--no-database"], inner).code(64);
        assert!(!place.has("started"), "{inner:?}");
    }
    entrypoint(&place, &["--no-database"], &["launchgate", "--version"]).code(0);
    assert!(!place.has("started"));
}

#[test]
fn an_init_is_a_server_like_any_other() {
    let place = Place::new();
    let inner = ["./launchgate", "init", "--", "./stub", "exit", "4"];
    entrypoint(&place, &["--no-database"], &inner).code(4);
    assert!(place.has("started"));
    // And a program whose arguments look like launchgate's is none.
    place.write_program("tool", "#!/bin/sh\nexit 6\n");
    entrypoint(&place, &["--no-database"], &["./tool", "status"]).code(6);
}
