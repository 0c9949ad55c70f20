//! The parameters that mean something to launchgate: behind a URL's `?`, in front of it, in a section of
//! libpq's service file, in libpq's variables. All others are ignored.

use super::error::UrlError;
use super::scheme::{Scheme, Spelling, UrlRules};
use super::split::Parts;
use super::{decode, non_empty, word};
use crate::redact::{self, Secrets};

/// What a parameter says, under whichever of its names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Param {
    User,
    Password,
    /// Postgres: a list, as `HostAddress`.
    Host,
    HostAddress,
    /// Postgres: a list, one for each host or one for all.
    Port,
    Socket,
    Database,
    Schema,
    Options,
    Service,
    PassFile,
    SessionAttrs,
    ChannelBinding,
    SslMode,
    Ssl,
    Tls,
    UseSsl,
    RequireSsl,
    VerifyCert,
    VerifyHost,
    SslFactory,
    SslAccept,
    SslIdentity,
    RootCert,
    /// The file that libpq looks for where no `RootCert` is named.
    DefaultRootCert,
    ClientCert,
    ClientKey,
}

impl Param {
    /// The one of a name in lower case, without hyphens and underscores: `ssl-mode`, `ssl_mode`, `sslMode` and
    /// `sslmode` are one word in four tools.
    fn named(name: &str, rules: UrlRules) -> Option<Self> {
        let is_libpq = rules == UrlRules::Libpq;
        Some(match name {
            "user" => Self::User,
            "password" => Self::Password,
            "port" => Self::Port,
            "host" => Self::Host,
            "dbname" => Self::Database,
            "unixsock" | "unixsocket" | "socketpath" => Self::Socket,
            "socket" | "localsocket" if !is_libpq => Self::Socket,
            "hostaddr" if is_libpq => Self::HostAddress,
            "schema" | "currentschema" | "searchpath" if is_libpq => Self::Schema,
            "options" if is_libpq => Self::Options,
            "service" if is_libpq => Self::Service,
            "passfile" if is_libpq => Self::PassFile,
            // pgJDBC calls it targetServerType.
            "targetsessionattrs" | "targetservertype" if is_libpq => Self::SessionAttrs,
            "channelbinding" if is_libpq => Self::ChannelBinding,
            "sslmode" => Self::SslMode,
            "ssl" => Self::Ssl,
            // Go's MySQL driver, and dbmate with it.
            "tls" => Self::Tls,
            // MySQL Connector/J and MariaDB Connector/J.
            "usessl" => Self::UseSsl,
            "requiressl" => Self::RequireSsl,
            "verifyservercertificate" | "sslverifycert" | "sslverifyservercert" => Self::VerifyCert,
            // PyMySQL, mysqlclient, MySQL Connector/Python.
            "sslverifyidentity" | "sslcheckhostname" => Self::VerifyHost,
            // pgJDBC.
            "sslfactory" => Self::SslFactory,
            // Prisma.
            "sslaccept" => Self::SslAccept,
            "sslidentity" => Self::SslIdentity,
            "sslrootcert" | "sslca" | "serversslcert" => Self::RootCert,
            "sslcert" => Self::ClientCert,
            "sslkey" => Self::ClientKey,
            _ => return None,
        })
    }

    /// Whether it says how much TLS has to protect.
    fn is_tls_mode(self) -> bool {
        matches!(
            self,
            Self::SslMode
                | Self::Ssl
                | Self::Tls
                | Self::UseSsl
                | Self::RequireSsl
                | Self::VerifyCert
                | Self::VerifyHost
                | Self::SslAccept
        )
    }
}

/// Parameters by which libpq protects a connection and the driver can't: the name as in [`Param::named`], as
/// libpq spells it, and the value that asks for it; any where it is empty.
const UNSUPPORTED: [(&str, &str, &str); 7] = [
    ("gssencmode", "gssencmode", "require"),
    ("sslcrl", "sslcrl", ""),
    ("sslcrldir", "sslcrldir", ""),
    ("requirepeer", "requirepeer", ""),
    ("requireauth", "require_auth", ""),
    ("sslcertmode", "sslcertmode", "require"),
    (
        "sslminprotocolversion",
        "ssl_min_protocol_version",
        "TLSv1.3",
    ),
];

/// What the parameters of one place say, decoded, or of several where the first that says anything wins. Of a
/// parameter given twice, the last counts; an empty value counts as not given. Deliberately without `Debug`.
pub(super) struct Params {
    rules: UrlRules,
    /// How a URL's values are percent-encoded; `None` for variables and a file's lines, which are as they are.
    spelling: Option<Spelling>,
    values: Vec<(Param, String)>,
    /// What is secret in them, and in what they were read from.
    pub(super) secrets: Secrets,
}

impl Params {
    /// None yet, of a variable or a file.
    pub(super) fn raw(rules: UrlRules) -> Self {
        Self {
            rules,
            spelling: None,
            values: Vec::new(),
            secrets: Secrets::default(),
        }
    }

    /// Reads what follows a URL's `?`.
    pub(super) fn of_query(query: &str, scheme: Scheme) -> Result<Self, UrlError> {
        let mut params = Self::raw(scheme.rules());
        params.spelling = Some(scheme.spelling);
        params.secrets.add_query(query);
        for pair in query.split('&') {
            // To pgJDBC, the name alone means true.
            let pair = if pair == "ssl" { "ssl=true" } else { pair };
            if let Some((name, value)) = pair.split_once('=') {
                params.set(name, value)?;
            }
        }
        Ok(params)
    }

