//! Connecting to Postgres, directly or through a pooler.

use std::{future::poll_fn, hint::black_box, pin::Pin, task::Poll};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use sqlx::{
    ConnectOptions, PgConnection, Postgres as Sqlx,
    postgres::{PgConnectOptions, PgQueryResult, PgRow, PgSslMode},
};
use tokio::time::timeout;

use super::{errors, quoting::quoted};
use crate::db::{
    DatabaseUrl,
    connection::{Connection, SqlxBackend, SqlxConnection, not_connected},
    fault::{ErrorCodes, Fault},
    options::with,
    purpose::ConnectionPurpose,
    roots,
    rows::{TextRow, text_columns},
    target::CALL,
    url::TlsMode,
};

impl SqlxBackend for Sqlx {
    const CODES: &'static ErrorCodes = &errors::CODES;

    fn text_row(row: &PgRow) -> sqlx::Result<TextRow> {
        text_columns(row)
    }

    fn affected(done: &PgQueryResult) -> u64 {
        done.rows_affected()
    }
}

/// Connects. What libpq's variables and files say is in the URL already: the driver, which knows only
/// some of them, finds none in its environment.
pub(super) async fn connect(
    url: &DatabaseUrl,
    name: &str,
    mode: TlsMode,
) -> Result<SqlxConnection<Sqlx>, Fault> {
    open(options(url, name, mode)?).await
}

/// The same for migrations: launchgate names its own table with the schema, migrations name none.
pub(super) async fn connect_to_migrate(
    url: &DatabaseUrl,
    name: &str,
    mode: TlsMode,
) -> Result<SqlxConnection<Sqlx>, Fault> {
    let options = options(url, name, mode)?;
    let search_path = url.schema().map(|schema| [("search_path", quoted(schema))]);
    open(with(options, search_path, PgConnectOptions::options)).await
}

async fn open(options: PgConnectOptions) -> Result<SqlxConnection<Sqlx>, Fault> {
    let connection = without_yielding(Box::pin(options.connect())).await;
    let connection = connection.map_err(|error| not_connected::<Sqlx>(&error))?;
    match connection.server_version_num() {
        Some(version) if version < 110_000 => Err(errors::too_old()),
        _ => Ok(SqlxConnection(connection)),
    }
}

/// While it hashes a password for SCRAM the driver yields 800 times so that other tasks can go on.
/// On a single-threaded runtime each yield polls every timer and socket, which costs a millisecond
/// per start. Nothing else runs here, so poll yielding work again at once; work that really waits
/// is polled a few times for nothing.
async fn without_yielding(
    mut work: impl Future<Output = sqlx::Result<PgConnection>> + Unpin,
) -> sqlx::Result<PgConnection> {
    const AGAIN: usize = 64;
    let mut warm_up = Some(ask_the_processor);
    poll_fn(|context| {
        let mut polls = (0..AGAIN).map(|_| Pin::new(&mut work).poll(context));
        let polled = polls.find(Poll::is_ready).unwrap_or(Poll::Pending);
        if let (Poll::Pending, Some(warm_up)) = (&polled, warm_up.take()) {
            warm_up();
        }
        polled
    })
    .await
}

/// Hashing and searching ask the processor what it can do when they are first used, which takes a virtual
/// machine a while. Let them do so while the server starts a process for the connection.
fn ask_the_processor() {
    black_box(Sha256::digest([]));
    black_box(memchr::memchr(0, black_box(&[1; 64])));
}

fn options(url: &DatabaseUrl, name: &str, mode: TlsMode) -> Result<PgConnectOptions, Fault> {
    let options = match url.options() {
        // the driver has no other way to take them as they are; given a password, it does not look
        // for one in a file
        Some(raw) => {
            let raw = utf8_percent_encode(raw, NON_ALPHANUMERIC);
            let options = format!("postgres://localhost?password=&options={raw}").parse();
            options.map_err(|error| not_connected::<Sqlx>(&error))?
        }
        None => PgConnectOptions::new_without_pgpass(),
    };
    // poolers refuse start-up parameters they don't track, extra_float_digits among them
    let options = options
        .application_name(name)
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    let port = url.port().or(Some(5432));
    let options = with(options, url.host(), PgConnectOptions::host);
    let options = with(options, url.socket(), PgConnectOptions::socket);
    let options = with(options, port, PgConnectOptions::port);
    let options = with(options, url.user(), PgConnectOptions::username);
    let options = with(options, url.password(), |options, password| {
        options.password(password.expose())
    });
    let options = with(options, url.database(), PgConnectOptions::database);
    Ok(tls(options, url, mode))
}

fn tls(options: PgConnectOptions, url: &DatabaseUrl, mode: TlsMode) -> PgConnectOptions {
    let mode = match mode {
        TlsMode::Disable => PgSslMode::Disable,
        TlsMode::Allow => PgSslMode::Allow,
        TlsMode::Prefer => PgSslMode::Prefer,
        TlsMode::Require => PgSslMode::Require,
        TlsMode::VerifyCa => PgSslMode::VerifyCa,
        TlsMode::VerifyFull => PgSslMode::VerifyFull,
    };
    let files = url.tls();
    let options = options.ssl_mode(mode);
    let options = match &files.root_cert {
        Some(file) => options.ssl_root_cert(file),
        None if files.mode.verifies() => options.ssl_root_cert_from_pem(roots::bundled()),
        None => options,
    };
    let options = with(
        options,
        files.client_cert.as_ref(),
        PgConnectOptions::ssl_client_cert,
    );
    with(
        options,
        files.client_key.as_ref(),
        PgConnectOptions::ssl_client_key,
    )
}

/// The pooler in between, where one can be noticed. A parameter of our own, set at start-up, exists on
/// a direct connection; a pooler refuses or drops it. Takes a connection of its own.
pub(super) async fn pooler(url: &DatabaseUrl) -> Option<String> {
    let name = ConnectionPurpose::Probe.application_name();
    let options = options(url, name, url.tls().mode).ok()?;
    let options = options.options([("launchgate.probe", "1")]);
    let ask = async {
        let mut connection = Box::new(open(options).await?);
        let ask = "SELECT current_setting('launchgate.probe', true)".to_owned();
        let rows = connection.rows(ask, CALL).await;
        connection.close().await;
        Ok::<_, Fault>(rows)
    };
    match timeout(CALL, ask).await {
        Ok(Ok(Ok(rows))) if !rows.last().is_some_and(|row| row.flag(0)) => {
            Some("a pooler".to_owned())
        }
        Ok(Err(fault)) if fault.message.contains("unsupported startup parameter") => {
            Some("PgBouncer".to_owned())
        }
        _ => None,
    }
}
