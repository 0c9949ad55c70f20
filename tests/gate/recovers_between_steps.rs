//! A holder that is killed between its steps: while it appends its row, while it records the
//! result, while that commits. A trigger in the database holds it at that moment.
//!
//! "whatever is killed, at whatever moment, the next start goes on by itself." (contract, section
//! 5)

use std::process::{Child, Stdio};
use std::time::Duration;

use crate::common::wire::Network;
use crate::common::{Db, Run, Scene, on_each, until};

/// Where the holder is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// It has the lock, its row is not there.
    Append,
    /// Its row is there, and it does not know.
    Appended,
    /// Its steps ended well, the success is not written.
    Record,
    /// The success is written and not committed, or not answered for.
    Commit,
}

impl Moment {
    /// The state of the row that is written then.
    fn state(self) -> &'static str {
        match self {
            Self::Append | Self::Appended => "running",
            Self::Record | Self::Commit => "succeeded",
        }
    }
}

fn moments(db: &Db) -> &'static [Moment] {
    match db {
        Db::Maria(_) => &[Moment::Append, Moment::Record, Moment::Commit],
        _ => &[
            Moment::Append,
            Moment::Appended,
            Moment::Record,
            Moment::Commit,
        ],
    }
}

const LOCKS: &str = "select count(*) from pg_locks where locktype = 'advisory' and classid = 77";

/// The trigger for one app, and the session that it waits for.
struct Held<'a> {
    db: &'a Db,
    /// What the trigger and the session lock: a number, since it is a key of Postgres.
    key: usize,
    session: Child,
}

impl<'a> Held<'a> {
    fn at(scene: &Scene<'a>, moment: Moment) -> Self {
        let (db, app, key) = (scene.db, &scene.app, moment as usize);
        let mut client = if let Db::Maria(server) = db {
            let event = match moment {
                Moment::Append | Moment::Appended => "before insert",
                Moment::Record => "before update",
                Moment::Commit => "after update",
            };
            let state = moment.state();
            db.sql(&format!(
                "create trigger held_{key} {event} on launchgate_runs for each row set @held = \
                 if(new.state = '{state}' and new.app = '{app}', get_lock('held-{key}', 60) + release_lock('held-{key}'), 0)"
            ));
            let mut client = server.client();
            let hold = format!("select get_lock('held-{key}', 0); select sleep(600)");
            client.args(["-e", &hold]);
            client
        } else {
            let (event, late) = match moment {
                Moment::Append => ("trigger held_{key} before insert", ""),
                Moment::Appended => (
                    "constraint trigger held_{key} after insert",
                    "deferrable initially deferred",
                ),
                Moment::Record => ("trigger held_{key} before update", ""),
                Moment::Commit => (
                    "constraint trigger held_{key} after update",
                    "deferrable initially deferred",
                ),
            };
            let (event, state) = (event.replace("{key}", &key.to_string()), moment.state());
            db.sql(&format!(
                "create function held_{key}() returns trigger language plpgsql as $$ begin \
                 perform pg_advisory_xact_lock_shared(77, {key}); return new; end $$; \
                 create {event} on launchgate_runs {late} for each row \
                 when (new.state = '{state}' and new.app = '{app}') execute function held_{key}()"
            ));
            db.postgres().psql(
                "shop",
                &format!("select pg_advisory_lock(77, {key}); select pg_sleep(600)"),
            )
        };
        let session = client
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a session");
        let holds = match db {
            Db::Maria(_) => format!("select count(is_used_lock('held-{key}'))"),
            _ => format!("{LOCKS} and objid = {key} and granted"),
        };
        until("the session that holds", || db.sql(&holds) == "1");
        Self { db, key, session }
    }

    fn let_go(&self) {
        let key = self.key;
        if let Db::Maria(_) = self.db {
            let session = self.db.sql(&format!("select is_used_lock('held-{key}')"));
            self.db.kill(&session);
        } else {
            self.db.sql(&format!(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' \
                 and classid = 77 and objid = {key} and granted"
            ));
        }
    }

