//! Where the database's URL and the revision come from, and that a replica's clock changes nothing.
//!
//! "The database's URL, first set: the three flags above, `DATABASE_URL`" (contract, section 3)
//!
//! "The log says which one won." (contract, section 3)
//!
//! "Clocks: times are the database's." (contract, section 5)

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use crate::clock::Clock;
use crate::common::backends::NAME;
use crate::common::home::output;
use crate::common::servers::{PASSWORD, postgres_15};
use crate::common::{Db, Scene, on_each, until};
use crate::database_urls::{job, refused};

fn a_url_comes_from_any_variable_or_a_file(db: &Db) {
    let scene = Scene::new(db);
    let base = |revision: &str| scene.run(revision).env("DATABASE_URL", "");
    let named = base("v1")
        .env("db-main.url", &scene.url)
        .args(["--database-url-env", "db-main.url"]);
    named.finish().ends_with(0);
    let file = scene.path("url");
    fs::write(&file, format!("{}\n", scene.url)).expect("a file");
    base("v2")
        .args(["--database-url-file", &file])
        .finish()
        .ends_with(0);
    base("v3")
        .args(["--database-url-env", "not-set"])
        .finish()
        .ends_with(64)
        .says("not-set");
    base("v3")
        .args(["--database-url-file", "/no/such/file"])
        .finish()
        .ends_with(64)
        .says("/no/such/file");
    base("v3").env("POSTGRES_URI", &scene.url).finish().wait();
    assert_eq!(scene.states()[..2], ["succeeded", "succeeded"]);
    scene.check_settled("v1");
    scene.check_settled("v2");
}
on_each!(a_url_comes_from_any_variable_or_a_file: each);

/// As libpq: `PGUSER`, else the name of the user that launchgate is. The server asks the kernel.
#[test]
fn a_url_without_a_user_is_for_whoever_asks() {
    let db = Db::postgres_15();
    let server = db.postgres();
    let (socket, port) = (server.socket().to_owned(), server.port);
    let rules = socket.join("data/pg_hba.conf");
    let others = fs::read_to_string(&rules).expect("the rules");
    fs::write(&rules, format!("local shop games,owner peer\n{others}")).expect("the rules");
    db.sql("create role games login; create role owner login; grant create on schema public to games, owner; select pg_reload_conf()");
    let scene = Scene::new(&db);
    fs::set_permissions(scene.folder(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let url = format!("postgres:///shop?host={}&port={port}", socket.display());
    let ask = format!(
        "{} -XqAt '{url}' -c 'select current_user'",
        postgres_15().join("psql").display()
    );
    let games = [
        "setpriv",
        "--reuid=games",
        "--regid=games",
        "--clear-groups",
    ];
    let job = |revision: &str, user: &str| {
        let step = format!("--migrate={ask}");
        let replica = scene.command("job").args(["--release", revision, &step]);
        let replica = replica.env("DATABASE_URL", &url);
        let replica = if user.is_empty() {
            replica
        } else {
            replica.env("PGUSER", user)
        };
        replica.inside(&games).finish()
    };
    let mut own = job("v1", "");
    own.ends_with(0);
    assert_eq!(own.out(), "games\n");
    let owner = "select tableowner from pg_tables where tablename = 'launchgate_runs'";
    assert_eq!(db.sql(owner), "games");
    job("v2", "owner").ends_with(78).says("\"owner\"");
}

#[test]
fn a_fingerprint_is_the_same_until_the_files_change() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    fs::create_dir(scene.folder().join("migrations")).expect("a folder");
    let write = |name: &str, text: &str| {
        fs::write(scene.folder().join("migrations").join(name), text).expect("a file");
    };
    write("1.sql", "create table a ()");
    write("2.sql", "create table b ()");
    let start = |release: &str| {
        let step = scene.path("step");
        let replica =
            scene
                .command("job")
                .args(["--fingerprint", "migrations/*.sql", "--migrate", &step]);
        replica.args(["--release", release]).finish().ends_with(0);
    };
    start("one");
    start("two");
    assert_eq!(scene.count("start"), 1);
    write("2.sql", "create table c ()");
    start("three");
    assert_eq!(scene.count("start"), 2);
    write("2.sql", "create table b ()");
    start("four");
    assert_eq!(scene.count("start"), 2);
    assert_eq!(scene.ledger("release_id"), ["one", "three"]);
    let none = scene
        .command("job")
        .args(["--fingerprint", "nothing/*.sql", "--migrate", "true"]);
    none.finish().ends_with(64).says("nothing/*.sql");
}

/// Every look at the time of day in the replica is a day ahead or behind.
fn a_replica_whose_clock_is_wrong_by_a_day_changes_nothing(db: &Db) {
    let scene = Scene::new(db);
    let [ahead, behind] = [86_400, -86_400].map(|offset| {
        let clock = Clock::new();
        clock.set(offset);
        clock
    });
    let wrong = |revision: &str, clock: &Clock| {
        let variables = clock.variables().into_iter();
        variables.fold(scene.run(revision), |gate, (name, value)| {
            gate.env(name, value)
        })
    };
    // The clock is wrong by a day.
    let mut date = Command::new("date");
    let day = output(date.arg("+%s").envs(ahead.variables()));
    let now = output(Command::new("date").arg("+%s"));
    assert!(day.parse::<i64>().expect("seconds") - now.parse::<i64>().expect("seconds") >= 86_399);
    for (revision, holder, waiter) in [("v1", &ahead, &behind), ("v2", &behind, &ahead)] {
        scene.touch("hold-migrate");
        let mut holder = wrong(revision, holder).start();
        until("the step", || {
            scene
                .evidence()
                .last()
                .is_some_and(|l| l.word() == "start" && l.get("revision") == revision)
        });
        let mut waiter = wrong(revision, waiter).start();
        waiter.wait_for_log("waiting");
        // Past the lease: the holder renewed it, and nobody took it for dead.
        let lease = || scene.ledger("lease_until").last().cloned();
        for _ in 0..8 {
            let before = lease();
            until("a renewal", || lease() != before);
        }
        scene.let_go();
        holder.ends_with(0);
        waiter.ends_with(0);
        scene.check_settled(revision);
    }
    assert_eq!(scene.count("start"), 2);
}
on_each!(a_replica_whose_clock_is_wrong_by_a_day_changes_nothing: each_server);

/// CASES: a "secret file with a byte order mark, or with `DATABASE_URL=…` in it".
#[test]
fn a_file_that_holds_more_than_a_url_is_64_with_what_to_put_there() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    for (contents, words) in [
        ("\u{feff}postgres://u:geheim@h/d", "byte order mark"),
        (
            "DATABASE_URL=postgres://u:geheim@h/d\n",
            "begins with `DATABASE_URL=`",
        ),
        ("\"postgres://u:geheim@h/d\"", "quotation mark"),
    ] {
        scene.write("url", contents);
        let replica = job(&scene, "v1").args(["--database-url-file", &scene.path("url")]);
        refused(replica, 64, &["--database-url-file", words]);
    }
}

