//! Connecting to Postgres: what is worth waiting for, and what is refused at once.
//!
//! "78: the database refuses: password, privileges, no such database, unsupported" (contract,
//! section 6)
//!
//! "TLS: never weaker than what was asked for, and never plaintext because a certificate was not
//! understood." (contract, section 3)

use std::time::Duration;

use launchgate::db::{Error, Proof};

use super::{
    common::servers::Postgres,
    connection::{connect, lock, run, target, until},
    postgres::{connect_error, not_yet, refused},
};

#[test]
fn what_goes_over_is_not_yet_and_what_stays_is_refused() {
    let server = Postgres::with(
        &super::common::servers::postgres_15(),
        &["max_connections=5"],
    );
    run(async {
        refused(
            &connect_error(&server.url_as("postgres", "wrong", "postgres")).await,
            "password authentication failed",
        );
        refused(
            &connect_error(&server.url("none")).await,
            "\"none\" does not exist",
        );
        let wrong = connect_error(&server.url_as("postgres", "hushhush", "postgres")).await;
        assert!(!format!("{wrong:?}").contains("hushhush"));
        let tls = format!("{}?sslmode=require", server.url("postgres"));
        refused(&connect_error(&tls).await, "TLS");
        let tls = format!(
            "{}?sslmode=verify-full&sslrootcert=/none.pem",
            server.url("postgres")
        );
        refused(&connect_error(&tls).await, "");
        let mut sessions = Vec::new();
        let full = loop {
            match target(&server.url("postgres"), "default").connect().await {
                Ok(session) => sessions.push(session),
                Err(error) => break error,
            }
        };
        not_yet(&full);
        assert!((1..=5).contains(&sessions.len()));
        server.stop();
        not_yet(&connect_error(&server.url("postgres")).await);
        not_yet(&connect_error("postgres://u:p@name.invalid/db").await);
        for mut session in sessions {
            assert!(matches!(
                session.read_ledger(None).await,
                Err(Error::Broken(_))
            ));
        }
    });
}

#[test]
fn a_server_that_swallows_packets_is_not_yet_within_the_bound() {
    // listens and never accepts: the handshake gets no answer
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let since = std::time::Instant::now();
    not_yet(&run(connect_error(&format!(
        "postgres://u:p@127.0.0.1:{port}/db"
    ))));
    assert!(since.elapsed() < Duration::from_secs(8));
}

#[test]
fn a_full_server_leaves_the_lock_unproven_and_the_heartbeat_for_later() {
    let server = Postgres::with(
        &super::common::servers::postgres_15(),
        &[
            "max_connections=2",
            "superuser_reserved_connections=0",
            "max_wal_senders=0",
        ],
    );
    let target = target(&server.url("postgres"), "default");
    run(async {
        let mut locked = lock(&target).await;
        let other = connect(&target).await;
        let proof = locked.prove().await.expect("no refusal");
        assert!(
            matches!(&proof, Proof::Unproven(why) if why.contains("clients")),
            "{proof:?}"
        );
        not_yet(
            &locked
                .create_ledger()
                .await
                .expect_err("no second connection"),
        );
        other.close().await;
        until("there is room", async || {
            locked.read_ledger(None).await.is_ok()
        })
        .await;
        assert_eq!(locked.prove().await, Ok(Proof::Proven));
        locked.create_ledger().await.expect("a ledger");
        locked.release().await;
    });
}

#[test]
fn by_the_unix_socket_too() {
    let server = Postgres::start();
    let url = format!(
        "postgres://postgres@localhost/postgres?host={}&port={}",
        server.socket().display(),
        server.port
    );
    run(async { lock(&target(&url, "default")).await.release().await });
}

#[test]
fn a_certificate_is_verified_where_the_url_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = folder.path().join("ca.pem");
    let server = Postgres::with_certificate(folder.path(), "db.example");
    let url = server.url("postgres");
    run(async {
        for mode in ["prefer", "require", "allow", "disable"] {
            connect(&target(&format!("{url}?sslmode={mode}"), "default"))
                .await
                .close()
                .await;
        }
        let ca = authority.display();
        connect(&target(
            &format!("{url}?sslmode=verify-ca&sslrootcert={ca}"),
            "default",
        ))
        .await
        .close()
        .await;
        for (query, words, hint) in [
            (
                "sslmode=verify-full".to_owned(),
                "certificate",
                "sslrootcert",
            ),
            (
                format!("sslmode=verify-full&sslrootcert={ca}"),
                "a different name",
                "it has: DnsName(\"db.example\")",
            ),
            (
                "sslmode=verify-ca&sslrootcert=/none.pem".to_owned(),
                "/none.pem",
                "path",
            ),
        ] {
            let error = connect_error(&format!("{url}?{query}")).await;
            refused(&error, words);
            let given = error.hint();
            assert!(given.is_some_and(|given| given.contains(hint)), "{error:?}");
        }
    });
}
