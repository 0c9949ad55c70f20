//! TLS: what the parameters of many tools ask for, as one of libpq's six modes.

use std::path::PathBuf;

use super::error::UrlError;
use super::scheme::{Scheme, Spelling};

/// How much protection is asked for, weakest first: libpq's modes, `MySQL`'s in brackets.
/// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    /// None (DISABLED).
    Disable,
    /// Only if the server insists. Never `MySQL`'s.
    Allow,
    /// If the server can (PREFERRED).
    Prefer,
    /// Encrypted, to whoever answers (REQUIRED).
    Require,
    /// Encrypted, to a server with a certificate of a known authority (`VERIFY_CA`).
    VerifyCa,
    /// Encrypted, to the very host that was meant (`VERIFY_IDENTITY`).
    VerifyFull,
}

impl TlsMode {
    /// Whether the server's certificate has to be an authority's.
    pub fn verifies(self) -> bool {
        self >= Self::VerifyCa
    }

    /// As libpq's `sslmode` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

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

const MODES: &str = "disable, allow, prefer, require, verify-ca, verify-full (MySQL: disabled, preferred, required, \
                     verify_ca, verify_identity)";
const SWITCH: &str = "true, false";

/// The parameters about TLS, as they were given.
#[derive(Default)]
pub(super) struct TlsParams {
    mode: Option<String>,
    ssl: Option<String>,
    tls: Option<String>,
    use_ssl: Option<String>,
    require: Option<String>,
    verify_cert: Option<String>,
    verify_host: Option<String>,
    factory: Option<String>,
    accept: Option<String>,
    identity: Option<String>,
    root_cert: Option<String>,
    client_cert: Option<String>,
    client_key: Option<String>,
    full: bool,
    root_cert_is_default: bool,
}

impl TlsParams {
    /// The server's identity has to be verified, whatever else is said.
    pub(super) fn require_full(&mut self) {
        self.full = true;
    }

    /// Whether the mode is one that is known, where one is named.
    pub(super) fn check_mode(&self) -> Result<(), UrlError> {
        self.named_mode().map(drop)
    }

    /// What `sslmode` says.
    fn named_mode(&self) -> Result<Option<TlsMode>, UrlError> {
        let error = UrlError::TlsValue {
            parameter: "sslmode",
            expected: MODES,
        };
        let text = self.mode.as_deref();
        text.map(|text| mode(text).ok_or(error)).transpose()
    }

    /// What is not said here is taken from `lower`; of the mode only where nothing at all is said
    /// about it, since libpq knows but one parameter for it.
    pub(super) fn or(self, lower: Self) -> Self {
        let says_how = [
            &self.mode,
            &self.ssl,
            &self.tls,
            &self.use_ssl,
            &self.require,
            &self.verify_cert,
            &self.verify_host,
            &self.accept,
        ]
        .into_iter()
        .any(Option::is_some);
        Self {
            mode: self.mode.or(lower.mode.filter(|_| !says_how)),
            root_cert: self.root_cert.or(lower.root_cert),
            client_cert: self.client_cert.or(lower.client_cert),
            client_key: self.client_key.or(lower.client_key),
            full: self.full || lower.full,
            ..self
        }
    }

    /// The files that libpq looks for where none is named.
    pub(super) fn default_files(&mut self, found: impl Fn(&str) -> Option<String>) {
        if self.root_cert.is_none() {
            self.root_cert = found("root.crt");
            self.root_cert_is_default = true;
        }
        if self.client_cert.is_none()
            && self.client_key.is_none()
            && let Some(cert) = found("postgresql.crt")
            && let Some(key) = found("postgresql.key")
        {
            (self.client_cert, self.client_key) = (Some(cert), Some(key));
        }
    }