    /// Reads what stands in front of a URL's `?`: the same parts, in other words.
    pub(super) fn of_front(parts: &Parts<'_>, rules: UrlRules) -> Result<Self, UrlError> {
        let mut params = Self::raw(rules);
        if let Some(userinfo) = parts.userinfo {
            let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
            let decoded = decode(password)?;
            params.secrets.add_userinfo(userinfo);
            params.secrets.add_password(password, &decoded);
            params.put(Param::User, decode(user)?);
            params.put(Param::Password, decoded);
        }
        let (hosts, ports): (Vec<String>, Vec<&str>) = parts.hosts()?.into_iter().unzip();
        if rules == UrlRules::Mysql && hosts.len() > 1 {
            return Err(UrlError::SeveralHosts);
        }
        for (param, list) in [
            (Param::Host, hosts.join(",")),
            (Param::Port, ports.join(",")),
        ] {
            if list.contains(|c| c != ',') {
                params.put(param, list);
            }
        }
        let path = parts.path.trim_start_matches('/');
        params.put(
            Param::Database,
            decode(path.strip_suffix('/').unwrap_or(path))?,
        );
        Ok(params)
    }

    /// Whose rules they follow.
    pub(super) fn rules(&self) -> UrlRules {
        self.rules
    }

    /// Whether they are written for JDBC.
    pub(super) fn are_jdbc(&self) -> bool {
        self.spelling == Some(Spelling::Jdbc)
    }

    /// A value. To Python, Go, JavaScript and JDBC a `+` is a space; in users and passwords it is itself to
    /// libpq, and outside JDBC, parameters are written for libpq.
    fn decode(&self, written: &str, is_credential: bool) -> Result<String, UrlError> {
        match self.spelling {
            None => Ok(written.to_owned()),
            Some(_) if is_credential && !self.are_jdbc() => decode(written),
            Some(_) => decode(&written.replace('+', " ")),
        }
    }

    /// The value of a parameter, never empty.
    pub(super) fn get(&self, param: Param) -> Option<&str> {
        let found = self.values.iter().find(|(known, _)| *known == param)?;
        Some(&found.1)
    }

    /// The value of a parameter, which is not given any more.
    pub(super) fn take(&mut self, param: Param) -> Option<String> {
        let at = self.values.iter().position(|(known, _)| *known == param)?;
        Some(self.values.swap_remove(at).1)
    }

    /// Sets a parameter, whatever it was.
    pub(super) fn put(&mut self, param: Param, value: String) {
        self.take(param);
        self.values
            .extend(non_empty(value).map(|value| (param, value)));
    }

    /// Sets the parameter of this name.
    pub(super) fn set(&mut self, name: &str, written: &str) -> Result<(), UrlError> {
        let name = &*word(name);
        // Also `sslpassword` and JDBC's key stores'.
        let is_password = redact::is_password(name);
        let value = self.decode(written, is_password || name == "user");
        if is_password {
            let value = value.as_deref().unwrap_or_default();
            self.secrets.add_password(written, value);
        }
        if self.rules == UrlRules::Libpq {
            let mut unsupported = UNSUPPORTED.iter();
            if let Some((_, parameter, refused)) = unsupported.find(|(known, ..)| *known == name) {
                let value = value?;
                if !value.is_empty() && (refused.is_empty() || value == *refused) {
                    return Err(UrlError::Unsupported { parameter });
                }
                return Ok(());
            }
        }
        // Of a parameter that is ignored, not even the encoding matters.
        let Some(param) = Param::named(name, self.rules) else {
            return Ok(());
        };
        // In a service file libpq knows no other word for it.
        let is_libpqs = matches!(param, Param::SslMode | Param::RequireSsl);
        if self.spelling.is_none() && param.is_tls_mode() && !is_libpqs {
            return Ok(());
        }
        let value = value?;
        let value = match (param, self.take(param)) {
            (Param::Options, Some(options)) if value.is_empty() => options,
            (Param::Options, Some(options)) => format!("{options} {value}"),
            (Param::Schema, _) => {
                let first = value.split(',').next().unwrap_or_default().trim();
                first.trim_matches('"').to_owned()
            }
            (Param::ChannelBinding, Some(before)) if before == "require" => before,
            _ => value,
        };
        self.put(param, value);
        Ok(())
    }

    /// What is not said here is taken from `lower`; how much TLS has to protect only where nothing at all is
    /// said about it, since libpq knows but one parameter for it. A login that must be bound to its channel
    /// somewhere must be.
    pub(super) fn or(mut self, lower: Self) -> Self {
        if lower.get(Param::ChannelBinding) == Some("require") {
            self.put(Param::ChannelBinding, "require".to_owned());
        }
        let says_how = self.values.iter().any(|(param, _)| param.is_tls_mode());
        for (param, value) in lower.values {
            if self.get(param).is_none() && !(says_how && param.is_tls_mode()) {
                self.values.push((param, value));
            }
        }
        self.secrets.add_all(&lower.secrets);
        self
    }
}
