//! What is said about a text that is no database URL, and what to do about it.

use std::borrow::Cow;

use super::error::UrlError;
use super::foreign;

/// What is said where nothing but another database helps.
const NEED: &str = "the lock and the ledger need Postgres, MySQL, MariaDB or SQLite: set one with --database-url, \
                    or pass --no-database to run the steps at every start, in every replica";

/// What is wrong, and what to do.
type Words = (Cow<'static, str>, Cow<'static, str>);

fn made(what: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Words {
    (what.into(), hint.into())
}

impl UrlError {
    #[expect(clippy::too_many_lines, reason = "a table with a row for each error")]
    pub(super) fn words(&self) -> Words {
        match self {
            Self::Empty => made(
                "the database URL is empty",
                "write it as postgres://USER:PASSWORD@HOST/DATABASE, or pass --no-database",
            ),
            Self::Quoted => made(
                "the database URL begins with a quotation mark",
                "remove the quotation marks: `docker run --env-file` keeps them as part of the value",
            ),
            Self::ControlCharacter => made(
                "the database URL contains a control character",
                "write the URL on one line, and percent-encode control characters; %00 is not allowed",
            ),
            Self::NotUtf8 => made(
                "the database URL has percent-encoded bytes that are not UTF-8",
                "percent-encode the user, password and database name as UTF-8",
            ),
            Self::NoScheme => made(
                "the database URL does not begin with a supported scheme",
                format!("write it as postgres://USER:PASSWORD@HOST/DATABASE; {NEED}"),
            ),
            Self::UnknownScheme(scheme) => made(
                format!("the database URL has the unknown scheme `{scheme}`"),
                match (foreign::of_scheme(scheme), foreign::nearest(scheme)) {
                    (Some(hint), _) => Cow::from(hint),
                    (None, Some(known)) => format!("did you mean `{known}`? {NEED}").into(),
                    (None, None) => NEED.into(),
                },
            ),
            Self::NoSlashes => made(
                "the database URL has no `//` after its scheme",
                "write it as SCHEME://USER:PASSWORD@HOST/DATABASE",
            ),
            Self::Ambiguous => made(
                "the database URL is ambiguous",
                "percent-encode the special characters in user and password: `@` as %40, `/` as %2F, `:` as %3A, \
                 `?` as %3F, `#` as %23, `%` as %25",
            ),
            Self::SeveralUrls => made(
                "there are two database URLs where one belongs",
                "keep one; several hosts of Postgres go into the same URL, as in \
                 postgres://USER:PASSWORD@HOST1,HOST2/DATABASE",
            ),
            Self::Host => made(
                "the database URL has no valid host",
                "write it as SCHEME://USER:PASSWORD@HOST:PORT/DATABASE, with an IPv6 address in \
                 brackets and special characters in the user and password percent-encoded",
            ),
            Self::SeveralHosts => made(
                "the database URL has several hosts, which launchgate supports only for Postgres",
                "set a single host with --database-url: the primary, or an address that resolves to it",
            ),
            Self::Address => made(
                "`hostaddr` is not an IP address, or there is not one for each host",
                "use an IP address such as 10.0.0.5, or put the name in `host`",
            ),
            Self::Port => made(
                "the port is not a number from 1 to 65535, one for all hosts or one for each",
                "use a number, or omit the port; if this is part of the password, percent-encode its \
                 special characters",
            ),
            Self::TlsValue {
                parameter,
                expected,
            } => made(
                format!("`{parameter}` is not one of {expected}"),
                "fix it in the URL; the documentation says what each value means",
            ),
            Self::InMemory => made(
                "an in-memory SQLite database can't be shared, not even with the steps",
                "use a file (sqlite:PATH) that all replicas share, or pass --no-database to run the \
                 steps at every start",
            ),
            Self::SqliteUser => made(
                "a SQLite database has no user and no password",
                "write sqlite:PATH; if the file name contains these characters, percent-encode them: \
                 `:` as %3A, `@` as %40",
            ),
            Self::ThreeSlashes { absolute, relative } => {
                let (absolute, relative) = (absolute.display(), relative.display());
                made(
                    format!(
                        "the database URL is ambiguous: launchgate reads three slashes as {absolute}, \
                         SQLAlchemy and Django as {relative}, and only the latter fits what exists here"
                    ),
                    format!("write sqlite:{relative} or sqlite:{absolute}"),
                )
            }
            Self::Placeholder(Some(found)) => made(
                format!("the database URL still contains the placeholder `{found}`"),
                format!(
                    "without a shell nothing expands it: have the platform substitute {found}, or \
                     write {{NAME}} in --database-url, which launchgate replaces with the variable's value"
                ),
            ),
            Self::Placeholder(None) => made(
                "the database URL still contains a placeholder",
                "without a shell nothing expands it: have the platform substitute it, or write {NAME} \
                 in --database-url; in a password, percent-encode `$` as %24 and `{` as %7B",
            ),
            Self::Template(name) => made(
                format!(
                    "the database URL contains `{{{name}}}`, which launchgate does not replace there"
                ),
                format!(
                    "launchgate replaces {{{name}}} only in --database-url, its variable and its key: \
                     move the URL there; in a password, write a brace as %7B"
                ),
            ),
            Self::Assignment(name) => made(
                format!("the text begins with `{name}=`, which is not a database URL"),
                format!("write only the URL there, without `{name}=`"),
            ),
            Self::ByteOrderMark => made(
                "the text begins with a byte order mark",
                "save the file as UTF-8 without a byte order mark",
            ),
            Self::FileNotUtf8 => made("the file is not UTF-8", "save the file as UTF-8"),
            Self::EmptyPassword => {
                made("the file contains no password", "write the password to it")
            }
            Self::PasswordLines => made(
                "the file has more than one line, or control characters",
                "put only the password in it, on one line",
            ),
            Self::GoDsn => made(
                "the database URL is a DSN of Go's MySQL driver",
                "Go's DSN is not a URL: write mysql://USER:PASSWORD@HOST:PORT/DATABASE in --database-url, \
                 with {NAME} for a variable's value",
            ),
            Self::DotNet => made(
                "the database URL is a .NET connection string",
                "a .NET connection string is not a URL: write sqlite:PATH, or postgres://USER:PASSWORD@HOST:PORT/DATABASE (mysql \
                 for MySQL), in --database-url, with {NAME} for the value of a variable; or pass --no-database",
            ),
            Self::SecretReference => made(
                "the database URL is a reference to a secret, which nothing resolved",
                "let the platform resolve it, so that the URL itself is in the variable or the file",
            ),
            Self::Json => made(
                "the database URL is a JSON object",
                "pass each field as a variable of its own, and write \
                 postgres://{DB_USERNAME}:{DB_PASSWORD}@{DB_HOST}:{DB_PORT}/{DB_DATABASE} in --database-url",
            ),
            Self::KeywordValue => made(
                "the database URL is a libpq keyword/value string",
                "write postgres://USER:PASSWORD@HOST:PORT/DATABASE in --database-url, with {NAME} for a \
                 variable's value",
            ),
            Self::Service(name) => made(
                format!("no service file defines the service `{name}`"),
                format!(
                    "add a section [{name}] to ~/.pg_service.conf or the file that PGSERVICEFILE \
                     names, or remove the service"
                ),
            ),
            Self::ServiceFile { file, problem } => made(
                format!(
                    "failed to read the service file {}: {problem}",
                    file.display()
                ),
                "make it readable by this user, or remove the service",
            ),
            Self::ServiceLine => made(
                "a line is not `name=value`",
                "write `name=value` lines; a section that queries an LDAP server is not supported",
            ),
            Self::PassFile(file) => {
                let file = file.display();
                made(
                    format!(
                        "the password file {file} is not a regular file that only its owner can read"
                    ),
                    format!("make this user its owner, and run `chmod 600 {file}`"),
                )
            }
            Self::SessionAttrs => made(
                "`target_session_attrs` asks for a server that does not accept writes",
                "launchgate writes to the ledger: remove target_session_attrs, or set it to read-write",
            ),
            Self::Unsupported { parameter } => made(
                format!("`{parameter}` is set, which launchgate does not support"),
                without(parameter),
            ),
            Self::Of { origin, error } => {
                let (what, hint) = error.words();
                made(format!("{origin}: {what}"), hint)
            }
        }
    }
}

/// What to write instead of a parameter that launchgate does not support.
fn without(parameter: &str) -> &'static str {
    match parameter {
        "ssl_min_protocol_version" => {
            "remove it: launchgate uses TLS 1.3 if the server supports it, and at least TLS 1.2"
        }
        "gssencmode" => "use sslmode=verify-full instead, and remove gssencmode",
        "sslcrl" | "sslcrldir" => {
            "launchgate can't check revocation lists: give launchgate a URL of its own without it (--database-url)"
        }
        _ => {
            "give launchgate a URL of its own (--database-url), without it and with sslmode=verify-full"
        }
    }
}
