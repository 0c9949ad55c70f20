//! `MySQL` 9, which is a [`MariaDb`] but for how it is started.

use std::{fs, path::Path, process::Command};

use super::{
    home::{Home, Server, free_port, give, output, template},
    mariadb::MariaDb,
    servers::PASSWORD,
    sid,
};

impl MariaDb {
    /// `MySQL` 9 with options such as `--max-connections=40`. Its users have `caching_sha2_password`,
    /// whose cache is empty.
    pub fn mysql(options: &[&str]) -> Self {
        let version = output(sid::command("mysql", "usr/sbin/mysqld").arg("--version"));
        let word = version
            .split_whitespace()
            .skip_while(|word| *word != "Ver")
            .nth(1);
        let made = template(&format!("mysql-{}", word.unwrap_or("some")), initialize);
        let home = Home::with_data("mysql", "mysql", &made);
        let port = free_port();
        let mut command = mysqld(&home.path);
        command
            .arg(format!("--socket={}", home.path.join("socket").display()))
            .arg(format!("--pid-file={}", home.path.join("pid").display()))
            .arg(format!("--tmpdir={}", home.path.display()))
            .arg(format!("--port={port}"))
            .args([
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--mysqlx=OFF",
                "--disable-log-bin",
                "--performance-schema=OFF",
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=16M",
            ])
            .args(options);
        Self {
            server: Server::start(home, command, "mysqld: ready for connections"),
            port,
            peer: None,
        }
    }
}

fn mysqld(folder: &Path) -> Command {
    let mut command = sid::command("mysql", "usr/sbin/mysqld");
    command
        .arg("--no-defaults")
        .arg(format!("--basedir={}", sid::folder().join("usr").display()))
        .arg(format!("--datadir={}", folder.join("data").display()))
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
