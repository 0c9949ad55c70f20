//! The database's URL: from libpq's variables and files, with several hosts, with a password file; and what
//! is refused. Against real servers, each sentence (contract, section 3) over its tests.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use crate::common::backends::{Cut, NAME};
use crate::common::home::free_port;
use crate::common::servers::{PASSWORD, Postgres, postgres_15};
use crate::common::{Db, Gate, Scene, on_each, until};

/// `launchgate job` of one step, with no URL in the environment.
pub(crate) fn job<'a>(scene: &'a Scene<'_>, revision: &str) -> Gate<'a> {
    let step = format!("--migrate={}", scene.path("step"));
    let job = scene.command("job").env("DATABASE_URL", "");
    job.args(["--release", revision, &step])
}

/// Ends with `code`, shows these words, and never a password.
#[track_caller]
pub(crate) fn refused(replica: Gate<'_>, code: i32, words: &[&str]) {
    let mut replica = replica.start();
    replica.ends_with(code);
    for word in words {
        replica.says(word);
    }
    for secret in ["s3cret", "geheim"] {
        assert!(!replica.log().contains(secret), "{}", replica.log());
    }
}

/// "else `PGHOST` with libpq's other variables", and "libpq's variables and files count as in psql"
#[test]
fn libpqs_variables_and_files_name_the_database() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    let port = db.postgres().port.to_string();
    let socket = db.postgres().socket().display().to_string();
    let base = |revision: &str| {
        job(&scene, revision)
            .env("PGPORT", &port)
            .env("PGUSER", "postgres")
            .env("PGDATABASE", NAME)
    };
    let by_tcp = |revision: &str| base(revision).env("PGHOST", "127.0.0.1");
    let write = |name: &str, text: &str, mode: u32| {
        scene.write(name, text);
        fs::set_permissions(scene.path(name), fs::Permissions::from_mode(mode)).expect("a mode");
        scene.path(name)
    };
    by_tcp("v1")
        .env("PGPASSWORD", PASSWORD)
        .finish()
        .ends_with(0)
        .says("source=PGHOST");
    by_tcp("v1")
        .env("PGPASSWORD", PASSWORD)
        .finish()
        .ends_with(0);
    assert_eq!(scene.count("start"), 1);
    base("v2")
        .env("PGHOST", &socket)
        .env("PGPASSWORD", PASSWORD)
        .finish()
        .ends_with(0);
    // The first line that fits.
    let escaped = PASSWORD.replace('\\', "\\\\").replace(':', "\\:");
    let lines =
        format!("other:*:*:*:geheim\n127.0.0.1:{port}:*:postgres:{escaped}\n*:*:*:*:geheim\n");
    write(".pgpass", &lines, 0o600);
    let home = scene.folder().display().to_string();
    by_tcp("v3").env("HOME", &home).finish().ends_with(0);
    let file = write("passwords", &lines, 0o600);
    by_tcp("v4").env("PGPASSFILE", &file).finish().ends_with(0);
    let url = format!("postgres://postgres@127.0.0.1:{port}/{NAME}?passfile={file}");
    job(&scene, "v5")
        .env("DATABASE_URL", &url)
        .finish()
        .ends_with(0);
    let open = write("open", &lines, 0o644);
    refused(
        by_tcp("v6").env("PGPASSFILE", &open),
        64,
        &["chmod 600", "open"],
    );
    // A service, and what it does not say from variables.
    let services = format!("[other]\nhost=h\n\n[shop]\n# comment\nhost=127.0.0.1\ndbname={NAME}\n");
    let services = write("services", &services, 0o644);
    let with = |revision: &str| {
        base(revision)
            .env("PGSERVICEFILE", &services)
            .env("PGPASSWORD", PASSWORD)
    };
    with("v7").env("PGSERVICE", "shop").finish().ends_with(0);
    with("v8")
        .env("DATABASE_URL", "postgres://?service=shop")
        .finish()
        .ends_with(0);
    refused(
        with("v9").env("PGSERVICE", "nowhere"),
        64,
        &["`nowhere`", "PGSERVICEFILE"],
    );
    refused(
        with("v9").env("DATABASE_URL", "postgres://h/d?service=nowhere"),
        64,
        &["`nowhere`"],
    );
    // "TLS: never weaker than what was asked for"
    refused(
        by_tcp("v9")
            .env("PGPASSWORD", PASSWORD)
            .env("PGSSLMODE", "require"),
        78,
        &["TLS", "sslmode"],
    );
    refused(by_tcp("v9").env("PGSSLMODE", "geheim"), 64, &["PGSSLMODE"]);
    // The password is hidden, and nothing else.
    refused(
        by_tcp("v9").env("PGPASSWORD", "geheim-geheim"),
        78,
        &[" postgres://postgres:***@127.0.0.1:", "(PGHOST)"],
    );
    refused(
        by_tcp("v9").env("PGREQUIREPEER", "postgres"),
        64,
        &["PGREQUIREPEER"],
    );
    let read_only = "-c default_transaction_read_only=on";
    refused(
        by_tcp("v9")
            .env("PGPASSWORD", PASSWORD)
            .env("PGOPTIONS", read_only)
            .args(["--wait-timeout=1s"]),
        78,
        &["read-only"],
    );
    assert_eq!(scene.count("start"), 7);
}

