//! `launchgate convert`: the command that it prints runs the words that a shell would have run.
//!
//! "It never proposes a command that does less, more, or something else than the chain" (contract,
//! section 9)

use std::fs::File;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::common::{Finished, Mode, Place, wait_until};
use crate::terminal::Terminal;

fn convert(place: &Place, words: &[&str]) -> Finished {
    let words = [&["./launchgate", "convert"], words].concat();
    place.run(Mode::Ordinary, &words).end()
}

fn page(end: &Finished) -> String {
    String::from_utf8(end.stdout.clone()).unwrap()
}

/// The line behind a title.
fn line<'a>(page: &'a str, begin: &str) -> &'a str {
    let mut lines = page.lines();
    lines
        .find_map(|line| line.trim_start().strip_prefix(begin))
        .unwrap_or_else(|| panic!("no line begins with {begin:?}\n{page}"))
}

/// A program that notes its arguments, one a line, and two variables.
fn place() -> Place {
    let place = Place::new();
    let program = "#!/bin/sh\nfor word in \"$0\" \"$@\"; do printf '<%s>\\n' \"$word\"; done >>log\necho \"$ONE-$TWO\" >>log\n";
    place.write_program("migrate", program);
    place.write_program("serve", program);
    place
}

/// What dash runs for the chain, and what launchgate runs for the command that it printed.
fn both_run_the_same(place: &Place, chain: &str) {
    let end = convert(place, &["--", "sh", "-c", chain]);
    end.code(0);
    let page = page(&end);
    let (_, command) = page.split_once("Instead:\n  launchgate run ").unwrap();
    let (command, _) = command.split_once("\n\nDockerfile:\n").unwrap();

    place.write("log", "");
    let environment = |gate: crate::common::Gate<'_>| {
        gate.env("ONE", "1")
            .env("SPACED", "a  'b'\"c\" $ONE *")
            .end()
            .code(0);
    };
    // dash has no third party between the text and its words
    environment(
        place
            .run(Mode::Ordinary, ["dash", "-c", chain])
            .env("LAUNCHGATE_NO_DATABASE", "1"),
    );
    let by_shell = place.text("log");
    assert!(by_shell.contains("<./serve>"), "{chain}: {by_shell}");

    place.write("log", "");
    let typed = format!("./launchgate run {command}");
    environment(
        place
            .run(Mode::Ordinary, ["dash", "-c", &typed])
            .env("LAUNCHGATE_NO_DATABASE", "1"),
    );
    assert_eq!(place.text("log"), by_shell, "{chain}\n{page}");

    // The JSON array has the words that a shell reads from the command.
    let array: Vec<String> = serde_json::from_str(line(&page, "CMD ")).unwrap();
    let words = format!("for word in launchgate run {command}; do printf '%s\\0' \"$word\"; done");
    let read = place.run(Mode::Ordinary, ["dash", "-c", &words]).end();
    let read = String::from_utf8(read.stdout).unwrap();
    assert_eq!(
        read.split_terminator('\0').collect::<Vec<_>>(),
        array,
        "{page}"
    );

    place.write("log", "");
    let mut argv: Vec<&str> = array.iter().map(String::as_str).collect();
    argv[0] = "./launchgate";
    environment(
        place
            .run(Mode::Ordinary, &argv)
            .env("LAUNCHGATE_NO_DATABASE", "1"),
    );
    assert_eq!(place.text("log"), by_shell, "{chain}\n{page}");
}

#[test]
fn whatever_is_quoted_comes_through_as_a_shell_reads_it() {
    let word = prop_oneof![
        "[a-z0-9./:=,@%^_+-]{1,6}",
        "'[ -&(-~\n]{0,8}'",
        "\"[a-z '|&;()<>*?{}#!~]{0,8}\"",
        "[a-z]{0,2}\\\\[ -~][a-z]{0,2}",
        Just("\"$SPACED\"".to_owned()),
        Just("\"${ONE}\"'$ONE'".to_owned()),
        "[a-z]{1,2}[*?~#!{}][a-z]{0,2}",
    ];
    let words = prop::collection::vec(word, 0..4).prop_map(|words| words.join(" "));
    let place = place();
    let mut runner = TestRunner::new(Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    });
    let chain = (words.clone(), words).prop_map(|(a, b)| format!("./migrate {a} && ./serve {b}"));
    runner
        .run(&chain, |chain| {
            both_run_the_same(&place, &chain);
            Ok(())
        })
        .unwrap();
}

#[test]
fn problems_come_first_then_the_command_then_the_arrays() {
    let place = Place::new();
    let chain = "sh -c \"node migrate.js; node server.js\"";
    let end = convert(&place, &[chain]);
    end.code(0);
    assert_eq!(end.stderr, "");
    let page = page(&end);
    let titles: Vec<&str> = page.lines().filter(|line| line.ends_with(':')).collect();
    assert_eq!(
        titles,
        [
            "Problems:",
            "Notes:",
            "Instead:",
            "Dockerfile:",
            "Kubernetes:"
        ]
    );
    assert_eq!(
        line(&page, "launchgate "),
        "run --init --migrate 'node migrate.js' -- node server.js"
    );
    let array = r#"["launchgate", "run", "--init", "--migrate", "node migrate.js", "--", "node", "server.js"]"#;
    assert_eq!(line(&page, "CMD "), array);
    assert_eq!(line(&page, "command: "), array);
}

