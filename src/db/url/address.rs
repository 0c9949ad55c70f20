//! The addresses of a server: which hosts, at which ports, in which order.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::error::UrlError;
use super::params::{Param, Params};
use super::scheme::UrlRules;
use super::secret::Secret;
use super::split::{UrlHost, parse_port};

/// One place to connect to. Deliberately without `Debug`.
#[derive(Clone)]
pub(super) struct Address {
    /// `None`: the driver's default.
    pub(super) host: Option<UrlHost>,
    pub(super) port: Option<u16>,
    /// From a password file, which may have one for each host.
    pub(super) password: Option<Secret>,
}

impl Address {
    fn new(host: Option<UrlHost>, port: Option<&str>) -> Result<Self, UrlError> {
        let port = port.filter(|port| !port.is_empty());
        Ok(Self {
            host,
            port: port.map(parse_port).transpose()?,
            password: None,
        })
    }
}

/// The servers, as libpq pairs them: a host for each `hostaddr`, and one port for all or one for each
/// (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS>). `MySQL` has one.
pub(super) fn addresses(params: &Params, verifies_host: bool) -> Result<Vec<Address>, UrlError> {
    if let Some(path) = params.get(Param::Socket) {
        return socket(params, path).map(|address| vec![address]);
    }
    let [names, numbers, ports] =
        [Param::Host, Param::HostAddress, Param::Port].map(|param| list(params.get(param)));
    if params.rules() == UrlRules::Mysql && names.len() > 1 {
        return Err(UrlError::SeveralHosts);
    }
    if !names.is_empty() && !numbers.is_empty() && names.len() != numbers.len() {
        return Err(UrlError::Address);
    }
    let count = names.len().max(numbers.len()).max(1);
    if ports.len() > 1 && ports.len() != count {
        return Err(UrlError::Port);
    }
    let address = |at: usize| {
        let name = names.get(at).copied().unwrap_or_default();
        let number = numbers.get(at).copied().unwrap_or_default();
        let host = host(name, number, verifies_host)?;
        Address::new(host, ports.get(at).or(ports.first()).copied())
    };
    (0..count).map(address).collect()
}

fn socket(params: &Params, path: &str) -> Result<Address, UrlError> {
    // pg8000 names the socket itself, where libpq has a folder and a port.
    let (path, port) = match (params.rules(), path.rsplit_once("/.s.PGSQL.")) {
        (UrlRules::Libpq, _) if !path.starts_with('/') => return Err(UrlError::Host),
        (UrlRules::Libpq, Some((folder, port))) => (folder, Some(port)),
        _ => (path, params.get(Param::Port)),
    };
    Address::new(Some(UrlHost::Socket(PathBuf::from(path))), port)
}

fn list(text: Option<&str>) -> Vec<&str> {
    text.map(|text| text.split(',').map(str::trim).collect())
        .unwrap_or_default()
}

fn host(name: &str, number: &str, verifies_host: bool) -> Result<Option<UrlHost>, UrlError> {
    if number.is_empty() {
        return Some(name)
            .filter(|name| !name.is_empty())
            .map(UrlHost::from_decoded)
            .transpose();
    }
    number.parse::<IpAddr>().map_err(|_| UrlError::Address)?;
    // libpq connects to `hostaddr` and verifies the certificate against `host`. The driver knows
    // one name for both, and of the two the verification is what must not be lost.
    if !name.is_empty() && verifies_host {
        return UrlHost::from_decoded(name).map(Some);
    }
    Ok(Some(UrlHost::Name(number.to_owned())))
}

/// Where libpq looks for the socket of a server that no host is named of, by packagers of it; without
/// a socket, this machine.
pub(super) fn default_host(port: Option<u16>, exists: &dyn Fn(&Path) -> bool) -> UrlHost {
    let socket = format!(".s.PGSQL.{}", port.unwrap_or(5432));
    ["/var/run/postgresql", "/tmp"]
        .into_iter()
        .find(|folder| exists(&Path::new(folder).join(&socket)))
        .map_or_else(
            || UrlHost::Name("localhost".to_owned()),
            |folder| UrlHost::Socket(PathBuf::from(folder)),
        )
}
