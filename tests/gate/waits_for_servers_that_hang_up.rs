//! Servers that hang up: a proxy whose database is down accepts connections and closes them at any
//! point of the handshake. That means "not ready yet", not "refused".
//!
//! "how long to wait for the database to accept a connection, at the start of every command"
//! (contract, section 3)

use crate::common::{Db, Scene};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

/// What the server answers to each message of a client before it closes the connection.
type Script = &'static [&'static [u8]];

/// The greeting of a `MySQL` server that offers TLS and wants a native password.
const GREETING: &[u8] = b"\x4a\0\0\0\x0a8.0.36\0\x05\0\0\0abcdefgh\0\xff\xff\x21\x02\0\xff\xdf\x15\
      \0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password\0";

/// Answers every client by the script; its port.
fn hangs_up(script: Script, listens_first: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || play(client, script, listens_first));
        }
    });
    port
}

fn play(mut client: TcpStream, script: Script, mut listens: bool) {
    let mut heard = [0; 2048];
    for line in script {
        if listens {
            let _ = client.read(&mut heard);
        }
        listens = true;
        let _ = client.write_all(line);
    }
    hang_up(client);
}

/// In order: a connection that is closed with something unread in it is reset.
fn hang_up(mut client: TcpStream) {
    let _ = client.shutdown(Shutdown::Write);
    let _ = std::io::copy(&mut client, &mut std::io::sink());
}

fn ends_with(url: &str, code: i32) {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let replica = scene.run("v1").env("DATABASE_URL", url);
    let mut replica = replica.args(["--wait-timeout", "500ms"]).start();
    let ended = replica.wait();
    assert_eq!(ended, code, "{url}: {}", replica.log());
    assert_eq!(scene.evidence().len(), 0);
}

#[test]
fn a_connection_that_is_closed_in_the_handshake_is_not_yet() {
    let postgres: [(Script, &[&str]); 6] = [
        (&[], &["", "?sslmode=require", "?sslmode=disable"]),
        (&[b"N"], &[""]),
        (&[b"N", b"R\0\0"], &[""]),
        (&[b"N", b"R\0\0\0\x08\0\0\0\0"], &[""]),
        (&[b"S"], &["", "?sslmode=require"]),
        (&[b"Ecould not fork new process for connection\n\0"], &[""]),
    ];
    let mysql: [(Script, &[&str]); 4] = [
        (&[], &["", "?ssl-mode=REQUIRED"]),
        (&[b"\x4a\0"], &[""]),
        (&[GREETING], &["", "?ssl-mode=DISABLED"]),
        (&[GREETING, b""], &["", "?ssl-mode=REQUIRED"]),
    ];
    // A server of MySQL's kind speaks first.
    let kinds = [
        ("postgres", true, &postgres[..]),
        ("postgres", false, &postgres),
        ("mysql", false, &mysql),
    ];
    // Each one waits most of the time.
    thread::scope(|scope| {
        for (scheme, listens, scripts) in kinds {
            for (script, queries) in scripts {
                let port = hangs_up(script, listens);
                for query in *queries {
                    let url = format!("{scheme}://u:p@127.0.0.1:{port}/x{query}");
                    scope.spawn(move || ends_with(&url, 69));
                }
            }
        }
    });
}

#[test]
fn a_server_of_another_kind_is_refused() {
    let port = hangs_up(&[b"HTTP/1.1 400 Bad Request\r\n\r\n"], true);
    ends_with(&format!("postgres://u:p@127.0.0.1:{port}/x"), 78);
}

/// The proxy is there before the database is.
#[test]
fn a_database_that_comes_up_behind_a_proxy_is_waited_for() {
    let db = Db::postgres_15();
    let server = db.postgres();
    let behind = server.port;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(("127.0.0.1", behind)) else {
                hang_up(client);
                continue;
            };
            for (from, to) in [(&client, &server), (&server, &client)] {
                let pair = (from.try_clone(), to.try_clone());
                let (Ok(mut from), Ok(mut to)) = pair else {
                    continue;
                };
                thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        }
    });
    let mut scene = Scene::new(&db);
    scene.url = db.url().replace(&behind.to_string(), &port.to_string());
    db.stop();
    let mut replica = scene.run("v1").start();
    replica.wait_for_log("waiting for the database");
    db.crash();
    replica.ends_with(0);
    scene.check_settled("v1");
}
