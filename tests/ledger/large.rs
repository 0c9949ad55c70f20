//! A ledger with 100,000 rows.
//!
//! "The fast path costs the same with 100,000 rows in the ledger as with ten." (contract, section 5)
//!
//! The servers count what they read. For `SQLite` the kernel counts the bytes: a process's count has those of
//! the children that it waited for.

use std::fs;

use super::{
    common::{Db, Scene, on_each, until},
    running_key::create_older_ledger,
};

/// One that 0.1 created and filled, which gets its indexes at the next write, and a new one.
fn is_read_through_indexes(db: &Db) {
    create_older_ledger(db);
    a_start_reads_little(&Scene::named(db, "default"));
    db.sql("DROP TABLE launchgate_runs");
    a_start_reads_little(&Scene::named(db, "default"));
}
on_each!(is_read_through_indexes: [postgres_15, mysql, mariadb, sqlite]);

/// Of a revision that succeeded long ago, and of one that never ran.
fn a_start_reads_little(scene: &Scene<'_>) {
    let job = |revision| {
        let job = scene.command("job").args(["--release", revision]);
        job.args(["--migrate=true"]).finish().ends_with(0);
    };
    job("old");
    let all = fill(scene.db);
    for revision in ["old", "new"] {
        let before = read_so_far(scene.db);
        job(revision);
        let read = read_so_far(scene.db) - before;
        assert!(read < all / 20, "{revision}: {read} of {all}");
    }
    assert_eq!(
        scene.db.sql("SELECT count(*) FROM launchgate_runs"),
        "100002"
    );
}

/// Adds 100,000 rows of other revisions, and returns how much there is to read.
fn fill(db: &Db) -> u64 {
    let name = match db {
        Db::Maria(_) => "CONCAT('r', a.n, b.n, c.n, d.n, e.n)",
        _ => "'r' || a.n || b.n || c.n || d.n || e.n",
    };
    // From another table: MariaDB would copy this one to a file in /tmp, where another server that
    // starts deletes it.
    db.sql(&format!(
        "CREATE TABLE digits (n int); \
         INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9); \
         INSERT INTO launchgate_runs (app, revision, run_id, attempt, state, holder, version, started_at) \
         SELECT 'default', {name}, {name}, 1, CASE e.n WHEN 0 THEN 'failed' WHEN 1 THEN 'interrupted' \
         WHEN 2 THEN 'blocked' ELSE 'succeeded' END, 'host:1', '1', CURRENT_TIMESTAMP \
         FROM digits a, digits b, digits c, digits d, digits e; \
         DROP TABLE digits"
    ));
    assert_eq!(db.sql("SELECT count(*) FROM launchgate_runs"), "100001");
    match db {
        Db::Sqlite(_) => fs::metadata(db.sqlite_file()).expect("a file").len(),
        _ => 100_001,
    }
}

/// How many rows the server has read, or how many bytes this process has.
fn read_so_far(db: &Db) -> u64 {
    let number = |text: &str| text.trim().parse::<u64>().expect("a number");
    match db {
        Db::Postgres(..) => {
            // A session's counts are there before it is gone.
            until("the sessions are gone", || {
                db.sql(
                    "SELECT count(*) FROM pg_stat_activity \
                     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
                ) == "0"
            });
            number(&db.sql(
                "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_all_tables WHERE relname = 'launchgate_runs') \
                 + (SELECT sum(idx_tup_read) FROM pg_stat_all_indexes WHERE relname = 'launchgate_runs')",
            ))
        }
        Db::Maria(_) => {
            let counts = db.sql("SHOW GLOBAL STATUS LIKE 'Handler_read%'");
            let counts = counts.lines().filter_map(|line| line.split_once('|'));
            counts.map(|(_, count)| number(count)).sum()
        }
        Db::Sqlite(_) => {
            let counts = fs::read_to_string("/proc/self/io").expect("counts");
            let bytes = counts.lines().find_map(|line| line.strip_prefix("rchar:"));
            number(bytes.expect("the bytes read"))
        }
    }
}
