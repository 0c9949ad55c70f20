//! The two roles of the Kubernetes example, on a real Postgres: each can do its part, and the
//! server's no more than that.

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::common::home::output;
use crate::common::servers::Postgres;
use crate::reader::repository;

fn launchgate(url: &str, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_launchgate"))
        .args(words)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("DATABASE_URL", url)
        .env("GIT_SHA", "4f2a91c")
        .current_dir(repository("examples/plain-sql"))
        .stdin(Stdio::null())
        .output()
        .expect("launchgate")
}

#[track_caller]
fn ends_with(code: i32, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
}

/// A Postgres with the ledger and the two roles, as the README says, and the URLs of `migrator` and `web`.
pub fn postgres_with_roles() -> (Postgres, String, String) {
    let server = Postgres::start();
    let print = ["print-ddl", "--database", "postgres"];
    let ddl = output(Command::new(env!("CARGO_BIN_EXE_launchgate")).args(print));
    server.sql("postgres", &ddl);
    let roles = fs::read_to_string(repository("examples/kubernetes/roles.sql"));
    server.sql("postgres", &roles.expect("the roles"));
    let migrator = server.url_as("migrator", "change-me", "postgres");
    let web = server.url_as("web", "change-me", "postgres");
    (server, migrator, web)
}

#[test]
fn the_kubernetes_roles_can_do_their_part_and_no_more() {
    let (_server, migrator, web) = postgres_with_roles();

    // Before the Job the server's role waits, after it its server starts.
    let wait = ["wait", "--app=web", "--lock-timeout=1ms"];
    ends_with(75, &launchgate(&web, &wait));
    let job = ["job", "--app=web", "--sql=migrations"];
    ends_with(78, &launchgate(&web, &job));
    let job = [&job[..], &["--verify=true"]].concat();
    ends_with(0, &launchgate(&migrator, &job));
    let by_hash = ["wait", "--app=web", "--sql=migrations", "--", "true"];
    ends_with(0, &launchgate(&web, &by_hash));

    let as_web = |statement: &str| {
        Command::new("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement, &web])
            .output()
            .expect("psql")
    };
    let may = "INSERT INTO guests VALUES ('Guest', 13); DELETE FROM guests WHERE seat = 13";
    ends_with(0, &as_web(may));
    for statement in [
        "ALTER TABLE guests ADD COLUMN more text",
        "CREATE TABLE more (name text)",
        "DROP TABLE launchgate.launchgate_runs",
        "DELETE FROM launchgate.launchgate_runs",
        "UPDATE launchgate.launchgate_runs SET state = 'succeeded'",
    ] {
        let refused = as_web(statement);
        ends_with(1, &refused);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(
            said.contains("permission denied") || said.contains("must be owner"),
            "{said}"
        );
    }
}
