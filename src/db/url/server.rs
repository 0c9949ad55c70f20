//! Servers: what a URL of Postgres or `MySQL` says, part by part.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::UrlError;
use super::params::Params;
use super::scheme::{Backend, Dialect, Spelling};
use super::secret::{Secret, Secrets};
use super::split::{self, Host, Parts};
use super::tls::Tls;
use super::{decode, non_empty};

/// What stays encoded when a part is shown: what would end the part, and control characters.
const SHOWN: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b':')
    .add(b'/')
    .add(b'?')
    .add(b'#')
    .add(b'@')
    .add(b'[')
    .add(b']');

/// A server's URL, taken apart. Deliberately without `Debug`.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) backend: Backend,
    pub(super) host: Option<Host>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) options: Option<String>,
    pub(super) tls: Tls,
}

impl Server {
    /// Reads what follows `postgres:` or `mysql:`. As in libpq, parameters win over the same part in
    /// front of them.
    pub(super) fn read(
        dialect: Dialect,
        rest: &str,
        secrets: &mut Secrets,
    ) -> Result<Self, UrlError> {
        let Some(rest) = rest.strip_prefix("//") else {
            return jdbc_local(dialect, rest, secrets);
        };
        let parts = split::split(rest)?;
        let (user, password) = match parts.userinfo {
            Some(userinfo) => credentials(userinfo, secrets)?,
            None => (None, None),
        };
        let params = Params::read(parts.query, dialect, secrets)?;
        let host = host(dialect.backend, parts.host.clone(), &params)?;
        let on_socket = matches!(host, Some(Host::Socket(_)));
        Ok(Self {
            backend: dialect.backend,
            tls: params.tls.resolve(dialect, on_socket)?,
            host,
            port: params.port.or(parts.port),
            user: params.user.or(user),
            password: params.password.or(password).map(Secret::new),
            database: match params.database {
                Some(database) => Some(database),
                None => database(&parts)?,
            },
            schema: params.schema,
            options: params.options,
        })
    }
}

/// `jdbc:postgresql:db`, a database on this machine (pgJDBC, "Connecting to the Database").
fn jdbc_local(dialect: Dialect, rest: &str, secrets: &mut Secrets) -> Result<Server, UrlError> {
    let name = rest.split('?').next().unwrap_or_default();
    // Nothing that could be a user and a password with the slashes forgotten.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let postgres = dialect.backend == Backend::Postgres && dialect.spelling == Spelling::Jdbc;
    if !postgres || name.is_empty() || !name.chars().all(plain) {
        return Err(UrlError::NoSlashes);
    }
    Server::read(dialect, &format!("//localhost/{rest}"), secrets)
}

fn credentials(
    userinfo: &str,
    secrets: &mut Secrets,
) -> Result<(Option<String>, Option<String>), UrlError> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decoded = decode(password)?;
    secrets.add_userinfo(userinfo);
    secrets.add_password(password, &decoded);
    Ok((non_empty(decode(user)?), non_empty(decoded)))
}

fn host(
    backend: Backend,
    authority: Option<Host>,
    params: &Params,
) -> Result<Option<Host>, UrlError> {
    let host = match (&params.socket, &params.host) {
        (Some(path), _) if backend == Backend::Mysql => Some(Host::Socket(PathBuf::from(path))),
        (_, Some(host)) => Some(Host::from_decoded(host)?),
        _ => authority,
    };
    let Some(address) = params
        .address
        .as_deref()
        .filter(|_| backend == Backend::Postgres)
    else {
        return Ok(host);
    };
    address.parse::<IpAddr>().map_err(|_| UrlError::Address)?;
    // libpq connects to `hostaddr` and verifies the certificate against `host`. The driver knows
    // one name for both, and of the two the verification is what must not be lost.
    if host.is_some() && params.tls.verifies_host() {
        return Ok(host);
    }
    Ok(Some(Host::Name(address.to_owned())))
}

fn database(parts: &Parts<'_>) -> Result<Option<String>, UrlError> {
    let path = parts.path.trim_start_matches('/');
    Ok(non_empty(decode(path.strip_suffix('/').unwrap_or(path))?))
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.backend)?;
        if self.user.is_some() || self.password.is_some() {
            let user = self.user.as_deref().unwrap_or_default();
            write!(f, "{}", utf8_percent_encode(user, SHOWN))?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        match &self.host {
            Some(Host::Name(name)) if name.contains(':') => write!(f, "[{name}]")?,
            Some(Host::Name(name)) => f.write_str(name)?,
            Some(Host::Socket(path)) => {
                write!(
                    f,
                    "{}",
                    utf8_percent_encode(&path.to_string_lossy(), NON_ALPHANUMERIC)
                )?;
            }
            None => {}
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match &self.database {
            Some(database) => write!(f, "/{}", utf8_percent_encode(database, SHOWN)),
            None => Ok(()),
        }
    }
}
