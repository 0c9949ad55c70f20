//! What stands between an application and its Postgres: poolers and load balancers.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    ops::Deref,
    path::Path,
    process::Command,
    thread,
};

use nix::sys::signal::Signal;

use super::{
    home::{Home, Server, command_as, free_port},
    servers::{ENCODED, PASSWORD, Postgres},
    sid, until,
};

/// A pooler or a load balancer on a port of its own.
pub struct Proxy {
    server: Server,
    /// The second server behind it, which is to end with it.
    pub standby: Option<Postgres>,
}

impl Deref for Proxy {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Proxy {
    /// `PgBouncer` as Debian has it, otherwise as installed. `settings`: lines of its configuration's
    /// `[pgbouncer]` section, such as `pool_mode = transaction`. It asks a server that did not answer again
    /// after one second, not after 15.
    pub fn pgbouncer(server: &Postgres, settings: &str) -> Self {
        let program = command_as("postgres", Path::new("/usr/sbin/pgbouncer"));
        Self::pgbouncer_by(program, server, settings)
    }

    /// The same with the newest version, which knows prepared statements in transaction mode.
    pub fn pgbouncer_new(server: &Postgres, settings: &str) -> Self {
        let program = sid::command("postgres", "usr/sbin/pgbouncer");
        Self::pgbouncer_by(program, server, settings)
    }

    fn pgbouncer_by(mut program: Command, server: &Postgres, settings: &str) -> Self {
        Self::start("pgbouncer", "process up", |folder, port| {
            let users = folder.join("users");
            let ini = format!(
                "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_file = {}\nserver_login_retry = 1\n{settings}",
                server.port,
                users.display()
            );
            fs::write(users, format!("\"postgres\" \"{PASSWORD}\"\n")).expect("users");
            fs::write(folder.join("pgbouncer.ini"), ini).expect("pgbouncer.ini");
            program.arg(folder.join("pgbouncer.ini"));
            program
        })
    }

    /// Odyssey with `pool "MODE"`.
    pub fn odyssey(server: &Postgres, mode: &str) -> Self {
        Self::start("odyssey", "listening on", |folder, port| {
            let path = folder.display();
            let configuration = format!(
                r#"daemonize no
log_format "%p %l [%i %s] (%c) %m\n"
log_to_stdout yes
log_file "{path}/odyssey.log"
unix_socket_dir "{path}"
unix_socket_mode "0644"
workers 1
listen {{ host "127.0.0.1" port {port} }}
storage "postgres" {{ type "remote" host "127.0.0.1" port {} }}
database default {{ user default {{
    authentication "scram-sha-256"
    password "{PASSWORD}"
    storage "postgres"
    storage_user "postgres"
    storage_password "{PASSWORD}"
    pool "{mode}"
}} }}
"#,
                server.port
            );
            fs::write(folder.join("odyssey.conf"), configuration).expect("odyssey.conf");
            let mut program = sid::command("postgres", "usr/bin/odyssey");
            program.arg(folder.join("odyssey.conf"));
            program
        })
    }

    /// `Pgpool-II`, which sends the reads of one session in two to the standby.
    pub fn pgpool(primary: &Postgres, standby: &Postgres) -> Self {
        let backend = |number: usize, server: &Postgres| {
            format!(
                "backend_hostname{number} = '127.0.0.1'\nbackend_port{number} = {}\nbackend_weight{number} = 1\n\
                 backend_data_directory{number} = '{}'\n",
                server.port,
                server.socket().display()
            )
        };
        Self::start(
            "pgpool",
            "pgpool-II successfully started",
            |folder, port| {
                let path = folder.display();
                let configuration = format!(
                    "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{path}'\npcp_port = {}\n\
                 pcp_socket_dir = '{path}'\npid_file_name = '{path}/pgpool.pid'\nlogdir = '{path}'\n\
                 backend_clustering_mode = 'streaming_replication'\nload_balance_mode = on\n\
                 num_init_children = 16\nenable_pool_hba = on\npool_passwd = '{path}/passwords'\n\
                 sr_check_period = 1\nsr_check_user = 'postgres'\nsr_check_database = 'postgres'\n\
                 failover_on_backend_error = off\nfailover_on_backend_shutdown = off\n{}{}",
                    free_port(),
                    backend(0, primary),
                    backend(1, standby)
                );
                let passwords = format!("postgres:TEXT{PASSWORD}\n");
                for (name, text) in [
                    ("pgpool.conf", configuration.as_str()),
                    ("passwords", &passwords),
                    ("pool_hba.conf", "host all all 127.0.0.1/32 scram-sha-256\n"),
                    ("pcp.conf", ""),
                ] {
                    fs::write(folder.join(name), text).expect(name);
                }
                let mut program = command_as("postgres", Path::new("/usr/sbin/pgpool"));
                program
                    .arg("-n")
                    .args(["-f", &format!("{path}/pgpool.conf")])
                    .args(["-a", &format!("{path}/pool_hba.conf")])
                    .args(["-F", &format!("{path}/pcp.conf")]);
                program
            },
        )
    }

    /// `HAProxy`, which sends everything to whichever of two servers takes writes, asks about them several
    /// times a second, and cuts the connections to one that stopped doing so.
    pub fn haproxy(primary: &Postgres, standby: &Postgres) -> Self {
        let server = |name: &str, server: &Postgres| {
            let health = health_of(server);
            let port = server.port;
            format!(" server {name} 127.0.0.1:{port} check port {health}\n")
        };
        let proxy = Self::start("haproxy", "Loading success", |folder, port| {
            let configuration = format!(
                "defaults\n mode tcp\n timeout connect 5s\n timeout check 5s\n timeout client 1h\n timeout server 1h\n\
                 listen postgres\n bind 127.0.0.1:{port}\n option httpchk GET /primary\n \
                 default-server inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions\n{}{}",
                server("s0", primary),
                server("s1", standby)
            );
            fs::write(folder.join("haproxy.cfg"), configuration).expect("haproxy.cfg");
            let mut program = command_as("postgres", Path::new("/usr/sbin/haproxy"));
            program
                .args(["-W", "-db", "-f"])
                .arg(folder.join("haproxy.cfg"));
            program
        });
        // Until it has asked it believes that both do.
        until("HAProxy to find the standby", || {
            proxy.log().contains("Server postgres/s1 is DOWN")
        });
        proxy
    }

    /// `set_up` writes its files into its folder, and returns the command that has it listen.
    fn start(name: &str, ready: &'static str, set_up: impl FnOnce(&Path, u16) -> Command) -> Self {
        let (home, port) = (Home::new(name, Some("postgres")), free_port());
        let program = set_up(&home.path, port);
        Self {
            server: Server::start(home, port, program, ready, Signal::SIGKILL),
            standby: None,
        }
    }

    /// The superuser's URL of a database, through the proxy.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres:{ENCODED}@127.0.0.1:{}/{database}",
            self.port
        )
    }
}

/// A port where HTTP says whether a server takes writes, as Patroni does beside each.
fn health_of(server: &Postgres) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut ask = server.psql("postgres", "select pg_is_in_recovery()");
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.read(&mut [0; 512]);
            let is_primary = ask.output().is_ok_and(|said| said.stdout == b"f\n");
            let status = if is_primary {
                "200 OK"
            } else {
                "503 Service Unavailable"
            };
            let _ = write!(client, "HTTP/1.0 {status}\r\n\r\n");
        }
    });
    port
}
