//! The result of an embedded step, as its process reports it: one JSON object in one message
//! (`sys::result`). Pure.

use serde_json::{Value, json};

use crate::exit::{FailureKind, Problem};
use crate::sys::result::MOST;

/// The longest text in a message, which leaves room for its JSON: each byte takes six at most.
const LONGEST_TEXT: usize = MOST / 6 / 2 - 64;

/// The failures of an embedded step that are the run's own. Its exit code tells which one it is; any
/// other code is that of a step that failed.
pub(super) const OWN_FAILURES: [FailureKind; 4] = [
    FailureKind::Sql,
    FailureKind::Snapshot,
    // Not reached, or busy for too long: no attempt.
    FailureKind::Unreachable,
    // It can't be meant, and nothing was touched: no attempt.
    FailureKind::Usage,
];

/// What an embedded step reports: how to go back to the snapshot that it took, or what went wrong and
/// what to do.
pub type StepResult = Result<Option<String>, Problem>;

/// The message.
pub fn encode(result: &StepResult) -> Vec<u8> {
    let value = match result {
        Ok(restore_hint) => {
            json!({ "result": "succeeded", "restore_hint": restore_hint.as_deref().map(cut) })
        }
        Err(problem) => json!({
            "result": "failed",
            "problem": cut(problem.what()),
            "hint": cut(problem.hint()),
        }),
    };
    value.to_string().into_bytes()
}

/// What a message says; `None` where it is not one of these.
pub(super) fn decode(message: &[u8]) -> Option<StepResult> {
    let value: Value = serde_json::from_slice(message).ok()?;
    let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    match text("result")?.as_str() {
        "succeeded" => Some(Ok(text("restore_hint"))),
        "failed" => Some(Err(Problem::new(text("problem")?, text("hint")?))),
        _ => None,
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
        let hint = "rm -f 'a b' && cp c 'a b'".to_owned();
        for result in [Err(problem), Ok(None), Ok(Some(hint))] {
            assert_eq!(decode(&encode(&result)), Some(result));
        }
    }

    #[test]
    fn half_a_message_is_none() {
        let message = encode(&Ok(None));
        for len in 0..message.len() {
            assert_eq!(decode(&message[..len]), None);
        }
        assert_eq!(decode(b"{\"result\":\"failed\"}"), None);
    }

    proptest! {
        #[test]
        fn every_message_fits(what in "[\\x00-\\x1fa-ä]{0,200}", times in 0usize..200) {
            let problem = Problem::new(what.repeat(times), what.repeat(times));
            let message = encode(&Err(problem));
            prop_assert!(message.len() <= MOST);
            prop_assert!(decode(&message).is_some());
        }
    }
}
