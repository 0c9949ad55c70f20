//! `--health-listen`: what a platform's probes are answered while the gate is closed.
//!
//! "`--health-listen ADDR`: while the gate is closed, HTTP on ADDR: `/livez`, `/healthz`,
//! `/health` get 200, every other path 503 with `Retry-After`, each with a small JSON body (state,
//! step, seconds). The socket is closed before exec, so the server can bind the same port."
//! (contract, section 8)

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::common::stub::flag;
use crate::common::{Gate, Mode, Place, Run, migrate, stub, wait_until};
use crate::four_modes;

four_modes!(
    probes_are_answered_until_the_server_has_the_address,
    probes_are_answered_while_start_commands_run,
    nobody_disturbs_the_gate,
);

/// An address of this machine that nobody else uses.
fn address() -> SocketAddr {
    let mut bits = [0; 2];
    getrandom::fill(&mut bits).unwrap();
    let host = [127, bits[0].max(1), bits[1], 1];
    let listener = TcpListener::bind((std::net::Ipv4Addr::from(host), 0)).unwrap();
    listener.local_addr().unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).unwrap();
    stream
}

/// What is answered to a request, until the connection ends or the announced body is there.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    answer(&mut stream)
}

fn answer(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    let mut byte = [0];
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            });
            if length.is_some_and(|length: usize| body.len() >= length) {
                return text;
            }
        }
        match stream.read(&mut byte) {
            Ok(0) => return text,
            Ok(_) => got.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return text,
            Err(error) => panic!("{error} after {text:?}"),
        }
    }
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    )
}

#[track_caller]
fn is_alive(address: SocketAddr, words: &[&str]) {
    for path in ["/livez", "/healthz", "/health", "/livez?full=1"] {
        let text = get(address, path);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {text}");
        for word in words {
            assert!(text.contains(word), "{path}: {word:?} in {text}");
        }
    }
}

/// A server that listens where the gate did, and does not ask for a used address.
const SERVER: &str = "import socket, sys
server = socket.socket()
server.bind((sys.argv[1], int(sys.argv[2])))
server.listen()
open('served', 'w').write('it listens\\n')
";

fn gate<'a>(place: &'a Place, mode: Mode, flags: &[&str], address: SocketAddr) -> Gate<'a> {
    let listen = format!("--health-listen={address}");
    let flags = [flags, &[listen.as_str()]].concat();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let gate = place.gate(mode, &flags);
    gate.server(["python3", "-c", SERVER, &host, &port])
}

fn probes_are_answered_until_the_server_has_the_address(mode: Mode) {
    let (place, address) = (Place::new(), address());
    let flags = [migrate(stub().append("here", "step").wait_for("go"))];
    let run = gate(&place, mode, &flags, address).start();
    place.wait_for_line("here", "step");
    is_alive(
        address,
        &[
            "application/json",
            "\"state\":\"running\"",
            "\"step\":\"migrate\"",
            "\"seconds\":",
        ],
    );
    for path in [
        "/", "/readyz", "/startup", "/livez/", "/metrics", "/%6Civez",
    ] {
        let text = get(address, path);
        assert!(
            text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
            "{path}: {text}"
        );
        assert!(text.contains("\r\nretry-after: 5\r\n"), "{path}: {text}");
        assert!(text.contains("\"state\":\"running\""), "{path}: {text}");
    }
    let head = ask(address, "HEAD /livez HTTP/1.0\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.0 200 OK\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    // One that stays, and one that asked and has not looked at the answer.
    let mut kept = connect(address);
    kept.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    assert!(answer(&mut kept).contains("200 OK"));
    kept.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    assert!(answer(&mut kept).contains("503 "));
    let mut deaf = connect(address);
    deaf.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    place.write("go", "");
    let end = run.end();
    end.code(0)
        .says(&["time spent", "seconds=", "steps=\"migrate "]);
    assert!(place.has("served"), "{end}");
}

fn probes_are_answered_while_start_commands_run(mode: Mode) {
    let (place, address) = (Place::new(), address());
    let here = |go: &str| stub().append("here", go).wait_for(go);
    let flags = [
        flag("prepare", here("prepared")),
        flag("warm-up", here("warm")),
    ];
    let run = gate(&place, mode, &flags, address).start();
    for (step, go) in [("prepare", "prepared"), ("warm-up", "warm")] {
        place.wait_for_line("here", go);
        is_alive(
            address,
            &["\"state\":\"running\"", &format!("\"step\":\"{step}\"")],
        );
        assert!(get(address, "/readyz").contains(" 503 "), "{step}");
        place.write(go, "");
    }
    run.end().code(0);
    assert!(place.has("served"));
}

fn nobody_disturbs_the_gate(mode: Mode) {
    let (place, address) = (Place::new(), address());
    let flags = [migrate(stub().append("here", "step").wait_for("go"))];
    let run = gate(&place, mode, &flags, address).start();
    place.wait_for_line("here", "step");
    let idle: Vec<TcpStream> = (0..1000).map(|_| connect(address)).collect();
    is_alive(address, &[]);
    let mut slow = connect(address);
    slow.write_all(b"GET /livez HTT").unwrap();
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = connect(address);
        stream.write_all(garbage).unwrap();
        let _ = stream.shutdown(Shutdown::Write);
        let text = answer(&mut stream);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
    }
    // A head that never ends is not kept.
    let mut endless = connect(address);
    let line = format!("X-Endless: {}\r\n", "x".repeat(1000));
    let mut sent = endless.write_all(b"GET /livez HTTP/1.1\r\n");
    for _ in 0..10_000 {
        sent = sent.and_then(|()| endless.write_all(line.as_bytes()));
    }
    assert!(sent.is_err(), "10 MB of head were taken");
    // One that asks and asks and never reads.
    let mut deaf = connect(address);
    deaf.set_nonblocking(true).unwrap();
    for _ in 0..100_000 {
        if deaf
            .write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            .is_err()
        {
            break;
        }
    }
    is_alive(address, &["\"state\":\"running\""]);
    let peak = peak_kib(run.pid());
    assert!(peak < 64 * 1024, "{peak} KiB");
    place.write("go", "");
    let end = run.end();
    end.code(0);
    assert!(place.has("served"), "{end}");
    drop((idle, slow));
}

