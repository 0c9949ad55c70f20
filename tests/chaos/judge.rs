//! The rules, read off what steps and servers wrote, to a file and to the database.
//!
//! Two exceptions are the documentation's: a replica that was paused past its lease runs its step until it
//! has stopped it, which is the first thing it does; and while the database's clock is ahead of what it was
//! by more than a lease, so does one whose connection was cut.

use std::collections::{HashMap, HashSet};

use crate::common::Scene;
use crate::common::scene::Line;
use crate::subject;

/// What broke a rule in one scene.
pub(crate) fn scene(scene: &Scene<'_>, has_ledger: bool) -> Vec<String> {
    let file = scene.evidence();
    let mut found = violations(&file);
    // The database does not know who was paused.
    let paused = file.iter().filter(|line| line.word() == "paused").cloned();
    let rows: Vec<Line> = paused.chain(subject::rows(scene)).collect();
    found.extend(
        violations(&rows)
            .iter()
            .map(|what| format!("in the database: {what}")),
    );
    if has_ledger {
        found.extend(in_ledger(&scene.ledger("revision, state")));
    }
    found
}

/// The lines of one scene, in the order of what happened; what broke a rule.
fn violations(evidence: &[Line]) -> Vec<String> {
    let mut found = Vec::new();
    let mut done: HashSet<&str> = HashSet::new();
    let mut served: HashSet<&str> = HashSet::new();
    let mut paused: HashSet<&str> = HashSet::new();
    let mut is_ahead = false;
    let mut runs = "";
    for line in evidence {
        let (revision, replica) = (line.get("revision"), line.get("replica"));
        let is_exempt = paused.contains(replica);
        match line.word() {
            "paused" => {
                paused.insert(replica);
            }
            "ahead" => is_ahead = true,
            "settled" => is_ahead = false,
            "overlap" if !is_exempt && !is_ahead => {
                found.push(format!("rule 1: two steps at a time: {}", line.0));
            }
            "start" => {
                if served.contains(revision) && !is_exempt {
                    found.push(format!("rule 3: a step runs after a server: {}", line.0));
                }
                runs = replica;
            }
            "end" => {
                if replica != runs && !is_exempt && !is_ahead {
                    found.push(format!("rule 1: a step goes on beside another: {}", line.0));
                }
                if line.get("step") != "migrate" {
                    done.insert(revision);
                }
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
fn in_ledger(rows: &[String]) -> Vec<String> {
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
    fn what_the_documentation_excepts_breaks_no_rule() {
        let paused = [
            "paused replica=1",
            "overlap step=migrate revision=v1 replica=1",
        ];
        assert_eq!(judged(&paused), 0);
        let ahead = ["ahead", "overlap step=migrate replica=1", "settled"];
        assert_eq!(judged(&ahead), 0);
        assert_eq!(
            judged(&["ahead", "settled", "overlap step=migrate replica=1"]),
            1
        );
    }

    #[test]
    fn each_broken_rule_is_seen() {
        assert_eq!(judged(&["overlap step=migrate revision=v1 replica=1"]), 1);
        let beside = [
            "start step=migrate revision=v1 replica=1",
            "start step=migrate revision=v1 replica=2",
            "end step=migrate revision=v1 replica=1",
        ];
        assert_eq!(judged(&beside), 1);
        assert_eq!(judged(&["server revision=v1 replica=1"]), 1);
        let again = [
            "start step=verify revision=v1 replica=1",
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
