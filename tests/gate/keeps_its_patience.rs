//! How long a replica waits for a database that does not serve it, and that a signal ends the wait.
//!
//! "how long to wait for the database to accept a connection, at the start of every command; kept to
//! within a second, also where packets are dropped or the server never answers" (contract, section 3)
//!
//! "While waiting, at once (within a second, whatever a connection or a file is stuck in)"
//! (contract, section 6)

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Db, Run, Scene, on_each, until};

/// How a server keeps its client waiting.
#[derive(Debug, Clone, Copy)]
enum Stall {
    /// It says nothing.
    Silent,
    /// It agrees to TLS and then says nothing.
    SilentTls,
    /// It greets like `MySQL`, and then says nothing.
    Greets,
    /// It lets the client in and answers its query with one notice after the other.
    Notices,
    /// It lets the client in, and then there is always one more result.
    Results,
}

/// The greeting of a `MySQL` server without TLS that wants a native password.
const GREETING: &[u8] = b"\x4a\0\0\0\x0a8.0.36\0\x05\0\0\0abcdefgh\0\xff\xf7\x21\x02\0\xff\xdf\x15\
      \0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password\0";

/// A server that keeps its clients waiting; its port.
fn stalls(how: Stall) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || stall(client, how));
        }
    });
    port
}

fn stall(mut client: TcpStream, how: Stall) -> Option<()> {
    let mut heard = [0; 2048];
    let mut hear = |client: &mut TcpStream| client.read(&mut heard).ok();
    match how {
        Stall::Silent => {}
        Stall::SilentTls => {
            hear(&mut client)?;
            client.write_all(b"S").ok()?;
        }
        Stall::Greets => client.write_all(GREETING).ok()?,
        Stall::Notices => {
            hear(&mut client)?;
            // The login, the end of the start-up.
            client.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").ok()?;
            hear(&mut client)?;
            let notices = b"N\0\0\0\x10SNOTICE\0Mx\0\0".repeat(4000);
            while client.write_all(&notices).is_ok() {}
        }
        Stall::Results => {
            client.write_all(GREETING).ok()?;
            hear(&mut client)?;
            client.write_all(b"\x07\0\0\x02\0\0\0\x02\0\0\0").ok()?;
            hear(&mut client)?;
            // 0x0008: there are more results.
            let results = b"\x07\0\0\x01\0\0\0\x0a\0\0\0".repeat(4000);
            while client.write_all(&results).is_ok() {}
        }
    }
    // Until the client hangs up.
    let _ = std::io::copy(&mut client, &mut std::io::sink());
    Some(())
}

/// It used to take ten seconds, or for ever.
const SOON: Duration = Duration::from_secs(4);

/// The second thread, which connects, has begun.
fn wait_for_connecting(replica: &Run) {
    until("the thread that connects", || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", replica.pid()));
        tasks.is_ok_and(|tasks| tasks.count() > 1)
    });
}

fn is_patient(how: Stall, url: &str) {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let url = url.replace("PORT", &stalls(how).to_string());
    let replica = || scene.run("v1").env("DATABASE_URL", &url);
    let began = Instant::now();
    let mut impatient = replica().args(["--wait-timeout=1s"]).start();
    impatient
        .ends_with(69)
        .says("did not accept a connection for ");
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
    assert!(waited < SOON, "{how:?} {url}: {waited:?}");
    let mut stopped = replica().start();
    stopped.wait_for_log("this revision");
    wait_for_connecting(&stopped);
    let began = Instant::now();
    stopped.signal(libc::SIGTERM);
    stopped.ends_with(143);
    let waited = began.elapsed();
    assert!(waited < SOON, "{how:?} {url}: {waited:?}");
    assert_eq!(scene.evidence().len(), 0);
}