    /// What comes later is not held.
    fn drop_trigger(&self) {
        let key = self.key;
        self.db.sql(&match self.db {
            Db::Maria(_) => format!("drop trigger held_{key}"),
            _ => format!("drop trigger held_{key} on launchgate_runs"),
        });
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let _ = self.session.kill();
        let _ = self.session.wait();
    }
}

fn patient(scene: &Scene<'_>, revision: &str) -> Run {
    scene.run(revision).args(["--lease", "6s"]).start()
}

/// One app whose holder is held at a moment, and another replica that waits.
struct Crew<'a> {
    moment: Moment,
    scene: Scene<'a>,
    holder: Run,
    held: Held<'a>,
}

/// Holds a replica of one app at each moment, lets `fault` happen to them, and sees that the next ones
/// go on by themselves. `fault` lets go of what is held; afterwards each holder ends with one of these
/// codes.
fn at_each_moment(db: &Db, codes: &[i32], fault: impl Fn(&[Crew<'_>], &dyn Fn())) {
    Scene::new(db).run("v0").finish().ends_with(0);
    // All at once, unless dropping one app's trigger waits for the transactions of the others.
    let at_once = if let Db::Maria(_) = db { 1 } else { 4 };
    for moments in moments(db).chunks(at_once) {
        at_moments(db, moments, codes, &fault);
    }
}

fn at_moments(db: &Db, moments: &[Moment], codes: &[i32], fault: impl Fn(&[Crew<'_>], &dyn Fn())) {
    let set_up = moments.iter().map(|moment| {
        let scene = Scene::new(db);
        let held = Held::at(&scene, *moment);
        (*moment, scene, held)
    });
    // A trigger waits for the transactions on its table: all of them come before the first holder.
    let set_up: Vec<_> = set_up.collect();
    let crews = set_up.into_iter().map(|(moment, scene, held)| Crew {
        holder: patient(&scene, "v1"),
        moment,
        scene,
        held,
    });
    let crews: Vec<_> = crews.collect();
    let waiting = match db {
        Db::Maria(_) => {
            "select count(*) from information_schema.processlist where state = 'User lock'"
        }
        _ => &format!("{LOCKS} and not granted"),
    };
    let wanted = crews.len().to_string();
    until("holders that are held", || db.sql(waiting) == wanted);
    let mut waiters: Vec<_> = crews
        .iter()
        .map(|crew| patient(&crew.scene, "v1"))
        .collect();
    fault(&crews, &|| {
        for crew in &crews {
            crew.held.let_go();
        }
        for crew in &crews {
            crew.held.drop_trigger();
        }
    });
    for (mut crew, waiter) in crews.into_iter().zip(&mut waiters) {
        waiter.ends_with(0);
        let ended = crew.holder.wait();
        let log = crew.holder.log();
        assert!(codes.contains(&ended), "{:?}: {ended}: {log}", crew.moment);
        // Whatever became of the first one, its release starts now.
        patient(&crew.scene, "v1").ends_with(0);
        // A row that nobody could close is closed by the next holder.
        patient(&crew.scene, "v2").ends_with(0);
        let servers = crew.scene.count("server");
        let wanted = 3 + usize::from(ended == 0);
        assert_eq!(servers, wanted, "{:?}: {log}", crew.moment);
        crew.scene.check_settled("v1");
    }
}

fn killed(db: &Db) {
    at_each_moment(db, &[137], |crews, let_go| {
        for crew in crews {
            crew.holder.signal(libc::SIGKILL);
        }
        let_go();
    });
}
on_each!(killed: [postgres_15, postgres_18, pgbouncer, mariadb]);

/// 76 where it was held for longer than its call may take.
fn asked_to_stop(db: &Db) {
    at_each_moment(db, &[143, 76], |crews, let_go| {
        for crew in crews {
            crew.holder.signal(libc::SIGTERM);
        }
        let_go();
    });
}
on_each!(asked_to_stop: [postgres_15, postgres_18, pgbouncer, mariadb]);

/// Frozen past its lease, until the next holder is through.
fn frozen(db: &Db) {
    at_each_moment(db, &[0, 76], |crews, let_go| {
        for crew in crews {
            crew.holder.signal(libc::SIGSTOP);
        }
        let_go();
        for crew in crews {
            until("another server", || crew.scene.count("server") == 1);
            crew.holder.signal(libc::SIGCONT);
        }
    });
}
on_each!(frozen: [postgres_15, postgres_18, pgbouncer, mariadb]);

fn its_server_crashes(db: &Db) {
    at_each_moment(db, &[0, 76], |_, let_go| {
        db.crash();
        let_go();
    });
}
on_each!(its_server_crashes: each_server_and_pooler);

fn its_sessions_are_ended(db: &Db) {
    at_each_moment(db, &[0, 76], |_, let_go| {
        match db {
            Db::Maria(_) => {
                db.kill(
                    &db.sql("select id from information_schema.processlist where host like '%:%'"),
                );
            }
            _ => {
                db.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'launchgate:%'");
            }
        }
        let_go();
    });
}
on_each!(its_sessions_are_ended: each_server_version);

/// "A lock that was lost on the way is a reason to start over (within `--wait-timeout`), not a refusal."
/// (contract, section 5)
fn a_lock_that_is_lost_as_soon_as_it_is_taken_is_taken_again(db: &Db) {
    let scene = Scene::named(db, "default");
    scene.run("v1").finish().ends_with(0);
    // It looks all the time, and the replica is far away: so it comes before the second connection is there.
    let (network, far) = Network::to_server_of(&scene.url);
    network.delay(Duration::from_millis(50));
    let mut session = if let Db::Maria(server) = db {
        let name = "concat('launchgate:', left(sha2('default shop', 256), 32))";
        let mut client = server.client();
        client.args(["--delimiter=//", "-e", &format!(
            "begin not atomic declare holder int; \
             repeat set holder = is_used_lock({name}); until holder is not null end repeat; kill holder; end"
        )]);
        client
    } else {
        db.postgres().psql(
            "shop",
            "do $$ begin loop perform pg_terminate_backend(pid) from pg_locks \
             where locktype = 'advisory' and objsubid = 2; exit when found; end loop; end $$",
        )
    };
    let mut session = session.stdin(Stdio::null()).spawn().expect("a session");
    let running = match db {
        Db::Maria(_) => {
            "select count(*) from information_schema.processlist where command = 'Query' and id <> connection_id()"
        }
        _ => "select count(*) from pg_stat_activity where query like 'do $$%'",
    };
    until("the session that looks", || db.sql(running) == "1");
    let mut replica = scene.run("v2").env("DATABASE_URL", &far).finish();
    replica.ends_with(0).says("waiting for the database");
    assert!(session.wait().expect("its end").success());
    scene.check_settled("v2");
}
on_each!(a_lock_that_is_lost_as_soon_as_it_is_taken_is_taken_again: each_server);

/// The answer is cut off behind the pooler's back.
#[test]
fn its_pooler_restarts() {
    let db = Db::pgbouncer();
    at_each_moment(&db, &[0, 76], |_, let_go| {
        db.restart_pooler();
        let_go();
    });
}

/// A row that took long to append leaves less of the lease: it is renewed that much earlier.
fn a_slow_ledger_costs_no_lock(db: &Db) {
    let scene = Scene::new(db);
    patient(&scene, "v0").ends_with(0);
    db.sql(match db {
        Db::Maria(_) => "create trigger slow before insert on launchgate_runs for each row set @slow = sleep(1.3)",
        _ => {
            "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(1.3); return new; end $$; \
             create trigger slow before insert on launchgate_runs for each row execute function slow()"
        }
    });
    scene.touch("hold-migrate");
    let mut holder = patient(&scene, "v1");
    until("the step", || scene.count("start") == 2);
    let beat = || scene.ledger("heartbeat_at")[1].clone();
    let first = beat();
    until("a heartbeat, or the end", || {
        beat() != first || holder.look().is_some()
    });
    scene.let_go();
    holder.ends_with(0);
    assert_eq!(scene.states(), ["succeeded", "succeeded"]);
}
on_each!(a_slow_ledger_costs_no_lock: each_server_and_pooler);
