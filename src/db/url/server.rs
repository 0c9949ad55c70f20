//! Servers: what a URL of Postgres or `MySQL` says, part by part.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::address::{self, Address};
use super::error::UrlError;
use super::libpq;
use super::params::{Encoding, Params};
use super::scheme::{Backend, Scheme, Spelling, UrlRules};
use super::secret::Secret;
use super::split::{self, Parts, UrlHost};
use super::surroundings::Surroundings;
use super::tls::{self, Tls};
use super::{decode, non_empty};
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
    /// Reads what follows `postgres:` or `mysql:`. As in libpq, parameters win over the same part in
    /// front of them, and for Postgres what surrounds the URL fills in what it leaves out.
    pub(super) fn read(
        scheme: Scheme,
        rest: &str,
        around: Option<&Surroundings<'_>>,
        secrets: &mut Secrets,
    ) -> Result<Self, UrlError> {
        let Some(rest) = rest.strip_prefix("//") else {
            return jdbc_local(scheme, rest, around, secrets);
        };
        let parts = split::split(rest)?;
        let (user, password) = match parts.userinfo {
            Some(userinfo) => credentials(userinfo, secrets)?,
            None => (None, None),
        };
        let mut params = Params::read(parts.query, scheme, secrets)?;
        params.user = params.user.or(user);
        params.password = params.password.or(password);
        if params.database.is_none() {
            params.database = database(&parts)?;
        }
        if let Some(around) = around {
            add_beside(&mut params, around, scheme.rules(), secrets)?;
        }
        let addresses = match scheme.rules() {
            UrlRules::Libpq => {
                address::add_front(&mut params, &parts.hosts);
                if let Some(around) = around {
                    params = libpq::fill(params, around, secrets)?;
                }
                postgres_addresses(&mut params, around, secrets)?
            }
            UrlRules::Mysql | UrlRules::File => address::of_mysql(&parts.hosts, &params)?,
        };
        Ok(Self {
            backend: scheme.backend,
            addresses,
            tls: params.tls.resolve(scheme)?,
            user: params.user,
            password: params.password.map(Secret::new),
            database: params.database,
            schema: params.schema,
            options: params.options,
        })
    }

    /// A URL that says all of this, whatever surrounds it.
    pub(super) fn written(&self) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut url = format!("{}://", self.backend);
        let password = self.password.as_ref().or(self.first().password.as_ref());
        url += &encoded(self.user.as_deref().unwrap_or_default());
        url.push(':');
        url += &encoded(password.map(Secret::expose).unwrap_or_default());
        url.push('@');
        let addresses = self
            .addresses
            .iter()
            .map(|address| Shown(address).to_string());
        url += &addresses.collect::<Vec<_>>().join(",");
        url.push('/');
        url += &encoded(self.database.as_deref().unwrap_or_default());
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
                url.extend(["&", name, "=", &encoded(&value)]);
            }
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

/// Adds what variables beside the URL's say.
fn add_beside(
    params: &mut Params,
    around: &Surroundings<'_>,
    rules: UrlRules,
    secrets: &mut Secrets,
) -> Result<(), UrlError> {
    let mut beside = Params::default();
    for (name, value) in [("user", around.user), ("password", around.password)] {
        if let Some(value) = value {
            let value = value.to_str().ok_or(UrlError::NotUtf8)?;
            beside.set(name, (value, Encoding::Raw), rules, secrets)?;
        }
    }
    *params = std::mem::take(params).or(beside);
    Ok(())
}

fn postgres_addresses(
    params: &mut Params,
    around: Option<&Surroundings<'_>>,
    secrets: &mut Secrets,
) -> Result<Vec<Address>, UrlError> {
    check_session_attrs(params.session_attrs.as_deref())?;
    let mut addresses = address::of_postgres(params)?;
    let Some(around) = around else {
        return Ok(addresses);
    };
    for address in &mut addresses {
        if address.host.is_none() {
            address.host = Some(address::default_host(address.port, around.exists));
        }
    }
    if params.user.is_none() {
        params.user = (around.own_user)();
    }
    if params.password.is_none() {
        let user = params.user.as_deref().unwrap_or_default();
        let database = params.database.as_deref().unwrap_or(user);
        libpq::add_passwords(&mut addresses, params, (user, database), around, secrets)?;
    }
    Ok(addresses)
}

/// The ledger is written, so a server that takes writes is preferred whatever else would do.
fn check_session_attrs(wanted: Option<&str>) -> Result<(), UrlError> {
    match wanted
        .map(|wanted| wanted.replace(['-', '_'], "").to_ascii_lowercase())
        .as_deref()
    {
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
    secrets: &mut Secrets,
) -> Result<ServerUrl, UrlError> {
    let name = rest.split('?').next().unwrap_or_default();
    // Nothing that could be a user and a password with the slashes forgotten.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_known = scheme.rules().are_libpq() && scheme.spelling == Spelling::Jdbc;
    if !is_known || name.is_empty() || !name.chars().all(plain) {
        return Err(UrlError::NoSlashes);
    }
    ServerUrl::read(scheme, &format!("//localhost/{rest}"), around, secrets)
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

fn database(parts: &Parts<'_>) -> Result<Option<String>, UrlError> {
    let path = parts.path.trim_start_matches('/');
    Ok(non_empty(decode(path.strip_suffix('/').unwrap_or(path))?))
}

impl fmt::Display for ServerUrl {
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
        for (number, address) in self.addresses.iter().enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            write!(f, "{}", Shown(address))?;
        }
        match &self.database {
            Some(database) => write!(f, "/{}", utf8_percent_encode(database, SHOWN)),
            None => Ok(()),
        }
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
