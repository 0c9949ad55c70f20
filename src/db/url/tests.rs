use super::*;

mod completed;
mod other_tools;
mod properties;
mod refusals;
mod secrets;
mod tls;

fn url(text: &str) -> DatabaseUrl {
    match DatabaseUrl::parse(text) {
        Ok(url) => url,
        Err(error) => panic!("{text}: {error}"),
    }
}

fn error(text: &str) -> UrlError {
    match DatabaseUrl::parse(text) {
        Ok(url) => panic!("{text} was read as {url}"),
        Err(error) => error,
    }
}

fn password(url: &DatabaseUrl) -> Option<&str> {
    url.password().map(Secret::expose)
}

fn file(text: &str) -> String {
    url(text)
        .sqlite_path()
        .expect("a SQLite URL")
        .to_string_lossy()
        .into_owned()
}

fn mode(text: &str) -> TlsMode {
    url(text).tls().mode
}

#[test]
fn reads_every_part_of_a_server_url() {
    let read = url(
        "postgres://ann:s3cret@db.internal:5433/shop?sslmode=require&options=-c%20lock_timeout%3D5s",
    );
    assert_eq!(read.backend(), Backend::Postgres);
    assert_eq!(read.host(), Some("db.internal"));
    assert_eq!(read.port(), Some(5433));
    assert_eq!(read.user(), Some("ann"));
    assert_eq!(password(&read), Some("s3cret"));
    assert_eq!(read.database(), Some("shop"));
    assert_eq!(read.options(), Some("-c lock_timeout=5s"));
    assert_eq!(read.tls().mode, TlsMode::Require);
    assert_eq!(
        (read.socket(), read.schema(), read.sqlite_path()),
        (None, None, None)
    );
}

#[test]
fn knows_the_schemes_of_other_tools() {
    for (backend, schemes) in [
        (
            Backend::Postgres,
            "postgres postgresql pgsql psql postgis POSTGRES PostgreSQL postgresql+psycopg2 postgres+asyncpg \
             postgresql+psycopg jdbc:postgresql JDBC:PostgreSQL pdo-pgsql",
        ),
        (
            Backend::Mysql,
            "mysql mariadb mysql2 trilogy mysqlgis mysql+pymysql mariadb+mariadbconnector mysql+aiomysql jdbc:mysql \
             jdbc:mariadb mysql+mysqldb",
        ),
    ] {
        for scheme in schemes.split_whitespace() {
            let read = url(&format!("{scheme}://u:pass@h/d"));
            // As for `print-ddl --database`, which has no driver's name and no JDBC.
            let is_plain = !scheme.contains(['+', ':']) && scheme == scheme.to_ascii_lowercase();
            assert_eq!(
                Backend::named(scheme),
                is_plain.then_some(backend),
                "{scheme}"
            );
            assert_eq!(read.backend(), backend, "{scheme}");
            assert_eq!(
                read.to_string(),
                format!("{backend}://u:***@h/d"),
                "{scheme}"
            );
        }
    }
    for scheme in [
        "sqlite",
        "sqlite3",
        "SQLite",
        "sqlite+aiosqlite",
        "sqlite+pysqlite",
        "spatialite",
        "jdbc:sqlite",
    ] {
        assert_eq!(
            file(&format!("{scheme}:///data/app.db")),
            "/data/app.db",
            "{scheme}"
        );
    }
}

#[test]
fn white_space_around_it_is_no_part_of_it() {
    assert_eq!(url(" postgres://h/d\n").to_string(), "postgres://h/d");
}

#[test]
fn passwords_may_be_encoded_or_raw_where_one_reading_makes_sense() {
    for (written, meant) in [
        ("p%40ss", "p@ss"),
        ("p@ss", "p@ss"),
        ("p@s@s", "p@s@s"),
        ("p:ss", "p:ss"),
        ("p#ss", "p#ss"),
        ("p/ss", "p/ss"),
        ("p?ss", "p?ss"),
        ("p/s?s#", "p/s?s#"),
        ("#p", "#p"),
        ("100%", "100%"),
        ("100%sure", "100%sure"),
        ("a+b c", "a+b c"),
        ("a,b[c]", "a,b[c]"),
        ("a,b/c", "a,b/c"),
        ("pässwörd", "pässwörd"),
        ("%F0%9F%94%91", "🔑"),
        ("a&b=c;d", "a&b=c;d"),
        ("p@ss#", "p@ss#"),
    ] {
        for scheme in ["postgres", "mysql"] {
            let read = url(&format!(
                "{scheme}://u:{written}@h:1234/d?sslmode=disable&user_email=a@b"
            ));
            assert_eq!(password(&read), Some(meant), "{written}");
            assert_eq!(
                (read.user(), read.host(), read.port(), read.database()),
                (Some("u"), Some("h"), Some(1234), Some("d"))
            );
        }
    }
}

