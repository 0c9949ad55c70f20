//! `launchgate convert`, tested by running: for chains in the manner of real entrypoints, what a
//! shell runs for the chain, and what launchgate runs for the command that `convert` proposes.
//!
//! "A command that is known to migrate becomes `--migrate`. Every other command becomes
//! `--prepare` or `--warm-up`, since at every start is what the chain did."
//!
//! The cases are in tests/convert. Their keys:
//!
//! - `chain`: what is given to `convert`.
//! - `shell`: what the platform has `/bin/sh` run for it, where that is another text; `argv`: the
//!   platform's words, where it runs no shell. `cmd`: the image's CMD.
//! - `env`: variables of the container; `files`: files that are there; `user`: who some of it
//!   runs as; `prepare_sees_home_of`: whose HOME root's commands see under launchgate; `unknown`: no variable tells `convert` of a database.
//! - `gives`: the command that is proposed. `once`: the commands that run once per release.
//!   `dropped`: the waits that launchgate does itself. `may_fail`: commands whose failure the
//!   chain ignores; `endless`: commands that it tries until they work.
//! - `refused`: why no command is proposed.

mod container;

use toml::de::{DeTable, DeValue};

use self::container::{Case, Container, Record};

/// What is compared of runs that agree.
fn without(records: &[Record], lines: &[String]) -> Vec<Record> {
    let kept = records
        .iter()
        .filter(|record| !lines.contains(&record.line()));
    kept.cloned().collect()
}

fn check(case: &Case) {
    let container = Container::new(case);
    let end = container.convert();
    let page = String::from_utf8(end.stdout.clone()).unwrap();
    if let Some(why) = case.text.get("refused") {
        end.code(64).says(&[why, "hint="]);
        assert!(!page.contains("Instead:"), "{end}");
        return;
    }
    end.code(0);
    let line = |begin: &str| {
        page.lines()
            .find_map(|line| line.trim_start().strip_prefix(begin))
    };
    let (_, command) = page.split_once("Instead:\n  ").unwrap();
    let (command, _) = command.split_once("\n\nDockerfile:\n").unwrap();
    assert_eq!(
        command,
        case.text.get("gives").map_or("", String::as_str),
        "{page}"
    );
    let array = line("CMD ").or_else(|| line("ENTRYPOINT ")).unwrap();
    let mut argv: Vec<String> = serde_json::from_str(array).unwrap();
    argv.extend(case.list("cmd").iter().cloned());
    if let Some(folder) = line("WORKDIR ") {
        argv.splice(0..0, ["env".to_owned(), "-C".to_owned(), folder.to_owned()]);
    }

    let (once, dropped) = (container.lines("once"), container.lines("dropped"));
    let [chain, again] = container.chain();
    let [chain, again] = [chain, again].map(|records| container.with_home(records));
    let (server, commands) = chain.split_last().unwrap();
    for line in once.iter().chain(&dropped) {
        assert!(
            commands.iter().any(|record| record.line() == *line),
            "the chain does not run {line:?}: {chain:#?}"
        );
    }
    let first_start = without(&chain, &dropped);
    let every_start = without(&again, &[once.clone(), dropped].concat());

    container.gate(&argv, "first", "v1").end().code(0);
    assert_eq!(
        container.records("first"),
        first_start,
        "the first start\n{page}"
    );
    container.gate(&argv, "restart", "v1").end().code(0);
    assert_eq!(
        container.records("restart"),
        every_start,
        "a restart\n{page}"
    );

    // The next release, two replicas at the same time: one of them migrates.
    let names = ["one", "two"];
    let runs = names.map(|name| container.gate(&argv, name, "v2").start());
    for run in runs {
        run.end().code(0);
    }
    let both = names.map(|name| container.records(name));
    for records in &both {
        assert_eq!(
            without(records, &once),
            every_start,
            "the next release\n{page}"
        );
    }
    let migrations = |records: &Vec<Record>| records.len() - every_start.len();
    let mut migrated = both.each_ref().map(migrations);
    migrated.sort_unstable();
    assert_eq!(migrated, [0, once.len()], "{both:#?}");

    // Whatever fails keeps the server from starting.
    let may_fail = container.lines("may_fail");
    let endless = container.lines("endless");
    for (number, record) in first_start[..first_start.len() - 1].iter().enumerate() {
        let runs_again = every_start.contains(record) || once.contains(&record.line());
        if endless.contains(&record.line()) || !runs_again {
            continue;
        }
        let failed = container
            .gate(&argv, "failed", &format!("fails{number}"))
            .env("FAILS", record.line())
            .end();
        let started = container.records("failed").last() == Some(server);
        assert_eq!(
            started,
            may_fail.contains(&record.line()),
            "{record:?} fails: {failed}\n{page}"
        );
    }
}

fn check_all(text: &str) {
    let file = DeTable::parse(text).unwrap();
    let DeValue::Array(cases) = file.get_ref()["case"].get_ref() else {
        panic!("no cases")
    };
    let mut failed = Vec::new();
    for case in cases {
        let DeValue::Table(table) = case.get_ref() else {
            panic!("no table")
        };
        let case = Case::read(table);
        if let Err(panic) = std::panic::catch_unwind(|| check(&case)) {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failed.push(format!("== {}\n{text}", case.name()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn node() {
    check_all(include_str!("../convert/node.toml"));
}

#[test]
fn ruby_and_php() {
    check_all(include_str!("../convert/ruby_php.toml"));
}

#[test]
fn python() {
    check_all(include_str!("../convert/python.toml"));
}

#[test]
fn others() {
    check_all(include_str!("../convert/others.toml"));
}