    /// Where the parameter of this name goes, in lower case, without hyphens and underscores.
    pub(super) fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "sslmode" => &mut self.mode,
            "ssl" => &mut self.ssl,
            // Go's MySQL driver, and dbmate with it.
            "tls" => &mut self.tls,
            // MySQL Connector/J and MariaDB Connector/J.
            "usessl" => &mut self.use_ssl,
            "requiressl" => &mut self.require,
            "verifyservercertificate" | "sslverifycert" | "sslverifyservercert" => {
                &mut self.verify_cert
            }
            // PyMySQL, mysqlclient, MySQL Connector/Python.
            "sslverifyidentity" | "sslcheckhostname" => &mut self.verify_host,
            // pgJDBC.
            "sslfactory" => &mut self.factory,
            // Prisma.
            "sslaccept" => &mut self.accept,
            "sslidentity" => &mut self.identity,
            "sslrootcert" | "sslca" | "serversslcert" => &mut self.root_cert,
            "sslcert" => &mut self.client_cert,
            "sslkey" => &mut self.client_key,
            _ => return None,
        })
    }

    /// Whether the host's name is compared with the certificate's, as far as `sslmode` says.
    pub(super) fn verifies_host(&self) -> bool {
        self.full || self.named_mode() == Ok(Some(TlsMode::VerifyFull))
    }

    /// The one meaning of them all. Where tools differ, the stronger one is taken, since a refused
    /// connection is noticed and a weak one is not.
    pub(super) fn resolve(mut self, scheme: Scheme) -> Result<Tls, UrlError> {
        // Prisma calls the authority's certificate `sslcert`, and the client's `sslidentity`.
        let prisma = self.accept.is_some() || self.identity.is_some();
        if prisma && self.client_key.is_none() && self.root_cert.is_none() {
            self.root_cert = self.client_cert.take();
        }
        let mut mode = self.mode(scheme)?;
        let system = scheme.rules().are_libpq() && self.root_cert.as_deref() == Some("system");
        if system {
            // libpq: verified against the machine's authorities, and nothing less than in full.
            self.root_cert = None;
            mode = TlsMode::VerifyFull;
        }
        if self.full || mode == TlsMode::VerifyCa && self.root_cert.is_none() {
            // Any of the public authorities would do for any server, which is why libpq refuses this.
            mode = TlsMode::VerifyFull;
        }
        if scheme.rules().are_mysql() && mode == TlsMode::Allow {
            mode = TlsMode::Prefer;
        }
        Ok(Tls {
            mode,
            root_cert: self.root_cert.map(PathBuf::from),
            client_cert: self.client_cert.map(PathBuf::from),
            client_key: self.client_key.map(PathBuf::from),
        })
    }

    fn mode(&self, scheme: Scheme) -> Result<TlsMode, UrlError> {
        let mut mode = self.stated(scheme)?;
        let at_least = |mode: Option<TlsMode>, least| match mode {
            Some(TlsMode::Disable) => mode,
            _ => mode.max(Some(least)),
        };
        if switch("requireSSL", self.require.as_deref())? == Some(true) {
            mode = at_least(mode, TlsMode::Require);
        }
        if switch("verifyServerCertificate", self.verify_cert.as_deref())? == Some(true) {
            mode = at_least(mode, TlsMode::VerifyCa);
        }
        if switch("ssl_verify_identity", self.verify_host.as_deref())? == Some(true) {
            mode = at_least(mode, TlsMode::VerifyFull);
        }
        let unverified = match self.accept.as_deref().map(word).as_deref() {
            None | Some("strict") => false,
            Some("acceptinvalidcerts") => true,
            Some(_) => {
                return Err(UrlError::TlsValue {
                    parameter: "sslaccept",
                    expected: "strict, accept_invalid_certs",
                });
            }
        };
        if self.accept.is_some() && !unverified && mode != Some(TlsMode::Prefer) {
            mode = at_least(mode, TlsMode::VerifyFull);
        }
        // For MySQL's clients, node-postgres and libpq (with `require`), naming a CA means
        // verifying against it.
        let verifiable = match mode {
            None => !self.root_cert_is_default,
            Some(TlsMode::Require) => scheme.rules().are_libpq(),
            Some(_) => false,
        };
        if self.root_cert.is_some() && verifiable && !unverified {
            return Ok(TlsMode::VerifyCa);
        }
        if unverified && mode.is_none() && scheme.rules().are_mysql() {
            return Ok(TlsMode::Require);
        }
        Ok(mode.unwrap_or(TlsMode::Prefer))
    }

    /// `sslmode`, or else `ssl`, or else `tls`, or else `useSSL`.
    fn stated(&self, scheme: Scheme) -> Result<Option<TlsMode>, UrlError> {
        if let Some(mode) = self.named_mode()? {
            return Ok(Some(mode));
        }
        if let Some(text) = &self.ssl {
            return self.ssl(text, scheme).map(Some);
        }
        if let Some(text) = &self.tls {
            return go_tls(text).map(Some);
        }
        Ok(switch("useSSL", self.use_ssl.as_deref())?.map(|on| {
            if on {
                TlsMode::Require
            } else {
                TlsMode::Disable
            }
        }))
    }

    /// `ssl` is a switch (libpq, JDBC), a mode (asyncpg) or an object (mysql2 for Node, as `PlanetScale`
    /// hands it out).
    fn ssl(&self, text: &str, scheme: Scheme) -> Result<TlsMode, UrlError> {
        if text.starts_with('{') {
            let object: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            let anyone = object.contains("\"rejectUnauthorized\":false");
            return Ok(if anyone {
                TlsMode::Require
            } else {
                TlsMode::VerifyFull
            });
        }
        match parse_switch(text) {
            Some(false) => Ok(TlsMode::Disable),
            Some(true) => {
                // To libpq it means `require`; to pgJDBC since 42.2.5 `verify-full`, unless told otherwise.
                let jdbc = scheme.rules().are_libpq() && scheme.spelling == Spelling::Jdbc;
                let anyone = self
                    .factory
                    .as_deref()
                    .is_some_and(|factory| factory.contains("NonValidating"));
                Ok(if jdbc && !anyone {
                    TlsMode::VerifyFull
                } else {
                    TlsMode::Require
                })
            }
            None => mode(text).ok_or(UrlError::TlsValue {
                parameter: "ssl",
                expected: "true, false, or an sslmode",
            }),
        }
    }
}

