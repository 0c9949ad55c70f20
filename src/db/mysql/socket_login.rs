//! A login over a Unix socket with the password itself, which a server without TLS asks of a user that it
//! has not seen since it started (`caching_sha2_password`).
//!
//! The driver sends a password only within TLS; otherwise it asks for a public key, which the server
//! does not hand out over a socket. After this one login the server knows the user, and a hash of the
//! password is enough, which the driver can send.

use std::path::Path;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::db::DatabaseUrl;

const PLUGIN: &str = "caching_sha2_password";

/// Long password, protocol 4.1, authentication by plugins.
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>
const CAPABILITIES: u32 = 0x1 | 0x200 | 0x8000 | 0x8_0000;
const UTF8MB4: u8 = 45;
/// What the server says to a hash that it can't compare with one of its own.
const SEND_PASSWORD: [u8; 2] = [1, 4];
const OK: u8 = 0;
const QUIT: u8 = 1;

/// Logs in and out again. `None` where the server does not ask for the password, or refuses it.
pub(super) async fn log_in(url: &DatabaseUrl) -> Option<()> {
    let (user, password) = (url.user()?, url.password()?);
    let mut server = Server::connect(url.socket()?).await?;
    server.receive().await?;
    server.send(&hello(user)).await?;
    if server.receive().await? != SEND_PASSWORD {
        return None;
    }
    let password = [password.expose().as_bytes(), &[0]].concat();
    server.send(&password).await?;
    if server.receive().await?.first() != Some(&OK) {
        return None;
    }
    server.sequence = 0;
    server.send(&[QUIT]).await
}

/// The answer to the server's greeting. Its hash matches no password, so the server asks for that.
fn hello(user: &str) -> Vec<u8> {
    let mut packet = CAPABILITIES.to_le_bytes().to_vec();
    packet.extend(u32::MAX.to_le_bytes()); // as large as packets may be
    packet.push(UTF8MB4);
    packet.extend([0; 23]);
    packet.extend(user.as_bytes());
    packet.push(0);
    packet.push(32);
    packet.extend([0; 32]);
    packet.extend(PLUGIN.as_bytes());
    packet.push(0);
    packet
}

struct Server {
    stream: UnixStream,
    /// The number of the next packet.
    sequence: u8,
}

impl Server {
    async fn connect(socket: &Path) -> Option<Self> {
        let stream = UnixStream::connect(socket).await.ok()?;
        Some(Self {
            stream,
            sequence: 0,
        })
    }

    /// A packet's length has three bytes, its number one.
    async fn receive(&mut self) -> Option<Vec<u8>> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await.ok()?;
        self.sequence = head[3].wrapping_add(1);
        let length = u32::from_le_bytes([head[0], head[1], head[2], 0]);
        let mut packet = vec![0; usize::try_from(length).ok()?];
        self.stream.read_exact(&mut packet).await.ok()?;
        Some(packet)
    }

    async fn send(&mut self, packet: &[u8]) -> Option<()> {
        let length = u32::try_from(packet.len()).ok()?.to_le_bytes();
        let head = [length[0], length[1], length[2], self.sequence];
        let whole = [&head, packet].concat();
        self.stream.write_all(&whole).await.ok()
    }
}
