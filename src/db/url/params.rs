//! The parameters behind the `?` that say something to launchgate. All others are passed over in silence.

use super::error::UrlError;
use super::scheme::{Backend, Dialect, Spelling};
use super::secret::Secrets;
use super::split::parse_port;
use super::tls::TlsParams;
use super::{decode, non_empty};

/// What the parameters say, decoded; of those given twice the last. Empty values count as not given.
#[derive(Default)]
pub(super) struct Params {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) host: Option<String>,
    pub(super) address: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) socket: Option<String>,
    pub(super) database: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) options: Option<String>,
    pub(super) tls: TlsParams,
}

impl Params {
    pub(super) fn read(
        query: &str,
        dialect: Dialect,
        secrets: &mut Secrets,
    ) -> Result<Self, UrlError> {
        secrets.add_query(query);
        let mut params = Self::default();
        for pair in query.split('&') {
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            // `ssl-mode`, `ssl_mode`, `sslMode` and `sslmode` are one word in four tools.
            let name = name.replace(['-', '_'], "").to_ascii_lowercase();
            params.set(&name, value, dialect, secrets)?;
        }
        Ok(params)
    }

    fn set(
        &mut self,
        name: &str,
        written: &str,
        dialect: Dialect,
        secrets: &mut Secrets,
    ) -> Result<(), UrlError> {
        // Also `sslpassword` and JDBC's key stores'.
        if ["password", "passwd", "passphrase", "pass", "pwd"]
            .iter()
            .any(|ending| name.ends_with(ending))
        {
            let value = match name {
                "password" => credential(written, dialect)?,
                _ => credential(written, dialect).unwrap_or_default(),
            };
            secrets.add_password(written, &value);
            if name == "password" {
                self.password = non_empty(value);
            }
            return Ok(());
        }
        let slot = match (name, dialect.backend) {
            ("user", _) => {
                self.user = non_empty(credential(written, dialect)?);
                return Ok(());
            }
            ("port", _) => {
                self.port = non_empty(value(written)?)
                    .map(|port| parse_port(&port))
                    .transpose()?;
                return Ok(());
            }
            ("options", Backend::Postgres) => {
                let more = value(written)?;
                self.options = match self.options.take() {
                    Some(options) if !more.is_empty() => Some(format!("{options} {more}")),
                    Some(options) => Some(options),
                    None => non_empty(more),
                };
                return Ok(());
            }
            ("schema" | "currentschema" | "searchpath", Backend::Postgres) => {
                let path = value(written)?;
                let first = path.split(',').next().unwrap_or_default().trim();
                self.schema = non_empty(first.trim_matches('"').to_owned());
                return Ok(());
            }
            ("host", _) => &mut self.host,
            ("hostaddr", _) => &mut self.address,
            ("dbname", _) => &mut self.database,
            ("socket" | "unixsocket" | "socketpath", Backend::Mysql) => &mut self.socket,
            _ => match self.tls.slot(name) {
                Some(slot) => slot,
                None => return Ok(()),
            },
        };
        *slot = non_empty(value(written)?);
        Ok(())
    }
}

/// A value as Python, Go, JavaScript and JDBC read it: a `+` is a space.
fn value(written: &str) -> Result<String, UrlError> {
    decode(&written.replace('+', " "))
}

/// User and password: a `+` is a space to JDBC, but itself to libpq, and who gave them as
/// parameters outside of JDBC wrote them for libpq.
fn credential(written: &str, dialect: Dialect) -> Result<String, UrlError> {
    match dialect.spelling {
        Spelling::Jdbc => value(written),
        Spelling::Plain | Spelling::File => decode(written),
    }
}
