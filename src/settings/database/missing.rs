//! What to write where no setting names a database, from the variables that hold parts of one.
//!
//! The hint is a `--database-url` line to paste. Values are shown only of a connection string's host,
//! port, user and database: all else is a name in braces, which launchgate replaces.

use crate::db::Backend;
use crate::db::url::DatabaseUrl;
use crate::sys::environment::Environment;

const NOTHING: &str = "set DATABASE_URL or --database-url";

/// What the names of one database's parts begin with, and what that says of the database.
const PREFIXES: [(&str, Option<Backend>); 12] = [
    ("DB", None),
    ("DATABASE", None),
    ("POSTGRES", Some(Backend::Postgres)),
    ("POSTGRESQL", Some(Backend::Postgres)),
    ("POSTGRESQL_ADDON", Some(Backend::Postgres)),
    ("PG", Some(Backend::Postgres)),
    ("MYSQL", Some(Backend::Mysql)),
    ("MYSQL_ADDON", Some(Backend::Mysql)),
    ("MARIADB", Some(Backend::Mysql)),
    ("RDS", None),
    ("SQL", None),
    ("SPRING_DATASOURCE", None),
];

/// What the names of the parts end with: user, password, host, port and database.
const ENDINGS: [&[&str]; 5] = [
    &["USERNAME", "USER", "USR", "LOGIN"],
    &["PASSWORD", "PASS", "PASSWD", "PWD", "ROOT_PASSWORD"],
    &["HOST", "HOSTNAME", "SERVER", "ADDR", "ADDRESS"],
    &["PORT"],
    &["DATABASE", "NAME", "DBNAME", "DB_NAME", "DB", "SCHEMA"],
];

/// The same in a connection string.
const KEYWORDS: [&[&str]; 5] = [
    &["username", "user id", "userid", "uid", "user"],
    &[],
    &["host", "server", "addr", "address"],
    &["port"],
    &["database", "dbname", "initial catalog"],
];

const PASSWORD_FILE: [&str; 2] = ["PASSWORD_FILE", "PASS_FILE"];
const ENGINE: [&str; 8] = [
    "CONNECTION",
    "ENGINE",
    "ADAPTER",
    "TYPE",
    "DRIVER",
    "DIALECT",
    "CLIENT",
    "VENDOR",
];

/// What to write.
pub(super) fn hint(environment: &Environment) -> String {
    let line = whole_url(environment)
        .or_else(|| {
            PREFIXES
                .iter()
                .find_map(|prefix| parts(environment, *prefix))
        })
        .or_else(|| connection_string(environment));
    line.unwrap_or_else(|| NOTHING.to_owned())
}

/// A variable that holds a URL under a name that launchgate does not look at by itself.
fn whole_url(environment: &Environment) -> Option<String> {
    let name = environment.names_with(b"").find(|name| {
        let name_text = String::from_utf8_lossy(name);
        let value = environment.get(name).and_then(|value| value.to_str());
        let is_url = value.is_some_and(|value| {
            value.contains("://") && DatabaseUrl::parse(value).is_ok_and(|url| url.host().is_some())
        });
        is_url && !name_text.starts_with("LAUNCHGATE_")
    })?;
    let name = String::from_utf8_lossy(name);
    Some(format!(
        "{name} holds a database URL: write `--database-url-env {name}`"
    ))
}

/// The URL to write, with words in place of the parts that are not known.
fn url(backend: Option<Backend>, parts: [Option<String>; 5]) -> String {
    let [user, password, host, port, name] = parts;
    let or = |part: Option<String>, word: &str| part.unwrap_or_else(|| word.to_owned());
    if backend == Some(Backend::Sqlite) {
        return format!("sqlite:{}", or(name, "PATH"));
    }
    let with_colon = |part: Option<String>| part.map_or_else(String::new, |p| format!(":{p}"));
    format!(
        "{}://{}{}@{}{}/{}",
        backend.unwrap_or(Backend::Postgres),
        or(user, "USER"),
        with_colon(password),
        or(host, "HOST"),
        with_colon(port),
        or(name, "DATABASE")
    )
}

