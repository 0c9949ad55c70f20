//! The databases that every promise is tested on.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use launchgate::db::{DatabaseUrl, Target};

use super::{
    home::{Server, fast_folder, output},
    servers::{LEDGER_IN_SIGHT, MariaDb, Postgres, Proxy, postgres_15, postgres_18},
};

/// A database.
pub enum Db {
    /// Where a standby takes over, it takes the place of the first one here. In front of it may be a pooler
    /// or a load balancer, which launchgate is given.
    Postgres(Mutex<Arc<Postgres>>, Option<Proxy>),
    Maria(MariaDb),
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
    pub fn of(server: Postgres, proxy: Option<Proxy>) -> Self {
        Self::Postgres(Mutex::new(Arc::new(server)), proxy)
    }

    pub fn postgres_15() -> Self {
        Self::postgres_with(&postgres_15(), &[])
    }

    pub fn postgres_18() -> Self {
        Self::postgres_with(&postgres_18(), &[])
    }

    pub fn postgres_with(bin: &Path, settings: &[&str]) -> Self {
        Self::of(server(bin, settings), None)
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
    pub fn behind(pooler: fn(&Postgres, &str) -> Proxy, settings: &str) -> Self {
        Self::pooled(server(&postgres_15(), &[]), pooler, settings)
    }

    fn pooled(server: Postgres, pooler: fn(&Postgres, &str) -> Proxy, settings: &str) -> Self {
        let pooler = pooler(&server, settings);
        Self::of(server, Some(pooler))
    }

    /// A primary and a standby behind a balancer.
    pub fn pgpool() -> Self {
        Self::replicated(Proxy::pgpool)
    }

    pub fn haproxy() -> Self {
        Self::replicated(Proxy::haproxy)
    }

    fn replicated(proxy: fn(&Postgres, &Postgres) -> Proxy) -> Self {
        let primary = server(&postgres_15(), &[]);
        let standby = Postgres::standby_of(&primary);
        let mut proxy = proxy(&primary, &standby);
        proxy.standby = Some(standby);
        Self::of(primary, Some(proxy))
    }

    fn maria(server: MariaDb) -> Self {
        server.create_database(NAME);
        Self::Maria(server)
    }

    pub fn mariadb() -> Self {
        Self::mariadb_with(&[])
    }

    pub fn mariadb_with(options: &[&str]) -> Self {
        Self::maria(MariaDb::with(options))
    }

    /// Two nodes.
    pub fn galera() -> Self {
        Self::maria(MariaDb::galera(std::convert::identity))
    }

    pub fn mysql() -> Self {
        Self::mysql_with(&[])
    }

    pub fn mysql_with(options: &[&str]) -> Self {
        Self::maria(MariaDb::mysql(options))
    }

    pub fn sqlite() -> Self {
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix("launchgate-sqlite-");
        Self::Sqlite(folder.tempdir_in(fast_folder()).expect("a folder"))
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
        matches!(self, Self::Postgres(..))
    }

    pub fn url(&self) -> String {
        match self {
            Self::Postgres(_, Some(proxy)) => proxy.url(NAME),
            Self::Postgres(_, None) => self.postgres().url(NAME),
            Self::Maria(server) => server.url(NAME),
            Self::Sqlite(_) => format!("sqlite://{}", self.sqlite_file().display()),
        }
    }

    /// The URLs that replicas take in turn: one for each node of a cluster.
    pub fn urls(&self) -> Vec<String> {
        let peer = match self {
            Self::Maria(server) => server.peer.as_ref().map(|peer| peer.url(NAME)),
            Self::Postgres(..) | Self::Sqlite(_) => None,
        };
        std::iter::once(self.url()).chain(peer).collect()
    }

    /// Lock and ledger of an app, as the library sees them.
    pub fn target_for(&self, app: &str) -> Target {
        target(&self.url(), app)
    }

    pub fn target(&self) -> Target {
        self.target_for("default")
    }

    /// The server behind it, past a pooler.
    pub fn postgres(&self) -> Arc<Postgres> {
        match self {
            Self::Postgres(server, _) => Arc::clone(&lock(server)),
            Self::Maria(_) | Self::Sqlite(_) => unreachable!("Postgres only"),
        }
    }

    pub fn maria_db(&self) -> &MariaDb {
        match self {
            Self::Maria(server) => server,
            Self::Postgres(..) | Self::Sqlite(_) => unreachable!("MariaDB or MySQL only"),
        }
    }

    /// The URL for another role, past a pooler.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        match self {
            Self::Postgres(..) => self.postgres().url_as(user, password, NAME),
            Self::Maria(server) => server.url_as(user, password, NAME),
            Self::Sqlite(_) => self.url(),
        }
    }

    /// A client of the superuser, past a pooler, whose last argument is what it runs.
    fn client(&self) -> Command {
        self.with_server(Server::settle);
        match self {
            Self::Postgres(..) => self.postgres().client(NAME),
            Self::Maria(server) => {
                let mut client = server.client();
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
            Self::Postgres(..) | Self::Sqlite(_) => said,
        }
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

    /// Does this to its server; a file has none.
    pub fn with_server(&self, work: impl FnOnce(&Server)) {
        match self {
            Self::Postgres(..) => work(&self.postgres()),
            Self::Maria(server) => work(server),
            Self::Sqlite(_) => {}
        }
    }

    /// The server dies at once and comes back.
    pub fn crash(&self) {
        self.with_server(Server::restart);
    }

    pub fn stop(&self) {
        self.with_server(Server::stop);
    }

    /// Ends sessions of `MariaDB`; those that are gone already, too.
    pub fn kill(&self, ids: &str) {
        for id in ids.lines() {
            let mut client = self.maria_db().client();
            let _ = client.args(["-e", &format!("kill {id}")]).output();
        }
    }

    /// Cuts the connections of a run. On `MariaDB` only one app may have a run. Returns whether there was one
    /// to cut.
    pub fn cut(&self, which: Cut) -> bool {
        match (self, which) {
            (_, Cut::Server) => {
                self.crash();
                true
            }
            (_, Cut::Pooler) => {
                self.restart_pooler();
                true
            }
            (Self::Maria(_), which) => {
                let is_holder = if which == Cut::Lock { "=" } else { "<>" };
                let ids = self.sql(&format!(
                    "select id from information_schema.processlist where host like '%:%' and id {is_holder} \
                     (select is_used_lock(concat('launchgate:', left(sha2(concat(app, ' ', lower(database())), 256), 32))) \
                     from launchgate_runs where state = 'running')"
                ));
                self.kill(&ids);
                !ids.is_empty()
            }
            (Self::Postgres(..), Cut::Lock) => {
                let ended = self.sql(
                    "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                     WHERE d.datname = current_database() AND l.locktype = 'advisory'",
                );
                ended.contains('t')
            }
            (Self::Postgres(..), Cut::Ledger) => {
                let ended = self.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                     AND application_name = 'launchgate:ledger' \
                     AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')",
                );
                ended.contains('t')
            }
            (Self::Sqlite(_), _) => unreachable!("a file has no sessions"),
        }
    }

    pub fn restart_pooler(&self) {
        if let Self::Postgres(_, Some(pooler)) = self {
            pooler.restart();
        }
    }
}

/// What a run loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The session that has the lock.
    Lock,
    /// The session that renews its lease.
    Ledger,
    /// All of them, with the pooler.
    Pooler,
    /// All of them, with the server.
    Server,
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
