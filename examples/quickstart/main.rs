//! A small web server that returns the guests in the migrated database as JSON.
//!
//! Uses the same `DATABASE_URL` as launchgate. `PORT` is 8080 by default.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Row};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // PID 1 gets no default signal action, so a server has to handle these itself.
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register_conditional_shutdown(
            signal,
            0,
            Arc::new(AtomicBool::new(true)),
        )?;
    }
    let url = std::env::var("DATABASE_URL").context("DATABASE_URL")?;
    let mut database = url.parse::<SqliteConnectOptions>()?.connect().await?;
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).with_context(|| {
        format!(
            "port {port} is not available; try another one: PORT=8081 examples/quickstart/start"
        )
    })?;
    let address = listener.local_addr()?;
    writeln!(
        std::io::stderr(),
        "quickstart: listening on http://{address}/"
    )?;
    loop {
        let (client, _) = listener.accept()?;
        let body = guests(&mut database).await?;
        // A client that disconnected is not an error.
        let _ = answer(client, &body);
    }
}

async fn guests(database: &mut SqliteConnection) -> Result<String> {
    let rows = sqlx::query("SELECT name, seat FROM guests ORDER BY seat")
        .fetch_all(database)
        .await?;
    let guest = |row: &sqlx::sqlite::SqliteRow| {
        let (name, seat): (String, i64) = (row.try_get("name")?, row.try_get("seat")?);
        Ok(serde_json::json!({ "name": name, "seat": seat }))
    };
    let guests: Vec<_> = rows.iter().map(guest).collect::<Result<_>>()?;
    Ok(format!("{}\n", serde_json::Value::from(guests)))
}

/// Answers every request with the guests.
fn answer(mut client: TcpStream, body: &str) -> std::io::Result<()> {
    let mut question = [0; 4096];
    let _ = client.read(&mut question)?;
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