#[test]
fn a_chain_is_taken_as_text_as_words_and_from_standard_input() {
    let place = Place::new();
    let expected = "run --init --migrate 'npx prisma migrate deploy' -- node b.js";
    for words in [
        &["sh -c 'npx prisma migrate deploy; node b.js'"][..],
        &["sh", "-c", "npx prisma migrate deploy; node b.js"],
        &["--", "sh", "-c", "npx prisma migrate deploy; node b.js"],
        &["[\"sh\", \"-c\", \"npx prisma migrate deploy; node b.js\"]"],
        &["npx prisma migrate deploy && node b.js"],
    ] {
        let end = convert(&place, words);
        end.code(0);
        assert_eq!(line(&page(&end), "launchgate "), expected, "{words:?}");
    }
    place.write(
        "entrypoint.sh",
        "#!/bin/sh\nset -e\nnpx prisma migrate deploy\nexec node b.js\n",
    );
    for words in [
        &["./launchgate", "convert"][..],
        &["./launchgate", "convert", "-"],
    ] {
        let input = File::open(place.path("entrypoint.sh")).unwrap();
        let end = place.run(Mode::Ordinary, words).descriptor(0, input).end();
        end.code(0);
        assert_eq!(line(&page(&end), "launchgate "), expected);
    }
}

#[test]
fn a_terminal_is_not_read() {
    let (place, terminal) = (Place::new(), Terminal::new());
    let end = place
        .run(Mode::Ordinary, ["./launchgate", "convert"])
        .descriptor(0, terminal.slave())
        .end();
    end.code(64)
        .says(&["no CHAIN to convert", "launchgate convert < SCRIPT"]);
}

#[test]
fn what_can_not_be_told_is_64_with_the_reason_and_no_command() {
    let place = Place::new();
    for (chain, says) in [
        ("./migrate & node b", "second server"),
        (
            "./migrate || node b",
            "`node b` starts conditionally, depending",
        ),
        ("nginx; ./migrate; node b", "is a server"),
        ("node 'a", "not valid shell syntax"),
        (
            "node a && node b",
            "which of these commands migrates the database",
        ),
    ] {
        let end = convert(&place, &[chain]);
        end.code(64)
            .says(&["error", "can't be converted", says, "hint="]);
        assert!(!page(&end).contains("Instead"), "{end}");
    }
    convert(&place, &[]).code(64).says(&["error", "CHAIN"]);
    let long = "a; ".repeat(9000);
    convert(&place, &[&long])
        .code(64)
        .says(&["longer than 16 KiB"]);
    place.write("endless", "a; ".repeat(90_000));
    let endless = File::open(place.path("endless")).unwrap();
    let end = place
        .run(Mode::Ordinary, ["./launchgate", "convert", "-"])
        .descriptor(0, endless)
        .end();
    end.code(64).says(&["longer than 16 KiB"]);
}

#[test]
fn what_is_not_utf8_is_said() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let words = ["./launchgate", "convert"].map(OsStr::new);
    let chain = OsStr::from_bytes(b"node \xff; node b");
    let end = place.run(Mode::Ordinary, [words[0], words[1], chain]).end();
    end.code(64).says(&["not UTF-8"]);
}

#[test]
fn a_signal_ends_the_wait_for_standard_input() {
    let place = Place::new();
    let (reader, _writer) = std::io::pipe().unwrap();
    let mut run = place
        .run(Mode::PidOne, ["./launchgate", "convert", "-"])
        .descriptor(0, reader)
        .start();
    // One that comes before it takes over signals finds no PID 1 that would handle it.
    wait_until("the end by a signal", || {
        run.signal(libc::SIGTERM);
        run.look()
    });
    run.end().code(143);
}

#[test]
fn a_password_is_hidden_in_what_is_said() {
    let place = Place::new();
    let end = convert(
        &place,
        &["psql postgres://u:secret@h/d; ./migrate & node c"],
    );
    end.code(64).never_says("secret");
    assert!(!page(&end).contains("secret"), "{end}");
}

/// "Waits for the database are dropped only where launchgate will know the database (a URL in the
/// environment or the chain); else it says which setting to add."
#[test]
fn a_wait_is_dropped_only_where_the_database_is_known() {
    let place = Place::new();
    let chain = "pg_isready && ./migrate && ./serve";
    let known = "run --migrate ./migrate -- ./serve";
    let unknown = "run --prepare pg_isready --migrate ./migrate -- ./serve";
    let end = convert(&place, &[chain]);
    assert_eq!(line(&page(&end), "launchgate "), unknown);
    assert!(
        page(&end).contains("set DATABASE_URL or add `--database-url`"),
        "{end}"
    );
    let words = ["./launchgate", "convert", chain];
    let end = place
        .run(Mode::Ordinary, words)
        .env("DATABASE_URL", "postgres://u:secret@h/d")
        .end();
    assert_eq!(line(&page(&end), "launchgate "), known);
    assert!(!page(&end).contains("secret"), "{end}");
    let end = convert(
        &place,
        &["pg_isready -d \"$DATABASE_URL\" && ./migrate && ./serve"],
    );
    assert_eq!(line(&page(&end), "launchgate "), known);
}
