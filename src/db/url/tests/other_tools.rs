//! The spellings of other tools.

use super::*;

#[test]
fn reads_jdbc() {
    let read = url(
        "jdbc:postgresql://h:5433/d?user=ann&password=s+c%26ret&ssl=false&currentSchema=app,public",
    );
    assert_eq!(
        (read.user(), password(&read), read.schema()),
        (Some("ann"), Some("s c&ret"), Some("app"))
    );
    assert_eq!(read.to_string(), "postgres://ann:***@h:5433/d");
    assert_eq!(
        url("jdbc:postgresql:shop?user=u").to_string(),
        "postgres://u@localhost/shop"
    );
    assert_eq!(
        url("jdbc:mysql://h/d?user=u&useSSL=true").tls().mode,
        TlsMode::Require
    );
    assert_eq!(error("jdbc:postgresql:u:pass@h"), UrlError::NoSlashes);
    assert_eq!(error("jdbc:mysql:replication://a,b/d"), UrlError::NoSlashes);
}

#[test]
fn reads_prisma() {
    let read = url(
        "postgresql://u:p@h/d?schema=tenant&connection_limit=5&pgbouncer=true&connect_timeout=3",
    );
    assert_eq!(read.schema(), Some("tenant"));
    assert_eq!(url("mysql://h/d?schema=x").schema(), None);
    assert_eq!(file("file:./dev.db"), "./dev.db");
    assert_eq!(file("file:dev.db?connection_limit=1"), "dev.db");
    let read = url("mysql://h/d?sslaccept=strict&sslcert=ca.pem");
    assert_eq!(
        (read.tls().mode, read.tls().root_cert.as_deref()),
        (TlsMode::VerifyFull, Some(Path::new("ca.pem")))
    );
    assert_eq!(
        mode("mysql://h/d?sslaccept=accept_invalid_certs&sslcert=ca.pem"),
        TlsMode::Require
    );
    assert_eq!(
        mode("postgres://h/d?sslmode=require&sslaccept=strict"),
        TlsMode::VerifyFull
    );
}

#[test]
fn sqlite_paths_are_the_same_in_every_spelling() {
    for (text, path) in [
        ("sqlite:/x", "/x"),
        ("sqlite:///x", "/x"),
        ("sqlite:////x", "/x"),
        ("sqlite://///x", "/x"),
        ("sqlite:x.db", "x.db"),
        ("sqlite://x.db", "x.db"),
        ("sqlite:./a/x.db", "./a/x.db"),
        ("sqlite://../x.db?mode=rwc", "../x.db"),
        ("sqlite:///x.db?mode=ro&cache=shared", "/x.db"),
        ("jdbc:sqlite:data/x.db", "data/x.db"),
        ("jdbc:sqlite:/x.db", "/x.db"),
        ("file:/x.db", "/x.db"),
        ("file:///x.db", "/x.db"),
        ("file://localhost/x.db", "/x.db"),
        ("sqlite:///file:data/x.db?mode=rwc&uri=true", "data/x.db"),
        ("sqlite:///file:///x.db?uri=true", "/x.db"),
        ("sqlite:with%20space%3F.db", "with space?.db"),
        ("sqlite:me@home.db", "me@home.db"),
        ("sqlite:c#.db", "c#.db"),
    ] {
        assert_eq!(file(text), path, "{text}");
    }
    assert_eq!(url("sqlite:////x?key=hunter2").to_string(), "sqlite:/x");
}

#[test]
fn sqlite_in_memory_is_refused() {
    for text in [
        ":memory:",
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite:///:memory:",
        "sqlite://",
        "sqlite:",
        "sqlite:?cache=shared",
        "file::memory:?cache=shared",
        "sqlite:x?mode=memory",
        "jdbc:sqlite::memory:",
        "jdbc:sqlite:",
        "sqlite:///file::memory:?uri=true",
    ] {
        assert_eq!(error(text), UrlError::InMemory, "{text}");
    }
    assert_eq!(
        error("sqlite+pysqlcipher://:hunter2@/x.db"),
        UrlError::SqliteUser
    );
    assert_eq!(error("sqlite:x%00.db"), UrlError::ControlCharacter);
}
