//! `--snapshot`: a copy of a SQLite database before the first migration.
//!
//! "SQLite only: a consistent copy of the database into DIR before the first migrate step, named
//! by revision and time; fsynced; nothing migrates if it fails (exit 73)" (contract, section 3)

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::common::home::output;
use crate::common::{Db, Gate, Scene, signal_tree, until};
use crate::folder::{Migrations, applied};

/// `launchgate run --snapshot --sql`.
pub(crate) fn with_both<'a>(scene: &'a Scene<'a>, revision: &str) -> Gate<'a> {
    scene
        .bare(revision)
        .args(["--sql", "migrations", "--snapshot", "snapshots"])
}

/// The snapshots, oldest first; nothing else may be in the folder.
pub(crate) fn snapshots(scene: &Scene<'_>) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(scene.folder().join("snapshots")) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    for path in &paths {
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(name.starts_with("shop.db.2"), "{name}");
    }
    paths
}

pub(crate) fn ask(file: &Path, statement: &str) -> String {
    output(
        Command::new("sqlite3")
            .args(["-cmd", ".timeout 20000"])
            .arg(file)
            .arg(statement),
    )
}

/// A session that goes on, fed by lines.
pub(crate) struct Session(Child);

impl Session {
    pub(crate) fn on(file: &Path, statements: &str) -> Self {
        let mut child = Command::new("sqlite3")
            .args(["-cmd", ".timeout 20000"])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sqlite3");
        let input = child.stdin.as_mut().expect("piped");
        writeln!(input, "{statements}\nselect 'ready';").expect("written");
        let answers = BufReader::new(child.stdout.as_mut().expect("piped")).lines();
        let ready = answers.map_while(Result::ok).any(|line| line == "ready");
        assert!(ready, "{statements}");
        Self(child)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A writer on two tables at once, with pauses: SQLite has no queue in which a reader would come next.
struct Writer(Child);

impl Writer {
    fn on(scene: &Scene<'_>, file: &Path) -> Self {
        let both = "begin immediate; update l set n = n + 1; update r set n = n + 1; commit;";
        scene.write_program(
            "write",
            &format!("#!/bin/sh\nwhile sleep 0.01; do echo '{both}'; done | sqlite3 -cmd '.timeout 20000' \"$1\"\n"),
        );
        let mut writer = Command::new(scene.path("write"));
        writer
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(writer.spawn().expect("a writer"))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).expect("a pid");
        signal_tree(pid, libc::SIGKILL);
        let _ = self.0.wait();
    }
}

/// A database with one migration applied and a row that the application made.
pub(crate) fn served(db: &Db, scene: &Scene<'_>) -> Migrations {
    let files = Migrations::new(scene);
    files.write("1_a.sql", "create table a (x int);");
    scene
        .bare("v1")
        .args(["--sql", "migrations"])
        .start()
        .ends_with(0);
    db.sql("insert into a values (1)");
    files
}

#[test]
fn a_snapshot_is_made_before_the_first_migration() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    fs::set_permissions(db.sqlite_file(), fs::Permissions::from_mode(0o640)).expect("a mode");
    files.write(
        "2_b.sql",
        "create table b (x int); insert into a values (2);",
    );
    scene.write_program(
        "look",
        "#!/bin/sh\necho \"look snapshots=$(ls snapshots | wc -l)\" >> \"${0%/*}/evidence\"\n",
    );
    let look = scene.path("look");
    let mut replica = with_both(&scene, "release/2 ä")
        .args([
            "--backup",
            "sh -c 'test ! -e snapshots'",
            "--migrate",
            &look,
        ])
        .start();
    replica.ends_with(0);
    replica
        .says("took the snapshot file=")
        .says("snapshot succeeded");
    assert!(scene.evidence().iter().any(|l| l.get("snapshots") == "1"));
    let made = snapshots(&scene);
    assert_eq!(made.len(), 1);
    let name = made[0].display().to_string();
    assert!(name.ends_with("Z.release%2F2%20%C3%A4"), "{name}");
    assert_eq!(ask(&made[0], "select x from a"), "1");
    assert_eq!(ask(&made[0], "pragma integrity_check"), "ok");
    assert_eq!(
        fs::metadata(&made[0]).expect("it").permissions().mode() & 0o777,
        0o640
    );
    assert_eq!(db.sql("select x from a"), "1\n2");
    // A start that migrates nothing copies nothing.
    with_both(&scene, "release/2 ä").start().ends_with(0);
    assert_eq!(snapshots(&scene).len(), 1);
}

