//! Replicas that are started together, and what they left.

use std::{
    fmt,
    io::{Read, Write},
    net::TcpStream,
};

use crate::common::{DEADLINE, Place, Run, wait_until};

/// What replicas that started together did.
#[derive(Default)]
pub struct Round {
    /// The lines that tools and servers wrote, in the order of events.
    evidence: Vec<String>,
    /// How often the slow migration was run so far, rolled back or not.
    pub executions: u32,
    /// What each server serves.
    pub served: Vec<String>,
    logs: Vec<String>,
}

impl Round {
    /// Waits until every replica is a server, asks each of them, and ends them. `meanwhile` is
    /// called repeatedly with what has happened so far.
    pub fn watch(
        place: &Place,
        mut replicas: Vec<Run>,
        mut meanwhile: impl FnMut(&Self),
        executions: impl Fn() -> u32,
    ) -> Self {
        let mut round = Self::default();
        wait_until("a server in every replica", || {
            round.evidence = place.lines("evidence");
            round.logs = replicas.iter().map(|run| run.out() + &run.log()).collect();
            if round.servers().len() == replicas.len() && round.running() == 0 {
                return Some(());
            }
            for replica in &mut replicas {
                let ended = replica.look();
                assert!(
                    ended.is_none(),
                    "a replica does not serve: {ended:?} {round}"
                );
            }
            meanwhile(&round);
            None
        });
        for server in round.servers() {
            let pids: Vec<_> = replicas.iter().map(Run::pid).collect();
            assert!(
                pids.contains(&server.pid),
                "{} is none of {pids:?}: {round}",
                server.pid
            );
        }
        round.served = round
            .servers()
            .iter()
            .map(|server| get(server.port))
            .collect();
        round.executions = executions();
        round
    }

    /// How often the tool was started.
    pub fn began(&self) -> usize {
        self.lines("began").count()
    }

    /// How many of its runs failed.
    pub fn failed(&self) -> usize {
        self.lines("ended")
            .filter(|line| *line != "ended 0")
            .count()
    }

    fn running(&self) -> usize {
        self.began() - self.lines("ended").count()
    }

    pub fn servers(&self) -> Vec<Server> {
        self.lines("server").map(Server::parse).collect()
    }

    /// How many servers started before the schema was theirs.
    pub fn unmigrated(&self) -> usize {
        self.servers()
            .iter()
            .filter(|server| !server.migrated)
            .count()
    }

    /// Every server started after the last migration had ended, and saw all of it.
    pub fn migrated_before_it_served(&self) -> bool {
        let last = self
            .evidence
            .iter()
            .rposition(|line| line.starts_with("ended"));
        let first = self
            .evidence
            .iter()
            .position(|line| line.starts_with("server"));
        last < first && self.unmigrated() == 0
    }

    fn lines(&self, word: &'static str) -> impl Iterator<Item = &str> {
        let lines = self.evidence.iter().map(String::as_str);
        lines.filter(move |line| line.split(' ').next() == Some(word))
    }
}

impl fmt::Display for Round {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "\n{}", self.evidence.join("\n"))?;
        writeln!(
            to,
            "executions: {}\nserved: {:#?}",
            self.executions, self.served
        )?;
        for (number, log) in self.logs.iter().enumerate() {
            writeln!(to, "--- replica {number}\n{log}")?;
        }
        Ok(())
    }
}

/// What a server said when it began to listen.
pub struct Server {
    pid: i32,
    port: u16,
    migrated: bool,
}

impl Server {
    fn parse(line: &str) -> Self {
        let words: Vec<_> = line.split(' ').collect();
        let [_, pid, port, schema] = words[..] else {
            panic!("not a server's line: {line}");
        };
        Self {
            pid: pid.parse().expect("a pid"),
            port: port.parse().expect("a port"),
            migrated: schema == "migrated",
        }
    }
}

fn get(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a server");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream
        .write_all(b"GET / HTTP/1.0\r\n\r\n")
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    body.to_owned()
}