#[test]
fn a_server_that_never_answers_is_given_up_in_time() {
    for (how, url) in [
        (Stall::Silent, "postgres://u:p@127.0.0.1:PORT/x"),
        (
            Stall::Silent,
            "postgres://u:p@127.0.0.1:PORT,127.0.0.1:PORT/x?sslmode=require",
        ),
        (Stall::SilentTls, "postgres://u:p@127.0.0.1:PORT/x"),
        (Stall::Silent, "mysql://u:p@127.0.0.1:PORT/x"),
        (Stall::Greets, "mysql://u:p@127.0.0.1:PORT/x"),
    ] {
        is_patient(how, url);
    }
}

/// No timer ends a driver that always has something to read.
#[test]
fn a_server_that_never_stops_answering_is_given_up_in_time() {
    is_patient(
        Stall::Notices,
        "postgres://u:p@127.0.0.1:PORT/x?sslmode=disable",
    );
    is_patient(
        Stall::Results,
        "mysql://u:p@127.0.0.1:PORT/x?ssl-mode=DISABLED",
    );
}

/// A secret that became a pipe which nobody writes to.
#[test]
fn a_password_file_that_hangs_is_given_up_in_time() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let secret = scene.path("password");
    let url = format!("postgres://u@127.0.0.1:{}/x", stalls(Stall::Silent));
    let replica = || {
        scene.write("password", "geheim");
        let replica = scene.run("v1").env("DATABASE_URL", &url);
        let replica = replica.env("LAUNCHGATE_DATABASE_PASSWORD_FILE", &secret);
        let prepare = format!("rm {secret} && mkfifo {secret}");
        replica.args(["--shell", "--prepare", &prepare])
    };
    let began = Instant::now();
    replica().args(["--wait-timeout=1s"]).finish().ends_with(69);
    assert!(began.elapsed() < SOON);
    scene.remove("password");
    let mut stopped = replica().start();
    stopped.wait_for_log("this revision");
    wait_for_connecting(&stopped);
    let began = Instant::now();
    stopped.signal(libc::SIGTERM);
    stopped.ends_with(143);
    assert!(began.elapsed() < SOON);
}

/// "A standby, a read-only session, a Galera node that is joining or a server in offline mode is
/// waited for (`--wait-timeout`), then refused, unless the revision succeeded already"
fn a_server_that_takes_no_writes_is_waited_for(db: &Db) {
    let mut scene = Scene::new(db);
    if db.is_postgres() {
        db.sql("create role app login password 'app'; grant create, usage on schema public to app");
    } else {
        db.sql("create user app@'%' identified by 'app'; grant all on shop.* to app@'%'");
    }
    scene.url = db.url_as("app", "app");
    scene.run("v1").finish().ends_with(0);
    let (off, on) = if db.is_postgres() {
        (
            "alter role app set default_transaction_read_only = on",
            "alter role app reset default_transaction_read_only",
        )
    } else {
        ("set global read_only = 1", "set global read_only = 0")
    };
    db.sql(off);
    scene.run("v1").finish().ends_with(0);
    let mut refused = scene.run("v2").args(["--wait-timeout=1s"]).start();
    refused.ends_with(78).says("read-only").says("primary");
    let mut waiter = scene.run("v2").start();
    waiter.wait_for_log("waiting for the database");
    db.sql(on);
    waiter.ends_with(0);
    assert_eq!(scene.states(), ["succeeded", "succeeded"]);
    scene.check_settled("v2");
}
on_each!(a_server_that_takes_no_writes_is_waited_for: each_server);

/// The two signals that musl keeps for itself, by glibc's names: its threads let them through.
#[test]
fn the_c_librarys_own_signals_do_nothing_to_a_waiter() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let url = format!("postgres://u:p@127.0.0.1:{}/x", stalls(Stall::Silent));
    let mut waiter = scene.run("v1").env("DATABASE_URL", url).start();
    waiter.wait_for_log("waiting for the database");
    for number in [33, 34] {
        for _ in 0..20 {
            waiter.signal(number);
        }
    }
    waiter.signal(libc::SIGTERM);
    waiter.ends_with(143);
}