/// The parts under one prefix.
fn parts(environment: &Environment, (prefix, backend): (&str, Option<Backend>)) -> Option<String> {
    let get = |name: &str| environment.get_filled(name)?.to_str();
    let find = |endings: &[&str]| {
        // libpq's variables have no underscore.
        let between = if prefix == "PG" { "" } else { "_" };
        endings
            .iter()
            .map(|ending| format!("{prefix}{between}{ending}"))
            .find(|name| get(name).is_some())
    };
    let value = |name: &Option<String>| name.as_deref().and_then(get).unwrap_or_default();
    let parts @ [user, password, host, port, name] = &ENDINGS.map(find);
    let backend = engine_backend(value(&find(&ENGINE)))
        .or(backend)
        .or_else(|| port_backend(value(port)));
    let is_file = backend == Some(Backend::Sqlite);
    if !is_file && host.is_none() && (name.is_none() || user.is_none()) {
        return None;
    }
    let braced = |name: &Option<String>| name.as_ref().map(|name| format!("{{{name}}}"));
    let mut flags = quoted(&url(backend, parts.each_ref().map(braced)));
    if let Some(file) = find(&PASSWORD_FILE).filter(|_| !is_file && password.is_none()) {
        flags += " --database-password-file ";
        flags += &quoted(value(&Some(file)));
    }
    let or_mysql = match backend {
        Some(_) => "",
        None => " (mysql:// if it is MySQL or MariaDB)",
    };
    Some(format!("write `--database-url {flags}`{or_mysql}"))
}

/// .NET's connection strings and Go's data source names.
fn connection_string(environment: &Environment) -> Option<String> {
    let name = environment.names_with(b"").find(|name| {
        let upper = String::from_utf8_lossy(name).to_ascii_uppercase();
        let is_one = upper.starts_with("CONNECTIONSTRINGS__")
            || ["DSN", "CONNECTION_STRING", "CONNECTIONSTRING", "DBSTRING"]
                .iter()
                .any(|ending| upper.ends_with(ending));
        is_one && environment.get(name).is_some_and(|value| !value.is_empty())
    })?;
    let text = environment.get(name)?.to_str()?;
    let shown = String::from_utf8_lossy(name);
    Some(format!(
        "{shown} is not a URL: write its parts as `--database-url {}`, with {{NAME}} for a variable's value",
        quoted(&of_keywords(text))
    ))
}

/// The URL with the parts that `Host=db;Database=shop;…` has. Only values that are surely no part of a
/// password are shown.
fn of_keywords(text: &str) -> String {
    let is_spaced = !text.contains(';') && text.matches('=').count() > 1;
    let pairs = text.split(if is_spaced { ' ' } else { ';' });
    let pairs = pairs.filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        Some((key.trim().to_ascii_lowercase(), value.trim()))
    });
    let pairs: Vec<(String, &str)> = pairs.collect();
    let find = |keys: &[&str]| pairs.iter().find(|(key, _)| keys.contains(&key.as_str()));
    let has = |keys: &[&str]| find(keys).is_some();
    let get = |keys: &[&str]| {
        let (_, value) = find(keys)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/');
        let is_shown = !value.is_empty() && value.chars().all(is_plain);
        is_shown.then(|| (*value).to_owned())
    };
    let mut parts = KEYWORDS.map(get);
    parts[1] = Some("PASSWORD".to_owned());
    let path = ["data source", "datasource", "filename"];
    let backend = if has(&path) && !has(&["user id", "uid", "initial catalog"]) {
        parts[4] = get(&path);
        Some(Backend::Sqlite)
    } else if text.contains("@tcp(") || text.contains("@unix(") {
        Some(Backend::Mysql)
    } else {
        let is_postgres = has(&["host", "username", "dbname"]);
        let by_port = parts[3].as_deref().and_then(port_backend);
        by_port.or_else(|| is_postgres.then_some(Backend::Postgres))
    };
    url(backend, parts)
}

/// The database of an engine's name in Laravel, Rails, Django, Spring and others.
fn engine_backend(name: &str) -> Option<Backend> {
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["postg", "pgsql", "npgsql"]) || name == "pg" {
        Some(Backend::Postgres)
    } else if has(&["mysql", "mariadb", "trilogy"]) {
        Some(Backend::Mysql)
    } else if has(&["sqlite"]) {
        Some(Backend::Sqlite)
    } else {
        None
    }
}