/// The most memory that the process had (proc(5), `VmHWM`).
fn peak_kib(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

#[test]
fn nobody_listens_where_the_gate_is_skipped() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--health-listen={}", taken.local_addr().unwrap());
    let gate = place.gate(Mode::Ordinary, &["--migrate=false", &listen]);
    let gate = gate.env("LAUNCHGATE_SKIP", "1");
    gate.server(["true"]).end().code(0);
}

/// The address that it listens on.
fn listening(place: &Place, run: &Run) -> SocketAddr {
    run.wait_for_log("answering health checks");
    let text = place.text("stderr");
    let at = text.split("address=").nth(1).unwrap();
    at.split_whitespace().next().unwrap().parse().unwrap()
}

#[track_caller]
fn comes_to(address: SocketAddr, state: &str) {
    wait_until(state, || {
        let text = get(address, "/livez");
        text.contains(&format!("\"state\":\"{state}\""))
            .then_some(())
    });
}

#[test]
fn a_wait_for_the_database_is_told() {
    let place = Place::new();
    let away = "--database-url=postgres://u:p@127.0.0.1:1/x";
    let words = [
        "./launchgate",
        "job",
        away,
        "--migrate=true",
        "--health-listen=127.0.0.1:0",
    ];
    let run = place.run(Mode::Ordinary, words).start();
    comes_to(listening(&place, &run), "waiting-for-database");
    run.signal(libc::SIGTERM);
    run.end()
        .code(143)
        .says(&["time spent", "database_seconds="]);
}

#[test]
fn a_wait_for_another_replica_is_told() {
    let places = [Place::new(), Place::new(), Place::new()];
    let database = format!("--database-url=sqlite:{}", places[0].path("a.db").display());
    let start = |place: &Place, flags: &[&str]| {
        let shared = [&*database, "--release=1", "--health-listen=127.0.0.1:0"];
        let words = [&["./launchgate"], flags, &shared].concat();
        place.run(Mode::Ordinary, &words).start()
    };
    let [first, second, third] = &places;
    let holder = start(
        first,
        &["job", migrate(stub().append("here", "step").wait_for("go"))],
    );
    first.wait_for_line("here", "step");
    let waiter = start(second, &["job", "--migrate=false"]);
    comes_to(listening(second, &waiter), "waiting-for-lock");
    let reader = start(third, &["wait"]);
    comes_to(listening(third, &reader), "waiting-for-release");
    first.write("go", "");
    let end = holder.end();
    end.code(0)
        .says(&["time spent", "lock_seconds=", "steps=\"migrate "]);
    for run in [waiter, reader] {
        run.end().code(0).says(&["time spent", "lock_seconds="]);
    }
}
