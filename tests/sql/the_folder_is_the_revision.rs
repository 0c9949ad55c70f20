//! `--sql`: the revision that follows from the folder.
//!
//! "what the ledger is keyed by, the first of: `--fingerprint`, `--release`, the fingerprint of
//! `--sql DIR` where there is no `--migrate`, the platform's release id" (contract, section 1)

use crate::common::{Db, Scene};
use crate::folder::Migrations;

/// The revision is the files, where nothing else migrates and no release is named.
#[test]
fn the_folder_is_the_revision() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = Migrations::new(&scene);
    files.write("1_a.sql", "create table a (x int);");
    let start = |args: &[&str]| {
        let mut replica = scene
            .command("job")
            .env("GIT_SHA", "abc")
            .args(args)
            .start();
        replica.ends_with(0);
        let log = replica.log();
        let at = log.find(" revision=").expect("a revision");
        log[at + 10..]
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let first = start(&["--sql", "migrations"]);
    assert!(first.starts_with("fp-"), "{first}");
    // The path to it is no part of it, nor what sqlx passes over.
    files.write("README", "x");
    let absolute = scene.path("migrations");
    assert_eq!(start(&["--sql", &absolute]), first);
    assert_eq!(scene.states().len(), 1);
    // The waiting ones say the same by the same setting.
    let mut waiter = scene.command("wait").args(["--sql", "migrations"]).start();
    waiter.ends_with(0);
    let mut waiter = scene
        .command("wait")
        .env("LAUNCHGATE_SQL", "migrations")
        .start();
    waiter.ends_with(0);
    files.write("2_b.sql", "create table b (x int);");
    assert_ne!(start(&["--sql", "migrations"]), first);
    // Another migration beside it could change without it.
    assert_eq!(start(&["--sql", "migrations", "--migrate", "true"]), "abc");
    assert_eq!(start(&["--sql", "migrations", "--release", "r1"]), "r1");
    let by_glob = start(&["--sql", "migrations", "--fingerprint", "migrations/1*"]);
    assert!(by_glob.starts_with("fp-") && by_glob != first);
}
