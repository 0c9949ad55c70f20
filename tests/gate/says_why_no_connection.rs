//! Why a database cannot be connected to.
//!
//! "A failure line says what happened, to which host, port, file or variable, and where that setting came
//! from, and ends with a hint" (contract, section 8)

use std::io::{Read, Write};
use std::net::TcpListener;

use tempfile::TempDir;

use crate::common::home::free_port;
use crate::common::servers::Postgres;
use crate::common::{Db, Scene};

/// What `launchgate job` says of this URL, and how it ends.
fn said(scene: &Scene<'_>, url: &str) -> (i32, String) {
    let step = format!("--migrate={}", scene.path("step"));
    let job = scene.command("job").env("DATABASE_URL", url);
    let mut job = job
        .args(["--release=v1", "--wait-timeout=1s", &step])
        .start();
    let code = job.wait();
    let log = job.log();
    assert!(!log.contains("geheim"), "{log}");
    assert_eq!(scene.count("start"), 0, "{log}");
    (code, log)
}

#[track_caller]
fn refused(scene: &Scene<'_>, url: &str, code: i32, words: &[&str]) {
    let (ended, log) = said(scene, url);
    assert_eq!(ended, code, "{log}");
    for word in words {
        assert!(log.contains(word), "no {word:?} in\n{log}");
    }
}

#[test]
fn a_closed_port_and_an_unknown_name_are_named() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let port = free_port();
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://u:geheim@localhost:{port}/x");
        let place = format!("nothing is listening at localhost:{port} (DATABASE_URL)");
        refused(&scene, &url, 69, &[&place, "in a container"]);
    }
    for (scheme, port) in [("postgres", 5432), ("mysql", 3306)] {
        let url = format!("{scheme}://u:geheim@no-such-host.invalid/x");
        let place = format!("no-such-host.invalid:{port} (DATABASE_URL)");
        refused(&scene, &url, 69, &[&place, "can't be resolved"]);
    }
    let socket = format!("postgres://u:geheim@/x?host={}", scene.folder().display());
    let place = format!("no socket at {} (DATABASE_URL)", scene.folder().display());
    refused(&scene, &socket, 69, &[&place]);
}

#[test]
fn a_web_server_is_no_database() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let place = format!("{address} (DATABASE_URL) answers, but is not Postgres");
    let url = format!("postgres://u:geheim@{address}/x");
    refused(&scene, &url, 78, &[&place, "host and port"]);
}

/// A MySQL server speaks first, so each waits for the other.
#[test]
fn a_postgres_server_is_no_mysql_server_and_the_reverse() {
    let db = Db::postgres_15();
    let scene = Scene::new(&db);
    let port = db.postgres().port;
    let place = format!("127.0.0.1:{port} (DATABASE_URL) answers, but is not MySQL");
    let url = format!("mysql://u:geheim@127.0.0.1:{port}/x");
    refused(
        &scene,
        &url,
        78,
        &[&place, "a Postgres server", "scheme, host"],
    );
    let other = Db::mariadb();
    for mode in ["disable", "prefer"] {
        let url = other.url().replace("mysql://", "postgres://");
        let url = format!("{url}?sslmode={mode}");
        refused(&scene, &url, 78, &["answers, but is not Postgres"]);
    }
}

#[test]
fn a_role_without_a_free_connection_is_named() {
    let db = Db::postgres_15();
    db.sql("create role full_up login password 'geheim' connection limit 0");
    let scene = Scene::new(&db);
    let words = [
        "too many connections for role",
        "raise the limit of connections",
    ];
    refused(&scene, &db.url_as("full_up", "geheim"), 69, &words);
}

/// What can't be verified is refused, also where TLS is only preferred: "never plaintext because a certificate
/// was not understood".
#[test]
fn a_certificate_that_will_not_do_is_described() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let new = "req -newkey rsa:2048 -nodes -keyout server.key -subj /CN=localhost";
    let of = |calls: &[&str]| {
        let folder = TempDir::new().expect("a folder");
        let server = Postgres::with_tls(folder.path(), calls);
        let root = folder.path().join("server.pem").display().to_string();
        let at = server.url("postgres").replace("127.0.0.1", "localhost");
        (folder, server, at, root)
    };
    // As `openssl req -x509` makes one, an authority's.
    let (_folder, _server, url, root) = of(&[&format!("{new} -x509 -days 2 -out server.pem")]);
    let strict = format!("{url}?sslmode=verify-full&sslrootcert={root}");
    refused(
        &scene,
        &strict,
        78,
        &[
            "localhost:",
            "CA:TRUE",
            "CA:FALSE",
            "subjectAltName=DNS:localhost",
        ],
    );
    // As the hint has it.
    let hint = "-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost";
    let (_folder, server, url, root) =
        of(&[&format!("{new} -x509 -days 2 -out server.pem {hint}")]);
    let strict = format!("{url}?sslmode=verify-full&sslrootcert={root}");
    let status = scene.command("status").env("DATABASE_URL", &strict);
    status.finish().ends_with(0);
    let other = strict.replace("@localhost", "@127.0.0.1");
    refused(
        &scene,
        &other,
        78,
        &["a different name", "it has: ", "localhost"],
    );
    let own = format!("{url}?sslmode=verify-full");
    refused(&scene, &own, 78, &["sslrootcert"]);
    drop(server);
    // Version 1, as `openssl x509 -req` made it by default.
    let request = format!("{new} -out server.csr");
    let sign = "x509 -req -in server.csr -signkey server.key -out server.pem -days 2";
    let (_folder, _server, url, _) = of(&[&request, sign]);
    for mode in ["prefer", "require"] {
        let url = format!("{url}?sslmode={mode}");
        refused(&scene, &url, 78, &["X.509 version 1", "version 3"]);
    }
}

/// "TLS: never weaker than what was asked for": no authority counts but the one that the URL names, not even
/// the machine's, which can sign for every name.
#[test]
fn only_the_named_authority_counts() {
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let [ours, public] = [(); 2].map(|()| TempDir::new().expect("a folder"));
    let root = |folder: &TempDir| folder.path().join("ca.pem").display().to_string();
    let server = Postgres::with_certificate(public.path(), "localhost");
    let other = Postgres::with_certificate(ours.path(), "localhost");
    let status = |server: &Postgres, tls: &str| {
        let url = server.url("postgres").replace("127.0.0.1", "localhost");
        let status = scene.command("status").args(["--wait-timeout=1s"]);
        let status = status.env("DATABASE_URL", format!("{url}?{tls}"));
        status
            .env("SSL_CERT_FILE", root(&public))
            .env("SSL_CERT_DIR", "/etc/ssl/certs")
            .finish()
    };
    for mode in ["verify-ca", "verify-full"] {
        let named = format!("sslmode={mode}&sslrootcert={}", root(&ours));
        status(&other, &named).ends_with(0);
        status(&server, &named)
            .ends_with(78)
            .says("invalid peer certificate");
        let none = format!("sslmode={mode}");
        status(&server, &none)
            .ends_with(78)
            .says("invalid peer certificate");
    }
}
