//! Why a text is not a valid database URL, and what to do about it, without quoting it: whatever is wrong
//! with a URL, its password may be anywhere in it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use super::unknown_scheme::{self, NEED};
use crate::exit::Problem;

/// What to write in place of what is a database's address to another tool.
fn form(scheme: &str) -> String {
    format!(
        "{scheme}://{{DB_USERNAME}}:{{DB_PASSWORD}}@{{DB_HOST}}:{{DB_PORT}}/{{DB_DATABASE}} in --database-url, \
         which replaces each {{NAME}} with that variable's value"
    )
}

/// Makes the enum and its words from one table. A row has the kind and what it carries, what is wrong, and
/// what to do.
macro_rules! url_errors {
    ($($kind:ident $(($value:ident: $carried:ty))? $({ $($field:ident: $type:ty),+ })?: $what:expr, $hint:expr;)+) => {
        /// Why a text is no database URL that launchgate can use. Carries no text of the URL but an unknown
        /// scheme and the name of a placeholder.
        #[expect(missing_docs, reason = "each has its words")]
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum UrlError {
            $($kind $(($carried))? $({ $($field: $type),+ })?,)+
        }

        impl UrlError {
            /// What is wrong, and what to do.
            fn words(&self) -> (Cow<'static, str>, Cow<'static, str>) {
                match self {
                    $(Self::$kind $(($value))? $({ $($field),+ })? => (Cow::from($what), Cow::from($hint)),)+
                }
            }
        }
    };
}

