//! The databases that every promise is tested on.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use launchgate::db::{DatabaseUrl, Target};

use super::{
    home::{fast_folder, output},
    servers::{LEDGER_IN_SIGHT, MariaDb, Postgres, Proxy, postgres_15, postgres_18},
};

/// A database.
pub enum Db {
    Postgres(Mutex<Postgres>),
    /// With a pooler or a load balancer in front of it, which launchgate is given.
    Pooled(Mutex<Postgres>, Mutex<Proxy>),
    Maria(Mutex<MariaDb>),
    Sqlite(tempfile::TempDir),
}

/// The name of its database.
pub const NAME: &str = "shop";

/// How `PgBouncer` is set up in most tests.
const TRANSACTIONS: &str = "pool_mode = transaction\n";

fn server(bin: &Path, settings: &[&str]) -> Postgres {
    let server = Postgres::with(bin, settings);
    server.create_database(NAME);
    server
}

impl Db {
    pub fn postgres_15() -> Self {
        Self::postgres_with(&postgres_15(), &[])
    }

    pub fn postgres_18() -> Self {
        Self::postgres_with(&postgres_18(), &[])
    }

    pub fn postgres_with(bin: &Path, settings: &[&str]) -> Self {
        Self::Postgres(Mutex::new(server(bin, settings)))
    }

    pub fn pgbouncer() -> Self {
        Self::pgbouncer_with(&[], TRANSACTIONS)
    }

    pub fn pgbouncer_18() -> Self {
        Self::pooled(server(&postgres_18(), &[]), Proxy::pgbouncer, TRANSACTIONS)
    }

    pub fn pgbouncer_with(settings: &[&str], pooler: &str) -> Self {
        Self::pooled(server(&postgres_15(), settings), Proxy::pgbouncer, pooler)
    }

    /// `PgBouncer` 1.26 with prepared statements, as installed.
    pub fn pgbouncer_new() -> Self {
        Self::behind(Proxy::pgbouncer_new, TRANSACTIONS)
    }

    pub fn odyssey() -> Self {
        Self::behind(Proxy::odyssey, "transaction")
    }

    /// A server behind a pooler with these settings.
    pub fn behind(pooler: impl FnOnce(&Postgres, &str) -> Proxy, settings: &str) -> Self {
        Self::pooled(server(&postgres_15(), &[]), pooler, settings)
    }

    fn pooled(
        server: Postgres,
        pooler: impl FnOnce(&Postgres, &str) -> Proxy,
        settings: &str,
    ) -> Self {
        let pooler = pooler(&server, settings);
        Self::Pooled(Mutex::new(server), Mutex::new(pooler))
    }

    /// A primary and a standby behind a balancer.
    pub fn pgpool() -> Self {
        Self::replicated(Proxy::pgpool)
    }

    pub fn haproxy() -> Self {
        Self::replicated(Proxy::haproxy)
    }

    fn replicated(proxy: impl FnOnce(&Postgres, &Postgres) -> Proxy) -> Self {
        let primary = server(&postgres_15(), &[]);
        let standby = Postgres::standby_of(&primary, &[]);
        let mut proxy = proxy(&primary, &standby);
        proxy.standby = Some(Box::new(standby));
        Self::Pooled(Mutex::new(primary), Mutex::new(proxy))
    }

    pub fn mariadb() -> Self {
        Self::mariadb_with(&[])
    }

    /// A commit survives the death of the server, as by default.
    pub fn mariadb_with(options: &[&str]) -> Self {
        let durable = ["--innodb-flush-log-at-trx-commit=2"];
        let options: Vec<&str> = durable.iter().chain(options).copied().collect();
        let server = MariaDb::with(&options);
        server.create_database(NAME);
        Self::Maria(Mutex::new(server))
    }

    /// Two nodes.
    pub fn galera() -> Self {
        let node = MariaDb::galera();
        node.create_database(NAME);
        Self::Maria(Mutex::new(node))
    }

    pub fn mysql() -> Self {
        Self::mysql_with(&[])
    }

    pub fn mysql_with(options: &[&str]) -> Self {
        let server = MariaDb::mysql(options);
        server.create_database(NAME);
        Self::Maria(Mutex::new(server))
    }