/// "Postgres: several hosts, each in turn until one takes writes"
#[test]
fn of_several_hosts_the_one_that_takes_writes_is_used() {
    let db = Db::postgres_15();
    let reader = Postgres::with(&postgres_15(), &["default_transaction_read_only=on"]);
    let scene = Scene::new(&db);
    let here = db.postgres().port;
    let hosts = [free_port(), reader.port, here].map(|port| format!("127.0.0.1:{port}"));
    let url = db
        .url()
        .replace(&format!("127.0.0.1:{here}"), &hosts.join(","));
    let url = url.replace(&format!("/{NAME}"), "/postgres");
    reader.sql("postgres", "select 1");
    let with = |revision: &str| job(&scene, revision).env("DATABASE_URL", &url);
    for _ in 0..2 {
        with("v1").finish().ends_with(0);
    }
    assert_eq!(scene.count("start"), 1);
    let rows = db
        .postgres()
        .sql("postgres", "select state from launchgate_runs");
    assert_eq!(rows, "succeeded");
    // A holder's heartbeat stays with the server that has its lock.
    let mut holder = scene.start_held(with("v2"));
    let beats = || {
        db.postgres().sql(
            "postgres",
            "select heartbeat_at from launchgate_runs order by id desc limit 1",
        )
    };
    for _ in 0..3 {
        let before = beats();
        until("a heartbeat", || beats() != before);
    }
    scene.let_go();
    holder.ends_with(0);
    // None takes writes: as with one server.
    let both = [&hosts[0], &hosts[1]].map(String::as_str).join(",");
    let url = url.replace(&hosts.join(","), &both);
    let replica = job(&scene, "v3").env("DATABASE_URL", &url);
    refused(replica.args(["--wait-timeout=1s"]), 78, &["primary"]);
    let url = format!("{url}?target_session_attrs=standby");
    refused(
        job(&scene, "v3").env("DATABASE_URL", &url),
        64,
        &["target_session_attrs"],
    );
}