/// Of one moment, however long it takes and whoever writes: two tables that change together.
fn is_of_one_moment(mode: &str) {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let file = db.sqlite_file();
    ask(
        &file,
        &format!(
            "pragma journal_mode = {mode}; create table l (n int); create table filler (t text); create table r (n int); insert into l values (0); insert into r values (0); \
        with recursive n(x) as (select 1 union all select x + 1 from n where x < 20000) insert into filler select hex(randomblob(500)) from n;"
        ),
    );
    let writer = Writer::on(&scene, &file);
    for n in 0..3 {
        let seen = ask(&file, "select n from l");
        until("the writer's next commit", || {
            ask(&file, "select n from l") != seen
        });
        scene
            .bare(&format!("v{n}"))
            .args([
                "--snapshot",
                "snapshots",
                "--migrate",
                "true",
                "--wait-timeout",
                "80s",
            ])
            .start()
            .ends_with(0);
    }
    drop(writer);
    let made = snapshots(&scene);
    assert_eq!(made.len(), 3);
    for copy in made {
        assert_eq!(
            ask(
                &copy,
                "select (select n from l) - (select n from r), (select n from l) > 0, (select count(*) from filler)"
            ),
            "0|1|20000"
        );
        assert_eq!(ask(&copy, "pragma journal_mode"), mode);
    }
}

#[test]
fn a_snapshot_is_of_one_moment_while_others_write() {
    is_of_one_moment("delete");
}

#[test]
fn a_snapshot_is_of_one_moment_while_others_write_ahead() {
    is_of_one_moment("wal");
}

/// What the failure says is pasted into a shell, with a write-ahead log that is newer.
#[test]
fn the_failure_says_how_to_go_back() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    db.sql("pragma journal_mode = wal");
    files.write(
        "2_b.sql",
        "create table b (x int); insert into a values (2);",
    );
    files.write("3_c.sql", "insert into nowhere values (1);");
    let mut replica = with_both(&scene, "v2").start();
    replica.ends_with(65);
    replica.says("migrations/3_c.sql:1: no such table: nowhere");
    assert_eq!(applied(&db), ["1|a", "2|b"]);
    // A writer that is killed leaves its log behind.
    let session = Session::on(&db.sqlite_file(), "insert into a values (3);");
    drop(session);
    assert!(db.sqlite_file().with_extension("db-wal").exists());
    let log = replica.log();
    let way = log
        .rsplit_once("then run `")
        .and_then(|(_, rest)| rest.split_once('`'))
        .expect("a way back")
        .0;
    assert!(
        log.contains("to restore the snapshot, stop everything that uses the database"),
        "{log}"
    );
    output(Command::new("sh").args(["-e", "-c", way]).current_dir("/"));
    assert_eq!(db.sql("select x from a"), "1");
    assert_eq!(db.sql("pragma integrity_check"), "ok");
    assert_eq!(applied(&db), ["1|a"]);
    // The restored ledger holds the run that made the copy: it is taken for a dead one.
    files.write("3_c.sql", "insert into a values (3);");
    with_both(&scene, "v3").start().ends_with(0);
    assert_eq!(applied(&db), ["1|a", "2|b", "3|c"]);
    assert_eq!(scene.states(), ["succeeded", "interrupted", "succeeded"]);
    // So does the failure of a `--migrate` command.
    let mut replica = scene
        .bare("v4")
        .args(["--snapshot", "snapshots", "--migrate", "sh -c 'exit 9'"])
        .start();
    replica.ends_with(9);
    replica.says("to restore the snapshot");
}

#[test]
fn an_empty_database_needs_no_snapshot() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    Migrations::new(&scene).write("1_a.sql", "create table a (x int);");
    let mut replica = with_both(&scene, "v1").start();
    replica.ends_with(0);
    replica.says("the database is empty, taking no snapshot");
    assert!(snapshots(&scene).is_empty());
}

/// `-q` still prints what an operator needs to recover.
#[test]
fn the_way_back_is_told_by_a_quiet_run_too() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    files.write("2_b.sql", "bogus;");
    let mut replica = with_both(&scene, "v2").args(["-q"]).start();
    replica.ends_with(65);
    let copy = snapshots(&scene).pop().expect("a snapshot");
    replica.says(&format!("&& cp {}", copy.display()));
}

/// A folder that a crash takes away takes the snapshot along.
#[test]
fn a_new_folder_is_on_the_disk_with_the_snapshot() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let files = served(&db, &scene);
    files.write("2_b.sql", "create table b (x int);");
    let flags = ["--sql", "migrations", "--snapshot", "new/deep"];
    let trace = ["strace", "-f", "-y", "-e", "trace=fsync", "-o", "trace"];
    let replica = scene.bare("v2").args(flags).inside(&trace);
    replica.start().ends_with(0);
    let trace = fs::read_to_string(scene.folder().join("trace")).expect("a trace");
    for folder in ["", "/new", "/new/deep"] {
        let synced = format!("{}{folder}>)", scene.folder().display());
        assert!(trace.contains(&synced), "no fsync of {synced}");
    }
}