#[test]
fn a_password_that_could_end_in_two_places_is_an_error() {
    for text in [
        "postgres://u:p@a/ss@h/d",
        "postgres://u:p/a@ss@h/d",
        "postgres://u:12/34@h/d",
        "postgres://u:12?34@h/d",
        "postgres://u:12?a=b@h/d",
        "postgres://u:p?a=b@h/d",
        "postgres://u:p@a?b=c@h/d",
        "postgres://u:p@,?x@h/d",
        "postgres://u:p@my host/d?user=x@y",
        // Found by `scripts/fuzz`: a slash too many.
        "postgres:////u:p?=ss@h",
        "postgres:///u:p?a=ss@h/d",
    ] {
        let error = error(text);
        assert!(error.hint().contains("percent-encode"), "{text}: {error}");
    }
    // What looks alike but can't be mistaken.
    assert_eq!(
        url("postgres:///d?user=me@corp&host=/x:y").user(),
        Some("me@corp")
    );
    assert_eq!(url("postgres://h/d?user=me@corp").user(), Some("me@corp"));
    assert_eq!(
        password(&url("jdbc:postgresql://h/d?user=me@corp&password=a@b/c")),
        Some("a@b/c")
    );
    assert_eq!(url("postgres://me@corp:pw@h/d").user(), Some("me@corp"));
}

#[test]
fn parts_may_be_missing() {
    let bare = url("postgres://");
    assert_eq!(
        (bare.host(), bare.port(), bare.user(), bare.database()),
        (None, None, None, None)
    );
    assert_eq!(url("postgres:///d").database(), Some("d"));
    assert_eq!(url("postgres://h").database(), None);
    assert_eq!(url("postgres://h/").database(), None);
    assert_eq!(url("postgres://h:/d/").database(), Some("d"));
    assert_eq!(url("postgres://u@h/d").to_string(), "postgres://u@h/d");
    assert!(url("postgres://u:@h/d").password().is_none());
    let no_user = url("postgres://:pass@h/d");
    assert_eq!((no_user.user(), password(&no_user)), (None, Some("pass")));
    assert_eq!(no_user.to_string(), "postgres://:***@h/d");
    assert_eq!(url("postgres://h/my%20db%2Fx").database(), Some("my db/x"));
}

#[test]
fn finds_unix_sockets() {
    for text in [
        "postgres:///d?host=/run/postgresql",
        "postgres://u:p@/d?host=/run/postgresql",
        "postgres://%2Frun%2Fpostgresql/d",
        "postgresql+psycopg2://u:pass@localhost/d?host=/run/postgresql",
    ] {
        assert_eq!(
            url(text).socket(),
            Some(Path::new("/run/postgresql")),
            "{text}"
        );
        assert_eq!(
            (url(text).host(), url(text).database()),
            (None, Some("d")),
            "{text}"
        );
    }
    assert_eq!(url("postgres://%2Frun%2Fpg:5433/d").port(), Some(5433));
    assert_eq!(
        url("postgres://u@%2Frun%2Fpg/d").to_string(),
        "postgres://u@%2Frun%2Fpg/d"
    );
    for text in [
        "mysql://u:p@localhost/d?socket=/run/mysqld/mysqld.sock",
        "mysql+pymysql://u:p@/d?unix_socket=/run/mysqld/mysqld.sock",
        "mysql://u:p@h/d?host=/run/mysqld/mysqld.sock",
        "mysql://%2Frun%2Fmysqld%2Fmysqld.sock/d",
    ] {
        assert_eq!(
            url(text).socket(),
            Some(Path::new("/run/mysqld/mysqld.sock")),
            "{text}"
        );
    }
    assert_eq!(
        mode("postgres:///d?host=/run/pg&sslmode=verify-full"),
        TlsMode::Disable
    );
}

