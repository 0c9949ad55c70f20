//! Connecting to `MySQL` and `MariaDB`.

use sqlx::{
    ConnectOptions, MySql, Row,
    error::DatabaseError,
    mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlQueryResult, MySqlRow, MySqlSslMode},
};

use super::{errors, socket_login};
use crate::db::{
    DatabaseUrl,
    connection::{SqlxBackend, SqlxConnection, not_connected},
    fault::{ErrorCodes, Fault},
    options::with,
    roots,
    rows::TextRow,
    url::TlsMode,
};

impl SqlxBackend for MySql {
    const CODES: &'static ErrorCodes = &errors::CODES;

    /// As bytes, since a server may be set to answer in a character set of its own choice.
    fn text_row(row: &MySqlRow) -> sqlx::Result<TextRow> {
        let lossy = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (0..row.len())
            .map(|column| {
                row.try_get_unchecked::<Option<Vec<u8>>, _>(column)
                    .map(|value| value.map(lossy))
            })
            .collect::<Result<_, _>>()
            .map(TextRow)
    }

    fn affected(done: &MySqlQueryResult) -> u64 {
        done.rows_affected()
    }
}

/// Connects. No statement is sent: literals bring their own character set, and times are asked for in
/// UTC.
pub(super) async fn connect(
    url: &DatabaseUrl,
    mode: TlsMode,
) -> Result<SqlxConnection<MySql>, Fault> {
    let options = options(url, mode)
        .no_engine_substitution(false)
        .pipes_as_concat(false)
        .timezone(None)
        .set_names(false);
    let connection = establish(options, url).await;
    connection.map_err(|error| not_connected::<MySql>(&error))
}

/// The same for migrations, with the session that sqlx-cli gives them.
pub(super) async fn connect_to_migrate(
    url: &DatabaseUrl,
    mode: TlsMode,
) -> Result<SqlxConnection<MySql>, Fault> {
    let connection = establish(options(url, mode), url).await;
    connection.map_err(|error| not_connected::<MySql>(&error))
}

/// Over a socket, tries TLS too: within it the driver sends the password itself where the server asks for
/// it. Without TLS, [`socket_login`] does that once.
async fn establish(
    options: MySqlConnectOptions,
    url: &DatabaseUrl,
) -> sqlx::Result<SqlxConnection<MySql>> {
    if url.socket().is_none() {
        return options.connect().await.map(SqlxConnection);
    }
    let with_tls = options.clone().ssl_mode(MySqlSslMode::Preferred);
    let answer = match with_tls.connect().await {
        Err(sqlx::Error::Tls(_)) => options.connect().await,
        answer => answer,
    };
    let is_refused = matches!(&answer, Err(sqlx::Error::Database(error)) if is_denied(&**error));
    let answer = if is_refused && socket_login::log_in(url).await.is_some() {
        options.connect().await
    } else {
        answer
    };
    answer.map(SqlxConnection)
}

/// `ER_ACCESS_DENIED_ERROR`.
fn is_denied(error: &dyn DatabaseError) -> bool {
    let error = error.try_downcast_ref::<MySqlDatabaseError>();
    error.is_some_and(|error| error.number() == 1045)
}

fn options(url: &DatabaseUrl, mode: TlsMode) -> MySqlConnectOptions {
    let options = MySqlConnectOptions::new()
        .statement_cache_capacity(0)
        .disable_statement_logging();
    let options = with(options, url.host(), MySqlConnectOptions::host);
    let options = with(options, url.socket(), MySqlConnectOptions::socket);
    let options = with(options, url.port(), MySqlConnectOptions::port);
    let options = with(options, url.user(), MySqlConnectOptions::username);
    let options = with(options, url.password(), |options, password| {
        options.password(password.expose())
    });
    let options = with(options, url.database(), MySqlConnectOptions::database);
    tls(options, url, mode)
}

fn tls(options: MySqlConnectOptions, url: &DatabaseUrl, mode: TlsMode) -> MySqlConnectOptions {
    let mode = match mode {
        TlsMode::Disable => MySqlSslMode::Disabled,
        TlsMode::Allow | TlsMode::Prefer => MySqlSslMode::Preferred,
        TlsMode::Require => MySqlSslMode::Required,
        TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
        TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
    };
    let files = url.tls();
    let options = options.ssl_mode(mode);
    let options = match &files.root_cert {
        Some(file) => options.ssl_ca(file),
        None if files.mode.verifies() => options.ssl_ca_from_pem(roots::bundled()),
        None => options,
    };
    let options = with(
        options,
        files.client_cert.as_ref(),
        MySqlConnectOptions::ssl_client_cert,
    );
    with(
        options,
        files.client_key.as_ref(),
        MySqlConnectOptions::ssl_client_key,
    )
}
