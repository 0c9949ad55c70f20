//! What the health listener answers. Pure.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::output::timeline::{Past, Phase};

/// When the gate will open is unknown; load balancers ask again after about this many seconds.
const AGAIN: HeaderValue = HeaderValue::from_static("5");

/// The paths that platforms use as liveness probes.
const LIVENESS: [&str; 3] = ["/livez", "/healthz", "/health"];

pub(super) fn answer(path: &str, past: Option<&Past>) -> Response<Full<Bytes>> {
    let phase = past.map_or(&Phase::Starting, |past| &past.phase);
    let mut body = json!({
        "state": phase.state(),
        "step": phase.step(),
        "seconds": past.map_or(0, |past| past.elapsed.as_secs()),
    });
    if let Some(left) = phase.delay() {
        body["seconds_left"] = left.as_secs().into();
    }
    let mut response = Response::new(Full::from(format!("{body}\n")));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !LIVENESS.contains(&path) {
        headers.insert(RETRY_AFTER, AGAIN);
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_liveness_is_fine_while_the_gate_is_closed() {
        let asked = |path| {
            let answer = answer(path, None);
            let again = answer.headers().get(RETRY_AFTER).cloned();
            (answer.status().as_u16(), again)
        };
        for path in LIVENESS {
            assert_eq!(asked(path), (200, None), "{path}");
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
            assert_eq!(asked(path), (503, Some(AGAIN)), "{path}");
        }
    }
}
