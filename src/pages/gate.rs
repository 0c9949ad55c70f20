//! `docs/gate.svg`: the gate, drawn from the decisions, verdicts, states, events and exit codes of
//! the code. What the code does not know can't be drawn, and a new decision or verdict does not
//! compile until it has its place here.

use std::fmt::Write as _;

use super::exits;
use crate::db::DatabaseUrl;
use crate::db::ledger::{Entry, State};
use crate::exit::{Failure, Problem};
use crate::gate::decide::{Decision, Refusal};
use crate::gate::outcome;
use crate::output::log::Event;
use crate::plan::StepKind;
use crate::steps::{Outcome, Verdict};

const STYLE: &str = "\
.page{fill:#fff}.box{fill:#f6f8fa;stroke:#57606a}.open{fill:#dafbe1;stroke:#1a7f37}\
.wait{fill:#fff8c5;stroke:#9a6700}.exit{fill:#ffebe9;stroke:#cf222e}\
text{fill:#1f2328;font:14px system-ui,sans-serif;text-anchor:middle}\
.small{fill:#57606a;font:12px ui-monospace,monospace}.on{text-anchor:start}.to{text-anchor:end}\
.line{fill:none;stroke:#57606a;stroke-width:1.5}.head{fill:#57606a}\
@media(prefers-color-scheme:dark){.page{fill:#0d1117}.box{fill:#161b22;stroke:#8b949e}\
.open{fill:#12261e;stroke:#3fb950}.wait{fill:#272115;stroke:#d29922}.exit{fill:#25171c;stroke:#f85149}\
text{fill:#e6edf3}.small{fill:#9198a1}.line{stroke:#9198a1}.head{fill:#9198a1}}";

/// Left edge, width and the middle of the column that the way goes down.
const WAY: (u32, u32) = (330, 280);
const MIDDLE: u32 = WAY.0 + WAY.1 / 2;
/// Those of the exits.
const EXITS: (u32, u32) = (720, 216);
/// Where the short way to the server goes down.
const SHORT: u32 = 28;

pub(super) fn drawing() -> String {
    let mut svg = Svg(String::new());
    svg.gate();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 900\" role=\"img\" \
         aria-label=\"The gate: what launchgate does before the server starts\">\n\
         <!-- Made from the code by scripts/generate-docs: edit src/pages/gate.rs. -->\n\
         <style>{STYLE}</style>\n\
         <defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto-start-reverse\"><path class=\"head\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
         <rect class=\"page\" width=\"960\" height=\"900\" rx=\"8\"/>\n{}</svg>\n",
        svg.0
    )
}

struct Svg(String);

/// What a box is about, by its colour.
#[derive(Clone, Copy)]
enum Kind {
    Work,
    Open,
    Wait,
    Exit,
}

impl Svg {
    /// From the top to the bottom, in the order of `gate::Gate::pass`, `hold` and `keep`.
    fn gate(&mut self) {
        use Event as E;
        self.way(24, "read settings, find executables", "");
        let unready = [
            failed(Failure::Usage),
            failed(Failure::System),
            failed(Failure::NotExecutable),
            failed(Failure::NotFound),
        ];
        self.exit(24, "nothing was touched", &codes(&unready));
        self.down(80, 112);
        self.way(112, "wait for the database", E::DatabaseWaiting.name());
        let away = [failed(Failure::Unreachable), failed(Failure::Database)];
        self.exit(112, "not in time, or it refuses", &codes(&away));
        self.down(168, 200);
        self.way(200, "look at the ledger", "has this revision succeeded?");
        for decision in decisions() {
            self.decided(&decision, 200);
        }
        self.down(256, 316);
        self.way(316, "take the lock, look again", "");
        for decision in decisions() {
            self.decided(&decision, 316);
        }
        self.down(372, 432);
        self.way(
            432,
            "sit out what a dead run left",
            E::OrphansWaiting.name(),
        );
        self.exit(432, "still at work", &codes(&[failed(Failure::TimedOut)]));
        self.down(488, 520);
        self.way(
            520,
            &format!("append the row `{}`", State::Running.as_str()),
            E::LockTaken.name(),
        );
        self.down(576, 608);
        self.rect((WAY.0, 608, WAY.1, 112), Kind::Work);
        self.text(MIDDLE, 640, "run the steps, renew the lease", "");
        self.text(
            MIDDLE,
            664,
            &steps(&[StepKind::Backup, StepKind::Snapshot]),
            "small",
        );
        self.text(
            MIDDLE,
            682,
            &steps(&[StepKind::Migrate, StepKind::Sql, StepKind::Verify]),
            "small",
        );
        self.text(MIDDLE, 704, E::StepStarted.name(), "small");
        for verdict in verdicts() {
            self.ended(&verdict);
        }
        self.way(
            768,
            &format!("record `{}`, free the lock", State::Succeeded.as_str()),
            E::RunRecorded.name(),
        );
        self.exit(
            768,
            "it could not be recorded",
            &codes(&[failed(Failure::LockLost)]),
        );
        self.down(824, 840);
        self.rect((16, 840, WAY.0 + WAY.1 - 16, 44), Kind::Open);
        self.text(313, 867, "execve: launchgate becomes the server", "");
        let signals = "a signal at any time: 128+n";
        self.text(EXITS.0 + EXITS.1 / 2, 867, signals, "small");
    }

