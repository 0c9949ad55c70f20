//! "A failure line says what happened, to which host, port, file or variable, and where that
//! setting came from, and ends with a hint: what to do now, as a command that can be pasted where
//! there is one (with `--app` and the database's flags where they were given)." (contract, section 8)
//!
//! These need no server.

use std::net::TcpListener;

use crate::common::{Finished, Gate, Mode, Place};

/// `launchgate WORDS`, with `DATABASE_URL`.
fn launchgate<'a>(place: &'a Place, url: &str, words: &[&str]) -> Gate<'a> {
    let gate = place.run(Mode::Ordinary, ["./launchgate"]);
    gate.args(words).env("DATABASE_URL", url)
}

/// A job of release v1 that does not wait for long.
fn job(place: &Place, url: &str) -> Finished {
    let words = ["job", "--release=v1", "--migrate=true"];
    let gate = launchgate(place, url, &words);
    gate.args(["--wait-timeout=100ms"]).end()
}

/// A port that nobody listens at.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn a_missing_folder_of_a_database_file_is_to_be_created() {
    let place = Place::new();
    let end = job(&place, "sqlite:missing/app.db");
    end.code(78).says(&[
        "sqlite:missing/app.db (DATABASE_URL)",
        "the folder missing",
        "create the folder, mount its volume there",
    ]);
}

#[test]
fn a_migration_without_a_version_gets_a_name() {
    let place = Place::new();
    std::fs::create_dir(place.path("sql")).unwrap();
    place.write("sql/3_orders.sql", "create table orders (id int)");
    place.write("sql/add_users.sql", "create table users (id int)");
    let words = ["job", "--sql=sql"];
    let end = launchgate(&place, "sqlite:app.db", &words).end();
    end.code(64)
        .says(&["--sql: sql/add_users.sql", "rename it to 4_add_users.sql"]);
}

#[test]
fn commands_in_hints_choose_the_same_app_and_database() {
    let place = Place::new();
    place.write("app.db", "");
    place.write("launchgate.toml", "app = 'web'\n");
    let words = ["job", "--release=v1", "--migrate=false", "--max-attempts=1"];
    let again = |flags: &[&str]| {
        let gate = launchgate(&place, "", &words).env("MY_DB", "sqlite:app.db");
        gate.args(flags).end()
    };
    let given = ["--database-url-env", "MY_DB"];
    again(&given).code(1);
    again(&given).code(77).says(&[
        "`launchgate status --app web --database-url-env MY_DB`",
        "`launchgate resolve --app web --database-url-env MY_DB v1 --as retry`",
    ]);
    let flags = "--database-url=sqlite:app.db";
    again(&[flags])
        .code(77)
        .says(&["--database-url sqlite:app.db v1"]);
}

#[test]
fn no_password_is_in_a_command_of_a_hint() {
    let place = Place::new();
    let url = format!("postgres://u:geheim@127.0.0.1:{}/shop", closed_port());
    let words = ["status", "--wait-timeout=100ms", "--database-url", &url];
    let end = launchgate(&place, "", &words).end();
    end.code(69).never_says("geheim").says(&["--database-url"]);
}

/// "A failed step's line counts: `attempt 2 of 3`"
#[test]
fn a_failed_step_counts_its_attempts() {
    let place = Place::new();
    place.write("app.db", "");
    let words = [
        "job",
        "--release=v1",
        "--migrate=./fails",
        "--max-attempts=2",
        "--retry-delay=0",
    ];
    place.write_program("fails", "#!/bin/sh\nexit 3\n");
    let again = || launchgate(&place, "sqlite:app.db", &words).end();
    let first = again();
    first
        .code(3)
        .says(&["migrate exited with code 3 (attempt 1 of 2)"]);
    first.never_says("resolve");
    again().code(3).says(&[
        "migrate exited with code 3 (attempt 2 of 2)",
        "will not be tried again until `launchgate resolve v1 --as retry`",
    ]);
    // A reset starts counting again.
    let retry = ["resolve", "v1", "--as=retry"];
    launchgate(&place, "sqlite:app.db", &retry).end().code(0);
    again().code(3).says(&["(attempt 1 of 2)"]);
}

/// "An app without rows is told apart from an empty ledger, and the apps that have rows are named."
#[test]
fn status_of_a_mistyped_app_names_the_apps_there_are() {
    let place = Place::new();
    let status = |app: &str| {
        let gate = launchgate(&place, "sqlite:app.db", &["status", "--app", app]);
        gate.end().code(0);
        place.text("stdout")
    };
    assert!(status("typo").contains("the ledger is empty: no runs yet"));
    for app in ["web", "jobs"] {
        let words = ["job", "--release=v1", "--migrate=true", "--app", app];
        launchgate(&place, "sqlite:app.db", &words).end().code(0);
    }
    let text = status("typo");
    assert!(
        text.contains("no runs of app `typo`; there are: jobs, web"),
        "{text}"
    );
    assert!(!status("web").contains("no runs"));
}

/// "A revision that this app never ran is a warning that names the apps (and near-by revisions) that
/// exist"
#[test]
fn resolving_a_revision_that_never_ran_is_a_warning() {
    let place = Place::new();
    place.write("app.db", "");
    let resolve = |words: &[&str]| {
        let gate = launchgate(&place, "sqlite:app.db", &["resolve", "--as=retry"]);
        gate.args(words).end()
    };
    resolve(&["v1"]).code(0).says(&[
        "app `default` has never run revision v1",
        "the ledger is empty",
    ]);
    let words = ["job", "--release=v1", "--migrate=false", "--app=web"];
    launchgate(&place, "sqlite:app.db", &words).end().code(1);
    resolve(&["v1"]).code(0).says(&[
        "has never run revision v1",
        "set --app; these apps have run it: web",
    ]);
    resolve(&["v11", "--app=web"]).code(0).says(&[
        "app `web` has never run revision v11",
        "check its spelling; this app has run: v1",
    ]);
    resolve(&["nothing-alike", "--app=web"])
        .code(0)
        .says(&["the newest revisions of this app: v1"]);
    resolve(&["v1", "--app=web"])
        .code(0)
        .never_says("has never run");
}

#[test]
fn a_missing_argument_is_shown_in_its_command() {
    let place = Place::new();
    let end = launchgate(&place, "sqlite:app.db", &["resolve", "v1"]).end();
    end.code(64)
        .says(&["missing --as", "launchgate resolve REVISION --as retry"]);
    let end = launchgate(&place, "", &["print-ddl"]).end();
    end.code(64)
        .says(&["missing --database", "print-ddl --database postgres"]);
}

#[test]
fn a_missing_folder_of_migrations_is_not_called_unreadable() {
    let place = Place::new();
    let end = launchgate(&place, "sqlite:app.db", &["job", "--sql=nowhere"]).end();
    end.code(64).says(&[
        "--sql: the folder nowhere does not exist",
        "copy the folder into the image",
    ]);
}

/// A shell reports a killed command by its exit code.
#[test]
fn an_exit_code_of_137_points_to_memory() {
    let place = Place::new();
    place.write_program("killed", "#!/bin/sh\nsh -c 'kill -9 $$'\nexit $?\n");
    let words = ["job", "--no-database", "--migrate=./killed"];
    let end = launchgate(&place, "", &words).end();
    end.code(137)
        .says(&["exited with code 137", "hit the memory limit"]);
}
