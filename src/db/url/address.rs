//! The addresses of a server: which hosts, at which ports, in which order.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::error::UrlError;
use super::non_empty;
use super::params::Params;
use super::secret::Secret;
use super::split::{UrlHost, parse_port};

/// One place to connect to. Deliberately without `Debug`.
#[derive(Clone, Default)]
pub(super) struct Address {
    /// `None`: the driver's default.
    pub(super) host: Option<UrlHost>,
    pub(super) port: Option<u16>,
    /// From a password file, which may have one for each host.
    pub(super) password: Option<Secret>,
}

impl Address {
    pub(super) fn new(host: Option<UrlHost>, port: Option<u16>) -> Self {
        Self {
            host,
            port,
            password: None,
        }
    }
}

/// `MySQL`'s one server.
pub(super) fn of_mysql(
    front: &[(Option<UrlHost>, Option<u16>)],
    params: &Params,
) -> Result<Vec<Address>, UrlError> {
    let [(front_host, front_port)] = front else {
        return Err(UrlError::SeveralHosts);
    };
    let host = match (&params.socket, &params.host) {
        (Some(path), _) => Some(UrlHost::Socket(PathBuf::from(path))),
        (None, Some(host)) if host.contains(',') => return Err(UrlError::SeveralHosts),
        (None, Some(host)) => Some(UrlHost::from_decoded(host)?),
        (None, None) => front_host.clone(),
    };
    let port = params.port.as_deref().map(parse_port).transpose()?;
    Ok(vec![Address::new(host, port.or(*front_port))])
}

/// Puts the hosts in front of a URL into its parameters, where libpq has them too; parameters win.
pub(super) fn add_front(params: &mut Params, front: &[(Option<UrlHost>, Option<u16>)]) {
    let join = |list: Vec<String>| non_empty(list.join(",")).filter(|list| list != ",");
    let hosts = front.iter().map(|(host, _)| match host {
        Some(UrlHost::Name(name)) => name.clone(),
        Some(UrlHost::Socket(path)) => path.to_string_lossy().into_owned(),
        None => String::new(),
    });
    let ports = front.iter().map(|(_, port)| match port {
        Some(port) => port.to_string(),
        None => String::new(),
    });
    let (hosts, ports) = (join(hosts.collect()), join(ports.collect()));
    params.host = params.host.take().or(hosts);
    params.port = params.port.take().or(ports);
}

/// Postgres' servers, as libpq pairs them: a host for each `hostaddr`, and one port for all or one for
/// each (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS>).
pub(super) fn of_postgres(params: &Params) -> Result<Vec<Address>, UrlError> {
    let names = list(params.host.as_deref());
    let numbers = list(params.address.as_deref());
    let ports = list(params.port.as_deref());
    if !names.is_empty() && !numbers.is_empty() && names.len() != numbers.len() {
        return Err(UrlError::Address);
    }
    let count = names.len().max(numbers.len()).max(1);
    if ports.len() > 1 && ports.len() != count {
        return Err(UrlError::Port);
    }
    let mut addresses = Vec::with_capacity(count);
    for at in 0..count {
        let name = names.get(at).copied().unwrap_or_default();
        let number = numbers.get(at).copied().unwrap_or_default();
        let host = host(name, number, params.tls.verifies_host())?;
        let port = ports.get(at).or(ports.first()).copied().unwrap_or_default();
        let port = Some(port).filter(|port| !port.is_empty());
        addresses.push(Address::new(host, port.map(parse_port).transpose()?));
    }
    Ok(addresses)
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
