//! The delay after a failed attempt, what a replica tries again by itself, and leases that can't be
//! true.
//!
//! "`--retry-delay`: after a failed attempt, no replica begins the next one earlier; doubled with each
//! failure, up to 5 minutes. The wait is the gate's: the log and `status` say until when.
//! `resolve --as retry` ends it; 0 is none." (contract, section 3)

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant, SystemTime};

use crate::common::{Db, Gate, Mode, Place, Run, Scene, migrate, on_each, stub, until};
use serde_json::Value;

const WAITING: &str = "an attempt failed, waiting before the next one";

/// `launchgate status --json`.
fn status(scene: &Scene<'_>) -> Value {
    let mut status = scene.command("status").args(["--json"]).finish();
    status.ends_with(0);
    serde_json::from_str(&status.out()).expect("JSON")
}

fn time(value: &Value) -> SystemTime {
    humantime::parse_rfc3339(value.as_str().expect("a time")).expect("a time")
}

/// A replica whose delay lasts until someone ends it.
fn delayed<'a>(scene: &'a Scene<'_>, revision: &str) -> Gate<'a> {
    scene.run(revision).args(["--retry-delay=1h"])
}

/// Puts a failed attempt into the ledger.
fn fail(scene: &Scene<'_>, revision: &str) {
    scene.touch("fail-migrate");
    scene.run(revision).finish().ends_with(3);
    scene.remove("fail-migrate");
}

fn resolve(scene: &Scene<'_>, how: &str) {
    let words = ["v1", "--as", how];
    let resolve = scene.command("resolve").args(words);
    resolve.finish().ends_with(0);
}

/// However many replicas there are, the three attempts keep their distance. (Given as a variable, which a
/// version without this setting passes over.)
fn no_replica_begins_the_next_attempt_earlier(db: &Db) {
    let scene = Scene::new(db);
    scene.touch("fail-migrate");
    let replica = || scene.run("v1").env("LAUNCHGATE_RETRY_DELAY", "1s").start();
    let mut replicas: Vec<Run> = (0..5).map(|_| replica()).collect();
    let mut codes: Vec<i32> = replicas.iter_mut().map(Run::wait).collect();
    codes.sort_unstable();
    assert_eq!(codes, [3, 3, 3, 77, 77]);
    let status = status(&scene);
    let runs = status["runs"].as_array().expect("runs");
    let distance = |n: usize| {
        let (earlier, later) = (&runs[n + 1]["finished_at"], &runs[n]["started_at"]);
        time(later).duration_since(time(earlier)).expect("in order")
    };
    assert!(distance(1) >= Duration::from_secs(1), "{runs:?}");
    assert!(distance(0) >= Duration::from_secs(2), "{runs:?}");
    let logs: String = replicas.iter().map(Run::log).collect();
    for words in [
        WAITING,
        "(attempt 1 of 3; the next one may begin in 1 s)",
        "(attempt 2 of 3; the next one may begin in 2 s)",
        "(attempt 3 of 3)",
    ] {
        assert!(logs.contains(words), "{words}: {logs}");
    }
}
on_each!(no_replica_begins_the_next_attempt_earlier: each);

/// An operator, a signal and other revisions do not wait.
fn a_delay_ends_at_once_when_it_is_to(db: &Db) {
    let scene = Scene::new(db);
    fail(&scene, "v1");
    // The delay is no wait for a holder.
    let limit = "--lock-timeout=100ms";
    let mut waiter = delayed(&scene, "v1").args([limit]).start();
    let mut stopped = delayed(&scene, "v1").start();
    for replica in [&waiter, &stopped] {
        replica.wait_for_log(WAITING);
        let resolve = format!("launchgate resolve --app {} v1 --as retry", scene.app);
        replica.says(&resolve).says(" until=");
    }
    let asked = Instant::now();
    stopped.signal(libc::SIGTERM);
    stopped
        .ends_with(143)
        .says("while waiting before the next attempt");
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    delayed(&scene, "v2").finish().ends_with(0);
    assert!(waiter.look().is_none());
    assert_eq!(scene.count("start"), 2);
    resolve(&scene, "retry");
    waiter.ends_with(0);
    scene.check_settled("v1");
}
on_each!(a_delay_ends_at_once_when_it_is_to: each_and_pooler);

#[test]
fn a_replica_that_is_delayed_holds_no_connection() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    fail(&scene, "v1");
    let waiter = delayed(&scene, "v1").start();
    waiter.wait_for_log(WAITING);
    let all =
        "select count(*) from pg_stat_activity where datname = 'shop' and pid <> pg_backend_pid()";
    until("no connection", || db.sql(all) == "0");
}