/// "where a known part of one is set …, the hint is the `--database-url` line to write"
#[test]
fn without_a_url_the_hint_is_the_line_to_write() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    let port = db.postgres().port.to_string();
    let parts = |revision: &str| {
        job(&scene, revision)
            .env("DB_CONNECTION", "pgsql")
            .env("DB_HOST", "127.0.0.1")
            .env("DB_PORT", &port)
            .env("DB_DATABASE", NAME)
            .env("DB_USERNAME", "postgres")
            .env("DB_PASSWORD", PASSWORD)
    };
    let mut asked = parts("v1").start();
    asked.ends_with(64);
    let log = asked.log();
    let line = log
        .split("--database-url '")
        .nth(1)
        .and_then(|rest| rest.split('\'').next());
    let line = line.unwrap_or_else(|| panic!("no line in {log}"));
    parts("v1")
        .args(["--database-url", line])
        .finish()
        .ends_with(0);
    assert_eq!(scene.states(), ["succeeded"]);
}

/// "Any other is an error (64), from an ambient variable too"
#[test]
fn each_variable_is_looked_at_in_order() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let names = launchgate::settings::AMBIENT_URLS;
    for (at, name) in names.iter().enumerate() {
        let own = format!("sqlite:{}", scene.path(name));
        let mut replica = job(&scene, "v1").env(name, &own);
        for later in &names[at + 1..] {
            replica = replica.env(later, "mongodb://u:geheim@h");
        }
        replica
            .finish()
            .ends_with(0)
            .says(&format!("source={name}"));
        refused(
            job(&scene, "v1").env(name, "mongodb://u:geheim@h"),
            64,
            &[name, "--no-database"],
        );
    }
    let url = "jdbc:mysql://h/d?serverTimezone=UTC";
    let replica = job(&scene, "v1").env("SPRING_DATASOURCE_URL", url);
    let replica = replica
        .env("SPRING_DATASOURCE_USERNAME", "ann")
        .env("SPRING_DATASOURCE_PASSWORD", "geheim");
    refused(
        replica.args(["--wait-timeout=1s"]),
        69,
        &["mysql://ann:***@h/d"],
    );
}