/// Go's driver verifies in full unless it is asked not to. Any other value is the name of a configuration
/// in the program.
fn go_tls(text: &str) -> Result<TlsMode, UrlError> {
    match (parse_switch(text), word(text).as_str()) {
        (Some(true), _) => Ok(TlsMode::VerifyFull),
        (Some(false), _) => Ok(TlsMode::Disable),
        (None, "skipverify") => Ok(TlsMode::Require),
        (None, "preferred") => Ok(TlsMode::Prefer),
        (None, _) => Err(UrlError::TlsValue {
            parameter: "tls",
            expected: "true, false, skip-verify, preferred",
        }),
    }
}

fn word(text: &str) -> String {
    text.replace(['-', '_'], "").to_ascii_lowercase()
}

/// A mode by the names of libpq, `MySQL`, `MariaDB` Connector/J (`trust`) and node-postgres
/// (`no-verify`), on any server: the words don't contradict each other.
fn mode(text: &str) -> Option<TlsMode> {
    match word(text).as_str() {
        "disable" | "disabled" => Some(TlsMode::Disable),
        "allow" => Some(TlsMode::Allow),
        "prefer" | "preferred" => Some(TlsMode::Prefer),
        "require" | "required" | "trust" | "noverify" => Some(TlsMode::Require),
        "verifyca" => Some(TlsMode::VerifyCa),
        "verifyfull" | "verifyidentity" => Some(TlsMode::VerifyFull),
        _ => None,
    }
}

fn switch(parameter: &'static str, text: Option<&str>) -> Result<Option<bool>, UrlError> {
    let error = UrlError::TlsValue {
        parameter,
        expected: SWITCH,
    };
    text.map(|text| parse_switch(text).ok_or(error)).transpose()
}

fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}