/// "the password, read anew for each connection: rotated secrets"
fn a_password_file_is_read_for_each_connection(db: &Db) {
    let scene = Scene::named(db, "default");
    let set = |password: &str| {
        if db.is_postgres() {
            db.sql(&format!("alter role owner password '{password}'"));
        } else {
            db.sql(&format!(
                "alter user 'owner'@'%' identified by '{password}'"
            ));
        }
        scene.write("password", format!("{password}\n"));
    };
    if db.is_postgres() {
        db.sql("create role owner superuser login");
    } else {
        db.sql("create user 'owner'@'%'");
        db.sql("grant all on *.* to 'owner'@'%'");
    }
    set("geheim-1");
    let url = db.url_as("owner", "stale");
    let with = |revision: &str| {
        let job = job(&scene, revision).env("DATABASE_URL", &url);
        job.args(["--database-password-file", &scene.path("password")])
    };
    let mut holder = scene.start_held(with("v1"));
    set("geheim-2");
    let beat = || scene.ledger("heartbeat_at");
    let before = beat();
    assert!(db.cut(Cut::Ledger));
    let until_later = Instant::now() + Duration::from_millis(500);
    until("a heartbeat on another connection", || {
        beat() != before && Instant::now() > until_later
    });
    scene.let_go();
    holder.ends_with(0);
    with("v1").finish().ends_with(0);
    assert_eq!(scene.count("start"), 1);
    // What it is now is hidden too, in the output that is kept of a step.
    scene.write("do-migrate", "cat \"$dir/password\"; exit 3\n");
    let mut failing = scene.start_held(with("v3"));
    set("geheim-3");
    scene.let_go();
    failing.ends_with(3);
    let tail = scene.ledger("output_tail").pop().expect("a row");
    assert!(tail.contains("***") && !tail.contains("geheim"), "{tail}");
    for (contents, words) in [
        (&b""[..], "no password"),
        (b"\xef\xbb\xbfgeheim\n", "byte order mark"),
        (b"\xff\xfeg\0", "byte order mark"),
        (b"geheim\ngeheim\n", "more than one line"),
        (b"\xffgeheim", "not UTF-8"),
    ] {
        scene.write("password", contents);
        refused(with("v2"), 64, &["--database-password-file", words]);
    }
    scene.remove("password");
    refused(
        with("v2"),
        64,
        &["--database-password-file", "failed to read"],
    );
}
on_each!(a_password_file_is_read_for_each_connection: each_server);

/// "Where /x is not there and ./x is …, it is refused as ambiguous (64)."
#[test]
fn three_slashes_are_ambiguous_where_only_the_relative_path_exists() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    scene.write("rel-only.db", "");
    std::fs::create_dir(scene.path("data-of-app")).expect("a folder");
    let with = |url: &str| job(&scene, "v1").env("DATABASE_URL", url);
    // Before the first migration, there is only the folder.
    for path in ["rel-only.db", "data-of-app/new.db"] {
        let [relative, absolute] = [format!("sqlite:{path}"), format!("sqlite:/{path}")];
        let words = ["ambiguous", &relative, &absolute];
        refused(with(&format!("sqlite:///{path}")), 64, &words);
    }
    assert!(!Path::new("/rel-only.db.default.launchgate.lock").exists());
    with("sqlite:rel-only.db").finish().ends_with(0);
    let absolute = scene.path("abs.db");
    with(&format!("sqlite://{absolute}")).finish().ends_with(0);
}

/// A step of launchgate's own works on the same database, whatever names it.
#[test]
fn an_embedded_step_is_given_all_of_the_url() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    fs::create_dir(scene.path("sql")).expect("a folder");
    scene.write("sql/1_a.sql", "create table a ();");
    scene.write("password", PASSWORD);
    let port = db.postgres().port.to_string();
    let [folder, password] = ["sql", "password"].map(|name| scene.path(name));
    let mut job = scene
        .command("job")
        .env("DATABASE_URL", "")
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", &port)
        .env("PGUSER", "postgres")
        .env("PGDATABASE", NAME)
        .env("PGOPTIONS", "-c search_path=public")
        .args([
            "--release=v1",
            "--sql",
            &folder,
            "--database-password-file",
            &password,
        ])
        .start();
    job.ends_with(0);
    assert_eq!(db.sql("select count(*) from a"), "0");
}