url_errors! {
    Empty: "the database URL is empty",
        "write it as postgres://USER:PASSWORD@HOST/DATABASE, or pass --no-database";
    Quoted: "the database URL begins with a quotation mark",
        "remove the quotation marks: `docker run --env-file` keeps them as part of the value";
    ControlCharacter: "the database URL contains a control character",
        "write the URL on one line, and percent-encode control characters; %00 is not allowed";
    NotUtf8: "the database URL has percent-encoded bytes that are not UTF-8",
        "percent-encode the user, password and database name as UTF-8";
    NoScheme: "the database URL does not begin with a supported scheme",
        format!("write it as postgres://USER:PASSWORD@HOST/DATABASE; {NEED}");
    UnknownScheme(scheme: String): format!("the database URL has the unknown scheme `{scheme}`"),
        unknown_scheme::hint(scheme);
    NoSlashes: "the database URL has no `//` after its scheme",
        "write it as SCHEME://USER:PASSWORD@HOST/DATABASE";
    Ambiguous: "the database URL is ambiguous",
        "percent-encode the special characters in user and password: `@` as %40, `/` as %2F, `:` as %3A, \
         `?` as %3F, `#` as %23, `%` as %25";
    SeveralUrls: "there are two database URLs where one belongs",
        "keep one; several hosts of Postgres go into the same URL, as in \
         postgres://USER:PASSWORD@HOST1,HOST2/DATABASE";
    Host: "the database URL has no valid host",
        "write it as SCHEME://USER:PASSWORD@HOST:PORT/DATABASE, with an IPv6 address in \
         brackets and special characters in the user and password percent-encoded";
    SeveralHosts: "the database URL has several hosts, which launchgate supports only for Postgres",
        "set a single host with --database-url: the primary, or an address that resolves to it";
    Address: "`hostaddr` is not an IP address, or there is not one for each host",
        "use an IP address such as 10.0.0.5, or put the name in `host`";
    Port: "the port is not a number from 1 to 65535, one for all hosts or one for each",
        "use a number, or omit the port; if this is part of the password, percent-encode its \
         special characters";
    TlsValue { parameter: &'static str, expected: &'static str }: format!("`{parameter}` is not one of {expected}"),
        "fix it in the URL; the documentation says what each value means";
    InMemory: "an in-memory SQLite database can't be shared, not even with the steps",
        "use a file (sqlite:PATH) that all replicas share, or pass --no-database to run the \
         steps at every start";
    SqliteUser: "a SQLite database has no user and no password",
        "write sqlite:PATH; if the file name contains these characters, percent-encode them: \
         `:` as %3A, `@` as %40";
    // Tools make two different paths of three slashes, and only the relative one exists.
    ThreeSlashes { absolute: PathBuf, relative: PathBuf }:
        format!(
            "the database URL is ambiguous: launchgate reads three slashes as {}, \
             SQLAlchemy and Django as {}, and only the latter fits what exists here",
            absolute.display(), relative.display()
        ),
        format!("write sqlite:{} or sqlite:{}", relative.display(), absolute.display());
    // A placeholder that nothing replaced, where it can be shown.
    Placeholder(found: Option<String>):
        match found {
            Some(found) => Cow::from(format!("the database URL still contains the placeholder `{found}`")),
            None => Cow::from("the database URL still contains a placeholder"),
        },
        match found {
            Some(found) => Cow::from(format!(
                "without a shell nothing expands it: have the platform substitute {found}, or \
                 write {{NAME}} in --database-url, which launchgate replaces with the variable's value"
            )),
            None => Cow::from(
                "without a shell nothing expands it: have the platform substitute it, or write {NAME} \
                 in --database-url; in a password, percent-encode `$` as %24 and `{` as %7B",
            ),
        };
    // A name in braces, in a source where none is replaced.
    Template(name: String):
        format!("the database URL contains `{{{name}}}`, which launchgate does not replace there"),
        format!(
            "launchgate replaces {{{name}}} only in --database-url, its variable and its key: \
             move the URL there; in a password, write a brace as %7B"
        );
    Assignment(name: String): format!("the text begins with `{name}=`, which is not a database URL"),
        format!("write only the URL there, without `{name}=`");
    ByteOrderMark: "the text begins with a byte order mark",
        "save the file as UTF-8 without a byte order mark";
    FileNotUtf8: "the file is not UTF-8", "save the file as UTF-8";
    EmptyPassword: "the file contains no password", "write the password to it";
    PasswordLines: "the file has more than one line, or control characters",
        "put only the password in it, on one line";
    SecretReference: "the database URL is a reference to a secret, which nothing resolved",
        "let the platform resolve it, so that the URL itself is in the variable or the file";
    Json: "the database URL is a JSON object",
        format!("pass each field as a variable of its own, and write {}", form("postgres"));
    GoDsn: "the database URL is a DSN of Go's MySQL driver", format!("write {}", form("mysql"));
    DotNet: "the database URL is a .NET connection string",
        format!("write sqlite:PATH, or {} (mysql for MySQL); or pass --no-database", form("postgres"));
    KeywordValue: "the database URL is a libpq keyword/value string", format!("write {}", form("postgres"));
    Service(name: String): format!("no service file defines the service `{name}`"),
        format!(
            "add a section [{name}] to ~/.pg_service.conf or the file that PGSERVICEFILE \
             names, or remove the service"
        );
    ServiceFile { file: PathBuf, problem: String }:
        format!("failed to read the service file {}: {problem}", file.display()),
        "make it readable by this user, or remove the service";
    ServiceLine: "a line is not `name=value`",
        "write `name=value` lines; a section that queries an LDAP server is not supported";
    PassFile(file: PathBuf):
        format!("the password file {} is not a regular file that only its owner can read", file.display()),
        format!("make this user its owner, and run `chmod 600 {}`", file.display());
    SessionAttrs: "`target_session_attrs` asks for a server that does not accept writes",
        "launchgate writes to the ledger: remove target_session_attrs, or set it to read-write";
    // A protection that the driver can't give; the parameter as libpq spells it.
    Unsupported { parameter: &'static str }:
        format!("`{parameter}` is set, which launchgate does not support"),
        without(parameter);
    // One of these, from a variable or a file beside the URL.
    Of { origin: String, error: Box<UrlError> }: format!("{origin}: {error}"), error.hint();
}

impl UrlError {
    /// What to do about it.
    pub fn hint(&self) -> Cow<'static, str> {
        self.words().1
    }

    /// The same, with where it came from.
    pub(super) fn of(self, origin: &str) -> Self {
        Self::Of {
            origin: origin.to_owned(),
            error: Box::new(self),
        }
    }
}

impl From<UrlError> for Problem {
    fn from(error: UrlError) -> Self {
        let (what, hint) = error.words();
        Self::new(what, hint)
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().0)
    }
}

impl Error for UrlError {}

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
