//! `launchgate check` on a database ends as `launchgate job` does, says the same, and changes
//! nothing.
//!
//! "exits as `run` would have failed, also where only the second connection or the lock fails"
//! (contract, section 2)

use crate::common::{Db, Run, Scene};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Ends `check` and then `job` with `code`, both saying `words`; the `check`.
#[track_caller]
fn alike(scene: &Scene<'_>, url: &str, revision: &str, code: i32, words: &[&str]) -> Run {
    alike_as(scene, &[], url, revision, code, words)
}

/// The same under another program.
#[track_caller]
fn alike_as(
    scene: &Scene<'_>,
    inside: &[&str],
    url: &str,
    revision: &str,
    code: i32,
    words: &[&str],
) -> Run {
    let [check, _] = ["check", "job"].map(|verb| {
        let replica = scene.command(verb).env("DATABASE_URL", url).args([
            "--release",
            revision,
            "--migrate=true",
            "--wait-timeout=1s",
        ]);
        let mut ended = if inside.is_empty() {
            replica.finish()
        } else {
            replica.inside(inside).finish()
        };
        ended.ends_with(code);
        for word in words {
            ended.says(word);
        }
        ended
    });
    check
}

/// What `check` says of `name`.
#[track_caller]
fn told(check: &Run, name: &str, value: &str) {
    let out = check.out();
    let line = out.lines().find_map(|line| line.strip_prefix(name));
    assert_eq!(line.unwrap_or_default().trim(), value, "{name}\n{out}");
}

#[test]
fn postgres() {
    let db = Db::postgres_15();
    db.sql(
        "create role reader login password 'geheim'; create role owner login password 'geheim'; \
         grant create on schema public to owner",
    );
    let scene = Scene::new(&db);
    let (reader, owner) = (db.url_as("reader", "geheim"), db.url_as("owner", "geheim"));
    let nowhere = format!("{owner}?schema=nowhere");
    let said = ["may not create it", "print-ddl --database postgres"];
    alike(&scene, &nowhere, "v1", 78, &said);
    let check = alike(
        &scene,
        &reader,
        "v1",
        78,
        &["print-ddl --database postgres"],
    );
    told(&check, "may create it", "no");
    db.sql("alter role owner set default_transaction_read_only = on");
    let check = alike(
        &scene,
        &owner,
        "v1",
        78,
        &["the session is read-only", "primary"],
    );
    told(&check, "writable", "no");
    db.sql("alter role owner reset default_transaction_read_only; alter role owner set search_path = 'gone'");
    alike(&scene, &owner, "v1", 78, &said);
    db.sql("alter role owner reset search_path");
    let check = alike(&scene, &owner, "v1", 0, &[]);
    told(&check, "may create it", "yes");
    db.sql("grant select, insert on launchgate_runs to reader");
    // Its owner is nobody that the reader has to trust.
    alike(&scene, &reader, "v2", 78, &["passing over", "print-ddl"]);
    // Where that table is, the reader can't create one either.
    db.sql("grant create on schema public to reader");
    let check = alike(&scene, &reader, "v2", 78, &["passing over", "print-ddl"]);
    told(&check, "may create it", "no");
    db.sql("revoke create on schema public from reader");
    db.sql("alter database shop owner to owner");
    let check = alike(&scene, &reader, "v2", 78, &["launchgate_runs"]);
    told(&check, "may write to it", "no");
    // What it needs, column by column.
    db.sql(
        "grant update (state, step, exit_code, term_signal, command, note, output_tail, heartbeat_at, \
         lease_until, finished_at) on launchgate_runs to reader",
    );
    let check = alike(&scene, &reader, "v2", 0, &[]);
    told(&check, "may write to it", "yes");
}

/// "exits as `run` would have failed, also where only the second connection or the lock fails"
#[test]
fn a_second_connection_that_is_missing() {
    let db = Db::postgres_15();
    db.sql(
        "create role narrow login password 'n' connection limit 1; grant all on schema public to narrow",
    );
    let scene = Scene::new(&db);
    let url = db.url_as("narrow", "n");
    let words = [
        "the database refused to start a run",
        "too many connections",
    ];
    alike(&scene, &url, "v1", 69, &words);
    db.sql("alter role narrow connection limit 2");
    let check = alike(&scene, &url, "v1", 0, &[]);
    told(
        &check,
        "lock excludes",
        "yes: a second connection could not take it",
    );
}

#[test]
fn a_pooler_that_breaks_the_lock() {
    let db = Db::pgbouncer_with(&[], "pool_mode = statement\n");
    let scene = Scene::new(&db);
    alike(&scene, &scene.url, "v1", 78, &["pool"]);
    assert!(!scene.has("start"));
}

#[test]
fn a_pooler_with_one_connection() {
    let pooler = "pool_mode = transaction\ndefault_pool_size = 1\nquery_wait_timeout = 1\n";
    let db = Db::pgbouncer_with(&[], pooler);
    let scene = Scene::new(&db);
    alike(
        &scene,
        &scene.url,
        "v1",
        69,
        &["the database refused to start a run"],
    );
}

