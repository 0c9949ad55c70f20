//! What libpq takes from variables and files, in its order: the URL, then the service file's section,
//! then variables (<https://www.postgresql.org/docs/current/libpq-envars.html>).

use std::path::{Path, PathBuf};
use std::str::Chars;

use super::address::Address;
use super::error::UrlError;
use super::params::{Param, Params};
use super::scheme::UrlRules;
use super::secret::Secret;
use super::split::UrlHost;
use super::surroundings::Surroundings;
use super::tls_mode::TlsMode;

/// The variables, and the parameter that each of them stands for.
const VARIABLES: [(&str, &str); 22] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGSERVICE", "service"),
    ("PGOPTIONS", "options"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLCRL", "sslcrl"),
    ("PGSSLCRLDIR", "sslcrldir"),
    ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGREQUIRESSL", "requiressl"),
];

/// Fills in what a URL of Postgres leaves out.
pub(super) fn fill(params: Params, around: &Surroundings<'_>) -> Result<Params, UrlError> {
    let mut variables = Params::raw(UrlRules::Libpq);
    for (variable, parameter) in VARIABLES {
        if let Some(value) = (around.variable)(variable) {
            let value = value.to_str().ok_or(UrlError::NotUtf8);
            value
                .and_then(|value| {
                    if parameter == "sslmode" && !value.is_empty() {
                        TlsMode::named(value)?;
                    }
                    variables.set(parameter, value)
                })
                .map_err(|error| error.of(variable))?;
        }
    }
    let service = params.get(Param::Service).or(variables.get(Param::Service));
    let section = match service {
        Some(name) => service_section(name, around)?,
        None => Params::raw(UrlRules::Libpq),
    };
    let mut params = params.or(section).or(variables);
    let default = |name: &str| {
        let path = home(around)?.join(".postgresql").join(name);
        (around.exists)(&path).then(|| path.to_string_lossy().into_owned())
    };
    let has = |param| params.get(param).is_some();
    let has_client = has(Param::ClientCert) || has(Param::ClientKey);
    if !has(Param::RootCert)
        && let Some(root) = default("root.crt")
    {
        params.put(Param::DefaultRootCert, root);
    }
    if !has_client
        && let Some(cert) = default("postgresql.crt")
        && let Some(key) = default("postgresql.key")
    {
        params.put(Param::ClientCert, cert);
        params.put(Param::ClientKey, key);
    }
    Ok(params)
}

fn home(around: &Surroundings<'_>) -> Option<PathBuf> {
    (around.variable)("HOME").map(PathBuf::from)
}

/// A section of the user's service file, else of the system's
/// (<https://www.postgresql.org/docs/current/libpq-pgservice.html>).
fn service_section(name: &str, around: &Surroundings<'_>) -> Result<Params, UrlError> {
    let own = match (around.variable)("PGSERVICEFILE") {
        Some(file) => Some(PathBuf::from(file)),
        None => home(around).map(|home| home.join(".pg_service.conf")),
    };
    // Debian's folder, where no variable names another.
    let system = (around.variable)("PGSYSCONFDIR").unwrap_or("/etc/postgresql-common".as_ref());
    let system = Path::new(system).join("pg_service.conf");
    for file in own.into_iter().chain([system]) {
        if !(around.exists)(&file) {
            continue;
        }
        let contents = (around.read_file)(&file).map_err(|error| UrlError::ServiceFile {
            file: file.clone(),
            problem: error.to_string(),
        })?;
        if let Some(params) = section(&contents, name)
            .map_err(|error| error.of(&format!("service {name} in {}", file.display())))?
        {
            return Ok(params);
        }
    }
    Err(UrlError::Service(name.to_owned()))
}

fn section(contents: &[u8], name: &str) -> Result<Option<Params>, UrlError> {
    let contents = std::str::from_utf8(contents).map_err(|_| UrlError::NotUtf8)?;
    let lines = contents.lines().map(str::trim);
    let mut lines = lines.skip_while(|line| {
        let inner = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'));
        inner != Some(name)
    });
    if lines.next().is_none() {
        return Ok(None);
    }
    let mut params = Params::raw(UrlRules::Libpq);
    for line in lines.take_while(|line| !line.starts_with('[')) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // An LDAP server's, which libpq would ask.
        let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with("ldap")) else {
            return Err(UrlError::ServiceLine);
        };
        params.set(key, value)?;
    }
    Ok(Some(params))
}

/// Gives each address the password that the password file has for it
/// (<https://www.postgresql.org/docs/current/libpq-pgpass.html>).
pub(super) fn add_passwords(
    addresses: &mut [Address],
    params: &mut Params,
    around: &Surroundings<'_>,
) -> Result<(), UrlError> {
    let user = params.get(Param::User).unwrap_or_default().to_owned();
    let database = params.get(Param::Database).unwrap_or(&user).to_owned();
    let named = params.get(Param::PassFile).map(PathBuf::from);
    let Some(file) = named.or_else(|| home(around).map(|home| home.join(".pgpass"))) else {
        return Ok(());
    };
    if !(around.exists)(&file) {
        return Ok(());
    }
    // psql warns and goes on without; what it would say about the password then helps nobody.
    if !(around.is_private)(&file) {
        return Err(UrlError::PassFile(file));
    }
    let contents = (around.read_file)(&file).map_err(|_| UrlError::PassFile(file))?;
    let contents = String::from_utf8_lossy(&contents);
    for address in addresses {
        let host = match &address.host {
            Some(UrlHost::Name(name)) => name.clone(),
            Some(UrlHost::Socket(path))
                if path != Path::new("/var/run/postgresql") && path != Path::new("/tmp") =>
            {
                path.to_string_lossy().into_owned()
            }
            _ => "localhost".to_owned(),
        };
        let port = address.port.unwrap_or(5432).to_string();
        let wanted = [host.as_str(), &port, &database, &user];
        let password = contents.lines().find_map(|line| password(line, wanted));
        if let Some(password) = password {
            params.secrets.add_password(&password, &password);
            address.password = Some(Secret::new(password));
        }
    }
    Ok(())
}

/// The fifth field of a line whose first four match. Anything behind another colon is ignored.
fn password(line: &str, wanted: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line.chars();
    for wanted in wanted {
        let is_any = rest.as_str().starts_with("*:");
        if field(&mut rest) != wanted && !is_any {
            return None;
        }
    }
    Some(field(&mut rest)).filter(|password| !password.is_empty())
}

/// The text up to a colon without a backslash in front, or to the end.
fn field(rest: &mut Chars<'_>) -> String {
    let mut text = String::new();
    while let Some(letter) = rest.next() {
        match letter {
            ':' => break,
            '\\' => text.extend(rest.next()),
            _ => text.push(letter),
        }
    }
    text
}
