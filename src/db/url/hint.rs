//! What to do about a text that is no database URL.

use std::borrow::Cow;

use super::error::UrlError;
use super::foreign;

/// What is said where nothing but another database helps.
const NEED: &str = "the lock and the ledger need Postgres, MySQL, MariaDB or SQLite: set one with --database-url, or pass --no-database to run the steps at every start, in every replica";

impl UrlError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::UnknownScheme(scheme) => {
                match (foreign::of_scheme(scheme), foreign::nearest(scheme)) {
                    (Some(hint), _) => hint.into(),
                    (None, Some(known)) => format!("did you mean `{known}`? {NEED}").into(),
                    (None, None) => NEED.into(),
                }
            }
            Self::NoScheme => {
                format!("write it as postgres://USER:PASSWORD@HOST/DATABASE; {NEED}")
                    .into()
            }
            Self::ThreeSlashes { absolute, relative } => {
                format!(
                    "write sqlite:{} or sqlite:{}",
                    relative.display(),
                    absolute.display()
                )
                .into()
            }
            Self::Placeholder(Some(found)) => {
                format!(
                    "without a shell nothing expands it: have the platform substitute {found}, or \
                     write {{NAME}} in --database-url, which launchgate replaces with the variable's \
                     value"
                )
                .into()
            }
            Self::Template(name) => {
                format!(
                    "launchgate replaces {{{name}}} only in --database-url, its variable and its key: \
                     move the URL there; in a password, write a brace as %7B"
                )
                .into()
            }
            Self::Assignment(name) => {
                format!("write only the URL there, without `{name}=`").into()
            }
            Self::Service(name) => {
                format!(
                    "add a section [{name}] to ~/.pg_service.conf or the file that PGSERVICEFILE \
                     names, or remove the service"
                )
                .into()
            }
            Self::PassFile(file) => {
                format!(
                    "make this user its owner, and run `chmod 600 {}`",
                    file.display()
                )
                .into()
            }
            Self::Of { error, .. } => error.hint(),
            _ => self.fixed_hint().into(),
        }
    }

    /// What to do about an error that has no words of its own.
    fn fixed_hint(&self) -> &'static str {
        match self {
            Self::Empty => {
                "write it as postgres://USER:PASSWORD@HOST/DATABASE, or pass --no-database"
            }
            Self::Quoted => {
                "remove the quotation marks: `docker run --env-file` keeps them as part of the value"
            }
            Self::ControlCharacter => {
                "write the URL on one line, and percent-encode control characters; %00 is not allowed"
            }
            Self::NotUtf8 => "percent-encode the user, password and database name as UTF-8",
            Self::NoSlashes => "write it as SCHEME://USER:PASSWORD@HOST/DATABASE",
            Self::Ambiguous => {
                "percent-encode the special characters in user and password: `@` as %40, `/` as %2F, `:` as %3A, \
                 `?` as %3F, `#` as %23, `%` as %25"
            }
            Self::Host => {
                "write it as SCHEME://USER:PASSWORD@HOST:PORT/DATABASE, with an IPv6 address in \
                 brackets and special characters in the user and password percent-encoded"
            }
            Self::SeveralHosts => {
                "set a single host with --database-url: the primary, or an address that resolves to it"
            }
            Self::Address => "use an IP address such as 10.0.0.5, or put the name in `host`",
            Self::Port => {
                "use a number, or omit the port; if this is part of the password, percent-encode its \
                 special characters"
            }
            Self::TlsValue { .. } => {
                "fix it in the URL; the documentation says what each value means"
            }
            Self::InMemory => {
                "use a file (sqlite:PATH) that all replicas share, or pass --no-database to run the \
                 steps at every start"
            }
            Self::SqliteUser => {
                "write sqlite:PATH; if the file name contains these characters, percent-encode them: \
                 `:` as %3A, `@` as %40"
            }
            Self::Placeholder(None) => {
                "without a shell nothing expands it: have the platform substitute it, or write {NAME} \
                 in --database-url; in a password, percent-encode `$` as %24 and `{` as %7B"
            }
            Self::ByteOrderMark => "save the file as UTF-8 without a byte order mark",
            Self::FileNotUtf8 => "save the file as UTF-8",
            Self::EmptyPassword => "write the password to it",
            Self::PasswordLines => "put only the password in it, on one line",
            Self::SecretReference => {
                "let the platform resolve it, so that the URL itself is in the variable or the file"
            }
            Self::Json => {
                "pass each field as a variable of its own, and write \
                 postgres://{DB_USERNAME}:{DB_PASSWORD}@{DB_HOST}:{DB_PORT}/{DB_DATABASE} in --database-url"
            }
            Self::GoDsn => {
                "Go's DSN is not a URL: write mysql://USER:PASSWORD@HOST:PORT/DATABASE in --database-url, with \
                 {NAME} for a variable's value"
            }
            Self::DotNet => {
                "a .NET connection string is not a URL: write sqlite:PATH, or postgres://USER:PASSWORD@HOST:PORT/DATABASE (mysql \
                 for MySQL), in --database-url, with {NAME} for the value of a variable; or pass --no-database"
            }
            Self::KeywordValue => {
                "write postgres://USER:PASSWORD@HOST:PORT/DATABASE in --database-url, with {NAME} for a variable's value"
            }
            Self::ServiceFile { .. } => "make it readable by this user, or remove the service",
            Self::ServiceLine => {
                "write `name=value` lines; a section that queries an LDAP server is not supported"
            }
            Self::SessionAttrs => {
                "launchgate writes to the ledger: remove target_session_attrs, or set it to read-write"
            }
            Self::Unsupported { parameter } => match *parameter {
                "ssl_min_protocol_version" => {
                    "remove it: launchgate uses TLS 1.3 if the server supports it, and at least TLS 1.2"
                }
                "gssencmode" => "use sslmode=verify-full instead, and remove gssencmode",
                "sslcrl" | "sslcrldir" => {
                    "launchgate can't check revocation lists: give launchgate a URL of its own \
                     without it (--database-url)"
                }
                _ => {
                    "give launchgate a URL of its own (--database-url), without it and with sslmode=verify-full"
                }
            },
            Self::UnknownScheme(_)
            | Self::NoScheme
            | Self::ThreeSlashes { .. }
            | Self::Placeholder(Some(_))
            | Self::Template(_)
            | Self::Assignment(_)
            | Self::Service(_)
            | Self::PassFile(_)
            | Self::Of { .. } => NEED,
        }
    }
}
