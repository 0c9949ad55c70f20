//! TLS: the one meaning of the parameters of many tools.

use std::path::PathBuf;

use super::error::UrlError;
use super::params::{Param, Params};
use super::scheme::UrlRules;
use super::tls_mode::TlsMode;
use super::word;

/// How the connection is to be protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// How much.
    pub mode: TlsMode,
    /// The authorities' certificates (PEM); `None` for those that browsers trust.
    pub root_cert: Option<PathBuf>,
    /// The certificate to present (PEM).
    pub client_cert: Option<PathBuf>,
    /// Its key (PEM).
    pub client_key: Option<PathBuf>,
}

/// For `SQLite`, and for Unix sockets: "sslmode is ignored for Unix domain socket communication" (libpq), which
/// leaves no machine.
pub(super) static NONE: Tls = Tls {
    mode: TlsMode::Disable,
    root_cert: None,
    client_cert: None,
    client_key: None,
};

/// The one meaning of all parameters about TLS. Where tools differ, the stronger one is taken, since a refused
/// connection is noticed and a weak one is not.
pub(super) fn resolve(params: &mut Params) -> Result<Tls, UrlError> {
    // Prisma calls the authority's certificate `sslcert`, and the client's `sslidentity`.
    let [accept, identity, root, key] = [
        Param::SslAccept,
        Param::SslIdentity,
        Param::RootCert,
        Param::ClientKey,
    ]
    .map(|param| params.get(param).is_some());
    if (accept || identity)
        && !key
        && !root
        && let Some(cert) = params.take(Param::ClientCert)
    {
        params.put(Param::RootCert, cert);
    }
    let mut mode = mode(params)?;
    let default = params.take(Param::DefaultRootCert);
    let mut root_cert = params.take(Param::RootCert).or(default);
    if params.rules() == UrlRules::Libpq && root_cert.as_deref() == Some("system") {
        // libpq: verified against the machine's authorities, and nothing less than in full.
        root_cert = None;
        mode = TlsMode::VerifyFull;
    }
    // The driver can't bind a login to its TLS channel. Verifying the server in full protects from the same attack.
    let is_bound = params.get(Param::ChannelBinding) == Some("require");
    if is_bound || mode == TlsMode::VerifyCa && root_cert.is_none() {
        // Any of the public authorities would do for any server, which is why libpq refuses the latter.
        mode = TlsMode::VerifyFull;
    }
    if params.rules() == UrlRules::Mysql && mode == TlsMode::Allow {
        mode = TlsMode::Prefer;
    }
    let mut path = |param| params.take(param).map(PathBuf::from);
    Ok(Tls {
        mode,
        root_cert: root_cert.map(PathBuf::from),
        client_cert: path(Param::ClientCert),
        client_key: path(Param::ClientKey),
    })
}

fn mode(params: &Params) -> Result<TlsMode, UrlError> {
    let mut mode = stated(params)?;
    let at_least = |mode: Option<TlsMode>, least| match mode {
        Some(TlsMode::Disable) => mode,
        _ => mode.max(Some(least)),
    };
    for (param, name, least) in [
        (Param::RequireSsl, "requireSSL", TlsMode::Require),
        (
            Param::VerifyCert,
            "verifyServerCertificate",
            TlsMode::VerifyCa,
        ),
        (
            Param::VerifyHost,
            "ssl_verify_identity",
            TlsMode::VerifyFull,
        ),
    ] {
        if let Some(text) = params.get(param)
            && switch(name, text, least)? == least
        {
            mode = at_least(mode, least);
        }
    }
    let accept = params.get(Param::SslAccept).map(word);
    let unverified = match accept.as_deref() {
        None | Some("strict") => false,
        Some("acceptinvalidcerts") => true,
        Some(_) => {
            return Err(UrlError::TlsValue {
                parameter: "sslaccept",
                expected: "strict, accept_invalid_certs",
            });
        }
    };
    if accept.is_some() && !unverified && mode != Some(TlsMode::Prefer) {
        mode = at_least(mode, TlsMode::VerifyFull);
    }
    // For MySQL's clients, node-postgres and libpq (with `require`), naming a CA means verifying against it.
    let is_named = params.get(Param::RootCert).is_some();
    let verifies = match mode {
        None => is_named,
        Some(TlsMode::Require) if params.rules() == UrlRules::Libpq => {
            is_named || params.get(Param::DefaultRootCert).is_some()
        }
        Some(_) => false,
    };
    if verifies && !unverified {
        return Ok(TlsMode::VerifyCa);
    }
    if unverified && mode.is_none() && params.rules() == UrlRules::Mysql {
        return Ok(TlsMode::Require);
    }
    Ok(mode.unwrap_or(TlsMode::Prefer))
}

/// `sslmode`, or else `ssl`, or else `tls`, or else `useSSL`.
fn stated(params: &Params) -> Result<Option<TlsMode>, UrlError> {
    let stated = if let Some(text) = params.get(Param::SslMode) {
        TlsMode::named(text)
    } else if let Some(text) = params.get(Param::Ssl) {
        ssl(text, params)
    } else if let Some(text) = params.get(Param::Tls) {
        // Go's driver verifies in full unless it is asked not to. Any other value is the name of a
        // configuration in the program.
        let named = |text: &str| match word(text).as_str() {
            "skipverify" => Some(TlsMode::Require),
            "preferred" => Some(TlsMode::Prefer),
            _ => None,
        };
        let expected = "true, false, skip-verify, preferred";
        switch_or("tls", text, TlsMode::VerifyFull, named, expected)
    } else if let Some(text) = params.get(Param::UseSsl) {
        switch("useSSL", text, TlsMode::Require)
    } else {
        return Ok(None);
    };
    stated.map(Some)
}

/// `ssl` is a switch (libpq, JDBC), a mode (asyncpg) or an object (mysql2 for Node, as `PlanetScale`
/// hands it out).
fn ssl(text: &str, params: &Params) -> Result<TlsMode, UrlError> {
    if text.starts_with('{') {
        let object: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let anyone = object.contains("\"rejectUnauthorized\":false");
        return Ok(if anyone {
            TlsMode::Require
        } else {
            TlsMode::VerifyFull
        });
    }
    // To libpq `true` means `require`; to pgJDBC since 42.2.5 `verify-full`, unless told otherwise.
    let jdbc = params.rules() == UrlRules::Libpq && params.are_jdbc();
    let factory = params.get(Param::SslFactory);
    let anyone = factory.is_some_and(|factory| factory.contains("NonValidating"));
    let on = if jdbc && !anyone {
        TlsMode::VerifyFull
    } else {
        TlsMode::Require
    };
    let expected = "true, false, or an sslmode";
    switch_or("ssl", text, on, TlsMode::known, expected)
}

/// A switch: none, or as much protection as `on` says.
fn switch(parameter: &'static str, text: &str, on: TlsMode) -> Result<TlsMode, UrlError> {
    switch_or(parameter, text, on, |_| None, "true, false")
}

/// The same, of a parameter that has other words too.
fn switch_or(
    parameter: &'static str,
    text: &str,
    on: TlsMode,
    named: impl Fn(&str) -> Option<TlsMode>,
    expected: &'static str,
) -> Result<TlsMode, UrlError> {
    let mode = match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(on),
        "false" | "0" | "no" | "off" => Some(TlsMode::Disable),
        _ => named(text),
    };
    mode.ok_or(UrlError::TlsValue {
        parameter,
        expected,
    })
}
