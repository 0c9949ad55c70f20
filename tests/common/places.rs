//! One database of a test's own, on each kind of server; the servers are shared by the
//! tests of a binary and end with it.

use std::{
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use launchgate::db::{Attempt, DatabaseUrl, Locked, Session, Target};

use super::servers::{MariaDb, PgBouncer, Postgres, postgres_15, postgres_18};

static POSTGRES_15: LazyLock<Postgres> = LazyLock::new(|| Postgres::with(&postgres_15(), SETTINGS));
static POSTGRES_18: LazyLock<Postgres> = LazyLock::new(|| Postgres::with(&postgres_18(), SETTINGS));
static PGBOUNCER: LazyLock<PgBouncer> = LazyLock::new(|| PgBouncer::start(&POSTGRES_15));
static MARIADB: LazyLock<MariaDb> = LazyLock::new(MariaDb::start);
static COUNT: AtomicU32 = AtomicU32::new(0);

const SETTINGS: &[&str] = &["max_connections=200", "synchronous_commit=off"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres15,
    Postgres18,
    PgBouncer,
    MariaDb,
    Sqlite,
}

/// An empty database.
pub struct Place {
    pub kind: Kind,
    pub name: String,
    pub url: String,
    folder: Option<tempfile::TempDir>,
}

impl Place {
    pub fn new(kind: Kind) -> Self {
        let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut folder = None;
        let url = match kind {
            Kind::Postgres15 | Kind::Postgres18 => {
                let server = postgres(kind);
                server.create_database(&name);
                server.url(&name)
            }
            Kind::PgBouncer => {
                POSTGRES_15.create_database(&name);
                PGBOUNCER.url(&name)
            }
            Kind::MariaDb => {
                MARIADB.create_database(&name);
                MARIADB.url(&name)
            }
            Kind::Sqlite => {
                let folder = folder.insert(tempfile::tempdir().expect("a temporary folder"));
                format!("sqlite://{}", folder.path().join("app.db").display())
            }
        };
        Self {
            kind,
            name,
            url,
            folder,
        }
    }

    pub fn target(&self) -> Target {
        self.target_for("default")
    }

    pub fn target_for(&self, app: &str) -> Target {
        target(&self.url, app)
    }

    /// `SQLite`'s database file.
    pub fn file(&self) -> PathBuf {
        self.folder
            .as_ref()
            .map_or(Path::new(""), |folder| folder.path())
            .join("app.db")
    }

    /// Runs statements past launchgate, as a superuser.
    pub fn sql(&self, statements: &str) -> String {
        match self.kind {
            Kind::Postgres15 | Kind::Postgres18 | Kind::PgBouncer => {
                postgres(self.kind).sql(&self.name, statements)
            }
            Kind::MariaDb => MARIADB.sql(&self.name, statements),
            Kind::Sqlite => super::home::output(
                std::process::Command::new("sqlite3")
                    .arg(self.file())
                    .arg(statements),
            ),
        }
    }

    pub fn postgres(&self) -> &'static Postgres {
        postgres(self.kind)
    }

    /// Cuts every session whose name or current lock marks it as `which`.
    pub fn cut(&self, which: Cut) {
        match (self.kind, which) {
            (Kind::MariaDb, which) => {
                let all = "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()";
                let ids = self.sql(all);
                let holder = self.sql(
                    "SELECT IS_USED_LOCK(CONCAT('launchgate:', LEFT(SHA2(CONCAT('default', ' ', LOWER(DATABASE())), 256), 32)))",
                );
                for id in ids
                    .lines()
                    .filter(|id| (*id == holder) == (which == Cut::Lock))
                {
                    self.sql(&format!("KILL {id}"));
                }
            }
            (_, Cut::Lock) => {
                self.sql(
                    "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                     WHERE d.datname = current_database() AND l.locktype = 'advisory'",
                );
            }
            (_, Cut::Ledger) => {
                self.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                     AND application_name = 'launchgate:ledger'",
                );
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Lock,
    Ledger,
}

fn postgres(kind: Kind) -> &'static Postgres {
    if kind == Kind::Postgres18 {
        &POSTGRES_18
    } else {
        &POSTGRES_15
    }
}

pub fn target(url: &str, app: &str) -> Target {
    Target {
        url: DatabaseUrl::parse(url).expect("a URL"),
        app: app.to_owned(),
        lease: Duration::from_secs(30),
    }
}

pub async fn connect(target: &Target) -> Session {
    target.connect().await.expect("a connection")
}

pub async fn attempt(target: &Target) -> Attempt {
    connect(target)
        .await
        .try_lock()
        .await
        .expect("an attempt to lock")
}

pub async fn lock(target: &Target) -> Locked {
    match attempt(target).await {
        Attempt::Locked(locked) => locked,
        Attempt::Busy(_) => panic!("somebody else has the lock"),
    }
}

pub async fn is_busy(target: &Target) -> bool {
    matches!(attempt(target).await, Attempt::Busy(_))
}

/// Asks again and again until it is so; no server needs ten seconds for anything here.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !so().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "it did not come to this: {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Runs a test's future as launchgate does: on one thread.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test)
}
