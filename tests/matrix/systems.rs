//! What the matrix asks, and how each says its version.

use std::process::Command;

use crate::common::{
    Db,
    home::output,
    servers::{Proxy, postgres_15, postgres_of},
    sid,
};

/// A database, alone or with something in front of it.
pub struct System {
    pub name: &'static str,
    pub open: fn() -> Db,
    pub version: fn(&Db) -> String,
    pub expected: Expected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Every rule holds.
    Works,
    /// 78, before any step runs.
    Refused,
}

pub fn all() -> Vec<System> {
    let works = |name, open, version| System {
        name,
        open,
        version,
        expected: Expected::Works,
    };
    let refused = |name, open, version| System {
        name,
        open,
        version,
        expected: Expected::Refused,
    };
    vec![
        works("PostgreSQL", || postgres(11), server),
        works("PostgreSQL", || postgres(12), server),
        works("PostgreSQL", || postgres(13), server),
        works("PostgreSQL", || postgres(14), server),
        works("PostgreSQL", Db::postgres_15, server),
        works("PostgreSQL", || postgres(16), server),
        works("PostgreSQL", || postgres(17), server),
        works("PostgreSQL", Db::postgres_18, server),
        works("PgBouncer, transaction pooling", Db::pgbouncer, pgbouncer),
        works("PgBouncer, session pooling", || old("session"), pgbouncer),
        refused(
            "PgBouncer, statement pooling",
            || old("statement"),
            pgbouncer,
        ),
        works(
            "PgBouncer, transaction pooling",
            Db::pgbouncer_new,
            pgbouncer_new,
        ),
        works(
            "PgBouncer, session pooling",
            || new("session"),
            pgbouncer_new,
        ),
        refused(
            "PgBouncer, statement pooling",
            || new("statement"),
            pgbouncer_new,
        ),
        works("Odyssey, transaction pooling", Db::odyssey, odyssey),
        works(
            "Odyssey, session pooling",
            || Db::behind(Proxy::odyssey, "session"),
            odyssey,
        ),
        works(
            "Pgpool-II, load balancing over primary and standby",
            Db::pgpool,
            pgpool,
        ),
        works(
            "HAProxy, health checks of primary and standby",
            Db::haproxy,
            haproxy,
        ),
        works("MariaDB", Db::mariadb, server),
        works(
            "MariaDB with Galera, replicas on two nodes",
            Db::galera,
            server,
        ),
        works("MySQL", Db::mysql, server),
        works("SQLite", Db::sqlite, sqlite),
    ]
}

fn postgres(major: u32) -> Db {
    Db::postgres_with(&postgres_of(major), &[])
}

fn old(mode: &str) -> Db {
    Db::behind(Proxy::pgbouncer, &format!("pool_mode = {mode}\n"))
}

fn new(mode: &str) -> Db {
    Db::behind(Proxy::pgbouncer_new, &format!("pool_mode = {mode}\n"))
}

fn server(db: &Db) -> String {
    let words = match db {
        Db::Maria(_) => db.sql("select version()"),
        _ => db.sql("show server_version"),
    };
    number(&words)
}

/// The one that launchgate brings with it.
fn sqlite(db: &Db) -> String {
    let check = crate::common::Scene::new(db);
    let step = check.path("step");
    let gate = check
        .command("check")
        .args(["--release", "v1", "--migrate", &step]);
    let run = gate.args(["--", "/bin/true"]).finish();
    let said = run.out();
    let words = said.lines().find(|line| line.contains("SQLite 3."));
    let words = words.and_then(|line| line.split("SQLite ").nth(1));
    number(words.unwrap_or("unknown"))
}

fn pgbouncer(_: &Db) -> String {
    in_front(&mut Command::new("/usr/sbin/pgbouncer"))
}

fn pgbouncer_new(_: &Db) -> String {
    in_front(&mut sid::command("postgres", "usr/sbin/pgbouncer"))
}

fn odyssey(_: &Db) -> String {
    in_front(&mut sid::command("postgres", "usr/bin/odyssey"))
}

fn pgpool(_: &Db) -> String {
    let mut pgpool = Command::new("sh");
    in_front(pgpool.args(["-c", "/usr/sbin/pgpool --version 2>&1; :", "sh"]))
}

fn haproxy(_: &Db) -> String {
    let mut haproxy = Command::new("sh");
    in_front(haproxy.args(["-c", "/usr/sbin/haproxy -v", "sh"]))
}

/// Its version, and that of the server behind it.
fn in_front(program: &mut Command) -> String {
    let said = output(program.arg("--version"));
    let behind = output(Command::new(postgres_15().join("postgres")).arg("--version"));
    format!("{}, PostgreSQL {}", number(&said), number(&behind))
}

/// The first word with a digit in front and a point in it, without what a distribution appended.
fn number(text: &str) -> String {
    let is_number =
        |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    let word = text.split_whitespace().find(is_number).unwrap_or("unknown");
    let end = word.find(|c: char| !c.is_ascii_digit() && c != '.');
    word[..end.unwrap_or(word.len())].to_owned()
}