    pub fn sqlite() -> Self {
        Self::Sqlite(
            tempfile::Builder::new()
                .prefix("launchgate-sqlite-")
                .tempdir_in(fast_folder())
                .expect("a folder"),
        )
    }

    pub fn sqlite_file(&self) -> PathBuf {
        match self {
            Self::Sqlite(folder) => folder.path().join("shop.db"),
            _ => unreachable!("SQLite only"),
        }
    }

    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::Pooled(..))
    }

    pub fn url(&self) -> String {
        match self {
            Self::Postgres(server) => lock(server).url(NAME),
            Self::Pooled(_, pooler) => lock(pooler).url(NAME),
            Self::Maria(server) => lock(server).url(NAME),
            Self::Sqlite(_) => format!("sqlite://{}", self.sqlite_file().display()),
        }
    }

    /// The URLs that replicas take in turn: one for each node of a cluster.
    pub fn urls(&self) -> Vec<String> {
        let mut urls = vec![self.url()];
        if let Self::Maria(server) = self
            && let Some(peer) = &lock(server).peer
        {
            urls.push(peer.url(NAME));
        }
        urls
    }

    /// Lock and ledger of an app, as the library sees them.
    pub fn target_for(&self, app: &str) -> Target {
        target(&self.url(), app)
    }

    pub fn target(&self) -> Target {
        self.target_for("default")
    }

    /// The server behind it, past a pooler. While this is kept, nothing else can be asked.
    pub fn postgres(&self) -> MutexGuard<'_, Postgres> {
        match self {
            Self::Postgres(server) | Self::Pooled(server, _) => lock(server),
            Self::Maria(_) | Self::Sqlite(_) => unreachable!("Postgres only"),
        }
    }

    /// The URL for another role, past a pooler.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        match self {
            Self::Postgres(_) | Self::Pooled(..) => self.postgres().url_as(user, password, NAME),
            Self::Maria(server) => lock(server).url_as(user, password, NAME),
            Self::Sqlite(_) => self.url(),
        }
    }

    /// A client of the superuser, past a pooler, whose last argument is what it runs.
    fn client(&self) -> Command {
        match self {
            Self::Postgres(server) | Self::Pooled(server, _) => lock(server).client(NAME),
            Self::Maria(server) => {
                let mut client = lock(server).client();
                client.args(["-D", NAME, "-e"]);
                client
            }
            Self::Sqlite(_) => {
                let mut client = Command::new("sqlite3");
                client.args(["-cmd", ".timeout 20000"]);
                client.arg(self.sqlite_file());
                client
            }
        }
    }

    /// What statements return, as the superuser, past a pooler: columns with `|` between.
    pub fn sql(&self, statements: &str) -> String {
        // SQLite's client would take a comment at the beginning for an option.
        let said = output(self.client().arg(format!(" {statements}")));
        match self {
            Self::Maria(_) => said.replace('\t', "|"),
            Self::Postgres(_) | Self::Pooled(..) | Self::Sqlite(_) => said,
        }
    }

    /// The same in another database of `MariaDB`.
    pub fn sql_in(&self, database: &str, statements: &str) -> String {
        let Self::Maria(server) = self else {
            unreachable!("MariaDB only")
        };
        lock(server).sql(database, statements)
    }

    /// A script that runs its first argument as SQL, for steps and servers.
    pub fn ask(&self) -> String {
        let client = self.client();
        let words: Vec<&str> = std::iter::once(client.get_program())
            .chain(client.get_args())
            .map(|word| word.to_str().expect("text"))
            .collect();
        format!(
            "#!/bin/sh\nPGAPPNAME=evidence PGOPTIONS=\"$PGOPTIONS {LEDGER_IN_SIGHT}\" exec {} \"$1\"\n",
            shlex::try_join(words).expect("no NUL")
        )
    }

    /// The server dies at once and comes back.
    pub fn crash(&self) {
        match self {
            Self::Postgres(server) | Self::Pooled(server, _) => lock(server).restart(),
            Self::Maria(server) => lock(server).restart(),
            Self::Sqlite(_) => {}
        }
    }

    /// Ends sessions of MariaDB; those that are gone already, too.
    pub fn kill(&self, ids: &str) {
        let Self::Maria(server) = self else { return };
        for id in ids.lines() {
            let mut client = lock(server).client();
            let _ = client.args(["-e", &format!("kill {id}")]).output();
        }
    }

    /// Cuts every session whose name or current lock marks it as `which`.
    pub fn cut(&self, which: Cut) {
        match (self, which) {
            (Self::Maria(_), which) => {
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
            (Self::Postgres(_) | Self::Pooled(..), Cut::Lock) => {
                self.sql(
                    "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                     WHERE d.datname = current_database() AND l.locktype = 'advisory'",
                );
            }
            (Self::Postgres(_) | Self::Pooled(..), Cut::Ledger) => {
                self.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                     AND application_name = 'launchgate:ledger'",
                );
            }
            (Self::Sqlite(_), _) => unreachable!("a file has no sessions"),
        }
    }

    pub fn stop(&self) {
        match self {
            Self::Postgres(server) | Self::Pooled(server, _) => lock(server).stop_immediate(),
            Self::Maria(server) => lock(server).stop_immediate(),
            Self::Sqlite(_) => {}
        }
    }

    pub fn restart_pooler(&self) {
        if let Self::Pooled(_, pooler) = self {
            lock(pooler).restart();
        }
    }
}

