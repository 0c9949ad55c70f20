//! What is refused, and what the hint says.

use super::*;

#[test]
fn refuses_a_second_url() {
    for text in [
        "postgres://u:p@h/d postgres://u:p@g/d",
        "postgres://u:p@h/d,postgresql://u:p@g/d",
        "postgres://u:p@h/d, postgres://u:p@g/d",
        "mysql://u:p@h/d;mysql://u:p@g/d",
        "sqlite:a.db sqlite://b.db",
    ] {
        assert_eq!(error(text), UrlError::SeveralUrls, "{text}");
    }
    url("postgres://u:p@h/d?application_name=see+http://x,http://y");
}

#[test]
fn refuses_other_schemes_and_names_the_way_out() {
    for text in [
        "mongodb://u:p@h/d",
        "mongodb+srv://u@h",
        "sqlserver://h",
        "jdbc:sqlserver://h",
        "prisma://x",
        "ecto://h",
        "pgx5://h",
        "cockroachdb://h",
    ] {
        let error = error(text);
        assert!(matches!(error, UrlError::UnknownScheme(_)), "{text}");
        assert!(error.hint().contains("--database-url"), "{text}");
    }
    assert!(error("ecto://h").hint().contains("postgres://"));
    assert!(error("postgress://h").hint().contains("`postgres`?"));
    assert!(error("mongodb://h").hint().contains("--no-database"));
    assert_eq!(
        error("mongodb+srv://u@h").to_string(),
        "the database URL has the unknown scheme `mongodb+srv`"
    );
    for text in [
        "u:hunter2@h/d",
        "localhost:5432/d",
        "./dev.db",
        "h",
        "://u:hunter2@h",
        "jdbc:oracle",
    ] {
        assert_eq!(error(text), UrlError::NoScheme, "{text}");
        assert!(error(text).hint().contains("--no-database"));
    }
}

#[test]
fn refuses_what_is_no_url() {
    assert_eq!(error(""), UrlError::Empty);
    assert_eq!(error(" \n"), UrlError::Empty);
    assert_eq!(error("\"postgres://h/d\""), UrlError::Quoted);
    assert_eq!(error("postgres://h/d\nx"), UrlError::ControlCharacter);
    assert_eq!(error("postgres://u:a%00b@h/d"), UrlError::ControlCharacter);
    assert_eq!(error("postgres://u:a%FFb@h/d"), UrlError::NotUtf8);
    assert_eq!(error("postgres:u:pass@h/d"), UrlError::NoSlashes);
    assert_eq!(error("postgres:/h/d"), UrlError::NoSlashes);
    assert_eq!(error("postgres://h:port/d"), UrlError::Port);
    assert_eq!(error("postgres://h:0/d"), UrlError::Port);
    assert_eq!(error("postgres://h:65536/d"), UrlError::Port);
    assert_eq!(error("postgres://h:+5/d"), UrlError::Port);
    assert_eq!(error("\u{feff}postgres://h/d"), UrlError::ByteOrderMark);
    assert_eq!(error("mysql://u:p@my host/d"), UrlError::Host);
}

/// "Any other is an error (64) …; the hint names … for known ones (`ecto://`, `pgx5://`, Go's and .NET's forms)
/// what to write."
#[test]
fn says_what_to_write_for_the_forms_of_other_tools() {
    for (text, expected, written) in [
        ("u:hunter2@tcp(h:3306)/d", UrlError::GoDsn, "mysql://"),
        (
            "mysql://u:hunter2@tcp(h:3306)/d",
            UrlError::GoDsn,
            "mysql://",
        ),
        (
            "u:hunter2@unix(/run/mysqld.sock)/d",
            UrlError::GoDsn,
            "mysql://",
        ),
        (
            "Server=h;Database=d;User Id=u;Password=hunter2",
            UrlError::DotNet,
            "postgres://",
        ),
        (
            "Host=h;Username=u;Password=hunter2",
            UrlError::DotNet,
            "postgres://",
        ),
        ("Data Source=app.db", UrlError::DotNet, "sqlite:"),
        (
            "host=h user=u password=hunter2 dbname=d",
            UrlError::KeywordValue,
            "postgres://",
        ),
        (
            "DATABASE_URL=postgres://u:hunter2@h/d",
            UrlError::Assignment("DATABASE_URL".to_owned()),
            "`DATABASE_URL=`",
        ),
        (
            "export DB_URL=postgres://u:hunter2@h/d",
            UrlError::Assignment("DB_URL".to_owned()),
            "`DB_URL=`",
        ),
        (
            "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/hunter2/)",
            UrlError::SecretReference,
            "resolve it",
        ),
        (
            "ref+vault://kv/hunter2#url",
            UrlError::SecretReference,
            "resolve it",
        ),
        (
            "op://vault/hunter2/url",
            UrlError::SecretReference,
            "resolve it",
        ),
        (
            "{\"username\":\"u\",\"password\":\"hunter2\",\"host\":\"h\"}",
            UrlError::Json,
            "{DB_PASSWORD}@{DB_HOST}",
        ),
    ] {
        let error = error(text);
        assert_eq!(error, expected, "{text}");
        assert!(error.hint().contains(written), "{}", error.hint());
        assert!(!format!("{error}{error:?}{}", error.hint()).contains("hunter2"));
        // The log hides what looks like a password.
        assert_eq!(crate::redact::passwords(&error.hint()), error.hint());
    }
}

/// "A release, an app's name or a database URL that still holds a placeholder is refused (64), with the reason"
#[test]
fn a_placeholder_that_nothing_replaced_is_refused() {
    for (text, shown) in [
        ("postgres://u:${DB_PASSWORD}@h/d", Some("${DB_PASSWORD}")),
        ("$DATABASE_URL", Some("$DATABASE_URL")),
        ("sqlite:$DB", Some("$DB")),
        ("sqlite:///$DATA_DIR/app.db", Some("$DATA_DIR")),
        ("${DATABASE_URL}", Some("${DATABASE_URL}")),
        ("{{ .Values.URL }}", None),
        ("postgres://u:$(cat pw)@h/d", None),
        ("postgres://u:hun${ter2}x@h/d", None),
    ] {
        assert_eq!(
            error(text),
            UrlError::Placeholder(shown.map(str::to_owned)),
            "{text}"
        );
    }
    let template = "postgres://{DB_USERNAME}:{DB_PASSWORD}@h/d";
    assert_eq!(
        error(template),
        UrlError::Template("DB_USERNAME".to_owned())
    );
    for text in [
        "postgres://u:pa$word@h/d",
        "postgres://u:a{b}c@h/d",
        "postgres://u:%C3%A9@h/d",
    ] {
        url(text);
    }
}
