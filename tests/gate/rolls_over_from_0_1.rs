//! Replicas of version 0.1 and of this one, side by side on the ledger that 0.1 made.
//!
//! "An older ledger gets the key when it is next written, whatever rows it holds." (contract, section 5)
//!
//! Version 0.1 is played by a session that does what its replicas do: these locks, these statements.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use crate::common::{Db, Scene, on_each, until};

/// A replica of version 0.1 that got the lock.
struct Older(Child);

impl Older {
    /// Takes the lock of app `default`, without waiting, and appends its row.
    fn begins(db: &Db, revision: &str) -> Self {
        let mut client = client(db);
        let client = client.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut older = Self(client.spawn().expect("a client"));
        let (take, now, lease) = match db {
            Db::Maria(_) => (
                format!("select get_lock({NAME}, 0);"),
                "utc_timestamp(6)",
                "utc_timestamp(6) + interval 30 second",
            ),
            Db::Sqlite(_) => (
                String::new(),
                "'2020-01-01T00:00:00.000Z'",
                "'2020-01-01T00:00:30.000Z'",
            ),
            Db::Postgres(..) => (
                format!("begin; select pg_try_advisory_xact_lock({KEY});"),
                "now()",
                "now() + interval '30 seconds'",
            ),
        };
        older.says(&take);
        until("its lock", || holds(db));
        // By another connection, as 0.1 does.
        db.sql(&format!(
            "insert into launchgate_runs (app, revision, run_id, attempt, state, holder, version, started_at, \
             heartbeat_at, lease_until) values ('default', '{revision}', 'run-of-{revision}', 1, 'running', \
             'older:1', '0.1.0', {now}, {now}, {lease})"
        ));
        older
    }

    fn says(&mut self, statement: &str) {
        let mut input = self.0.stdin.as_ref().expect("a pipe");
        writeln!(input, "{statement}").expect("a statement");
    }

    /// Records the success on the session that has the lock, and lets go of it.
    fn succeeds(mut self, db: &Db, revision: &str) {
        let update = format!(
            "update launchgate_runs set state = 'succeeded' where run_id = 'run-of-{revision}' and state = 'running'"
        );
        match db {
            Db::Sqlite(_) => {
                db.sql(&update);
            }
            Db::Maria(_) => self.says(&format!("{update};")),
            Db::Postgres(..) => self.says(&format!("{update}; commit;")),
        }
        drop(self.0.stdin.take());
        assert!(self.0.wait().expect("its end").success());
    }
}

/// The keys of app `default` in database `shop`.
const KEY: &str = "-1631958856, -221308921";
const NAME: &str = "concat('launchgate:', left(sha2('default shop', 256), 32))";

/// What has the lock for as long as its standard input is open.
fn client(db: &Db) -> Command {
    match db {
        Db::Maria(server) => {
            let mut client = server.client();
            client.arg("shop");
            client
        }
        Db::Sqlite(_) => {
            let mut flock = Command::new("flock");
            flock.arg(lock_file(db)).arg("cat");
            flock
        }
        Db::Postgres(..) => {
            let mut psql = Command::new("psql");
            psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", &db.url()]);
            psql
        }
    }
}

fn lock_file(db: &Db) -> std::path::PathBuf {
    db.sqlite_file()
        .with_file_name("shop.db.default.launchgate.lock")
}

fn holds(db: &Db) -> bool {
    match db {
        Db::Maria(_) => db.sql(&format!("select is_used_lock({NAME}) is not null")) == "1",
        Db::Sqlite(_) => {
            let mut flock = Command::new("flock");
            let tried = flock.arg("-n").arg(lock_file(db)).arg("true").status();
            !tried.expect("flock").success()
        }
        Db::Postgres(..) => {
            db.sql("select count(*) from pg_locks where locktype = 'advisory'") == "1"
        }
    }
}

fn create_older_ledger(db: &Db) {
    db.sql(match db {
        Db::Maria(_) => include_str!("../ledger/ledger_0_1/mysql.sql"),
        Db::Sqlite(_) => include_str!("../ledger/ledger_0_1/sqlite.sql"),
        Db::Postgres(..) => include_str!("../ledger/ledger_0_1/postgres.sql"),
    });
}

fn a_holder_of_the_older_version_is_waited_for(db: &Db) {
    if db.is_sqlite() {
        std::fs::write(db.sqlite_file(), "").expect("a file");
    }
    create_older_ledger(db);
    let scene = Scene::named(db, "default");
    let older = Older::begins(db, "v1");
    let mut replica = scene.run("v1").start();
    replica.wait_for_log("another replica");
    older.succeeds(db, "v1");
    replica.ends_with(0);
    assert_eq!((scene.count("start"), scene.count("server")), (0, 1));
    // The next release is this version's.
    scene.run("v2").finish().ends_with(0);
    assert_eq!(
        scene.ledger("revision, state"),
        ["v1|succeeded", "v2|succeeded"]
    );
    scene.check_rules();
}
on_each!(a_holder_of_the_older_version_is_waited_for: each_version);

fn a_holder_of_this_version_keeps_the_older_one_out(db: &Db) {
    if db.is_sqlite() {
        std::fs::write(db.sqlite_file(), "").expect("a file");
    }
    create_older_ledger(db);
    let scene = Scene::named(db, "default");
    let mut holder = scene.start_held(scene.run("v1").env("LAUNCHGATE_LEASE", "30s"));
    assert!(
        holds(db),
        "the lock that an older replica would try to take"
    );
    // What an older replica reads, in the ledger that it made.
    let states = match db {
        Db::Maria(_) => "select revision, state from shop.launchgate_runs",
        Db::Sqlite(_) => "select revision, state from launchgate_runs",
        Db::Postgres(..) => "select revision, state from public.launchgate_runs",
    };
    assert_eq!(db.sql(states), "v1|running");
    scene.let_go();
    holder.ends_with(0);
    assert_eq!(db.sql(states), "v1|succeeded");
    // Its next release, in a ledger with the key that this version added.
    Older::begins(db, "v2").succeeds(db, "v2");
    scene.run("v2").finish().ends_with(0);
    assert_eq!((scene.count("start"), scene.count("server")), (1, 2));
    scene.check_rules();
}
on_each!(a_holder_of_this_version_keeps_the_older_one_out: each_version);
