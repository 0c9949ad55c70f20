//! `--sql`: the schema, the role and the password that the migrations are applied with.
//!
//! "For an admin URL that only the migration may see" (contract, section 3, `--step-env-from`)
//!
//! "No password ever appears, in any rendering of any value or error" (contract, section 8)

use std::fs;

use crate::common::{Db, Scene, on_each, until};
use crate::folder::{Migrations, with_sql};
use crate::stops::slow;

/// The schema of the URL is where the migrations' tables go.
#[test]
fn postgres_schema_of_the_url() {
    let db = Db::postgres_15();
    db.sql("create schema shop");
    let mut scene = Scene::new(&db);
    scene.url += "?schema=shop";
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);");
    with_sql(&scene, "v1").start().ends_with(0);
    assert_eq!(db.sql("select count(*) from shop.a"), "0");
    assert_eq!(db.sql("select count(*) from shop._sqlx_migrations"), "1");
}

/// A role that may not change the schema serves; the migration has another.
#[test]
fn the_migration_may_have_a_role_of_its_own() {
    let db = Db::postgres_15();
    db.sql(
        "create role app login password 'p4ss-of-app'; create role admin login password 'p4ss-of-admin'; \
         create schema ledger authorization app; grant all on schema public to admin; \
         alter role app set search_path = ledger",
    );
    let mut scene = Scene::new(&db);
    scene.url = db.url_as("app", "p4ss-of-app");
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table public.a (x int);");
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(65);
    replica.says("permission denied for schema public");
    let mut replica = with_sql(&scene, "v2")
        .env("ADMIN", db.url_as("admin", "p4ss-of-admin"))
        .args(["--step-env-from", "DATABASE_URL=ADMIN"])
        .start();
    replica.ends_with(0);
    assert!(!replica.log().contains("p4ss"), "{}", replica.log());
    assert_eq!(
        db.sql("select tableowner from pg_tables where tablename = 'a'"),
        "admin"
    );
}

/// No process list shows the password.
fn the_password_is_in_no_argument(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", slow(db));
    let mut replica = with_sql(&scene, "v1").start();
    replica.wait_for_log("sql started");
    let pid = replica
        .log()
        .split("pid=")
        .nth(1)
        .and_then(|rest| rest.split(' ').next().map(str::to_owned))
        .expect("a pid");
    until("its words", || {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|words| words.starts_with(b"launchgate\0embedded"))
    });
    let words = fs::read(format!("/proc/{pid}/cmdline")).expect("its words");
    assert_eq!(words, b"launchgate\0embedded\0sql\0--\0migrations\0");
    replica.ends_with(0);
}
on_each!(the_password_is_in_no_argument: [postgres_15]);
