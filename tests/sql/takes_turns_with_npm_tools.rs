//! `--sql` and the real tools of npm, taking turns on the same database: Prisma's schema engine,
//! drizzle-orm's migrator and dbmate.
//!
//! "Same order, same transactions, same table contents (checksums, versions, times) as the tool: after
//! either, the other says that there is nothing to do." (contract, section 10)

use std::fs;

use crate::common::servers::PASSWORD;
use crate::common::{Db, Scene, on_each};
use crate::folder::{Migrations, with_sql};
use crate::npm_tools::{DBMATE, DRIZZLE, PRISMA, Tool, dump, run, wipe};

fn take_turns(tool: &Tool, db: &Db) {
    let scene = Scene::new(db).without_database_file();
    let files = Migrations::new(&scene);
    // The tool alone.
    (tool.write)(&files, db, 4);
    let (ok, said) = run(tool, &scene);
    assert!(ok, "{said}");
    let theirs = dump(tool, db);
    // launchgate has nothing to do after it.
    let mut replica = with_sql(&scene, "after").start();
    replica.ends_with(0);
    replica
        .says("all migrations were already applied")
        .says(&format!("layout={}", tool.layout))
        .says("applied=4");
    assert_eq!(dump(tool, db), theirs);
    // Half by launchgate, the rest by the tool.
    wipe(db);
    fs::remove_dir_all(&files.0).expect("the folder");
    let files = Migrations::new(&scene);
    (tool.write)(&files, db, 2);
    with_sql(&scene, "half").start().ends_with(0);
    (tool.write)(&files, db, 4);
    let (ok, said) = run(tool, &scene);
    assert!(ok, "{said}");
    assert_eq!(dump(tool, db), theirs);
    // Half by the tool, the rest by launchgate; the tool has nothing to do after that.
    wipe(db);
    fs::remove_dir_all(&files.0).expect("the folder");
    let files = Migrations::new(&scene);
    (tool.write)(&files, db, 2);
    let (ok, said) = run(tool, &scene);
    assert!(ok, "{said}");
    (tool.write)(&files, db, 4);
    let mut replica = with_sql(&scene, "rest").start();
    replica.ends_with(0);
    replica.says("pending=2").says("applied=2");
    assert_eq!(dump(tool, db), theirs);
    let (ok, said) = run(tool, &scene);
    assert!(ok && (said == "applied: \n" || said == "done\n"), "{said}");
    assert_eq!(dump(tool, db), theirs);
}

fn prisma_and_launchgate_take_turns(db: &Db) {
    take_turns(&PRISMA, db);
}
on_each!(prisma_and_launchgate_take_turns: [postgres_15, sqlite]);

/// drizzle-kit says nothing of either.
#[test]
fn drizzle_s_files_that_are_not_what_was_applied_are_warned_of() {
    let db = &Db::sqlite();
    let scene = Scene::new(db).without_database_file();
    let files = Migrations::new(&scene);
    (DRIZZLE.write)(&files, db, 3);
    let (ok, said) = run(&DRIZZLE, &scene);
    assert!(ok, "{said}");
    db.sql("delete from __drizzle_migrations where created_at = 1700000000001");
    files.write("0000_m0.sql", "select 1;");
    let mut replica = with_sql(&scene, "v1").start();
    replica.ends_with(0);
    replica
        .says("0000_m0.sql was changed after it was applied; launchgate ignores that, as drizzle-kit does")
        .says("0001_m1.sql was never applied")
        .says("all migrations were already applied");
}

fn drizzle_and_launchgate_take_turns(db: &Db) {
    take_turns(&DRIZZLE, db);
}
on_each!(drizzle_and_launchgate_take_turns: each);

/// "The revision is (…) the fingerprint of `--sql DIR`": a journal that lists one more of the files is another one.
#[test]
fn what_the_journal_lists_is_a_part_of_the_revision() {
    let db = &Db::sqlite();
    let scene = Scene::new(db).without_database_file();
    let files = Migrations::new(&scene);
    let job = || scene.command("job").args(["--sql", "migrations"]).start();
    (DRIZZLE.write)(&files, db, 2);
    let listed = fs::read(files.0.join("meta/_journal.json")).expect("the journal");
    (DRIZZLE.write)(&files, db, 1);
    let mut first = job();
    first.ends_with(0);
    first.says("applied 0000_m0.sql");
    fs::write(files.0.join("meta/_journal.json"), listed).expect("the journal");
    let mut second = job();
    second.ends_with(0);
    second.says("applied 0001_m1.sql");
}

fn dbmate_and_launchgate_take_turns(db: &Db) {
    if let Db::Postgres(..) = db {
        // Go's driver refuses a password that is hashed in as few rounds as the fixture's.
        let password = PASSWORD.replace('\'', "''");
        db.sql(&format!("alter role postgres password '{password}'"));
    }
    take_turns(&DBMATE, db);
}
on_each!(dbmate_and_launchgate_take_turns: each);