fn port_backend(port: &str) -> Option<Backend> {
    match port {
        "5432" | "5433" | "6432" | "6543" => Some(Backend::Postgres),
        "3306" | "3307" => Some(Backend::Mysql),
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::environment::until_nul;

    fn hint_for(variables: &[&str]) -> String {
        let entries = variables
            .iter()
            .map(|v| until_nul(v.as_bytes().to_vec()).into());
        hint(&Environment::new(entries.collect()))
    }

    #[track_caller]
    fn assert_says(variables: &[&str], line: &str) {
        let hint = hint_for(variables);
        assert!(hint.contains(line), "{variables:?}: {hint}");
        assert!(!hint.contains("geheim"), "{hint}");
    }

    /// "the hint is the `--database-url` line to write, its scheme from `DB_CONNECTION`, an engine's
    /// name or the port where they tell"
    #[test]
    fn the_hint_is_the_line_to_paste() {
        for (variables, line) in [
            // Laravel
            (
                &[
                    "DB_CONNECTION=mysql",
                    "DB_HOST=db",
                    "DB_PORT=3306",
                    "DB_DATABASE=shop",
                    "DB_USERNAME=u",
                    "DB_PASSWORD=geheim",
                ][..],
                "'mysql://{DB_USERNAME}:{DB_PASSWORD}@{DB_HOST}:{DB_PORT}/{DB_DATABASE}'",
            ),
            (
                &[
                    "DB_CONNECTION=pgsql",
                    "DB_HOST=db",
                    "DB_DATABASE=shop",
                    "DB_USERNAME=u",
                    "DB_PASSWORD=geheim",
                ],
                "'postgres://{DB_USERNAME}:{DB_PASSWORD}@{DB_HOST}/{DB_DATABASE}'",
            ),
            (
                &["DB_CONNECTION=sqlite", "DB_DATABASE=/data/app.db"],
                "'sqlite:{DB_DATABASE}'",
            ),
            // Django
            (
                &[
                    "SQL_ENGINE=django.db.backends.postgresql",
                    "SQL_HOST=db",
                    "SQL_USER=u",
                    "SQL_PASSWORD=geheim",
                    "SQL_DATABASE=shop",
                ],
                "'postgres://{SQL_USER}:{SQL_PASSWORD}@{SQL_HOST}/{SQL_DATABASE}'",
            ),
            // Rails
            (
                &[
                    "DATABASE_ADAPTER=mysql2",
                    "DATABASE_HOST=db",
                    "DATABASE_USERNAME=u",
                    "DATABASE_PASSWORD=geheim",
                    "DATABASE_NAME=shop",
                ],
                "'mysql://{DATABASE_USERNAME}:{DATABASE_PASSWORD}@{DATABASE_HOST}/{DATABASE_NAME}'",
            ),
            // the official images' variables
            (
                &[
                    "POSTGRES_HOST=db",
                    "POSTGRES_USER=u",
                    "POSTGRES_PASSWORD=geheim",
                    "POSTGRES_DB=shop",
                ],
                "'postgres://{POSTGRES_USER}:{POSTGRES_PASSWORD}@{POSTGRES_HOST}/{POSTGRES_DB}'",
            ),
            (
                &[
                    "MYSQL_HOST=db",
                    "MYSQL_USER=u",
                    "MYSQL_PASSWORD_FILE=/run/secrets/db",
                    "MYSQL_DATABASE=shop",
                ],
                "'mysql://{MYSQL_USER}@{MYSQL_HOST}/{MYSQL_DATABASE}' --database-password-file '/run/secrets/db'",
            ),
            // Elastic Beanstalk
            (
                &[
                    "RDS_HOSTNAME=db",
                    "RDS_PORT=5432",
                    "RDS_DB_NAME=shop",
                    "RDS_USERNAME=u",
                    "RDS_PASSWORD=geheim",
                ],
                "'postgres://{RDS_USERNAME}:{RDS_PASSWORD}@{RDS_HOSTNAME}:{RDS_PORT}/{RDS_DB_NAME}'",
            ),
            // Go
            (
                &["DB_HOST=db", "DB_USER=u", "DB_PASS=geheim", "DB_NAME=shop"],
                "'postgres://{DB_USER}:{DB_PASS}@{DB_HOST}/{DB_NAME}'` (mysql",
            ),
        ] {
            assert_says(variables, line);
        }
    }

    #[test]
    fn a_variable_that_holds_more_than_a_part_is_named() {
        for (variables, line) in [
            // Go
            (
                &["MYSQL_DSN=u:geheim@tcp(db:3306)/shop"][..],
                "'mysql://USER:PASSWORD@HOST/DATABASE'",
            ),
            // Phoenix, Quarkus and all others with a URL
            (
                &["QUARKUS_DATASOURCE_JDBC_URL=jdbc:postgresql://db/shop"],
                "--database-url-env QUARKUS_DATASOURCE_JDBC_URL",
            ),
            // .NET
            (
                &[
                    "ConnectionStrings__Default=Host=db;Port=5432;Database=shop;Username=u;Password=geheim",
                ],
                "'postgres://u:PASSWORD@db:5432/shop'",
            ),
            (
                &[
                    "ConnectionStrings__Default=Server=db;Port=3306;Database=shop;Uid=u;Pwd=geheim;x",
                ],
                "'mysql://u:PASSWORD@db:3306/shop'",
            ),
            (
                &["ConnectionStrings__Default=Data Source=/data/app.db"],
                "'sqlite:/data/app.db'",
            ),
        ] {
            assert_says(variables, line);
        }
        for variables in [
            &[][..],
            &["HOME=/root", "PATH=/bin"],
            &["DB_PASSWORD=geheim"],
        ] {
            assert_eq!(hint_for(variables), NOTHING);
        }
    }
}