/// Sessions that launchgate keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Lock,
    Ledger,
}

pub fn target(url: &str, app: &str) -> Target {
    Target {
        url: DatabaseUrl::parse(url).expect("a URL"),
        ledger: None,
        app: app.to_owned(),
        lease: Duration::from_secs(30),
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The named groups of databases, handed to a macro. A new kind of database joins them here, and so
/// gets every test that holds for all kinds.
#[allow(unused_macros, reason = "not every test binary has a suite")]
macro_rules! on_group {
    // One of each kind.
    (each, [$($then:tt)*] $rest:tt) => {
        $($then)*! { $rest [postgres_15, mariadb, sqlite] }
    };
    (each_and_pooler, [$($then:tt)*] $rest:tt) => {
        $($then)*! { $rest [postgres_15, pgbouncer, mariadb, sqlite] }
    };
    (each_version, [$($then:tt)*] $rest:tt) => {
        $($then)*! { $rest [postgres_15, postgres_18, pgbouncer, mariadb, mysql, sqlite] }
    };
    // Those with a server.
    (each_server, [$($then:tt)*] $rest:tt) => {
        $($then)*! { $rest [postgres_15, mariadb] }
    };
    (each_server_and_pooler, [$($then:tt)*] $rest:tt) => {
        $($then)*! { $rest [postgres_15, pgbouncer, mariadb] }
    };
    (each_server_version, [$($then:tt)*] $rest:tt) => {
        $($then)*! { $rest [postgres_15, postgres_18, pgbouncer, mariadb, mysql] }
    };
    // A promise that one kind can't keep differently from another: a server and a file are enough.
    (server_and_file, [$($then:tt)*] $rest:tt) => {
        $($then)*! { $rest [postgres_15, sqlite] }
    };
    // The same with each way to reach a Postgres, where only Postgres can keep the promise.
    (postgres, [$($then:tt)*] $rest:tt) => {
        $($then)*! { $rest [postgres_15, postgres_18, pgbouncer] }
    };
}

/// One test for each database of a group, or of a list: `on_each!(name: each)` and
/// `on_each!(name: [postgres_18, sqlite])` call `name(&Db)`.
#[allow(unused_macros, reason = "as above")]
macro_rules! on_each {
    ($name:ident: $group:ident) => {
        $crate::common::backends::on_group!($group, [$crate::common::backends::on_each] $name);
    };
    ($name:ident: $list:tt) => {
        $crate::common::backends::on_each!($name $list);
    };
    ($name:ident [$($backend:ident),+]) => {
        mod $name {
            $(
                #[test]
                fn $backend() {
                    super::$name(&super::Db::$backend());
                }
            )+
        }
    };
}
#[allow(unused_imports, reason = "as above")]
pub(crate) use {on_each, on_group};
