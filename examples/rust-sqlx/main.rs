//! One program that migrates (`rust-sqlx migrate`) and serves (`rust-sqlx`), with sqlx and
//! Postgres.
//!
//! Uses the same `DATABASE_URL` as launchgate. `PORT` is 8080 by default.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGINT, SIGTERM};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url = std::env::var("DATABASE_URL").context("DATABASE_URL")?;
    let mut database = PgConnection::connect(&url).await?;
    match std::env::args().nth(1).as_deref() {
        Some("migrate") => migrate(&mut database).await,
        None => serve(&mut database).await,
        Some(other) => bail!("no command {other}"),
    }
}

/// For an image without these files, `sqlx::migrate!` embeds them in the program.
async fn migrate(database: &mut PgConnection) -> Result<()> {
    let folder = std::env::var("MIGRATIONS").unwrap_or_else(|_| "migrations".to_owned());
    let migrator = Migrator::new(Path::new(&folder)).await?;
    Ok(migrator.run(database).await?)
}

async fn serve(database: &mut PgConnection) -> Result<()> {
    // PID 1 gets no default signal action, so a server has to handle these itself.
    for signal in [SIGTERM, SIGINT] {
        let on = Arc::new(AtomicBool::new(true));
        signal_hook::flag::register_conditional_shutdown(signal, 0, on)?;
    }
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))
        .with_context(|| format!("port {port} is not available"))?;
    loop {
        let (client, _) = listener.accept()?;
        let body = guests(database).await?;
        // A client that disconnected is not an error.
        let _ = answer(client, &body);
    }
}

async fn guests(database: &mut PgConnection) -> Result<String> {
    let rows = sqlx::query("SELECT name, seat FROM guests ORDER BY seat")
        .fetch_all(database)
        .await?;
    let guest = |row: &sqlx::postgres::PgRow| {
        let (name, seat): (String, i32) = (row.try_get("name")?, row.try_get("seat")?);
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