    /// Where the gate goes from a look at the ledger, whose box begins at `y`.
    fn decided(&mut self, decision: &Decision, y: u32) {
        let name = name(decision);
        match decision {
            Decision::Start => {
                let at = if y < 300 { y + 14 } else { y + 42 };
                self.line(&format!("M{} {at}H{SHORT}V840", WAY.0), Heads::End);
                self.text(
                    SHORT + 12,
                    at - 6,
                    &format!("{name}: {}", Event::GateUpToDate.name()),
                    "small on",
                );
            }
            Decision::Wait(_) if y < 300 => {
                self.rect((64, 256, 196, 76), Kind::Wait);
                self.text(162, 280, "wait, no connection", "");
                self.text(162, 300, Event::LockWaiting.name(), "small");
                let late = codes(&[failed(Failure::TimedOut)]);
                self.text(162, 320, &format!("--lock-timeout: {late}"), "small");
                self.line("M330 242H162V256", Heads::Both);
                self.text(252, 236, name, "small to");
            }
            Decision::Wait(_) => {
                self.line("M330 330H295V294H260", Heads::End);
                self.text(300, 312, &format!("busy, or {name}"), "small on");
            }
            Decision::Refuse(_) => {
                self.exit(
                    y,
                    "blocked, or out of attempts",
                    &codes(&[failed(Failure::Refused)]),
                );
                self.text(WAY.0 + WAY.1 + 55, y + 22, name, "small");
            }
            Decision::Run { .. } => self.text(MIDDLE + 10, y + 90, name, "small on"),
        }
    }

    /// Where the gate goes from the end of the steps.
    fn ended(&mut self, verdict: &Verdict) {
        let state = recorded(verdict);
        let (y, label, code) = match verdict {
            Verdict::Done => {
                self.down(720, 768);
                self.text(MIDDLE + 10, 748, "every step ended well", "small on");
                return;
            }
            Verdict::Failed(failure) => {
                let rest = [
                    failed(Failure::Sql),
                    failed(Failure::Snapshot),
                    failed(Failure::StepTimeout),
                ];
                assert!(matches!(failure, Failure::Step(..)));
                (536, "a step failed", format!("its own, {}", codes(&rest)))
            }
            Verdict::Stopped { .. } => (612, "a signal stopped it", "128+n".to_owned()),
            Verdict::Lost(failure) => (688, "the lock was lost", failure.code().to_string()),
        };
        self.rect((EXITS.0, y, EXITS.1, 60), Kind::Exit);
        let middle = EXITS.0 + EXITS.1 / 2;
        self.text(middle, y + 24, label, "");
        self.text(middle, y + 46, &format!("{state}: {code}"), "small");
        let from = WAY.0 + WAY.1;
        self.line(
            &format!("M{from} 660H665V{}H{}", y + 30, EXITS.0),
            Heads::End,
        );
    }

    /// A box on the way down.
    fn way(&mut self, y: u32, text: &str, small: &str) {
        self.rect((WAY.0, y, WAY.1, 56), Kind::Work);
        let first = if small.is_empty() { y + 33 } else { y + 24 };
        self.text(MIDDLE, first, text, "");
        if !small.is_empty() {
            self.text(MIDDLE, y + 44, small, "small");
        }
    }

