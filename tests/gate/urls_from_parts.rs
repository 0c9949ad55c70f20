//! A database's URL, and a step's variable, that are made of parts.
//!
//! "`{NAME}` in a URL is replaced by that variable's value, percent-encoded […] `--step-env` does the same for
//! what a tool gets, encoded only where the value is a URL and the name stands inside it" (contract, section 3)

use crate::common::{Db, Scene, on_each};
use crate::database_urls::{job, refused};

/// Every printable character of ASCII, and some others.
fn letters() -> Vec<String> {
    let ascii: Vec<char> = (' '..='~').collect();
    let mut all: Vec<String> = ascii.chunks(16).map(|some| some.iter().collect()).collect();
    all.push("äß€ñ日本".to_owned());
    all
}

fn quoted(text: &str, quote: char) -> String {
    let inner = text.replace(quote, &quote.to_string().repeat(2));
    format!("{quote}{inner}{quote}")
}

/// "`{NAME}` in a URL is replaced by that variable's value, percent-encoded"
fn parts_may_hold_any_character(db: &Db) {
    let scene = Scene::new(db);
    let address = db.url();
    let address = address.rsplit_once('@').expect("a server").1;
    let (host, port) = address
        .split_once('/')
        .expect("a path")
        .0
        .split_once(':')
        .expect("a port");
    let scheme = db.url().split(':').next().expect("a scheme").to_owned();
    for (number, letters) in letters().iter().enumerate() {
        // A name's end may not be a blank.
        let [user, name, password] = ["u", "d", "p"].map(|first| format!("{first}{letters}."));
        // The driver does not escape a comma in the name that it logs in with by SCRAM.
        let user = if db.is_postgres() {
            user.replace(',', "")
        } else {
            user
        };
        if db.is_postgres() {
            let (role, secret) = (quoted(&user, '"'), quoted(&password, '\''));
            db.sql(&format!(
                "create role {role} superuser login password {secret}"
            ));
            db.sql(&format!(
                "create database {} owner {role}",
                quoted(&name, '"')
            ));
        } else {
            let text = |text: &str| quoted(&text.replace('\\', "\\\\"), '\'');
            db.sql(&format!(
                "create user {}@'%' identified by {}",
                text(&user),
                text(&password)
            ));
            db.sql(&format!("create database {}", quoted(&name, '`')));
            db.sql(&format!("grant all on *.* to {}@'%'", text(&user)));
        }
        let url =
            format!("{scheme}://{{DB_USER}}:{{DB_PASSWORD}}@{{DB_HOST}}:{{DB_PORT}}/{{DB_NAME}}");
        let by_flag = scene
            .command("status")
            .args([format!("--database-url={url}")]);
        let by_variable = scene.command("status").env("LAUNCHGATE_DATABASE_URL", &url);
        for replica in [by_flag, by_variable] {
            let mut replica = replica
                .env("DB_USER", &user)
                .env("DB_PASSWORD", &password)
                .env("DB_HOST", host)
                .env("DB_PORT", port)
                .env("DB_NAME", &name)
                .start();
            replica.ends_with(0);
            assert!(
                !replica.log().contains(&password),
                "{number}: {}",
                replica.log()
            );
        }
    }
}
on_each!(parts_may_hold_any_character: each_server);

#[test]
fn a_name_in_braces_without_a_value_is_64() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let file = db.sqlite_file();
    let url = "--database-url=sqlite:{DB_FILE}";
    let of = |revision: &str| job(&scene, revision).args([url]);
    refused(of("v1"), 64, &["--database-url", "DB_FILE"]);
    refused(of("v1").env("DB_FILE", ""), 64, &["DB_FILE"]);
    of("v1").env("DB_FILE", &file).finish().ends_with(0);
    assert!(file.exists());
    // Where nothing replaces it.
    let ambient = "postgres://u:{DB_PASSWORD}@h/d";
    refused(
        job(&scene, "v2").env("DATABASE_URL", ambient),
        64,
        &["DATABASE_URL", "{DB_PASSWORD}", "--database-url"],
    );
    let unexpanded = "postgres://u:${DB_PASSWORD}@h/d";
    refused(
        job(&scene, "v2").env("DATABASE_URL", unexpanded),
        64,
        &["DATABASE_URL", "${DB_PASSWORD}"],
    );
    refused(
        job(&scene, "v2").env("DATABASE_URL", "$DB_URL"),
        64,
        &["`$DB_URL`"],
    );
}

/// "`--step-env` does the same for what a tool gets, encoded only where the value is a URL and the name stands
/// inside it"
#[test]
fn a_steps_variable_is_made_of_parts() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    scene.write_program("show", "#!/bin/sh\nenv | grep ^MADE_\n");
    let show = format!("--migrate={}", scene.path("show"));
    let with = |value: &str| {
        let job = scene.command("job").args([&*show, "--step-env", value]);
        job.env("DB_PASSWORD", "p@ss/w")
    };
    for (value, made) in [
        ("MADE_A={DB_PASSWORD}", "MADE_A=p@ss/w"),
        (
            "MADE_A=mysql://u:{DB_PASSWORD}@h",
            "MADE_A=mysql://u:p%40ss%2Fw@h",
        ),
        ("MADE_A={{DB_PASSWORD}}", "MADE_A={DB_PASSWORD}"),
    ] {
        let mut job = with(value).start();
        job.ends_with(0);
        assert_eq!(job.out().trim_end(), made);
    }
    refused(
        with("MADE_A={NO_SUCH}"),
        64,
        &["--step-env", "MADE_A", "NO_SUCH"],
    );
}