/// What `GET PATH` on a health listener returns.
fn get(address: &str, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).expect("a listener");
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

#[test]
fn everything_that_shows_the_gate_shows_the_delay() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    fail(&scene, "v1");
    let listen = "--health-listen=127.0.0.1:0";
    let waiter = delayed(&scene, "v1").args([listen]).start();
    waiter.wait_for_log(WAITING);
    let log = waiter.log();
    let address = log.split("address=").nth(1).expect("an address");
    let address = address.split_whitespace().next().expect("an address");
    let body = get(address, "/readyz");
    assert!(body.contains(r#""state":"waiting-for-retry""#), "{body}");
    assert!(body.contains(r#""seconds_left":35"#), "{body}");
    let mut check = scene
        .command("check")
        .args(["--release=v1", "--migrate=true", "--retry-delay=1h"])
        .finish();
    let would = "run would         wait for --retry-delay, then run the steps";
    assert!(check.ends_with(0).out().contains(would), "{}", check.out());

    let waits = |flag: &str| {
        let status = scene.command("status").args([flag, "--retry-delay=1h"]);
        let mut status = status.finish();
        status.ends_with(0);
        status.out()
    };
    let text = waits("--quiet");
    let resolve = format!("launchgate resolve --app {} v1 --as retry", scene.app);
    for words in [
        "revision v1 failed: the next attempt may begin in 3",
        " s, at 2",
        // The ledger does not say how long the replicas wait.
        ", if the replicas have --retry-delay 1h too; ",
        &resolve,
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json: Value = serde_json::from_str(&waits("--json")).expect("JSON");
    let delay = &json["delay"];
    assert_eq!(delay["revision"], "v1");
    let left = delay["seconds"].as_u64().expect("a number");
    assert!((3000..=3600).contains(&left), "{delay}");
    assert_eq!(delay["assumed"], "--retry-delay 1h");
    assert!(time(&delay["until"]) > SystemTime::now());
    resolve_and_look(&scene);
}

fn resolve_and_look(scene: &Scene<'_>) {
    resolve(scene, "retry");
    assert_eq!(status(scene)["delay"], Value::Null);
}

/// `wait` says why nothing happens, and keeps to its own limit.
#[test]
fn wait_reports_the_delay() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    fail(&scene, "v1");
    let flags = ["--release=v1", "--retry-delay=1h", "--lock-timeout=1s"];
    let mut waiter = scene.command("wait").args(flags).finish();
    waiter.ends_with(75).says(WAITING);
}

/// "how often this replica tries the failed steps again by itself, for platforms that never restart a
/// job. Each try is an attempt, within `--max-attempts`; the exit code is the last try's" (contract,
/// section 3)
fn a_replica_tries_again_by_itself(db: &Db) {
    let scene = Scene::new(db);
    let tries = |revision: &str, flags: &[&str]| {
        let delay = "--retry-delay=50ms";
        scene.run(revision).args([delay]).args(flags).finish()
    };
    // It succeeds at last, and that counts.
    scene.write_program("do-migrate", "[ $LAUNCHGATE_ATTEMPT = 3 ] || exit 4\n");
    let mut replica = tries("v1", &["--retries=2"]);
    replica
        .ends_with(0)
        .says("migrate exited with code 4 (attempt 1 of 3; the next one may begin in 1 s)")
        .says("retries_left=1")
        .says("retries_left=0");
    assert_eq!(scene.states(), ["failed", "failed", "succeeded"]);
    assert_eq!(scene.ledger("attempt"), ["1", "2", "3"]);
    scene.check_settled("v1");
    // The exit code is the last try's, also where there would be more tries than attempts.
    scene.write_program("do-migrate", "exit $((10 + LAUNCHGATE_ATTEMPT))\n");
    tries("v2", &["--retries=1"]).ends_with(12);
    let mut last = tries("v3", &["--retries=5", "--max-attempts=3"]);
    last.ends_with(13).says("(attempt 3 of 3)");
    tries("v3", &["--retries=5", "--max-attempts=3"]).ends_with(77);
    assert_eq!(scene.states()[3..], ["failed"; 5]);
}
on_each!(a_replica_tries_again_by_itself: each);

/// Others may use up the attempts, or an operator decide, while it waits for its next try.
#[test]
fn what_happens_before_the_next_try_decides() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    scene.write_program("do-migrate", "exit $((10 + LAUNCHGATE_ATTEMPT))\n");
    let waits = |revision: &str| {
        let flags = ["--retries=2", "--max-attempts=2"];
        let replica = delayed(&scene, revision).args(flags).start();
        replica.wait_for_log(WAITING);
        replica
    };
    let mut first = waits("v1");
    scene.run("v1").finish().ends_with(12);
    first.ends_with(11);
    // The attempts are gone: the code of the last try, not 77.
    let mut second = waits("v2");
    let blocked = ["v2", "--as", "blocked"];
    let operator = scene.command("resolve").args(blocked);
    operator.finish().ends_with(0);
    second.ends_with(77).says("was blocked by");
    let mut third = waits("v3");
    scene.remove("do-migrate");
    scene.run("v3").finish().ends_with(0);
    third.ends_with(0);
    assert_eq!(scene.count("server"), 2);
}

/// Without a revision no ledger counts, so the replica's own clock does.
fn steps_without_a_revision_are_tried_again(db: &Db) {
    let scene = Scene::new(db);
    scene.touch("fail-migrate");
    let step = scene.path("step");
    let job = |delay: &str| {
        let flags = ["--retries=1", "--migrate", &step, "--retry-delay", delay];
        scene.command("job").args(flags).start()
    };
    let mut replica = job("1s");
    replica.ends_with(3).says(WAITING).says("retries_left=0");
    assert_eq!(scene.states(), ["failed", "failed"]);
    let mut stopped = job("1h");
    stopped.wait_for_log(WAITING);
    stopped.signal(libc::SIGTERM);
    stopped.ends_with(143);
    // Another start does not wait.
    scene.remove("fail-migrate");
    job("1h").ends_with(0);
}
on_each!(steps_without_a_revision_are_tried_again: [postgres_15]);

#[test]
fn without_a_database_each_start_counts_its_own_tries() {
    let place = Place::new();
    let job = |flags: &[&str]| {
        let step = migrate(stub().append("tries", "one").exit(5));
        let gate = place.gate(Mode::Ordinary, &[""; 0]);
        gate.args([step]).args(flags)
    };
    let ended = job(&["--retries=2", "--retry-delay=50ms"]).end();
    ended
        .code(5)
        .says(&["(attempt 1 of 3; the next one may begin in 1 s)"])
        .says(&["(attempt 3 of 3)"])
        .says(&[WAITING]);
    assert_eq!(place.lines("tries").len(), 3);
    // --max-attempts limits them too.
    let ended = job(&["--retries=9", "--max-attempts=2", "--retry-delay=0"]).end();
    ended.code(5).says(&["(attempt 2 of 2)"]);
    assert_eq!(place.lines("tries").len(), 5);
    let mut stopped = job(&["--retries=1", "--retry-delay=1h"]).start();
    stopped.wait_for_log(WAITING);
    stopped.signal(libc::SIGTERM);
    stopped.ends_with(143);
}

/// "A lease that ends later than the longest lease from now, or does not end, is over once a waiter has
/// seen the row unchanged for one lease by its own clock." (contract, section 5)
fn a_lease_that_can_not_be_true_ends(db: &Db) {
    let scene = Scene::new(db);
    scene.run("v0").finish().ends_with(0);
    let ends = if db.is_postgres() {
        ["'infinity'", "now() + interval '2 hours'"]
    } else {
        ["'9999-12-31'", "utc_timestamp() + interval 2 hour"]
    };
    for (number, end) in ends.iter().enumerate() {
        db.sql(&format!(
            "insert into launchgate_runs (app, revision, run_id, attempt, state, holder, version, started_at, \
             heartbeat_at, lease_until) select app, revision, 'dead{number}', 1, 'running', holder, version, \
             started_at, started_at, {end} from launchgate_runs where app = '{}' and revision = 'v0' and state = 'succeeded'",
            scene.app
        ));
        let began = Instant::now();
        let mut replica = scene.run(&format!("v{}", number + 1)).start();
        replica.wait_for_log("another replica is running the steps");
        replica.ends_with(0).says("an earlier run died");
        assert!(began.elapsed() >= Duration::from_secs(3));
    }
    let states = [
        "succeeded",
        "interrupted",
        "succeeded",
        "interrupted",
        "succeeded",
    ];
    assert_eq!(scene.states(), states);
    scene.check_rules();
}
on_each!(a_lease_that_can_not_be_true_ends: each_server);

/// The database's clock was set back after an attempt failed.
#[test]
fn a_failure_in_the_future_delays_nothing() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    fail(&scene, "v1");
    db.sql("update launchgate_runs set finished_at = finished_at + interval '1 day'");
    let replica = scene.run("v1").args(["--retry-delay=1h"]);
    replica.finish().ends_with(0);
}