    /// An end beside the box at `y`.
    fn exit(&mut self, y: u32, text: &str, codes: &str) {
        self.rect((EXITS.0, y, EXITS.1, 56), Kind::Exit);
        let middle = EXITS.0 + EXITS.1 / 2;
        self.text(middle, y + 24, text, "");
        self.text(middle, y + 44, &format!("exit {codes}"), "small");
        self.line(
            &format!("M{} {}H{}", WAY.0 + WAY.1, y + 28, EXITS.0),
            Heads::End,
        );
    }

    fn down(&mut self, from: u32, to: u32) {
        self.line(&format!("M{MIDDLE} {from}V{to}"), Heads::End);
    }

    fn rect(&mut self, (x, y, width, height): (u32, u32, u32, u32), kind: Kind) {
        let class = match kind {
            Kind::Work => "box",
            Kind::Open => "open",
            Kind::Wait => "wait",
            Kind::Exit => "exit",
        };
        writeln!(self.0, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>").unwrap();
    }

    fn line(&mut self, path: &str, heads: Heads) {
        let start = match heads {
            Heads::End => "",
            Heads::Both => " marker-start=\"url(#head)\"",
        };
        writeln!(
            self.0,
            "<path class=\"line\" d=\"{path}\"{start} marker-end=\"url(#head)\"/>"
        )
        .unwrap();
    }

    fn text(&mut self, x: u32, y: u32, text: &str, class: &str) {
        writeln!(
            self.0,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
        )
        .unwrap();
    }
}

#[derive(Clone, Copy)]
enum Heads {
    End,
    Both,
}

fn problem() -> Problem {
    Problem::new("", "")
}

fn failed(kind: fn(Problem) -> Failure) -> Failure {
    kind(problem())
}

fn codes(failures: &[Failure]) -> String {
    let mut codes: Vec<u8> = failures.iter().map(Failure::code).collect();
    codes.sort_unstable();
    let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
    codes.join(", ")
}

fn steps(kinds: &[StepKind]) -> String {
    let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    words.join(", ")
}

/// One of each.
fn decisions() -> [Decision; 4] {
    let entry = Entry {
        id: 1,
        revision: String::new(),
        run_id: String::new(),
        state: Some(State::Running),
        lease_live: true,
        holder: String::new(),
        age_ms: 0,
        note: None,
    };
    [
        Decision::Start,
        Decision::Wait(Box::new(entry)),
        Decision::Refuse(Refusal::Unknown),
        Decision::Run {
            attempt: 1,
            dead: Vec::new(),
        },
    ]
}

/// The word of `decide`.
fn name(decision: &Decision) -> &'static str {
    match decision {
        Decision::Start => "Start",
        Decision::Wait(_) => "Wait",
        Decision::Refuse(_) => "Refuse",
        Decision::Run { .. } => "Run",
    }
}

/// One of each.
fn verdicts() -> [Verdict; 4] {
    [
        Verdict::Done,
        Verdict::Failed(Failure::Step(problem(), 1)),
        Verdict::Stopped {
            failure: Failure::Stopped(problem(), 15),
            done: false,
        },
        Verdict::Lost(failed(Failure::LockLost)),
    ]
}

/// What becomes of the run's row, by the code that writes it.
fn recorded(verdict: &Verdict) -> &'static str {
    let verdict = match verdict {
        Verdict::Done => Verdict::Done,
        Verdict::Failed(failure) => Verdict::Failed(failure.clone()),
        Verdict::Stopped { failure, done } => Verdict::Stopped {
            failure: failure.clone(),
            done: *done,
        },
        Verdict::Lost(failure) => Verdict::Lost(failure.clone()),
    };
    let url = DatabaseUrl::parse("sqlite:x").unwrap();
    let outcome = Outcome {
        last: None,
        verdict,
    };
    outcome::row(&outcome, &url).state.as_str()
}

#[test]
fn every_exit_code_is_drawn() {
    let drawing = drawing();
    for failure in exits::all() {
        let code = match failure {
            Failure::Stopped(..) => "128+n".to_owned(),
            Failure::Step(..) => "its own".to_owned(),
            // No end of a way that is meant.
            Failure::Bug(_) => continue,
            other => other.code().to_string(),
        };
        assert!(drawing.contains(&code), "{code} is missing");
    }
}
