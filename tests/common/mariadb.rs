//! A `MariaDB` server of a test's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use nix::sys::signal::Signal;

use super::{
    home::{Home, command_as, free_port, is_root, output, signal, start, template},
    servers::{ENCODED, PASSWORD},
};

/// `MariaDB`.
pub struct MariaDb {
    home: Home,
    child: Option<Child>,
    options: Vec<String>,
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
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self {
            home,
            child: None,
            options,
            port: free_port(),
        };
        server.up();
        server.sql("", &format!("ALTER USER 'root'@'localhost' IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('{}'); \
             CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY '{0}'; GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION", PASSWORD.replace('\'', "''")));
        server
    }

    fn up(&mut self) {
        let mut command = command_as("mysql", Path::new("/usr/sbin/mariadbd"));
        command
            .arg("--no-defaults")
            .arg(format!(
                "--datadir={}",
                self.home.path.join("data").display()
            ))
            .arg(format!("--socket={}", self.socket().display()))
            .arg(format!("--port={}", self.port))
            .args([
                "--bind-address=127.0.0.1",
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=16M",
            ])
            .args(&self.options);
        self.child = Some(start(&self.home, command, "ready for connections"));
    }

    pub fn socket(&self) -> PathBuf {
        self.home.path.join("socket")
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

    /// Runs statements as root, by the socket; what they return, one row a line.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let mut command = Command::new("mariadb");
        command
            .arg("--no-defaults")
            .args(["-u", "root", "-N", "-B", "-S"])
            .arg(self.socket());
        if !is_root() {
            command.arg(format!("-p{PASSWORD}"));
        }
        output(command.args(["-e", statements, database]))
    }

    pub fn create_database(&self, name: &str) {
        self.sql("", &format!("CREATE DATABASE {name} CHARACTER SET latin1"));
    }

    pub fn stop_immediate(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(&child, Signal::SIGKILL);
            let _ = child.wait();
            self.home.forget();
        }
    }

    pub fn restart(&mut self) {
        self.stop_immediate();
        self.up();
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.stop_immediate();
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
