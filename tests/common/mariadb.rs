//! A server of a test's own that speaks `MySQL`'s protocol: `MariaDB`, a cluster of it, or `MySQL` 9.

use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;

use super::{
    home::{Home, Server, command_as, free_port, give, output, template},
    servers::{ENCODED, PASSWORD},
    sid, until,
};

/// `MariaDB` or `MySQL`.
pub struct MariaDb {
    server: Server,
    /// The other node of its cluster.
    pub peer: Option<Box<MariaDb>>,
}

impl Deref for MariaDb {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// What both kinds of server start with.
const OPTIONS: [&str; 3] = [
    "--bind-address=127.0.0.1",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-buffer-pool-size=16M",
];

impl MariaDb {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With options such as `--max-connections=40`.
    pub fn with(options: &[&str]) -> Self {
        let server = Self::debians(options, std::convert::identity);
        server.set_users();
        server
    }

    /// The first node of a Galera cluster, and as its peer one that has joined it. What starts is what
    /// `change` makes of their commands.
    pub fn galera(change: impl Fn(Command) -> Command) -> Self {
        let [first, second] = [free_port(), free_port()];
        let node = |port: u16, address: &str, more: &[&str]| {
            let options = galera_options(port, address);
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            Self::debians(&[&options, more].concat(), &change)
        };
        let mut one = node(first, "gcomm://", &["--wsrep-new-cluster"]);
        one.set_users();
        let two = node(second, &format!("gcomm://127.0.0.1:{first}"), &[]);
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

    /// `MySQL` 9 with options such as `--max-connections=40`. Its users have `caching_sha2_password`,
    /// whose cache is empty.
    pub fn mysql(options: &[&str]) -> Self {
        let program = "usr/sbin/mysqld";
        let made = template(&mut sid::command("mysql", program), initialize);
        let home = Home::with_data("mysql", "mysql", &made);
        let mut command = mysqld(&home.path);
        command.args([
            "--skip-name-resolve",
            "--mysqlx=OFF",
            "--disable-log-bin",
            "--performance-schema=OFF",
        ]);
        command.arg(format!("--pid-file={}", home.path.join("pid").display()));
        Self::serve(home, command, options, "mysqld: ready for connections")
    }

    fn debians(options: &[&str], change: impl Fn(Command) -> Command) -> Self {
        let program = Path::new("/usr/sbin/mariadbd");
        let made = template(&mut Command::new(program), mariadb_install_db);
        let home = Home::with_data("mariadb", "mysql", &made);
        let mut command = command_as("mysql", program);
        command.args([&"--no-defaults".to_owned(), &data_of(&home.path)]);
        let ready = "mariadbd: ready for connections";
        Self::serve(home, change(command), options, ready)
    }

    fn serve(home: Home, mut command: Command, options: &[&str], ready: &'static str) -> Self {
        let port = free_port();
        command
            .arg(format!("--socket={}", home.path.join("socket").display()))
            // In a shared folder, a server that starts deletes the others' temporary tables.
            .arg(format!("--tmpdir={}", home.path.display()))
            .arg(format!("--port={port}"))
            .args(OPTIONS)
            .args(options);
        Self {
            server: Server::start(home, port, command, ready, Signal::SIGKILL),
            peer: None,
        }
    }

    /// As the template of `MySQL` has them.
    fn set_users(&self) {
        let password = PASSWORD.replace('\'', "''");
        self.sql("", &format!("ALTER USER 'root'@'localhost' IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('{password}'); \
             CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY '{password}'; GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION"));
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
}

/// The options of a node that the others reach at `port`.
fn galera_options(port: u16, address: &str) -> Vec<String> {
    let [incremental, whole] = [free_port(), free_port()];
    vec![
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
    ]
}

/// The option that names a server's folder of data, which `MySQL` puts its certificates in, too.
fn data_of(folder: &Path) -> String {
    format!("--datadir={}", folder.join("data").display())
}

fn mariadb_install_db(folder: &Path) {
    fs::create_dir(folder.join("data")).expect("data folder");
    give(folder, "mysql");
    let mut install = command_as("mysql", Path::new("mariadb-install-db"));
    install.args([&"--no-defaults".to_owned(), &data_of(folder)]);
    install.current_dir(folder).args([
        "--skip-test-db",
        "--auth-root-authentication-method=socket",
        "--auth-root-socket-user=root",
    ]);
    output(&mut install);
}

fn mysqld(folder: &Path) -> Command {
    let mut command = sid::command("mysql", "usr/sbin/mysqld");
    command
        .arg("--no-defaults")
        .arg(format!("--basedir={}", sid::folder().join("usr").display()))
        .arg(data_of(folder))
        .args([
            "--secure-file-priv=NULL",
            "--innodb-redo-log-capacity=8M",
            "--innodb-data-file-path=ibdata1:5M:autoextend",
            "--innodb-autoextend-increment=4",
        ]);
    command
}

fn initialize(folder: &Path) {
    let users = folder.join("users.sql");
    let password = PASSWORD.replace('\'', "''");
    let statements = format!(
        "ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}';\n\
         CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY '{password}';\n\
         GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n"
    );
    fs::write(&users, statements).expect("users.sql");
    give(folder, "mysql");
    output(
        mysqld(folder)
            .arg("--initialize-insecure")
            .arg(format!("--init-file={}", users.display())),
    );
}
