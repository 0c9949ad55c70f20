//! The parameters that mean something to launchgate: behind a URL's `?`, in a section of libpq's
//! service file, in libpq's variables. All others are ignored.

use super::error::UrlError;
use super::scheme::{Scheme, Spelling, UrlRules};
use super::tls::TlsParams;
use super::{decode, non_empty};
use crate::redact::Secrets;

/// What the parameters say, decoded; of a parameter given twice, the last. An empty value counts as not given.
#[derive(Default)]
pub(super) struct Params {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// Postgres: a list.
    pub(super) host: Option<String>,
    /// A list, as `host`.
    pub(super) address: Option<String>,
    /// Postgres: a list, one for each host or one for all.
    pub(super) port: Option<String>,
    pub(super) socket: Option<String>,
    pub(super) database: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) options: Option<String>,
    pub(super) service: Option<String>,
    pub(super) passfile: Option<String>,
    pub(super) session_attrs: Option<String>,
    pub(super) tls: TlsParams,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Percent-encoded, by the rules of a URL's spelling.
    Url(Spelling),
    /// As it is: a variable, or a file's line.
    Raw,
}

impl Params {
    /// Reads what follows a URL's `?`.
    pub(super) fn read(
        query: &str,
        scheme: Scheme,
        secrets: &mut Secrets,
    ) -> Result<Self, UrlError> {
        secrets.add_query(query);
        let mut params = Self::default();
        let encoding = Encoding::Url(scheme.spelling);
        for pair in query.split('&') {
            // To pgJDBC, the name alone means true.
            let pair = if pair == "ssl" { "ssl=true" } else { pair };
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            params.set(name, (value, encoding), scheme.rules(), secrets)?;
        }
        Ok(params)
    }

    /// Sets one parameter.
    pub(super) fn set(
        &mut self,
        name: &str,
        (written, encoding): (&str, Encoding),
        rules: UrlRules,
        secrets: &mut Secrets,
    ) -> Result<(), UrlError> {
        // `ssl-mode`, `ssl_mode`, `sslMode` and `sslmode` are one word in four tools.
        let name = &*name.replace(['-', '_'], "").to_ascii_lowercase();
        // Also `sslpassword` and JDBC's key stores'.
        if ["password", "passwd", "passphrase", "pass", "pwd"]
            .iter()
            .any(|ending| name.ends_with(ending))
        {
            let value = match name {
                "password" => credential(written, encoding)?,
                _ => credential(written, encoding).unwrap_or_default(),
            };
            secrets.add_password(written, &value);
            if name == "password" {
                self.password = non_empty(value);
            }
            return Ok(());
        }
        // Of a parameter that is ignored, not even the encoding matters.
        let value = match name {
            "user" => credential(written, encoding),
            _ => value(written, encoding),
        };
        if rules.are_libpq() && self.set_for_libpq(name, &value)? {
            return Ok(());
        }
        if let Some(slot) = self.slot(name, rules) {
            *slot = non_empty(value?);
        }
        Ok(())
    }

