//! A holder that is killed between its steps: while it appends its row, while it records the
//! result, while that commits. A trigger in the database holds it at that moment.
//!
//! "whatever is killed, at whatever moment, the next start goes on by itself." (contract, section
//! 5)

use std::process::{Child, Command, Stdio};

use crate::common::{Db, Run, Scene, lock, on_each, until};
use nix::sys::signal::Signal;

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

/// The trigger, and the session that it waits for.
struct Held<'a> {
    db: &'a Db,
    session: Child,
}

impl<'a> Held<'a> {
    fn at(db: &'a Db, moment: Moment) -> Self {
        let words: Vec<String> = if let Db::Maria(server) = db {
            let event = match moment {
                Moment::Append | Moment::Appended => {
                    "before insert on launchgate_runs for each row set @held = if(new.state = 'running'"
                }
                Moment::Record => {
                    "before update on launchgate_runs for each row set @held = if(new.state = 'succeeded'"
                }
                Moment::Commit => {
                    "after update on launchgate_runs for each row set @held = if(new.state = 'succeeded'"
                }
            };
            db.sql(&format!("drop trigger if exists held; create trigger held {event}, get_lock('held', 60) + release_lock('held'), 0)"));
            let mut client = lock(server).client();
            client.args([
                "-e",
                "select get_lock('held', 0); select sleep(600) /* held */",
            ]);
            std::iter::once(client.get_program())
                .chain(client.get_args())
                .map(|word| word.to_string_lossy().into_owned())
                .collect()
        } else {
            let (event, state) = match moment {
                Moment::Append => ("trigger held before insert", "running"),
                Moment::Appended => ("constraint trigger held after insert", "running"),
                Moment::Record => ("trigger held before update", "succeeded"),
                Moment::Commit => ("constraint trigger held after update", "succeeded"),
            };
            let late = if event.starts_with('c') {
                "deferrable initially deferred"
            } else {
                ""
            };
            db.sql(&format!(
                "create or replace function held() returns trigger language plpgsql as $$ begin \
                 perform pg_advisory_xact_lock_shared(77); return new; end $$; \
                 drop trigger if exists held on launchgate_runs; \
                 create {event} on launchgate_runs {late} for each row when (new.state = '{state}') execute function held()"
            ));
            let (Db::Postgres(server) | Db::Pooled(server, _)) = db else {
                unreachable!("SQLite")
            };
            let psql = lock(server).psql(
                "shop",
                "select pg_advisory_lock(77); select pg_sleep(600) /* held */",
            );
            std::iter::once(psql.get_program())
                .chain(psql.get_args())
                .map(|w| w.to_string_lossy().into_owned())
                .collect()
        };
        let session = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a session");
        let held = Self { db, session };
        until("the session that holds", || {
            match db {
            Db::Maria(_) => db.sql("select is_used_lock('held') is not null").trim() == "1",
            _ => db.sql("select count(*) from pg_locks where locktype = 'advisory' and objid = 77 and granted") == "1",
        }
        });
        held
    }

    /// Until the holder is there.
    fn wait(&self) {
        until("a holder that is held", || {
            match self.db {
            Db::Maria(_) => self.db.sql("select count(*) from information_schema.processlist where state = 'User lock'") == "1",
            _ => self.db.sql("select count(*) from pg_locks where locktype = 'advisory' and objid = 77 and not granted") == "1",
        }
        });
    }

    fn let_go(mut self) {
        match self.db {
            Db::Maria(_) => {
                let found = self.db.sql(
                    "select id from information_schema.processlist where info like '%held */' and id <> connection_id()",
                );
                self.db.kill(&found);
            }
            _ => {
                self.db.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like '%held */' and pid <> pg_backend_pid()");
            }
        }
        let _ = self.session.kill();
        let _ = self.session.wait();
        let drop = match self.db {
            Db::Maria(_) => "drop trigger if exists held",
            _ => "drop trigger if exists held on launchgate_runs",
        };
        self.db.sql(drop);
    }
}

fn patient(scene: &Scene<'_>, revision: &str) -> Run {
    scene.run(revision).args(["--lease", "6s"]).start()
}

/// Holds a replica at each moment, lets `fault` happen to it, and sees that the next ones go
/// on by themselves.
fn at_each_moment(db: &Db, fault: impl Fn(&Db, &Scene<'_>, &mut Run, Held<'_>)) {
    let first = Scene::new(db);
    first.run("v0").finish().ends_with(0);
    for moment in moments(db) {
        let scene = Scene::new(db);
        let held = Held::at(db, *moment);
        let mut holder = patient(&scene, "v1");
        held.wait();
        let mut waiter = patient(&scene, "v1");
        fault(db, &scene, &mut holder, held);
        waiter.ends_with(0);
        let ended = holder.wait();
        // Whatever became of the first one, its release starts now.
        patient(&scene, "v1").ends_with(0);
        // A row that nobody could close is closed by the next holder.
        patient(&scene, "v2").ends_with(0);
        let servers = scene.count("server");
        assert_eq!(
            servers,
            3 + usize::from(ended == 0),
            "{moment:?}: {}",
            holder.log()
        );
        scene.check_settled("v1");
    }
}

fn killed(db: &Db) {
    at_each_moment(db, |_, _, holder, held| {
        holder.signal(Signal::SIGKILL);
        holder.ends_with(137);
        held.let_go();
    });
}
on_each!(killed: [postgres_15, postgres_18, pgbouncer, mariadb]);

fn asked_to_stop(db: &Db) {
    at_each_moment(db, |_, _, holder, held| {
        holder.signal(Signal::SIGTERM);
        held.let_go();
        // 76 where it was held for longer than its call may take.
        let ended = holder.wait();
        assert!(ended == 143 || ended == 76, "{ended}: {}", holder.log());
    });
}
on_each!(asked_to_stop: [postgres_15, postgres_18, pgbouncer, mariadb]);

/// Frozen past its lease, until the next holder is through.
fn frozen(db: &Db) {
    at_each_moment(db, |_, scene, holder, held| {
        holder.signal(Signal::SIGSTOP);
        held.let_go();
        until("another server", || scene.count("server") == 1);
        holder.signal(Signal::SIGCONT);
        let ended = holder.wait();
        assert!(ended == 0 || ended == 76, "{ended}: {}", holder.log());
    });
}
on_each!(frozen: [postgres_15, postgres_18, pgbouncer, mariadb]);

fn its_server_crashes(db: &Db) {
    at_each_moment(db, |db, _, holder, held| {
        db.crash();
        held.let_go();
        let ended = holder.wait();
        assert!(ended == 0 || ended == 76, "{ended}: {}", holder.log());
    });
}
on_each!(its_server_crashes: each_server_and_pooler);

fn its_sessions_are_ended(db: &Db) {
    at_each_moment(db, |db, _, holder, held| {
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
        held.let_go();
        let ended = holder.wait();
        assert!(ended == 0 || ended == 76, "{ended}: {}", holder.log());
    });
}
on_each!(its_sessions_are_ended: each_server_version);

/// The answer is cut off behind the pooler's back.
#[test]
fn its_pooler_restarts() {
    at_each_moment(&Db::pgbouncer(), |db, _, holder, held| {
        db.restart_pooler();
        held.let_go();
        let ended = holder.wait();
        assert!(ended == 0 || ended == 76, "{ended}: {}", holder.log());
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
        beat() != first || holder.has_ended()
    });
    scene.remove("hold-migrate");
    holder.ends_with(0);
    assert_eq!(scene.states(), ["succeeded", "succeeded"]);
}
on_each!(a_slow_ledger_costs_no_lock: each_server_and_pooler);