#[test]
fn knows_ipv6() {
    let read = url("postgres://u:p@[2001:db8::1]:5433/d");
    assert_eq!(
        (read.host(), read.port()),
        (Some("2001:db8::1"), Some(5433))
    );
    assert_eq!(read.to_string(), "postgres://u:***@[2001:db8::1]:5433/d");
    assert_eq!(
        DatabaseUrl::parse("mysql://[fe80::1%25eth0]")
            .expect("zone")
            .host(),
        Some("fe80::1%eth0")
    );
    for text in [
        "postgres://[::1/d",
        "postgres://[::1]5432/d",
        "postgres://[host]/d",
        "postgres://::1/d",
    ] {
        assert_eq!(error(text), UrlError::Host, "{text}");
    }
}

/// "Postgres: several hosts, each in turn"
#[test]
fn several_hosts_are_postgres_alone() {
    let each = |text: &str| -> Vec<String> {
        let each = url(text).each().collect::<Vec<_>>();
        each.iter().map(ToString::to_string).collect()
    };
    for (text, hosts) in [
        (
            "postgres://u@a,b/d",
            ["postgres://u@a/d", "postgres://u@b/d"],
        ),
        (
            "postgres://u@a:1,b:2/d",
            ["postgres://u@a:1/d", "postgres://u@b:2/d"],
        ),
        (
            "postgres://u@a:1,b/d",
            ["postgres://u@a:1/d", "postgres://u@b/d"],
        ),
        (
            "postgres://u@/d?host=a,b&port=3",
            ["postgres://u@a:3/d", "postgres://u@b:3/d"],
        ),
        (
            "postgres://u@/d?host=a,b&port=3,4",
            ["postgres://u@a:3/d", "postgres://u@b:4/d"],
        ),
        (
            "postgres://u@[::1]:1,b:2/d",
            ["postgres://u@[::1]:1/d", "postgres://u@b:2/d"],
        ),
        (
            "postgres://u@a,b/d?hostaddr=10.0.0.1,10.0.0.2",
            ["postgres://u@10.0.0.1/d", "postgres://u@10.0.0.2/d"],
        ),
    ] {
        assert_eq!(each(text), hosts, "{text}");
    }
    assert_eq!(
        url("postgres://u:p@a:1,b:2/d").to_string(),
        "postgres://u:***@a:1,b:2/d"
    );
    assert_eq!(error("postgres://a,b,c/d?port=1,2"), UrlError::Port);
    assert_eq!(
        error("postgres://a,b/d?hostaddr=10.0.0.1"),
        UrlError::Address
    );
    for text in [
        "jdbc:mysql://a,b/d",
        "mysql://a,b/d",
        "mysql://u@/d?host=a,b",
    ] {
        assert_eq!(error(text), UrlError::SeveralHosts, "{text}");
    }
    for (wanted, fits) in [
        ("any", true),
        ("read-write", true),
        ("primary", true),
        ("standby", false),
        ("read-only", false),
    ] {
        let text = format!("postgres://a,b/d?target_session_attrs={wanted}");
        assert_eq!(DatabaseUrl::parse(&text).is_ok(), fits, "{text}");
    }
    assert_eq!(
        error("postgres://h/d?target_session_attrs=standby"),
        UrlError::SessionAttrs
    );
    assert!(DatabaseUrl::parse("jdbc:postgresql://a,b/d?targetServerType=primary").is_ok());
}

#[test]
fn parameters_win_over_the_front_as_in_libpq() {
    let read = url(
        "postgres://u:front@h:1/d?user=v&password=be+hind&host=i&port=2&dbname=e&application_name=x",
    );
    assert_eq!(
        (read.user(), read.host(), read.port(), read.database()),
        (Some("v"), Some("i"), Some(2), Some("e"))
    );
    assert_eq!(password(&read), Some("be+hind"));
    assert_eq!(read.redact("front be+hind"), "*** ***");
    assert_eq!(
        url("postgres://h/d?hostaddr=10.0.0.5").host(),
        Some("10.0.0.5")
    );
    assert_eq!(
        url("postgres://h/d?hostaddr=::1&sslmode=verify-full").host(),
        Some("h")
    );
    assert_eq!(error("postgres://h/d?hostaddr=db"), UrlError::Address);
    assert_eq!(error("postgres://h/d?port=x"), UrlError::Port);
}

#[test]
fn unknown_parameters_are_passed_over() {
    let read = url("postgres://u:p@h/d?foo=%FF&bar&=&target_session_attrs=any&sslfoo=1#x");
    assert_eq!(read.to_string(), "postgres://u:***@h/d");
    assert_eq!(format!("{read:?}"), "DatabaseUrl(postgres://u:***@h/d)");
}
