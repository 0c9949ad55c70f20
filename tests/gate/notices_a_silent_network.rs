//! A network that drops packets: no refusal, no reset, only silence.
//!
//! "A holder whose lock or heartbeat stays unconfirmed for a third of the lease counts from its
//! last confirmed heartbeat and has its step stopped, killed and reaped before the lease ends"
//! (contract, section 5)

use std::process::Command;

use crate::common::home::output;
use crate::common::{Db, Scene, until};

fn ip(words: &str) {
    output(Command::new("ip").args(words.split(' ')));
}

/// A network namespace with one wire to this one, which is `10.N.0.1` as it sees it.
struct Namespace {
    name: String,
    wire: String,
    number: u32,
}

impl Namespace {
    fn new(number: u32) -> Self {
        // One per process and number, so that test binaries don't meet.
        let name = format!("lg{}x{number}", std::process::id());
        let wire = format!("lg{}w{number}", std::process::id() % 100_000);
        let own = Self { name, wire, number };
        ip(&format!("netns add {}", own.name));
        ip(&format!(
            "link add {0} type veth peer name eth0 netns {1}",
            own.wire, own.name
        ));
        ip(&format!("addr add {}/24 dev {}", own.address(), own.wire));
        ip(&format!("link set {} up", own.wire));
        let there = format!("-n {}", own.name);
        ip(&format!("{there} addr add 10.213.{number}.2/24 dev eth0"));
        ip(&format!("{there} link set eth0 up"));
        ip(&format!("{there} link set lo up"));
        own
    }

    fn address(&self) -> String {
        format!("10.213.{}.1", self.number)
    }

    /// The wire swallows what is sent, in both directions.
    fn cut(&self) {
        ip(&format!("link set {} down", self.wire));
    }

    /// Something was sent that no acknowledgement came for.
    fn has_unacknowledged(&self) -> bool {
        let sockets = output(Command::new("ip").args(["netns", "exec", &self.name, "ss", "-Htn"]));
        sockets.lines().any(|line| {
            line.split_ascii_whitespace()
                .nth(2)
                .is_some_and(|queue| queue != "0")
        })
    }

    fn restore(&self) {
        ip(&format!("link set {} up", self.wire));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

/// The database's URL as the namespace sees it.
fn url(db: &Db, namespace: &Namespace) -> String {
    db.url().replace("127.0.0.1", &namespace.address())
}

fn open_to_the_wire(which: &str) -> Db {
    if which == "mariadb" {
        let db = Db::mariadb_with(&["--bind-address=0.0.0.0", "--skip-name-resolve"]);
        db.sql(
            "create user 'root'@'10.213.%' identified by 's3cret/''x'; \
             grant all on *.* to 'root'@'10.213.%'",
        );
        return db;
    }
    let db = Db::postgres_with(
        &crate::common::servers::postgres_15(),
        &["listen_addresses=*"],
    );
    let server = db.postgres();
    let hba = server.socket().join("data/pg_hba.conf");
    let mut text = std::fs::read_to_string(&hba).expect("pg_hba.conf");
    text.push_str("\nhost all all 10.213.0.0/16 scram-sha-256\n");
    std::fs::write(&hba, text).expect("pg_hba.conf");
    db.sql("select pg_reload_conf()");
    db
}

/// The holder stops its step inside its lease, before the other side goes on.
fn loses(which: &str, number: u32, stubborn: bool) {
    let db = open_to_the_wire(which);
    let namespace = Namespace::new(number);
    let scene = Scene::new(&db);
    if stubborn {
        scene.touch("stubborn");
    }
    scene.touch("hold-migrate");
    let replica = scene.run("v1").env("DATABASE_URL", url(&db, &namespace));
    let mut holder = replica
        .inside(&["ip", "netns", "exec", &namespace.name])
        .start();
    until("the step", || scene.count("start") == 1);
    let mut waiter = scene.run("v1").start();
    waiter.wait_for_log("waiting");
    namespace.cut();
    holder.ends_with(76);
    scene.let_go();
    waiter.ends_with(0);
    assert_eq!(scene.states(), ["interrupted", "succeeded"]);
    assert_eq!(scene.count("server"), 1);
    scene.check_settled("v1");
}

mod a_holder_whose_network_is_cut_stops_its_step_in_time {
    #[test]
    fn postgres() {
        super::loses("postgres", 1, false);
    }

    #[test]
    fn postgres_where_the_step_ignores_term() {
        super::loses("postgres", 2, true);
    }

    #[test]
    fn mariadb() {
        super::loses("mariadb", 3, false);
    }

    #[test]
    fn mariadb_where_the_step_ignores_term() {
        super::loses("mariadb", 4, true);
    }
}

/// A silence shorter than a third of the lease costs nothing.
fn recovers(which: &str, number: u32) {
    let db = open_to_the_wire(which);
    let namespace = Namespace::new(number);
    let scene = Scene::new(&db);
    scene.touch("hold-migrate");
    let replica = scene
        .run("v1")
        .env("DATABASE_URL", url(&db, &namespace))
        .env("LAUNCHGATE_LEASE", "30s");
    let mut holder = replica
        .inside(&["ip", "netns", "exec", &namespace.name])
        .start();
    until("the step", || scene.count("start") == 1);
    namespace.cut();
    until("a heartbeat that is not answered", || {
        namespace.has_unacknowledged()
    });
    namespace.restore();
    let beat = || scene.ledger("heartbeat_at")[0].clone();
    let before = beat();
    until("another heartbeat", || beat() != before);
    scene.let_go();
    holder.ends_with(0);
    assert_eq!(scene.states(), ["succeeded"]);
    scene.check_settled("v1");
}

mod a_network_that_comes_back_in_time_costs_nothing {
    #[test]
    fn postgres() {
        super::recovers("postgres", 5);
    }

    #[test]
    fn mariadb() {
        super::recovers("mariadb", 6);
    }
}

/// Nobody answers at all: given up in time, and a signal is obeyed at once.
#[test]
fn a_host_that_swallows_packets_is_given_up_in_time() {
    let db = Db::sqlite();
    let namespace = Namespace::new(7);
    let inside = ["ip", "netns", "exec", &namespace.name];
    output(
        Command::new("ip")
            .args(&inside[1..])
            .args("iptables -A INPUT -p tcp --dport 5432 -j DROP".split(' ')),
    );
    let scene = Scene::new(&db);
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://u:pw-of-nobody@127.0.0.1:5432/shop");
        let replica = || scene.run("v1").env("DATABASE_URL", &url);
        let mut impatient = replica()
            .args(["--wait-timeout", "2s"])
            .inside(&inside)
            .start();
        impatient
            .ends_with(69)
            .says("did not accept a connection for ");
        assert!(!impatient.log().contains("pw-of-nobody"));
        let mut stopped = replica().inside(&inside).start();
        stopped.wait_for_log("this revision");
        stopped.signal(libc::SIGTERM);
        stopped.ends_with(143);
    }
    assert_eq!(scene.evidence().len(), 0);
}
