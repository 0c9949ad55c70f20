//! The examples, run as their READMEs say: each fenced `sh` block is run, in order, in a copy
//! of the example's folder, and where a block of expected output follows, it is compared.
//!
//! ```` ```sh ```` is run to its end and has to succeed; ```` ```sh server ```` goes on in the
//! background, as in a terminal of its own, until the README is through, and then has to end
//! well when it is asked to stop; a ```` ```sh worker ```` does not listen. ```` ```sh until ```` is
//! run again until it prints what follows. What is not run is fenced as `console`. A block of nothing
//! but `export` counts in every terminal.
//!
//! What is changed is the port, 8080, so that tests can run side by side, and the URL of the
//! Postgres that a reader is told to start.
//!
//! What can't be run here is checked: [`command_lines`] and [`schemas`].

#![allow(unreachable_pub, reason = "shared by the test binaries")]

#[path = "../common/mod.rs"]
mod common;

mod blocks;
mod command_lines;
mod images;
mod pods;
mod reader;
mod roles;
mod schemas;
mod server;
mod stacks;
mod texts;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use blocks::{Block, blocks};
use common::servers::Postgres;
use reader::{Reader, free_port, repository, shell, with_port};
use server::Server;

#[test]
fn node_readme_is_true() {
    follow("node");
}

#[test]
fn python_alembic_readme_is_true() {
    follow("python-alembic");
}

#[test]
fn node_knex_readme_is_true() {
    let database = Postgres::start();
    let reader = Reader::of("node-knex").with_database(&database.url("postgres"));
    assert_eq!(reader.follow("node-knex"), 1, "a server");
}

/// In the checkout itself, as the first command: a copy would be built again.
#[test]
fn rust_sqlx_readme_is_true() {
    let database = Postgres::start();
    let reader = Reader::within(repository(".")).with_database(&database.url("postgres"));
    assert_eq!(reader.follow("rust-sqlx"), 1, "a server");
}

/// Nothing in it listens: the database shows what was done.
#[test]
fn plain_sql_readme_is_true() {
    let database = Postgres::start();
    let reader = Reader::of("plain-sql").with_database(&database.url("postgres"));
    reader.follow("plain-sql");
    let applied = "SELECT count(*) FROM _sqlx_migrations WHERE success";
    assert_eq!(database.sql("postgres", applied), "3");
}

fn follow(example: &str) {
    assert_eq!(Reader::of(example).follow(example), 1, "a server");
}

/// The first command of the repository's README, run twice, in the checkout itself: a copy would
/// be built again. What it builds, the tests have built already.
#[test]
fn the_first_command_is_true() {
    let readme = fs::read_to_string(repository("README.md")).expect("a README");
    let (_, section) = readme.split_once("\n## Try it\n").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("its end");
    let [Block::Server(start), Block::Run(ask, Some(answer))] = &blocks(section)[..] else {
        panic!("other blocks than a start, a question and its answer:\n{section}");
    };
    assert_eq!(start, "examples/quickstart/start\n");
    let folder = tempfile::tempdir().expect("a folder");
    let mut shown = shown_output(section).into_iter();
    for round in ["first", "second"] {
        let log = folder.path().join(round);
        let port = free_port();
        let mut command = quickstart(start, port, folder.path(), &log);
        let server = Server::spawn(&mut command, port, start);
        let words = server.words();
        assert!(words.ends_with("/debug/examples/quickstart\0"), "{words}");
        let ask = with_port(ask, port);
        let output = shell(Path::new("/"), &ask, port).output().expect("sh");
        assert_eq!(String::from_utf8_lossy(&output.stdout), *answer);
        assert!(server.stop().success(), "the server ends well");
        let log = fs::read_to_string(log).expect("a log");
        let mut lines = log.lines();
        for wanted in shown.next().expect("what it prints") {
            let wanted = with_port(&wanted, port);
            assert!(
                lines.any(|line| line.starts_with(&wanted)),
                "not in its place: {wanted}\n{log}"
            );
        }
        assert_eq!(
            log.contains("launchgate: applied "),
            round == "first",
            "{log}"
        );
    }
    assert_eq!(shown.next(), None);
}

/// CASES: "quickstart, port in use".
#[test]
fn the_first_command_names_a_port_that_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let log = folder.path().join("log");
    let status = quickstart("examples/quickstart/start", port, folder.path(), &log).status();
    assert_eq!(status.expect("sh").code(), Some(1));
    let log = fs::read_to_string(log).expect("a log");
    let hint = format!(
        "port {port} is not available; try another one: PORT=8081 examples/quickstart/start"
    );
    assert!(log.contains(&hint), "{log}");
}

/// The first command, with data of the test's own.
fn quickstart(script: &str, port: u16, data: &Path, log: &Path) -> Command {
    let mut command = shell(&repository("."), &format!("exec {script}"), port);
    command
        .env(
            "DATABASE_URL",
            format!("sqlite:{}/guests.db", data.display()),
        )
        .stdout(Stdio::null())
        .stderr(fs::File::create(log).expect("a log"));
    command
}

/// What the README shows of a log, block by block; of each line what is the same every time.
fn shown_output(section: &str) -> Vec<Vec<String>> {
    let blocks = section.split("```console\n").skip(1);
    let text = blocks.map(|rest| rest.split("```").next().unwrap_or_default());
    text.map(|text| text.lines().map(steady).collect())
        .collect()
}

fn steady(line: &str) -> String {
    let words: Vec<_> = line
        .split(' ')
        .take_while(|word| !word.contains('='))
        .collect();
    words.join(" ")
}
