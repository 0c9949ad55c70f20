//! A server of a test's own that speaks `MySQL`'s protocol: `MariaDB` here, `MySQL` in [`super::mysql`].

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;

use super::{
    clock::Clock,
    home::{Home, Server, command_as, free_port, give, output, template},
    servers::{ENCODED, PASSWORD},
    until,
};

/// `MariaDB` or `MySQL`.
pub struct MariaDb {
    pub(super) server: Server,
    pub port: u16,
    /// The other node of its cluster.
    pub peer: Option<Box<MariaDb>>,
}

impl MariaDb {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With options such as `--max-connections=40`.
    pub fn with(options: &[&str]) -> Self {
        Self::with_users(options, None)
    }

    fn with_users(options: &[&str], clock: Option<&Clock>) -> Self {
        let server = Self::without_users(options, clock);
        server.sql("", &format!("ALTER USER 'root'@'localhost' IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('{}'); \
             CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY '{0}'; GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION", PASSWORD.replace('\'', "''")));
        server
    }

    pub fn galera() -> Self {
        Self::galera_on(None)
    }

    /// The first node of a Galera cluster, and as its peer one that has joined it; both on one clock.
    pub fn galera_on(clock: Option<&Clock>) -> Self {
        let [first, second] = [free_port(), free_port()];
        let new = galera_node(first, "gcomm://", &["--wsrep-new-cluster"]);
        let mut one = Self::with_users(&as_strs(&new), clock);
        let address = format!("gcomm://127.0.0.1:{first}");
        let two = Self::without_users(&as_strs(&galera_node(second, &address, &[])), clock);
        let status = "SHOW STATUS WHERE Variable_name IN ('wsrep_cluster_size', 'wsrep_local_state_comment')";
        until("a cluster of two nodes", || {
            let both = [&one, &two].map(|node| node.client().args(["-e", status]).output());
            both.into_iter().flatten().all(|answer| {
                let text = String::from_utf8_lossy(&answer.stdout).into_owned();
                text.contains("size\t2") && text.contains("Synced")
            })
        });
        one.peer = Some(Box::new(two));
        one
    }

    fn without_users(options: &[&str], clock: Option<&Clock>) -> Self {
        let version = output(Command::new("/usr/sbin/mariadbd").arg("--version"));
        let word = version
            .split_whitespace()
            .nth(2)
            .unwrap_or("some")
            .to_owned();
        let made = template(&format!("mariadb-{word}"), mariadb_install_db);
        let home = Home::with_data("mariadb", "mysql", &made);
        let port = free_port();
        let mut command = command_as("mysql", Path::new("/usr/sbin/mariadbd"));
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", home.path.join("data").display()))
            .arg(format!("--socket={}", home.path.join("socket").display()))
            // In a shared folder, a server that starts deletes the others' temporary tables.
            .arg(format!("--tmpdir={}", home.path.display()))
            .arg(format!("--port={port}"))
            .args([
                "--bind-address=127.0.0.1",
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=16M",
            ])
            .args(options);
        if let Some(clock) = clock {
            command = clock.command(&command);
        }
        Self {
            server: Server::start(home, command, "mariadbd: ready for connections"),
            port,
            peer: None,
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.server.home.path.join("socket")
    }

    /// Its folder of data, where `MySQL` puts certificates that it makes for itself and for clients.
    pub fn data(&self) -> PathBuf {
        self.server.home.path.join("data")
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

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.server.log()
    }

    pub fn stop_immediate(&mut self) {
        self.server.stop(Signal::SIGKILL);
    }

    /// Restarts it on this clock.
    pub fn on_clock(&mut self, clock: &Clock) {
        self.server.on_clock(clock);
        self.restart();
    }

    pub fn restart(&mut self) {
        self.server.restart();
    }
}

fn as_strs(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

/// The options of a node that the others reach at `port`.
fn galera_node(port: u16, address: &str, more: &[&str]) -> Vec<String> {
    let [incremental, whole] = [free_port(), free_port()];
    let mut options = vec![
        "--binlog-format=ROW".to_owned(),
        "--innodb-autoinc-lock-mode=2".to_owned(),
        "--wsrep-on=ON".to_owned(),
        "--wsrep-provider=/usr/lib/galera/libgalera_smm.so".to_owned(),
        "--wsrep-sst-method=rsync".to_owned(),
        format!("--wsrep-sst-receive-address=127.0.0.1:{whole}"),
        "--wsrep-node-address=127.0.0.1".to_owned(),
        format!("--wsrep-cluster-address={address}"),
        format!(
            "--wsrep-provider-options=base_host=127.0.0.1;base_port={port};gmcast.listen_addr=tcp://127.0.0.1:{port};\
             ist.recv_addr=127.0.0.1:{incremental};gcache.size=8M;pc.recovery=off"
        ),
    ];
    options.extend(more.iter().map(|option| (*option).to_owned()));
    options
}

fn mariadb_install_db(folder: &Path) {
    let data = folder.join("data");
    fs::create_dir(&data).expect("data folder");
    give(folder, "mysql");
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