/// A revision that is refused, delayed, running or done.
#[test]
fn what_the_ledger_decides() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    scene.touch("fail-migrate");
    for _ in 0..3 {
        scene.run("v1").finish().ends_with(3);
    }
    alike(
        &scene,
        &scene.url,
        "v1",
        77,
        &["v1 --as retry", "(--max-attempts)"],
    );
    let blocked = ["v2", "--as", "blocked", "--note", "no"];
    let operator = scene.command("resolve").args(blocked);
    operator.finish().ends_with(0);
    alike(&scene, &scene.url, "v2", 77, &["was blocked by"]);
    scene.remove("fail-migrate");
    scene.run("v3").finish().ends_with(0);
    let check = alike(&scene, &scene.url, "v3", 0, &[]);
    told(
        &check,
        "run would",
        "start the server at once: the revision has succeeded",
    );
    for column in ["output_tail", "heartbeat_at"] {
        let rename = |from: &str, to: &str| {
            db.sql(&format!(
                "alter table launchgate_runs rename column {from} to {to}"
            ));
        };
        rename(column, "other");
        alike(&scene, &scene.url, "v4", 78, &[column]);
        rename("other", column);
    }
    // A holder keeps the lock; `run` would wait for it.
    scene.touch("hold-migrate");
    let mut holder = scene.run("v4").start();
    crate::common::until("the step", || {
        scene.has("evidence") && holder.log().contains("migrate started")
    });
    let rows = scene.ledger("id").len();
    let mut check = scene
        .command("check")
        .args(["--release=v5", "--migrate=true"])
        .finish();
    check.ends_with(0);
    told(&check, "run would", "wait for another replica");
    told(&check, "lock excludes", "another replica holds it");
    assert_eq!(scene.ledger("id").len(), rows);
    scene.let_go();
    holder.ends_with(0);
}

#[test]
fn mariadb() {
    let db = Db::mariadb();
    for user in ["reader", "member", "guest", "wild", "narrow"] {
        db.sql(&format!("create user {user}@'%' identified by 'geheim'"));
    }
    // A role counts where it is in force, and a grant may name the database by a pattern.
    db.sql(
        "grant select on shop.* to reader@'%'; create role makers; \
         grant select, insert, update, create on shop.* to makers; \
         grant makers to member@'%'; set default role makers for member@'%'; \
         grant makers to guest@'%'; grant select on shop.* to guest@'%'; \
         grant select, insert, update, create on `sh_p`.* to wild@'%'; \
         create table guests (id int); grant select on shop.guests to narrow@'%'",
    );
    let scene = Scene::new(&db);
    let url = |user: &str| db.url_as(user, "geheim");
    let said = ["SELECT command denied", "print-ddl --database mysql"];
    alike(&scene, &url("narrow"), "v1", 78, &said);
    for user in ["reader", "guest"] {
        let said = ["print-ddl --database mysql"];
        let check = alike(&scene, &url(user), "v1", 78, &said);
        told(&check, "may create it", "no");
    }
    for user in ["member", "wild"] {
        let check = alike(&scene, &url(user), "v1", 0, &[]);
        told(&check, "may create it", "yes");
        db.sql("drop table launchgate_runs");
    }
    alike(&scene, &url("member"), "v1", 0, &[]);
    let check = alike(&scene, &url("reader"), "v2", 78, &["launchgate_runs"]);
    told(&check, "may write to it", "no");
    db.sql("grant insert on shop.launchgate_runs to reader@'%'");
    alike(&scene, &url("reader"), "v2", 78, &["launchgate_runs"]);
    db.sql("grant update on shop.launchgate_runs to reader@'%'");
    let check = alike(&scene, &url("reader"), "v2", 0, &[]);
    told(&check, "may write to it", "yes");
    db.sql("set global read_only = 1");
    let check = alike(
        &scene,
        &url("reader"),
        "v3",
        78,
        &["the server is read-only"],
    );
    told(&check, "writable", "no");
    let before = db.sql("select count(*), max(id) from launchgate_runs");
    assert_eq!(before, format!("{0}|{0}", scene.states().len()));
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn sqlite() {
    let db = Db::sqlite();
    let file = db.sqlite_file();
    let folder = file.parent().expect("a folder").to_owned();
    let scene = Scene::new(&db);
    mode(scene.folder(), 0o755);
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let lock = format!("{}.{}.launchgate.lock", file.display(), scene.app);
    let files = || fs::read_dir(&folder).expect("the folder").count();
    let with = |revision: &str, code: i32, words: &[&str]| {
        let before = files();
        let check = alike_as(&scene, &nobody, &scene.url, revision, code, words);
        assert!(code == 0 || files() == before, "something was made");
        check
    };
    mode(&folder, 0o755);
    let no_lock = ["cannot use the lock file", &lock, "database's folder"];
    let check = with("v1", 78, &no_lock);
    told(&check, "writable", "no");
    // No file, no version of its own: the library has one.
    assert!(check.out().contains("server            SQLite 3."));
    // A file that anybody may write, in a folder where nobody else may make one.
    scene.run("v0").finish().ends_with(0);
    fs::remove_file(&lock).expect("the lock's file");
    mode(&file, 0o666);
    with("v1", 78, &no_lock);
    // The lock's file is there, and no journal can be made.
    fs::write(&lock, "").expect("a file");
    let check = with(
        "v1",
        78,
        &["give this user write access to the database file and its folder"],
    );
    check.says(&format!("cannot create files in {}: ", folder.display()));
    // The file itself.
    mode(&folder, 0o777);
    mode(&file, 0o644);
    let check = with(
        "v1",
        78,
        &["give this user write access to the database file"],
    );
    check.says(&format!("cannot write {}: ", file.display()));
    mode(&file, 0o666);
    let check = with("v1", 0, &[]);
    told(&check, "writable", "yes");
    // Nothing is made where it could be.
    let fresh = Db::sqlite();
    let scene = Scene::new(&fresh);
    fs::remove_file(fresh.sqlite_file()).expect("a file");
    let folder = fresh.sqlite_file();
    let folder = folder.parent().expect("a folder");
    let files = || fs::read_dir(folder).expect("the folder").count();
    let before = files();
    let command = scene
        .command("check")
        .args(["--release=v1", "--migrate=true"]);
    let mut check = command.finish();
    check.ends_with(0);
    told(&check, "writable", "yes");
    assert_eq!(files(), before);
}
