//! URLs with variables and files around them, and what is handed on of them.

use proptest::prelude::*;

use super::properties::{encoded, passwords};
use super::*;

/// A URL with these variables and files around it.
fn completed(
    text: &str,
    variables: &[(&str, &str)],
    files: &[(&str, &str)],
) -> Result<DatabaseUrl, UrlError> {
    let contents = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, contents)| *contents)
    };
    DatabaseUrl::complete(
        text,
        &Surroundings {
            user: None,
            password: None,
            variable: &|name| {
                let found = variables.iter().find(|(known, _)| *known == name)?;
                Some(found.1.as_ref())
            },
            read_file: &|path| {
                let contents = contents(path).ok_or(std::io::ErrorKind::NotFound)?;
                Ok(contents.as_bytes().to_vec())
            },
            exists: &|path| contents(path).is_some(),
            is_private: &|path| !path.ends_with("open"),
            own_user: &|| Some("deploy".to_owned()),
        },
    )
}

/// "libpq's variables and files count as in psql": the URL, then the service, then variables.
#[test]
fn a_url_of_postgres_is_completed_in_libpqs_order() {
    let services = "[other]\nport=1\n[shop]\nhost=service\nport=2\nuser=sam\nsslmode=require\n[last]\nport=3\n";
    let files = [("/home/.pg_service.conf", services)];
    let variables = [
        ("HOME", "/home"),
        ("PGHOST", "variable"),
        ("PGPORT", "4"),
        ("PGUSER", "vera"),
        ("PGDATABASE", "db"),
        ("PGPASSWORD", "s3cret"),
        ("PGOPTIONS", "-c a=b"),
    ];
    let read = |text: &str| completed(text, &variables, &files).expect("a URL");
    for (text, shown, mode) in [
        (
            "postgres://",
            "postgres://vera:***@variable:4/db",
            TlsMode::Prefer,
        ),
        (
            "postgres://h/d",
            "postgres://vera:***@h:4/d",
            TlsMode::Prefer,
        ),
        (
            "postgres://u:p@h:5/d",
            "postgres://u:***@h:5/d",
            TlsMode::Prefer,
        ),
        (
            "postgres://?service=shop",
            "postgres://sam:***@service:2/db",
            TlsMode::Require,
        ),
        (
            "postgres://ann@/x?service=shop&sslmode=disable",
            "postgres://ann:***@service:2/x",
            TlsMode::Disable,
        ),
    ] {
        let url = read(text);
        assert_eq!(
            (url.to_string(), url.tls().mode),
            (shown.to_owned(), mode),
            "{text}"
        );
    }
    assert_eq!(read("postgres://").options(), Some("-c a=b"));
    assert_eq!(
        read("postgres://h?options=-c%20c%3Dd").options(),
        Some("-c c=d")
    );
    assert_eq!(read("postgres://").redact("s3cret"), "***");
    // MySQL has other variables.
    assert_eq!(read("mysql://h/d").to_string(), "mysql://h/d");
    let error = completed("postgres://?service=none", &variables, &files);
    assert_eq!(error.unwrap_err(), UrlError::Service("none".to_owned()));
    // Who is not named logs in as whoever this is.
    let url = completed("postgres://", &[], &[]).expect("a URL");
    assert_eq!(url.to_string(), "postgres://deploy@localhost");
    let files = [("/var/run/postgresql/.s.PGSQL.5433", "")];
    let url = completed("postgres:///d?port=5433", &[], &files).expect("a URL");
    assert_eq!(url.socket(), Some(Path::new("/var/run/postgresql")));
}

