//! Servers that ask a client for its certificate, with authorities of their own.
//!
//! "TLS: never weaker than what was asked for, and never plaintext because a certificate was not understood."
//! (contract, section 3)

use std::fs;

use tempfile::TempDir;

use crate::common::{Db, Scene, servers::Postgres};

#[test]
fn postgres() {
    let folder = TempDir::new().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect(name);
    write("names", "subjectAltName=DNS:localhost");
    write("client.ext", "extendedKeyUsage=clientAuth");
    let hba =
        "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n";
    write("hba.conf", hba);
    let sign = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2";
    let server = Postgres::with_tls(
        folder.path(),
        &[
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=authority -days 2",
            "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
            &format!("x509 -req -in server.csr {sign} -out server.pem -extfile names"),
            "req -newkey rsa:2048 -nodes -keyout client.key -out client.csr -subj /CN=app",
            &format!("x509 -req -in client.csr {sign} -out client.pem -extfile client.ext"),
            &format!("x509 -req -in client.csr {sign} -out old.pem"),
        ],
    );
    let db = Db::sqlite();
    let scene = Scene::new(&db);
    let file = |name: &str| folder.path().join(name).display().to_string();
    let url = server.url("postgres").replace("127.0.0.1", "localhost");
    let verified = format!("{url}?sslmode=verify-full&sslrootcert={}", file("ca.pem"));
    let with = |certificate: &str| {
        let (certificate, key) = (file(certificate), file("client.key"));
        format!("{verified}&sslcert={certificate}&sslkey={key}")
    };
    let status = |url: &str, code: i32, words: &[&str]| {
        let mut run = scene.command("status").env("DATABASE_URL", url).finish();
        run.ends_with(code);
        for word in words {
            run.says(word);
        }
    };
    status(&with("client.pem"), 0, &[]);
    // As openssl makes one unless it is told about extensions.
    let old = file("old.pem");
    status(
        &with("old.pem"),
        78,
        &[&old, "X.509 version 1", "-extfile FILE"],
    );
    status(&verified, 78, &["requires a valid client certificate"]);
    // Certificate and key that do not belong together.
    let other = with("client.pem").replace("client.key", "server.key");
    status(&other, 78, &["key"]);
    // Another authority's.
    let own = with("client.pem").replace("ca.pem", "client.pem");
    status(&own, 78, &["certificate"]);
}

/// `MySQL` makes an authority and certificates for itself and its clients when it first starts.
#[test]
fn mysql() {
    let db = Db::mysql();
    db.sql("create user app identified by 'x' require x509; grant all on shop.* to app");
    let server = db.maria_db();
    let data = server.home.path.join("data");
    let file = |name: &str| data.join(name).display().to_string();
    let scene = Scene::new(&db);
    let verified = format!(
        "{}?ssl-mode=VERIFY_CA&ssl-ca={}",
        db.url_as("app", "x"),
        file("ca.pem")
    );
    let with = format!(
        "{verified}&ssl-cert={}&ssl-key={}",
        file("client-cert.pem"),
        file("client-key.pem")
    );
    let start = |url: &str, code: i32| {
        let mut run = scene.run("v1").env("DATABASE_URL", url).finish();
        run.ends_with(code);
        run
    };
    start(&verified, 78).says("Access denied");
    start(&with, 0);
    let other = with.replace("/ca.pem", "/client-cert.pem");
    start(&other, 78).says("certificate");
    scene.check_settled("v1");
}
