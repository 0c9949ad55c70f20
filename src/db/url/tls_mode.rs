//! How much TLS has to protect, as one of libpq's six modes.

use super::error::UrlError;
use super::word;

const MODES: &str = "disable, allow, prefer, require, verify-ca, verify-full (MySQL: disabled, preferred, required, \
                     verify_ca, verify_identity)";

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

    /// What `sslmode` says.
    pub(super) fn named(text: &str) -> Result<Self, UrlError> {
        Self::known(text).ok_or(UrlError::TlsValue {
            parameter: "sslmode",
            expected: MODES,
        })
    }

    /// A mode by the names of libpq, `MySQL`, `MariaDB` Connector/J (`trust`) and node-postgres
    /// (`no-verify`), on any server: the words don't contradict each other.
    pub(super) fn known(text: &str) -> Option<Self> {
        match word(text).as_str() {
            "disable" | "disabled" => Some(Self::Disable),
            "allow" => Some(Self::Allow),
            "prefer" | "preferred" => Some(Self::Prefer),
            "require" | "required" | "trust" | "noverify" => Some(Self::Require),
            "verifyca" => Some(Self::VerifyCa),
            "verifyfull" | "verifyidentity" => Some(Self::VerifyFull),
            _ => None,
        }
    }
}
