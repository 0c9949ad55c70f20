//! What the health listener answers. Pure.

use std::fmt::Write as _;

use serde_json::json;

use crate::output::timeline::{Past, Phase, seconds};

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    /// Seconds after which to ask again.
    pub(super) retry_after: Option<u8>,
    pub(super) body: String,
}

/// When the gate will open is unknown; load balancers ask again after about this time.
const RETRY_AFTER: u8 = 5;

/// The paths that platforms use as liveness probes.
const LIVENESS: [&str; 3] = ["/livez", "/healthz", "/health"];

pub(super) fn answer(path: &str, past: Option<&Past>) -> Answer {
    if path == "/metrics" {
        return Answer {
            status: 200,
            kind: "application/openmetrics-text; version=1.0.0; charset=utf-8",
            retry_after: None,
            body: metrics(past),
        };
    }
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
        kind: "application/json",
        retry_after: (!is_liveness).then_some(RETRY_AFTER),
        body: format!("{body}\n"),
    }
}

/// `OpenMetrics` 1.0 text.
fn metrics(past: Option<&Past>) -> String {
    let mut out = String::new();
    family(
        &mut out,
        "state",
        "stateset",
        None,
        "What the gate is doing.",
    );
    let phase = past.map_or(&Phase::Starting, |past| &past.phase);
    for state in Phase::STATES {
        let on = u8::from(state == phase.state());
        line(
            &mut out,
            &format!("state{{launchgate_state=\"{state}\"}}"),
            &on.to_string(),
        );
    }
    let help = "This replica's current attempt at the revision; 0 before the first.";
    family(&mut out, "attempt", "gauge", None, help);
    let attempt = past.and_then(|past| past.attempt).unwrap_or(0);
    line(&mut out, "attempt", &attempt.to_string());
    let help = "Time spent waiting for the database, for the lock and after failed attempts.";
    family(&mut out, "wait_seconds", "gauge", Some("seconds"), help);
    for (of, time) in [
        ("database", past.map(|past| past.database)),
        ("lock", past.map(|past| past.lock)),
        ("retry", past.map(|past| past.delay)),
    ] {
        let time = seconds(time.unwrap_or_default());
        line(&mut out, &format!("wait_seconds{{for=\"{of}\"}}"), &time);
    }
    let help = "How long each step took, or has been running.";
    family(&mut out, "step_seconds", "gauge", Some("seconds"), help);
    let steps = past.map_or(&[][..], |past| &past.steps);
    for (number, (name, time)) in (1..).zip(steps) {
        let labels = format!("step=\"{}\",number=\"{number}\"", escaped(name));
        line(
            &mut out,
            &format!("step_seconds{{{labels}}}"),
            &seconds(*time),
        );
    }
    let help = "Time since the gate began.";
    family(&mut out, "gate_seconds", "gauge", Some("seconds"), help);
    let total = past.map(|past| past.total).unwrap_or_default();
    line(&mut out, "gate_seconds", &seconds(total));
    out.push_str("# EOF\n");
    out
}

fn family(out: &mut String, name: &str, kind: &str, unit: Option<&str>, help: &str) {
    let _ = writeln!(out, "# TYPE launchgate_{name} {kind}");
    if let Some(unit) = unit {
        let _ = writeln!(out, "# UNIT launchgate_{name} {unit}");
    }
    let _ = writeln!(out, "# HELP launchgate_{name} {help}");
}

fn line(out: &mut String, series: &str, value: &str) {
    let _ = writeln!(out, "launchgate_{series} {value}");
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
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
        for path in ["/", "/readyz", "/livez/", "/LIVEZ", "/health/ready", ""] {
            let answer = answer(path, past.as_ref());
            assert_eq!(
                (answer.status, answer.retry_after),
                (503, Some(5)),
                "{path}"
            );
        }
    }

    #[test]
    fn metrics_end_as_they_must_and_escape_names() {
        let timeline = Timeline::default();
        timeline.enter(Phase::Step("a \"b\"\\".into()));
        let text = answer("/metrics", timeline.look().as_ref()).body;
        assert!(
            text.contains(r#"launchgate_step_seconds{step="a \"b\"\\",number="1"} 0."#),
            "{text}"
        );
        assert!(
            text.contains("launchgate_state{launchgate_state=\"running\"} 1\n"),
            "{text}"
        );
        assert!(text.ends_with("\n# EOF\n"), "{text}");
        assert!(
            answer("/metrics", None)
                .body
                .contains("launchgate_attempt 0\n")
        );
    }
}
