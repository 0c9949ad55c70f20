//! How a step's command becomes words, with and without a shell.
//!
//! "A step command is split into words as a POSIX shell splits them, with no shell involved."
//! (contract, section 3)
//!
//! "`#` is an ordinary character; `$NAME` stays as it is unless `--expand-env`, with a warning."
//! (contract, section 3)

use crate::common::{Finished, Mode, Place, backup, migrate, stub};

/// The arguments that a stub gets behind `report seen exit 0`, which it does not read.
fn words(place: &Place, flags: &[&str]) -> Vec<String> {
    let gate = place
        .gate(Mode::Ordinary, flags)
        .env("SPACED", "a  b'\"$HOME;*")
        .env("WITH-HYPHEN", "h")
        .env("EMPTY", "");
    gate.end().code(0);
    place.report("seen").argv().split_off(5)
}

#[test]
fn words_are_split_as_a_posix_shell_does() {
    let place = Place::new();
    let step = r#"--migrate=./stub report seen exit 0 'a b' "c \"d\"" e\ f g''h '' # 'x;y' "&&""#;
    let split = ["a b", "c \"d\"", "e f", "gh", "", "#", "x;y", "&&"];
    let escaped: Vec<_> = split
        .iter()
        .map(|w| w.as_bytes().escape_ascii().to_string())
        .collect();
    assert_eq!(words(&place, &[step]), escaped);
}

#[test]
fn a_dollar_stays_without_expand_env_and_warns() {
    let place = Place::new();
    let step = "--migrate=./stub report seen exit 0 $SPACED";
    let end = place.gate(Mode::Ordinary, &[step]).env("SPACED", "x").end();
    end.code(0)
        .says(&["warning", "--migrate", "$SPACED", "--expand-env"]);
    assert_eq!(place.report("seen").argv()[5], "$SPACED");
    let end = place
        .gate(
            Mode::Ordinary,
            &["--migrate=./stub report seen exit 0 '$SPACED'"],
        )
        .end();
    end.code(0).never_says("warning");
}

#[test]
fn an_expanded_value_is_never_split_again() {
    let place = Place::new();
    let step = r#"--migrate=./stub report seen exit 0 $SPACED "${SPACED}" x${WITH-HYPHEN}y '$SPACED' $EMPTY $$ $$EMPTY"#;
    let value = "a  b\\'\\\"$HOME;*";
    assert_eq!(
        words(&place, &["--expand-env", step]),
        [value, value, "xhy", "$SPACED", "", "$", "$EMPTY"]
    );
}

#[test]
fn expansion_sees_what_the_step_will_see() {
    let place = Place::new();
    let flags = [
        "--expand-env",
        "--step-env=SPACED=own",
        "--step-env-from=URL=WITH-HYPHEN",
        "--migrate=./stub report seen exit 0 $SPACED $URL",
    ];
    assert_eq!(words(&place, &flags), ["own", "h"]);
}

#[test]
fn the_servers_arguments_are_expanded_too() {
    let place = Place::new();
    let server = ["$TOOL", "report", "${FILE}", "exit", "0", "'$A' $$ $1 $"];
    let gate = place.gate(Mode::Ordinary, &["--expand-env", "--migrate=true"]);
    gate.env("TOOL", "./stub")
        .env("FILE", "seen")
        .env("A", "a b")
        .server(server)
        .end()
        .code(0);
    assert_eq!(place.report("seen").argv()[5], "\\'a b\\' $ $1 $");
}

/// `wait` has a server too, whoever migrates.
#[test]
fn the_arguments_of_a_server_that_waits_are_expanded_too() {
    let place = Place::new();
    place.write("db", "");
    let database = "--database-url=sqlite:db";
    let words = ["resolve", "1", "--as=succeeded", database];
    let words = [&["./launchgate"], &words[..]].concat();
    place.run(Mode::Ordinary, &words).end().code(0);
    let server = ["--", "./stub", "report", "seen", "exit", "0", "$A"];
    let wait = |flag: &[&str], variable: &str| {
        let words = ["./launchgate", "wait", "--release=1", database];
        let gate = place.run(Mode::Ordinary, [&words[..], flag, &server].concat());
        let gate = gate.env("LAUNCHGATE_EXPAND_ENV", variable).env("A", "a b");
        gate.end().code(0);
        place.report("seen").argv()[5].clone()
    };
    assert_eq!(wait(&[], ""), "$A");
    assert_eq!(wait(&["--expand-env"], ""), "a b");
    assert_eq!(wait(&[], "on"), "a b");
    assert_eq!(wait(&["--expand-env=off"], "on"), "$A");
}

fn refused(flags: &[&str], says: &[&str]) -> Finished {
    let place = Place::new();
    let mut all = vec![backup(stub().append("started", "backup"))];
    all.extend(flags);
    let end = place
        .gate(Mode::Ordinary, &all)
        .server(stub().append("started", "server"))
        .end();
    end.code(64).says(&[&["error", "hint="], says].concat());
    assert!(!place.has("started"), "something was started: {flags:?}");
    end
}

#[test]
fn an_unset_variable_is_an_error() {
    refused(
        &["--expand-env", "--migrate=true $NOT_SET"],
        &["--migrate", "NOT_SET", "unset variable"],
    );
    refused(
        &["--expand-env", "--migrate=true ${NOT-SET}"],
        &["--migrate", "NOT-SET"],
    );
    refused(&["--expand-env", "--verify=true ${X"], &["--verify", "}"]);
    refused(&["--expand-env", "--verify=true ${}"], &["--verify", "${}"]);
}

