//! Whether what listens at a URL's address is a MySQL server at all.
//!
//! A MySQL server speaks first, so a client waits for it. If a Postgres or a web server listens there,
//! which wait for their client, the two wait for each other.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, timeout},
};

use crate::db::DatabaseUrl;

/// How long a server may take that greets whoever connects.
const GREETING: Duration = Duration::from_millis(200);

/// Postgres' `SSLRequest`: its length, and the code that asks for TLS.
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What listens there, if that is certainly not MySQL.
pub(super) async fn who_listens(url: &DatabaseUrl) -> Option<&'static str> {
    let address = (url.host()?, url.port().unwrap_or(3306));
    let mut stream = TcpStream::connect(address).await.ok()?;
    let mut first = [0; 1];
    // Whatever greets may be a MySQL server that was only slow before.
    if timeout(GREETING, stream.read(&mut first)).await.is_ok() {
        return None;
    }
    stream.write_all(&SSL_REQUEST).await.ok()?;
    stream.read_exact(&mut first).await.ok()?;
    match first {
        [b'S' | b'N'] => Some("is not MySQL: it is a Postgres server"),
        [b'H'] => Some("is not MySQL: it looks like a web server"),
        _ => None,
    }
}