#[test]
fn passwords_come_from_the_file_that_libpq_reads() {
    let lines = "# comment\nh:5432:d:ann:first\nh:*:*:ann:any\\:port\\\\\n\\:\\::1:*:*:v6\n*:*:*:bob:b:ignored\nlocalhost:*:*:*:local\n";
    let files = [("/home/.pgpass", lines), ("/open", lines)];
    let home = [("HOME", "/home")];
    let found = |text: &str| {
        let url = completed(text, &home, &files).expect("a URL");
        url.each()
            .map(|url| password(&url).map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let is = |text: &str, expected: &[Option<&str>]| {
        let found = found(text);
        let found: Vec<_> = found.iter().map(Option::as_deref).collect();
        assert_eq!(found, expected, "{text}");
    };
    is("postgres://ann@h/d", &[Some("first")]);
    is("postgres://ann@h:1/d", &[Some("any:port\\")]);
    is("postgres://ann:own@h/d", &[Some("own")]);
    is("postgres://bob@x/d", &[Some("b")]);
    is("postgres://eve@x/d", &[None]);
    is("postgres://eve@/d", &[Some("local")]);
    is(
        "postgres://ann@h,h:1,x/d",
        &[Some("first"), Some("any:port\\"), None],
    );
    let url = completed("postgres://ann@h/d", &home, &files).expect("a URL");
    assert_eq!(url.redact("first"), "***");
    let open = completed("postgres://ann@h/d?passfile=/open", &[], &files);
    assert_eq!(
        open.unwrap_err(),
        UrlError::PassFile(PathBuf::from("/open"))
    );
}

/// "TLS: never weaker than what was asked for"
#[test]
fn surroundings_never_weaken_what_the_url_asks_for() {
    for (text, variables, files, expected) in [
        (
            "postgres://h",
            &[("PGSSLMODE", "require")][..],
            &[][..],
            TlsMode::Require,
        ),
        (
            "postgres://h?sslmode=verify-full",
            &[("PGSSLMODE", "disable")],
            &[],
            TlsMode::VerifyFull,
        ),
        (
            "postgres://h?ssl=true",
            &[("PGSSLMODE", "disable")],
            &[],
            TlsMode::Require,
        ),
        (
            "postgres://h?requiressl=1",
            &[("PGSSLMODE", "disable")],
            &[],
            TlsMode::Require,
        ),
        (
            "postgres://h?sslmode=require",
            &[("PGSSLROOTCERT", "/ca.pem")],
            &[],
            TlsMode::VerifyCa,
        ),
        (
            "postgres://h",
            &[("PGSSLROOTCERT", "system")],
            &[],
            TlsMode::VerifyFull,
        ),
        (
            "postgres://h",
            &[("PGCHANNELBINDING", "require")],
            &[],
            TlsMode::VerifyFull,
        ),
        (
            "postgres://h",
            &[("PGREQUIRESSL", "1")],
            &[],
            TlsMode::Require,
        ),
        // A service says more than `sslmode`.
        (
            "postgres://?service=shop",
            &[("PGSERVICEFILE", "/services"), ("PGSSLMODE", "disable")],
            &[("/services", "[shop]\nhost=h\nrequiressl=1\n")],
            TlsMode::Require,
        ),
        // libpq knows no `ssl`, and what is overridden is not looked at.
        (
            "postgres://?service=shop",
            &[("PGSERVICEFILE", "/services"), ("PGSSLMODE", "verify-full")],
            &[("/services", "[shop]\nhost=h\nssl=false\n")],
            TlsMode::VerifyFull,
        ),
        (
            "postgres://?service=shop&sslmode=require",
            &[("PGSERVICEFILE", "/services")],
            &[("/services", "[shop]\nhost=h\nsslmode=nonsense\n")],
            TlsMode::Require,
        ),
        (
            "postgres://h?channel_binding=prefer",
            &[("PGCHANNELBINDING", "require")],
            &[],
            TlsMode::VerifyFull,
        ),
        // As psql: a file that nobody named verifies for `require`.
        (
            "postgres://h?sslmode=require",
            &[("HOME", "/home")],
            &[("/home/.postgresql/root.crt", "")],
            TlsMode::VerifyCa,
        ),
        (
            "postgres://h",
            &[("HOME", "/home")],
            &[("/home/.postgresql/root.crt", "")],
            TlsMode::Prefer,
        ),
    ] {
        let url = completed(text, variables, files).expect("a URL");
        assert_eq!(url.tls().mode, expected, "{text} {variables:?}");
    }
    for (text, variables) in [
        ("postgres://h?gssencmode=require", &[][..]),
        ("postgres://h", &[("PGSSLCRL", "/crl")]),
        ("postgres://h", &[("PGREQUIREAUTH", "scram-sha-256")]),
    ] {
        assert!(completed(text, variables, &[]).is_err(), "{text}");
    }
}

proptest! {
    /// What a step of launchgate's own is given means the same without anything around it.
    #[test]
    fn what_is_handed_on_is_the_same_database(
        user in "[ -~äß]{1,9}", password in passwords(), database in "[ -~äß]{1,9}", port in 1u16..,
        options in "[ -~]{0,9}", mode in "(disable|prefer|require|verify-full)",
    ) {
        for hosts in ["h", "a:1,b:2", "[fe80::1%25eth0]", "%2Frun%2Fpg"] {
            let hosts = if hosts.contains(',') { hosts.to_owned() } else { format!("{hosts}:{port}") };
            let text = format!(
                "postgres://{}:{}@{hosts}/{}?sslmode={mode}&options={}&sslrootcert=%2Fa%20b.pem&schema=s",
                encoded(&user), encoded(&password), encoded(&database), encoded(&options)
            );
            let read = url(&text);
            let again = url(read.handed_on().expose());
            prop_assert_eq!(again.to_string(), read.to_string());
            prop_assert_eq!(super::password(&again), Some(password.as_str()));
            prop_assert_eq!(again.options(), read.options());
            prop_assert_eq!(again.schema(), Some("s"));
            prop_assert_eq!(again.tls(), read.tls());
        }
    }
}
