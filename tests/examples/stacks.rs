//! The stacks that people have: three servers and a worker start at the same time, one of them
//! migrates, one is started again, and all of them end well.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::common::home::{Home, Server, command_as, free_port, output};
use crate::common::mariadb::MariaDb;
use crate::common::servers::Postgres;
use crate::reader::{Reader, repository};

/// The states of every attempt so far, in launchgate's own schema or database.
const RUNS: &str = "SELECT state FROM launchgate.launchgate_runs";

#[test]
fn php_laravel_readme_is_true() {
    let database = laravel();
    let port = format!("DB_PORT={}", database.port);
    let reader = Reader::of("php-laravel")
        .with("DB_PORT=3306", &port)
        .with("-u root", "-u admin")
        .with("-- php-fpm ", &format!("-- {} ", php_fpm().display()));
    assert_eq!(reader.with_replicas().follow("php-laravel"), 4);
    assert_eq!(database.sql("", RUNS), "succeeded");
}

#[test]
fn ruby_rails_readme_is_true() {
    with_redis("ruby-rails");
}

#[test]
fn python_django_readme_is_true() {
    with_redis("python-django");
}

#[test]
fn node_typeorm_readme_is_true() {
    with_postgres("node-typeorm");
}

#[test]
fn node_drizzle_kit_readme_is_true() {
    with_postgres("node-drizzle-kit");
}

#[test]
fn node_prisma_cli_readme_is_true() {
    with_postgres("node-prisma-cli");
}

fn with_postgres(example: &str) {
    let database = Postgres::start();
    let reader = Reader::of(example).with_database(&database.url("postgres"));
    assert_eq!(reader.with_replicas().follow(example), 3);
    assert_eq!(database.sql("postgres", RUNS), "succeeded");
}

/// The lock that an earlier Liquibase left would let the next one wait for five minutes. A role of its
/// own: Java's driver refuses a password that is hashed in as few rounds as the fixture's.
#[test]
fn java_liquibase_readme_is_true() {
    let database = Postgres::start();
    database.sql(
        "postgres",
        "CREATE TABLE databasechangeloglock (id int PRIMARY KEY, locked boolean NOT NULL, \
         lockgranted timestamp, lockedby varchar(255)); \
         INSERT INTO databasechangeloglock VALUES (1, true, now(), 'killed'); \
         CREATE ROLE app SUPERUSER LOGIN PASSWORD 'postgres'",
    );
    let address = format!("127.0.0.1:{}/postgres", database.port);
    let reader = Reader::of("java-liquibase")
        .with("127.0.0.1:5432/postgres", &address)
        .with("_USERNAME=postgres", "_USERNAME=app");
    assert_eq!(reader.with_replicas().follow("java-liquibase"), 3);
    assert_eq!(database.sql("postgres", RUNS), "succeeded");
}

/// Debian calls it by its version.
fn php_fpm() -> PathBuf {
    let entries = fs::read_dir("/usr/sbin").expect("its folder");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    let found = paths.find(|path| path.to_string_lossy().contains("/php-fpm"));
    found.expect("php-fpm")
}

fn with_redis(example: &str) {
    let (database, redis) = (Postgres::start(), Redis::start());
    let reader = Reader::of(example)
        .with_database(&database.url("postgres"))
        .with("redis://127.0.0.1:6379", &redis.url());
    assert_eq!(reader.with_replicas().follow(example), 4);
    assert_eq!(database.sql("postgres", RUNS), "succeeded");
}

/// The database that Laravel's README has its reader start.
pub fn laravel() -> MariaDb {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE laravel; CREATE USER 'app'@'%' IDENTIFIED BY 'secret'; \
         GRANT ALL ON laravel.* TO 'app'@'%'; CREATE USER 'admin'@'%' IDENTIFIED BY 'secret'; \
         GRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION",
    );
    server
}

struct Redis(Server);

impl Redis {
    fn start() -> Self {
        let home = Home::new("redis", Some("redis"));
        let port = free_port();
        let mut command: Command = command_as("redis", "redis-server".as_ref());
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]);
        let ready = "Ready to accept connections";
        Self(Server::start(home, port, command, ready, Signal::SIGKILL))
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }
}

/// What the page of stacks says instead of a chain runs the same steps as what `convert` proposes.
#[test]
fn convert_agrees_with_the_page_of_stacks() {
    let page = fs::read_to_string(repository("docs/stacks.md")).expect("a page");
    let sections: Vec<_> = page
        .split("\n## ")
        .filter_map(|section| {
            let (_, rest) = section.split_once("```text\n")?;
            let (chain, rest) = rest.split_once("```")?;
            Some((chain, rest))
        })
        .collect();
    assert_eq!(sections.len(), 9);
    for (chain, instead) in sections {
        let mut command = Command::new(env!("CARGO_BIN_EXE_launchgate"));
        let proposal = output(command.args(["convert", chain.trim()]));
        let (_, proposal) = proposal.split_once("Instead:").expect("a proposal");
        let (_, rest) = proposal.split_once("--migrate ").expect("a step");
        let step = rest.split(" --").next().expect("a command");
        // `db:prepare` creates the database too, which launchgate connects to before.
        let step = step.trim_matches('\'').replace("db:prepare", "db:migrate");
        assert!(instead.contains(&step), "{step}\n{instead}");
    }
}
