//! A `MariaDB` server of a test's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;

use super::{
    home::{Home, Server, command_as, free_port, is_root, output, template},
    servers::{ENCODED, PASSWORD},
};

/// `MariaDB`.
pub struct MariaDb {
    server: Server,
    pub port: u16,
}

impl MariaDb {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With options such as `--max-connections=40`.
    pub fn with(options: &[&str]) -> Self {
        let version = output(Command::new("/usr/sbin/mariadbd").arg("--version"));
        let word = version
            .split_whitespace()
            .nth(2)
            .unwrap_or("some")
            .to_owned();
        let made = template(&format!("mariadb-{word}"), mariadb_install_db);
        let home = Home::new("mariadb", Some("mysql"));
        output(
            Command::new("cp")
                .arg("-a")
                .arg(made.join("data"))
                .arg(&home.path),
        );
        let port = free_port();
        let mut command = command_as("mysql", Path::new("/usr/sbin/mariadbd"));
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", home.path.join("data").display()))
            .arg(format!("--socket={}", home.path.join("socket").display()))
            .arg(format!("--port={port}"))
            .args([
                "--bind-address=127.0.0.1",
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=16M",
            ])
            .args(options);
        let server = Self {
            server: Server::start(home, command, "ready for connections"),
            port,
        };
        server.sql("", &format!("ALTER USER 'root'@'localhost' IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('{}'); \
             CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY '{0}'; GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION", PASSWORD.replace('\'', "''")));
        server
    }

    pub fn socket(&self) -> PathBuf {
        self.server.home.path.join("socket")
    }

    /// root's URL of a database.
    pub fn url(&self, database: &str) -> String {
        self.url_as("root", ENCODED, database)
    }

    /// A user's URL; `password` as it stands in a URL.
    pub fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        format!(
            "mysql://{user}:{password}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// `mariadb` as root, by the socket.
    pub fn client(&self) -> Command {
        let mut command = Command::new("mariadb");
        command
            .arg("--no-defaults")
            .args(["-u", "root", "-N", "-B", "-S"])
            .arg(self.socket())
            .arg(format!("-p{PASSWORD}"));
        command
    }

    /// Runs statements as root; what they return, one row a line.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        output(self.client().args(["-e", statements, database]))
    }

    pub fn create_database(&self, name: &str) {
        self.sql("", &format!("CREATE DATABASE {name} CHARACTER SET latin1"));
    }

    pub fn stop_immediate(&mut self) {
        self.server.stop(Signal::SIGKILL);
    }

    pub fn restart(&mut self) {
        self.server.restart();
    }
}

fn mariadb_install_db(folder: &Path) {
    let data = folder.join("data");
    fs::create_dir(&data).expect("data folder");
    if is_root() {
        output(Command::new("chown").arg("-R").arg("mysql:").arg(folder));
    }
    let mut install = command_as("mysql", Path::new("mariadb-install-db"));
    install
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .current_dir(folder);
    install.args([
        "--skip-test-db",
        "--auth-root-authentication-method=socket",
        "--auth-root-socket-user=root",
    ]);
    output(&mut install);
}
