//! What the health listener answers. Pure.

use serde_json::json;

use crate::output::timeline::{Past, Phase};

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Seconds after which to ask again.
    pub(super) retry_after: Option<u8>,
    pub(super) body: String,
}

/// When the gate will open is unknown; load balancers ask again after about this time.
const RETRY_AFTER: u8 = 5;

/// The paths that platforms use as liveness probes.
const LIVENESS: [&str; 3] = ["/livez", "/healthz", "/health"];

pub(super) fn answer(path: &str, past: Option<&Past>) -> Answer {
    let is_liveness = LIVENESS.contains(&path);
    let phase = past.map_or(&Phase::Starting, |past| &past.phase);
    let mut body = json!({
        "state": phase.state(),
        "step": phase.step(),
        "seconds": past.map_or(0, |past| past.elapsed.as_secs()),
    });
    if let Some(left) = phase.delay() {
        body["seconds_left"] = left.as_secs().into();
    }
    Answer {
        status: if is_liveness { 200 } else { 503 },
        retry_after: (!is_liveness).then_some(RETRY_AFTER),
        body: format!("{body}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::timeline::Timeline;

    #[test]
    fn only_liveness_is_fine_while_the_gate_is_closed() {
        let timeline = Timeline::default();
        timeline.enter(Phase::Step("migrate".into()));
        let past = timeline.look();
        for path in LIVENESS {
            let answer = answer(path, past.as_ref());
            assert_eq!((answer.status, answer.retry_after), (200, None), "{path}");
            assert!(answer.body.contains("\"step\":\"migrate\""));
        }
        for path in [
            "/",
            "/readyz",
            "/metrics",
            "/livez/",
            "/LIVEZ",
            "/health/ready",
            "",
        ] {
            let answer = answer(path, past.as_ref());
            assert_eq!(
                (answer.status, answer.retry_after),
                (503, Some(5)),
                "{path}"
            );
        }
    }
}
