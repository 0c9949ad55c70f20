//! Getting in, directly or through a pooler.

use std::{future::poll_fn, pin::Pin, task::Poll};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::{
    ConnectOptions, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::time::timeout;

use super::super::{
    DatabaseUrl, Target,
    sql::quoted,
    target::{CALL, ConnectionPurpose},
    url::TlsMode,
    wire::Wire,
};

/// `sha256()` came with 11; what calls itself 8 or 9 today is something else.
pub(in crate::db) const TOO_OLD: &str = "the server is older than PostgreSQL 11";

/// Connects. Everything that is not said here the driver takes from libpq's variables, as
/// every Postgres client does.
pub(in crate::db) async fn connect(
    url: &DatabaseUrl,
    purpose: ConnectionPurpose<'_>,
    mode: TlsMode,
) -> sqlx::Result<PgConnection> {
    let mut options = options(url, purpose.application_name(), mode)?;
    // launchgate names its own table with the schema, and migrations name none.
    if let (ConnectionPurpose::Migrate(_), Some(schema)) = (purpose, url.schema()) {
        options = options.options([("search_path", quoted(schema))]);
    }
    let conn = without_yielding(Box::pin(options.connect())).await?;
    match conn.server_version_num() {
        Some(version) if version < 110_000 => Err(sqlx::Error::InvalidArgument(TOO_OLD.to_owned())),
        _ => Ok(conn),
    }
}

/// The driver yields 800 times while it hashes a password for SCRAM, so that other tasks go on, and
/// on a runtime of one thread each time is a look at every timer and socket: together a millisecond
/// of every start. Nothing here goes on meanwhile, so work that yields is polled again at once;
/// what really waits is polled in vain a few times.
async fn without_yielding<T>(mut work: impl Future<Output = T> + Unpin) -> T {
    const AGAIN: usize = 64;
    poll_fn(|context| {
        let mut polls = (0..AGAIN).map(|_| Pin::new(&mut work).poll(context));
        polls.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

fn options(url: &DatabaseUrl, name: &str, mode: TlsMode) -> sqlx::Result<PgConnectOptions> {
    let mut options = match url.options() {
        // the driver has no other way to take them as they are
        Some(raw) => {
            let raw = utf8_percent_encode(raw, NON_ALPHANUMERIC);
            format!("postgres://localhost?options={raw}").parse()?
        }
        None => PgConnectOptions::new_without_pgpass(),
    };
    // poolers refuse start-up parameters they don't track, extra_float_digits among them
    options = options
        .application_name(name)
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    if let Some(host) = url.host() {
        options = options.host(host);
    }
    if let Some(socket) = url.socket() {
        options = options.socket(socket);
    }
    if let Some(port) = url.port() {
        options = options.port(port);
    } else if url.host().is_some() || url.socket().is_some() {
        options = options.port(5432);
    }
    if let Some(user) = url.login() {
        options = options.username(user);
    }
    if let Some(password) = url.password() {
        options = options.password(password.expose());
    }
    if let Some(database) = url.database() {
        options = options.database(database);
    }
    Ok(tls(options, url, mode))
}

fn tls(options: PgConnectOptions, url: &DatabaseUrl, mode: TlsMode) -> PgConnectOptions {
    let tls = url.tls();
    // a Unix socket needs no TLS and has none: libpq passes sslmode over there
    let mode = if url.socket().is_some() {
        TlsMode::Disable
    } else {
        mode
    };
    let mut options = options.ssl_mode(match mode {
        TlsMode::Disable => PgSslMode::Disable,
        TlsMode::Allow => PgSslMode::Allow,
        TlsMode::Prefer => PgSslMode::Prefer,
        TlsMode::Require => PgSslMode::Require,
        TlsMode::VerifyCa => PgSslMode::VerifyCa,
        TlsMode::VerifyFull => PgSslMode::VerifyFull,
    });
    if let Some(file) = &tls.root_cert {
        options = options.ssl_root_cert(file);
    }
    if let Some(file) = &tls.client_cert {
        options = options.ssl_client_cert(file);
    }
    if let Some(file) = &tls.client_key {
        options = options.ssl_client_key(file);
    }
    options
}

/// What stands between: a setting of our own, given at start-up, is there on a direct
/// connection; a pooler refuses it or drops it. A connection of its own.
pub(in crate::db) async fn pooler(target: &Target) -> Option<String> {
    let mode = target.url.tls().mode;
    let options = options(
        &target.url,
        ConnectionPurpose::Probe.application_name(),
        mode,
    )
    .ok()?;
    let options = options.options([("launchgate.probe", "1")]);
    let ask = async {
        let conn = without_yielding(Box::pin(options.connect())).await?;
        let mut wire = Wire::Postgres(conn);
        let rows = wire
            .rows(
                "SELECT current_setting('launchgate.probe', true)".to_owned(),
                CALL,
            )
            .await;
        wire.close().await;
        Ok::<_, sqlx::Error>(rows)
    };
    match timeout(CALL, ask).await {
        Ok(Ok(Ok(rows))) if !rows.last().is_some_and(|row| row.flag(0)) => {
            Some("a pooler".to_owned())
        }
        Ok(Err(error)) if error.to_string().contains("unsupported startup parameter") => {
            Some("PgBouncer".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(url: &str) -> String {
        let url = DatabaseUrl::parse(url).expect("a URL");
        let url = url.with_own_user(Some("deploy".to_owned()));
        let options = options(&url, "x", TlsMode::Disable).expect("options");
        options.get_username().to_owned()
    }

    #[test]
    fn who_is_not_named_logs_in_as_whoever_this_is() {
        assert_eq!(login("postgres:///shop?host=/run/pg"), "deploy");
        assert_eq!(login("postgres://h/shop?options=-c%20a%3Db"), "deploy");
        assert_eq!(login("postgres://ann@h/shop"), "ann");
    }
}
