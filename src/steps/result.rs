//! The result of an embedded step, as its process reports it: one JSON object in one message
//! (`sys::result`). Pure.

use serde_json::{Value, json};

use crate::exit::{Failure, FailureKind, Problem};
use crate::sys::result::MOST;

/// The longest text in a message, which leaves room for its JSON: each byte takes six at most.
const LONGEST_TEXT: usize = MOST / 6 / 2 - 64;

/// What an embedded step reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepResult {
    /// It succeeded.
    Succeeded {
        /// How to go back to the snapshot that it took.
        restore_hint: Option<String>,
    },
    /// It failed.
    Failed {
        /// What kind of failure it is.
        kind: EmbeddedFailure,
        /// What went wrong, and what to do.
        problem: Problem,
    },
}

/// The kinds of failure that an embedded step can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddedFailure {
    /// A migration failed.
    Sql,
    /// The snapshot could not be made.
    Snapshot,
    /// The database could not be reached, or was busy for too long: no attempt.
    Unreachable,
    /// It can't be meant, and nothing was touched: no attempt.
    Usage,
    /// Anything else; the exit code says more.
    Other,
}

impl EmbeddedFailure {
    const ALL: [Self; 5] = [
        Self::Sql,
        Self::Snapshot,
        Self::Unreachable,
        Self::Usage,
        Self::Other,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Snapshot => "snapshot",
            Self::Unreachable => "unreachable",
            Self::Usage => "usage",
            Self::Other => "other",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The kind of the run's failure, where the step exited with `code`.
    pub fn kind(self, code: i32) -> FailureKind {
        match self {
            Self::Sql => FailureKind::Sql,
            Self::Snapshot => FailureKind::Snapshot,
            Self::Unreachable => FailureKind::Unreachable,
            Self::Usage => FailureKind::Usage,
            Self::Other => FailureKind::Step(u8::try_from(code).unwrap_or(1)),
        }
    }
}

impl From<&Failure> for StepResult {
    fn from(failure: &Failure) -> Self {
        let kind = match failure.kind() {
            FailureKind::Sql => EmbeddedFailure::Sql,
            FailureKind::Snapshot => EmbeddedFailure::Snapshot,
            FailureKind::Unreachable => EmbeddedFailure::Unreachable,
            FailureKind::Usage => EmbeddedFailure::Usage,
            _ => EmbeddedFailure::Other,
        };
        Self::Failed {
            kind,
            problem: failure.problem().clone(),
        }
    }
}

impl StepResult {
    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        let value = match self {
            Self::Succeeded { restore_hint } => {
                json!({ "result": "succeeded", "restore_hint": restore_hint.as_deref().map(cut) })
            }
            Self::Failed { kind, problem } => json!({
                "result": "failed",
                "kind": kind.as_str(),
                "problem": cut(problem.what()),
                "hint": cut(problem.hint()),
            }),
        };
        value.to_string().into_bytes()
    }

    /// What a message says; `None` where it is not one of these.
    pub fn decode(message: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(message).ok()?;
        let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
        match text("result")?.as_str() {
            "succeeded" => Some(Self::Succeeded {
                restore_hint: text("restore_hint"),
            }),
            "failed" => Some(Self::Failed {
                kind: EmbeddedFailure::parse(&text("kind")?)?,
                problem: Problem::new(text("problem")?, text("hint")?),
            }),
            _ => None,
        }
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_TEXT)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_says_what_was_encoded() {
        let problem = Problem::new("1_a.sql, line 3: \"x\"\n", "fix it; say `y`");
        for kind in EmbeddedFailure::ALL {
            let problem = problem.clone();
            let result = StepResult::Failed { kind, problem };
            assert_eq!(StepResult::decode(&result.encode()), Some(result));
        }
        for hint in [None, Some("rm -f 'a b' && cp c 'a b'".to_owned())] {
            let result = StepResult::Succeeded { restore_hint: hint };
            assert_eq!(StepResult::decode(&result.encode()), Some(result));
        }
    }

    #[test]
    fn half_a_message_is_none() {
        let result = StepResult::Succeeded { restore_hint: None };
        let message = result.encode();
        for len in 0..message.len() {
            assert_eq!(StepResult::decode(&message[..len]), None);
        }
        assert_eq!(StepResult::decode(b"{\"result\":\"failed\"}"), None);
    }

    proptest! {
        #[test]
        fn every_message_fits(what in "[\\x00-\\x1fa-ä]{0,200}", times in 0usize..200) {
            let problem = Problem::new(what.repeat(times), what.repeat(times));
            let kind = EmbeddedFailure::Other;
            let message = StepResult::Failed { kind, problem }.encode();
            prop_assert!(message.len() <= MOST);
            prop_assert!(StepResult::decode(&message).is_some());
        }
    }
}