#[test]
fn the_shell_expands_itself() {
    refused(
        &["--shell", "--expand-env", "--migrate=true"],
        &["--shell", "--expand-env"],
    );
    let place = Place::new();
    let flags = [
        "--shell",
        "--migrate=echo one; echo $A | tr a b",
        "--verify=exit 4",
    ];
    let end = place.gate(Mode::Ordinary, &flags).env("A", "aa").end();
    assert_eq!(end.code(4).stdout, b"one\nbb\n");
}

#[test]
fn what_only_a_shell_understands_is_refused_with_the_remedy() {
    for (command, found, remedy) in [
        ("true ; false", "`;`", "--migrate"),
        ("true && false", "`&&`", "--migrate"),
        ("true & ", "`&`", "remove"),
        ("true || false", "`||`", "--shell"),
        ("true | cat", "`|`", "--shell"),
        ("true > out", "`>`", "--shell"),
        ("true 2>&1", "`>`", "--shell"),
        ("true < in", "`<`", "--shell"),
        ("(true)", "`(`", "--shell"),
        ("true)", "`)`", "--shell"),
        ("true `date`", "backtick", "--shell"),
        ("true $(date)", "`$(`", "--shell"),
        ("true \"$(date)\"", "`$(`", "--shell"),
        ("A=1 true", "`A=`", "--step-env A="),
        ("true 'x", "'", "clos"),
        ("true \"x", "\\\"", "clos"),
        ("true\nfalse", "line break", "--migrate"),
        ("true \\", "backslash", "two"),
    ] {
        refused(
            &[&format!("--migrate={command}")],
            &["--migrate", found, remedy],
        );
        let end = refused(&[&format!("--verify={command}")], &["--verify", found]);
        // Only one of the settings can be given twice.
        end.never_says("repeat the flag").never_says("--migrate");
    }
}

#[test]
fn what_a_shell_alone_knows_is_named_as_such() {
    for (command, remedy) in [
        ("cd /app", "--shell"),
        ("export A=1", "--step-env"),
        ("exec node x.js", "remove it"),
        ("source ./env", "--shell"),
        (". ./env", "--shell"),
        ("set -e", "--shell"),
        ("ulimit -n 10", "--shell"),
        ("umask 022", "--shell"),
        ("eval x", "--shell"),
        ("unset A", "--step-env"),
        ("alias a=b", "--shell"),
        ("trap x EXIT", "--shell"),
        ("if true", "--shell"),
    ] {
        let word = command.split(' ').next().unwrap();
        let shown = format!("{word} is a shell builtin");
        let place = Place::new();
        let flags = [
            backup(stub().append("started", "backup")),
            &format!("--migrate={command}"),
        ];
        let end = place.gate(Mode::Ordinary, &flags).end();
        end.code(127).says(&["error", "--migrate", &shown, remedy]);
        let words: Vec<&str> = command.split(' ').collect();
        let end = place.gate(Mode::Ordinary, &flags[..1]).server(&words).end();
        end.code(127)
            .says(&["error", "server", &shown, "sh -c"])
            .never_says("--step-env");
        assert!(!place.has("started"));
    }
    // What is also a program is one.
    let place = Place::new();
    let end = place.gate(Mode::Ordinary, &["--migrate=test 1 = 1"]).end();
    end.code(0);
}

#[test]
fn a_variable_that_nobody_can_set_is_not_asked_for() {
    for (name, says) in [
        ("LAUNCHGATE_APP", "when the step starts"),
        ("LAUNCHGATE_RUN_ID", "when the step starts"),
        ("PGAPPNAME", "when the step starts"),
        ("LAUNCHGATE_MIGRATE", "does not pass to steps"),
    ] {
        for step in [
            format!("--migrate=true ${name}"),
            format!("--migrate=true \"${{{name}}}\""),
        ] {
            let end = refused(&["--expand-env", &step], &["--migrate", name, says]);
            end.never_says(&format!("set {name}"));
        }
    }
    let place = Place::new();
    let server = |flags: &[&str], name: &str, says: &str| {
        let all = [
            &["--expand-env", migrate(stub().append("started", "x"))],
            flags,
        ]
        .concat();
        let gate = place.gate(Mode::Ordinary, &all).env("ADMIN_URL", "x");
        let end = gate.server(["./stub", &format!("${name}")]).end();
        end.code(64)
            .says(&["error", "SERVER", name, says])
            .never_says(&format!("set {name}"));
        assert!(!place.has("started"));
    };
    server(&[], "LAUNCHGATE_APP", "does not pass to the server");
    server(
        &["--unset-env=ADMIN_URL"],
        "ADMIN_URL",
        "--unset-env removes",
    );
    server(
        &["--step-env-from=DATABASE_URL=ADMIN_URL"],
        "ADMIN_URL",
        "--step-env-from removes",
    );
}

#[test]
fn an_empty_command_is_refused() {
    for flag in ["--migrate=", "--backup=", "--verify="] {
        let place = Place::new();
        let end = place
            .gate(Mode::Ordinary, &[flag])
            .server(stub().append("started", "x"))
            .end();
        end.code(64)
            .says(&["error", flag.trim_end_matches('='), "empty"]);
        assert!(!place.has("started"));
    }
    for command in ["  ", "''", "\"\" x"] {
        refused(
            &[&format!("--migrate={command}")],
            &["--migrate", "no command"],
        );
    }
    refused(&["--shell", "--migrate=  "], &["--migrate", "no command"]);
}

#[test]
fn arguments_that_are_no_utf8_reach_the_step() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let flag = std::ffi::OsStr::from_bytes(b"--migrate=./stub report seen exit 0 \xff'\xfe '");
    place.gate(Mode::Ordinary, &[flag]).end().code(0);
    assert_eq!(place.report("seen").argv()[5], "\\xff\\xfe ");
}