    /// Whether it was one of the parameters that are more than a value.
    fn set_for_libpq(
        &mut self,
        name: &str,
        value: &Result<String, UrlError>,
    ) -> Result<bool, UrlError> {
        let value = || value.clone();
        match name {
            "gssencmode"
            | "sslcrl"
            | "sslcrldir"
            | "requirepeer"
            | "requireauth"
            | "sslcertmode"
            | "sslminprotocolversion" => refuse(name, &value()?)?,
            // The driver can't bind a login to its TLS channel. Verifying the server in full
            // protects from the same attack.
            "channelbinding" => {
                if value()? == "require" {
                    self.tls.require_full();
                }
            }
            "options" => {
                self.options = match (self.options.take(), non_empty(value()?)) {
                    (Some(options), Some(more)) => Some(format!("{options} {more}")),
                    (options, more) => options.or(more),
                };
            }
            "schema" | "currentschema" | "searchpath" => {
                let path = value()?;
                let first = path.split(',').next().unwrap_or_default().trim();
                self.schema = non_empty(first.trim_matches('"').to_owned());
            }
            "unixsock" | "socketpath" | "unixsocket" => self.set_postgres_socket(&value()?)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn slot(&mut self, name: &str, rules: UrlRules) -> Option<&mut Option<String>> {
        let (libpq, mysql) = (rules.are_libpq(), rules.are_mysql());
        Some(match name {
            "user" => &mut self.user,
            "port" => &mut self.port,
            "host" => &mut self.host,
            "dbname" => &mut self.database,
            "hostaddr" if libpq => &mut self.address,
            "service" if libpq => &mut self.service,
            "passfile" if libpq => &mut self.passfile,
            // pgJDBC calls it targetServerType.
            "targetsessionattrs" | "targetservertype" if libpq => &mut self.session_attrs,
            "socket" | "unixsock" | "unixsocket" | "socketpath" | "localsocket" if mysql => {
                &mut self.socket
            }
            _ => return self.tls.slot(name),
        })
    }

    /// pg8000 names the socket itself, where libpq has a folder and a port.
    fn set_postgres_socket(&mut self, path: &str) -> Result<(), UrlError> {
        let Some(path) = non_empty(path.to_owned()) else {
            return Ok(());
        };
        if !path.starts_with('/') {
            return Err(UrlError::Host);
        }
        match path.rsplit_once("/.s.PGSQL.") {
            Some((folder, port)) => {
                self.host = Some(folder.to_owned());
                self.port = Some(port.to_owned());
            }
            None => self.host = Some(path),
        }
        Ok(())
    }

    /// What is not said here is taken from `lower`.
    pub(super) fn or(self, lower: Self) -> Self {
        Self {
            user: self.user.or(lower.user),
            password: self.password.or(lower.password),
            host: self.host.or(lower.host),
            address: self.address.or(lower.address),
            port: self.port.or(lower.port),
            socket: self.socket.or(lower.socket),
            database: self.database.or(lower.database),
            schema: self.schema.or(lower.schema),
            options: self.options.or(lower.options),
            service: self.service.or(lower.service),
            passfile: self.passfile.or(lower.passfile),
            session_attrs: self.session_attrs.or(lower.session_attrs),
            tls: self.tls.or(lower.tls),
        }
    }
}

/// Parameters by which libpq protects a connection and the driver can't.
fn refuse(name: &str, value: &str) -> Result<(), UrlError> {
    let parameter = match (name, value) {
        (_, "") => return Ok(()),
        ("gssencmode", "require") => "gssencmode",
        ("sslcrl", _) => "sslcrl",
        ("sslcrldir", _) => "sslcrldir",
        ("requirepeer", _) => "requirepeer",
        ("requireauth", _) => "require_auth",
        ("sslcertmode", "require") => "sslcertmode",
        ("sslminprotocolversion", "TLSv1.3") => "ssl_min_protocol_version",
        _ => return Ok(()),
    };
    Err(UrlError::Unsupported { parameter })
}

/// A value as Python, Go, JavaScript and JDBC read it: a `+` is a space.
fn value(written: &str, encoding: Encoding) -> Result<String, UrlError> {
    match encoding {
        Encoding::Url(_) => decode(&written.replace('+', " ")),
        Encoding::Raw => Ok(written.to_owned()),
    }
}

/// User and password: a `+` is a space to JDBC, but itself to libpq, and outside JDBC, parameters
/// are written for libpq.
fn credential(written: &str, encoding: Encoding) -> Result<String, UrlError> {
    match encoding {
        Encoding::Url(Spelling::Jdbc) => value(written, encoding),
        Encoding::Url(Spelling::Plain | Spelling::File) => decode(written),
        Encoding::Raw => Ok(written.to_owned()),
    }
}
