//! What to do about a text that is no database URL.

use std::borrow::Cow;

use super::error::UrlError;
use super::foreign;

/// What is said where nothing but another database helps.
const NEED: &str = "lock and ledger need Postgres, MySQL, MariaDB or SQLite: name one with --database-url, or say \
                    --no-database to run the steps at every start, in every replica";

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
                    "in the exec form no shell replaces it: let the platform fill {found} in, or write \
                     {{NAME}} in --database-url, which launchgate replaces by the variable's value"
                )
                .into()
            }
            Self::Template(name) => {
                format!(
                    "only --database-url, its variable and its key have {{{name}}} replaced: move the URL \
                     there; a brace of a password is %7B"
                )
                .into()
            }
            Self::Assignment(name) => {
                format!("put the URL alone there, without `{name}=` in front").into()
            }
            Self::Service(name) => {
                format!(
                    "add a section [{name}] to ~/.pg_service.conf or the file that PGSERVICEFILE names, or take the service out"
                )
                .into()
            }
            Self::PassFile(file) => {
                format!(
                    "let it belong to this user, and run `chmod 600 {}`",
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
                "write it as postgres://USER:PASSWORD@HOST/DATABASE, or say --no-database"
            }
            Self::Quoted => {
                "write the URL without quotation marks: `docker run --env-file` passes them on as they are"
            }
            Self::ControlCharacter => {
                "write the URL on one line, control characters percent-encoded, and never %00"
            }
            Self::NotUtf8 => "percent-encode the UTF-8 form of user, password and database",
            Self::NoSlashes => "write it as SCHEME://USER:PASSWORD@HOST/DATABASE",
            Self::Ambiguous => {
                "percent-encode the special characters in user and password: `@` as %40, `/` as %2F, `:` as %3A, \
                 `?` as %3F, `#` as %23, `%` as %25"
            }
            Self::Host => {
                "write it as SCHEME://USER:PASSWORD@HOST:PORT/DATABASE, an IPv6 address in brackets, special \
                 characters in user and password percent-encoded"
            }
            Self::SeveralHosts => {
                "name one host with --database-url: the primary, or an address that leads to it"
            }
            Self::Address => "write an address such as 10.0.0.5 there, or a name in `host`",
            Self::Port => {
                "write a number there, or leave it out; if this is part of the password, percent-encode the \
                 special characters in it"
            }
            Self::TlsValue { .. } => {
                "correct it in the URL; see the documentation for what each value means"
            }
            Self::InMemory => {
                "name a file (sqlite:PATH) that all replicas share, or say --no-database to run the steps at \
                 every start"
            }
            Self::SqliteUser => {
                "write sqlite:PATH; if the file's name has such characters, percent-encode them: `:` as %3A, `@` as %40"
            }
            Self::Placeholder(None) => {
                "in the exec form no shell replaces it: let the platform fill it in, or write {NAME} in \
                 --database-url; of a password, percent-encode `$` as %24 and `{` as %7B"
            }
            Self::ByteOrderMark => "save the file as UTF-8 without a byte order mark",
            Self::FileNotUtf8 => "save the file as UTF-8",
            Self::EmptyPassword => "put the password into it",
            Self::PasswordLines => "put the password alone into it, on one line",
            Self::GoDsn => {
                "Go's form is no URL: write mysql://USER:PASSWORD@HOST:PORT/DATABASE in --database-url, with \
                 {NAME} for a variable's value"
            }
            Self::DotNet => {
                ".NET's form is no URL: write postgres://USER:PASSWORD@HOST:PORT/DATABASE, mysql://… or sqlite:PATH \
                 in --database-url, with {NAME} for a variable's value; or say --no-database"
            }
            Self::KeywordValue => {
                "write postgres://USER:PASSWORD@HOST:PORT/DATABASE in --database-url, with {NAME} for a variable's value"
            }
            Self::ServiceFile { .. } => "let this user read it, or take the service out",
            Self::ServiceLine => {
                "write `name=value` lines; a section that asks an LDAP server is not supported"
            }
            Self::SessionAttrs => {
                "the ledger is written: leave target_session_attrs out, or write read-write"
            }
            Self::Unsupported { parameter } => match *parameter {
                "ssl_min_protocol_version" => {
                    "leave it out: launchgate uses TLS 1.3 where the server can, and at least TLS 1.2"
                }
                "gssencmode" => "use sslmode=verify-full instead, and leave gssencmode out",
                "sslcrl" | "sslcrldir" => {
                    "launchgate can't look at revocation lists: leave it out for launchgate, in a URL of its own (--database-url)"
                }
                _ => {
                    "use sslmode=verify-full instead, and leave it out, in a URL of its own (--database-url)"
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
