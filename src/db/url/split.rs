//! Where the parts of `USER:PASSWORD@HOST:PORT/DATABASE?PARAMETERS` begin and end, also where
//! the password has characters that should have been encoded.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use super::decode;
use super::error::UrlError;

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UrlHost {
    /// A name or an address, without brackets.
    Name(String),
    /// A Unix socket, or its directory.
    Socket(PathBuf),
}

/// One reading of what stands between `//` and the end, still encoded.
pub(super) struct Parts<'a> {
    pub(super) userinfo: Option<&'a str>,
    authority: &'a str,
    /// With the slash in front.
    pub(super) path: &'a str,
    /// Without the question mark.
    pub(super) query: &'a str,
}

/// Takes a URL apart.
///
/// The standard reading: host and port end at the first `/` or `?`, user and password at the last
/// `@` before that. It is taken where it makes sense and nothing behind it looks like the rest of a
/// password. Where it makes no sense, the first `@` of all is tried, which is the end of a password
/// with a raw `/` or `?` in it. Whatever could be either is an error: the wrong guess would send
/// half a password to a host that the other half names.
///
/// There is no fragment: libpq and JDBC know none, and what comes after a `#` is the rest of a
/// password.
pub(super) fn split(text: &str) -> Result<Parts<'_>, UrlError> {
    let end = text.find(['/', '?']).unwrap_or(text.len());
    let at = text[..end].rfind('@');
    let standard = Parts::new(text, at);
    let error = match standard.hosts() {
        Ok(_) if standard.has_stray_at() => return Err(UrlError::Ambiguous),
        Ok(_) => return Ok(standard),
        Err(error) => error,
    };
    let first = text.find('@');
    if first == at {
        return Err(if standard.has_stray_at() {
            UrlError::Ambiguous
        } else {
            error
        });
    }
    let lenient = Parts::new(text, first);
    if lenient.has_stray_at() || lenient.userinfo_has_parameters() || lenient.hosts().is_err() {
        return Err(UrlError::Ambiguous);
    }
    Ok(lenient)
}

impl<'a> Parts<'a> {
    fn new(text: &'a str, at: Option<usize>) -> Self {
        let (userinfo, rest) = match at {
            Some(at) => (Some(&text[..at]), &text[at + 1..]),
            None => (None, text),
        };
        let (front, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = front.split_at(front.find('/').unwrap_or(front.len()));
        Self {
            userinfo,
            authority,
            path,
            query,
        }
    }

    /// Hosts, decoded and without brackets, and ports; one pair at least, either part of which may be empty.
    pub(super) fn hosts(&self) -> Result<Vec<(String, &'a str)>, UrlError> {
        self.authority.split(',').map(host_and_port).collect()
    }

    /// Whether an `@` comes later that may be the real end of the password: one that is not in a
    /// parameter's value, or one in a value where a password but no database was named.
    fn has_stray_at(&self) -> bool {
        let in_name = |parameter: &str| {
            parameter
                .find('@')
                .is_some_and(|at| parameter.find('=').is_none_or(|equals| at < equals))
        };
        let has_password = self.userinfo.is_some_and(|userinfo| userinfo.contains(':'));
        let names_no_host = self.userinfo.is_none() && self.authority.is_empty();
        self.path.contains('@')
            // A slash too many, and a password with a `?`.
            || (names_no_host && self.path.contains(':') && self.query.contains('@'))
            || self.query.split('&').any(in_name)
            || (self.path.is_empty()
                && self.query.contains('@')
                && (has_password || self.query_has_slash_behind_at()))
    }

    fn query_has_slash_behind_at(&self) -> bool {
        let behind = self.query.split_once('@').map(|(_, behind)| behind);
        behind.is_some_and(|behind| behind.contains('/'))
    }

    fn userinfo_has_parameters(&self) -> bool {
        self.userinfo
            .and_then(|userinfo| userinfo.split_once('?'))
            .is_some_and(|(_, parameters)| parameters.contains('='))
    }
}

fn host_and_port(authority: &str) -> Result<(String, &str), UrlError> {
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']').ok_or(UrlError::Host)?;
        let address = decode(address)?;
        UrlHost::ipv6(&address)?;
        let port = if rest.is_empty() {
            ""
        } else {
            rest.strip_prefix(':').ok_or(UrlError::Host)?
        };
        (address, port)
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        // An IPv6 address without brackets, perhaps: where its port begins can't be told.
        if port.contains(':') {
            return Err(UrlError::Host);
        }
        let host = decode(host)?;
        if !host.is_empty() {
            UrlHost::from_decoded(&host)?;
        }
        (host, port)
    };
    if !port.is_empty() {
        parse_port(port)?;
    }
    Ok((host, port))
}

pub(super) fn parse_port(text: &str) -> Result<u16, UrlError> {
    match text.parse() {
        Ok(port) if port > 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(port),
        _ => Err(UrlError::Port),
    }
}

impl UrlHost {
    /// A host as a parameter or the decoded front of a URL has it: a path is a socket.
    pub(super) fn from_decoded(text: &str) -> Result<Self, UrlError> {
        if text.starts_with('/') {
            return Ok(Self::Socket(PathBuf::from(text)));
        }
        if text.contains(':') {
            return Self::ipv6(text);
        }
        // Lenient to names that DNS would refuse but Docker gives, like `my_app-db`.
        if text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'))
        {
            return Ok(Self::Name(text.to_owned()));
        }
        Err(UrlError::Host)
    }

    /// An address without its brackets, with a zone (`fe80::1%eth0`) or without.
    fn ipv6(text: &str) -> Result<Self, UrlError> {
        let (address, zone) = text.split_once('%').unwrap_or((text, ""));
        let in_zone = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if address.parse::<Ipv6Addr>().is_err() || !zone.chars().all(in_zone) {
            return Err(UrlError::Host);
        }
        Ok(Self::Name(text.to_owned()))
    }
}
