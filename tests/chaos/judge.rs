//! The rules, read off what steps and servers wrote.
//!
//! A replica that was paused past its lease is an exception that the documentation makes: it runs its
//! step until it has stopped it, which is the first thing it does.

use std::collections::{HashMap, HashSet};

use crate::common::scene::Line;

/// The lines of one scene, in the order of what happened; what broke a rule.
pub(crate) fn violations(evidence: &[Line]) -> Vec<String> {
    let mut found = Vec::new();
    let mut done: HashSet<&str> = HashSet::new();
    let mut served: HashSet<&str> = HashSet::new();
    let mut paused: HashMap<&str, usize> = HashMap::new();
    for (at, line) in evidence.iter().enumerate() {
        let revision = line.get("revision");
        let is_exempt = paused.contains_key(line.get("replica"));
        match line.word() {
            "paused" => {
                paused.insert(line.get("replica"), at);
            }
            "overlap" if !is_exempt => {
                found.push(format!("rule 1: two steps at a time: {}", line.0));
            }
            "start" if served.contains(revision) && !is_exempt => {
                found.push(format!("rule 3: a step runs after a server: {}", line.0));
            }
            "end" if line.get("step") != "migrate" => {
                done.insert(revision);
            }
            "server" => {
                if !done.contains(revision) {
                    found.push(format!(
                        "rule 2: a server before its steps ended: {}",
                        line.0
                    ));
                }
                served.insert(revision);
            }
            "stuck" => found.push(format!("rule 5: {}", line.0)),
            "exit" => found.push(format!("unexpected: {}", line.0)),
            _ => {}
        }
    }
    found
}

/// Of the ledger's rows, as `revision|state`: one success for each revision that has servers.
pub(crate) fn in_ledger(rows: &[String]) -> Vec<String> {
    let mut successes: HashMap<&str, usize> = HashMap::new();
    for row in rows {
        if let Some((revision, "succeeded")) = row.split_once('|') {
            *successes.entry(revision).or_default() += 1;
        }
    }
    let twice = successes.iter().filter(|(_, count)| **count != 1);
    twice
        .map(|(revision, count)| format!("rule 4: {count} successes of {revision}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(lines: &[&str]) -> usize {
        let lines: Vec<Line> = lines.iter().map(|line| Line((*line).to_owned())).collect();
        violations(&lines).len()
    }

    #[test]
    fn what_is_in_order_breaks_no_rule() {
        let lines = [
            "start step=migrate revision=v1 replica=1",
            "end step=migrate revision=v1 replica=1",
            "start step=verify revision=v1 replica=1",
            "end step=verify revision=v1 replica=1",
            "server revision=v1 replica=1",
            "server revision=v1 replica=2",
            "start step=migrate revision=v2 replica=3",
        ];
        assert_eq!(judged(&lines), 0);
    }

    #[test]
    fn each_broken_rule_is_seen() {
        assert_eq!(judged(&["overlap step=migrate revision=v1 replica=1"]), 1);
        assert_eq!(judged(&["server revision=v1 replica=1"]), 1);
        let again = [
            "end step=verify revision=v1 replica=1",
            "server revision=v1 replica=1",
            "start step=migrate revision=v1 replica=2",
        ];
        assert_eq!(judged(&again), 1);
        assert_eq!(
            in_ledger(&["v1|succeeded".to_owned(), "v1|succeeded".to_owned()]).len(),
            1
        );
    }
}
