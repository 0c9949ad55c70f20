//! `--health-listen ADDR`: which addresses there are, and which are refused before anything runs.
//!
//! "71: the system refuses, before anything ran: health address in use" (contract, section 6)
//!
//! "`:8080`, `0.0.0.0:8080`, `[::1]:8080`" (contract, section 3)

use std::net::TcpListener;

use crate::common::{Finished, Gate, Mode, Place, migrate, stub};

/// `launchgate job` in a network of its own, started by this script.
fn in_a_network<'a>(place: &'a Place, script: &str, flags: &[&str]) -> Gate<'a> {
    let network = ["unshare", "-n", "sh", "-c", script, "sh"];
    let job = ["./launchgate", "job", "--no-database"];
    place.run(Mode::Ordinary, [&network[..], &job, flags].concat())
}

#[track_caller]
fn refused(end: &Finished, place: &Place, code: i32, words: &[&str]) {
    end.code(code).says(words).says(&["hint="]);
    assert!(!place.has("started"), "{end}");
}

#[test]
fn an_address_in_use_is_told_before_anything_runs() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--health-listen={}", taken.local_addr().unwrap());
    let step = migrate(stub().append("started", "step"));
    let gate = place.gate(Mode::Ordinary, &[step, &listen]);
    refused(
        &gate.end(),
        &place,
        71,
        &["--health-listen", "Address already in use"],
    );
    let words = ["./launchgate", "check", "--no-database", step, &listen];
    let end = place.run(Mode::Ordinary, words).end();
    refused(
        &end,
        &place,
        71,
        &["--health-listen", "Address already in use"],
    );
    drop(taken);
    place.run(Mode::Ordinary, words).end().code(0);
}

#[test]
fn a_port_that_needs_a_right_is_told_before_anything_runs() {
    let place = Place::new();
    let script = "ip link set lo up && exec setpriv --reuid=1234 --clear-groups \"$@\"";
    let flags = ["--migrate=true", "--health-listen=:80"];
    let end = in_a_network(&place, script, &flags).end();
    refused(
        &end,
        &place,
        71,
        &["--health-listen", ":80", "Permission denied"],
    );
}

#[test]
fn an_address_that_is_none_of_this_machine_is_told() {
    let place = Place::new();
    let flags = ["--migrate=true", "--health-listen=192.0.2.1:8080"];
    let end = place.gate(Mode::Ordinary, &flags).end();
    refused(&end, &place, 71, &["192.0.2.1:8080", "Cannot assign"]);
}

#[test]
fn what_is_no_address_is_a_usage_error() {
    let place = Place::new();
    for text in [
        "8080",
        ":",
        ":+80",
        ":70000",
        "localhost:80",
        "1.2.3.4",
        "[::1]",
        "http://x:80",
    ] {
        let gate = place.gate(Mode::Ordinary, &[migrate(stub().append("started", "step"))]);
        let end = gate.env("LAUNCHGATE_HEALTH_LISTEN", text).end();
        refused(&end, &place, 64, &["LAUNCHGATE_HEALTH_LISTEN", text]);
    }
}

#[test]
fn every_address_of_both_kinds_is_meant_by_a_port_alone() {
    let place = Place::new();
    let script = "ip link set lo up && exec \"$@\"";
    // The step asks over both; a step's failure is the gate's.
    let client = "import urllib.request as u
for host in ('127.0.0.1', '[::1]'):
    print(u.urlopen(f'http://{host}:80/livez').read())";
    let step = format!("--migrate=python3 -c \"{client}\"");
    let flags = ["--health-listen=:80", &step];
    in_a_network(&place, script, &flags).end().code(0);
}
