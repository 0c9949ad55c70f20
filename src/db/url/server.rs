//! Servers: what a URL of Postgres or `MySQL` says, part by part.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::address::{self, Address};
use super::error::UrlError;
use super::libpq;
use super::params::{Param, Params};
use super::scheme::{Backend, Scheme, Spelling, UrlRules};
use super::secret::Secret;
use super::split::{self, UrlHost};
use super::surroundings::Surroundings;
use super::tls::{self, Tls};
use super::tls_mode::TlsMode;
use crate::redact::Secrets;

/// What stays encoded when a part is shown: what would end the part, control characters, and what
/// could be taken for a placeholder.
const SHOWN: &AsciiSet = &CONTROLS
    .add(b'$')
    .add(b'{')
    .add(b'}')
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
pub(super) struct ServerUrl {
    pub(super) backend: Backend,
    /// In the order in which they are tried; one at least.
    pub(super) addresses: Vec<Address>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) options: Option<String>,
    tls: Tls,
}

impl ServerUrl {
    /// Reads what follows `postgres:` or `mysql:`, and what is secret in it. As in libpq, parameters win over the
    /// same part in front of them, and for Postgres what surrounds the URL fills in what it leaves out.
    pub(super) fn read(
        scheme: Scheme,
        rest: &str,
        around: Option<&Surroundings<'_>>,
    ) -> Result<(Self, Secrets), UrlError> {
        let rules = scheme.rules();
        let Some(rest) = rest.strip_prefix("//") else {
            return jdbc_local(scheme, rest, around);
        };
        let parts = split::split(rest)?;
        let front = Params::of_front(&parts, rules)?;
        let mut params = Params::of_query(parts.query, scheme)?.or(front);
        if let Some(around) = around {
            params = params.or(beside(around, rules)?);
            if rules == UrlRules::Libpq {
                params = libpq::fill(params, around)?;
            }
        }
        let tls = tls::resolve(&mut params)?;
        check_session_attrs(params.get(Param::SessionAttrs))?;
        let mut addresses = address::addresses(&params, tls.mode == TlsMode::VerifyFull)?;
        if let (UrlRules::Libpq, Some(around)) = (rules, around) {
            complete(&mut addresses, &mut params, around)?;
        }
        let server = Self {
            backend: scheme.backend,
            addresses,
            tls,
            user: params.take(Param::User),
            password: params.take(Param::Password).map(Secret::new),
            database: params.take(Param::Database),
            schema: params.take(Param::Schema),
            options: params.take(Param::Options),
        };
        Ok((server, params.secrets))
    }

    /// A URL that says all of this, whatever surrounds it.
    pub(super) fn written(&self) -> String {
        let password = self.password.as_ref().or(self.first().password.as_ref());
        let password = password.map(Secret::expose).unwrap_or_default();
        let mut url = self.in_front(Some(&utf8_percent_encode(password, NON_ALPHANUMERIC)));
        url += "?sslmode=";
        url += self.tls.mode.as_str();
        let file = |path: &Option<PathBuf>| {
            path.as_ref()
                .map(|path| path.to_string_lossy().into_owned())
        };
        for (name, value) in [
            ("sslrootcert", file(&self.tls.root_cert)),
            ("sslcert", file(&self.tls.client_cert)),
            ("sslkey", file(&self.tls.client_key)),
            ("options", self.options.clone()),
            ("schema", self.schema.clone()),
        ] {
            if let Some(value) = value {
                let value = utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string();
                url.extend(["&", name, "=", &value]);
            }
        }
        url
    }

    /// What stands in front of the parameters, with this in the place of the password.
    fn in_front(&self, password: Option<&dyn fmt::Display>) -> String {
        let mut url = format!("{}://", self.backend);
        if self.user.is_some() || password.is_some() {
            let user = self.user.as_deref().unwrap_or_default();
            url.extend(utf8_percent_encode(user, SHOWN));
            if let Some(password) = password {
                url.extend([":", &password.to_string()]);
            }
            url.push('@');
        }
        let addresses = self.addresses.iter();
        let addresses = addresses.map(|address| Shown(address).to_string());
        url += &addresses.collect::<Vec<_>>().join(",");
        if let Some(database) = &self.database {
            url.push('/');
            url.extend(utf8_percent_encode(database, SHOWN));
        }
        url
    }

    /// The address that is tried first.
    pub(super) fn first(&self) -> &Address {
        &self.addresses[0]
    }

    /// The protection of the connection to the first address.
    pub(super) fn tls(&self) -> &Tls {
        match self.first().host {
            Some(UrlHost::Socket(_)) => &tls::NONE,
            _ => &self.tls,
        }
    }
}

/// What variables beside the URL's say.
fn beside(around: &Surroundings<'_>, rules: UrlRules) -> Result<Params, UrlError> {
    let mut beside = Params::raw(rules);
    for (name, value) in [("user", around.user), ("password", around.password)] {
        if let Some(value) = value {
            beside.set(name, value.to_str().ok_or(UrlError::NotUtf8)?)?;
        }
    }
    Ok(beside)
}

/// Adds what libpq finds out about the addresses and the user by itself.
fn complete(
    addresses: &mut [Address],
    params: &mut Params,
    around: &Surroundings<'_>,
) -> Result<(), UrlError> {
    for address in &mut *addresses {
        if address.host.is_none() {
            address.host = Some(address::default_host(address.port, around.exists));
        }
    }
    if params.get(Param::User).is_none() {
        params.put(Param::User, (around.own_user)().unwrap_or_default());
    }
    match params.get(Param::Password) {
        Some(_) => Ok(()),
        None => libpq::add_passwords(addresses, params, around),
    }
}

/// The ledger is written, so a server that takes writes is preferred whatever else would do.
fn check_session_attrs(wanted: Option<&str>) -> Result<(), UrlError> {
    match wanted.map(super::word).as_deref() {
        None
        | Some(
            "any" | "readwrite" | "primary" | "preferstandby" | "prefersecondary" | "preferprimary"
            | "master" | "preferslave",
        ) => Ok(()),
        Some(_) => Err(UrlError::SessionAttrs),
    }
}

/// `jdbc:postgresql:db`, a database on this machine (pgJDBC, "Connecting to the Database").
fn jdbc_local(
    scheme: Scheme,
    rest: &str,
    around: Option<&Surroundings<'_>>,
) -> Result<(ServerUrl, Secrets), UrlError> {
    let name = rest.split('?').next().unwrap_or_default();
    // Nothing that could be a user and a password with the slashes forgotten.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_known = scheme.rules() == UrlRules::Libpq && scheme.spelling == Spelling::Jdbc;
    if !is_known || name.is_empty() || !name.chars().all(plain) {
        return Err(UrlError::NoSlashes);
    }
    ServerUrl::read(scheme, &format!("//localhost/{rest}"), around)
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|password| password as _);
        f.write_str(&self.in_front(password))
    }
}

/// An address as a URL has it.
struct Shown<'a>(&'a Address);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.host {
            Some(UrlHost::Name(name)) if name.contains(':') => {
                write!(f, "[{}]", name.replace('%', "%25"))?;
            }
            Some(UrlHost::Name(name)) => f.write_str(name)?,
            Some(UrlHost::Socket(path)) => {
                let path = path.to_string_lossy();
                write!(f, "{}", utf8_percent_encode(&path, NON_ALPHANUMERIC))?;
            }
            None => {}
        }
        match self.0.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}
