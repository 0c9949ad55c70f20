//! `--log-format json`: every line on standard error parses, whatever the steps print.
//!
//! "JSON: one object per line with `level`, `message`, `event`, and step output of both streams
//! wrapped line by line, on standard error too (`event` = `step.output`, `stream`, `step`, the
//! text in `message`)." (contract, section 8)

use serde_json::Value;

use crate::both_modes;
use crate::common::{Finished, Mode, Place, migrate, stub};

both_modes!(
    every_line_is_an_object,
    counts_and_times_are_numbers,
    step_output_is_wrapped_line_by_line,
    junk_and_endless_lines_parse,
    a_usage_error_is_an_object_too,
);

fn objects(end: &Finished) -> Vec<Value> {
    let text = &end.stderr;
    assert!(text.ends_with('\n'), "{text}");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn events(objects: &[Value]) -> Vec<&str> {
    let events = objects.iter().map(|object| object["event"].as_str());
    events.map(|event| event.expect("an event")).collect()
}

fn every_line_is_an_object(mode: Mode) {
    let place = Place::new();
    let flags = ["--log-format=json", "--migrate=true"];
    let end = place.gate(mode, &flags).server(["true"]).end();
    let seen = objects(end.code(0));
    let wanted = [
        "step.started",
        "step.succeeded",
        "gate.summary",
        "server.starting",
    ];
    assert_eq!(events(&seen), wanted);
    for object in &seen {
        assert_eq!(object["level"], "info");
        assert!(object["message"].is_string(), "{object}");
    }
    assert!(seen[0]["pid"].is_number() && seen[1]["seconds"].is_number());
}

fn counts_and_times_are_numbers(mode: Mode) {
    let place = Place::new();
    let flags = [
        "--log-format=json",
        "--retries=1",
        "--retry-delay=100ms",
        "--migrate=false",
    ];
    let end = place.gate(mode, &flags).end();
    let seen = objects(end.code(1));
    for (event, field) in [
        ("run.retrying", "retries_left"),
        ("retry.waiting", "failed"),
        ("gate.summary", "delay_seconds"),
        ("gate.failed", "code"),
    ] {
        let object = seen.iter().find(|object| object["event"] == event);
        let object = object.unwrap_or_else(|| panic!("no {event}: {seen:?}"));
        assert!(object[field].is_number(), "{object}");
    }
}

fn step_output_is_wrapped_line_by_line(mode: Mode) {
    let place = Place::new();
    let step = migrate(stub().print("one").eprint("two").print("three"));
    let gate = place.gate(mode, &[step]);
    let end = gate.env("LAUNCHGATE_LOG_FORMAT", "json").end();
    let seen = objects(end.code(0));
    let output = seen.iter().filter(|o| o["event"] == "step.output");
    let mut said: Vec<String> = output
        .map(|o| format!("{} {} {}", o["step"], o["stream"], o["message"]))
        .collect();
    // Two pipes: the order is kept on each.
    said.sort_by_key(|line| line.contains("stderr"));
    let migrate = "\"migrate\"";
    assert_eq!(
        said,
        [
            format!("{migrate} \"stdout\" \"one\""),
            format!("{migrate} \"stdout\" \"three\""),
            format!("{migrate} \"stderr\" \"two\""),
        ]
    );
    assert!(end.stdout.is_empty(), "{end}");
}

fn junk_and_endless_lines_parse(mode: Mode) {
    let place = Place::new();
    let mut bytes = b"a\0b\xff\xfe\x80\r\n\x1b[31m\n".to_vec();
    bytes.extend(std::iter::repeat_n(b'x', 10_000_000));
    place.write("bytes", &bytes);
    let flags = ["--log-format", "json", "--migrate=cat bytes"];
    let end = place.gate(mode, &flags).end();
    let seen = objects(end.code(0));
    let output: Vec<&Value> = seen
        .iter()
        .filter(|o| o["event"] == "step.output")
        .collect();
    assert_eq!(output[0]["message"], "a\0b\u{fffd}\u{fffd}\u{fffd}\r");
    assert_eq!(output[1]["message"], "\u{1b}[31m");
    let long: usize = output[2..]
        .iter()
        .map(|object| object["message"].as_str().expect("text").len())
        .sum();
    assert_eq!(long, 10_000_000);
    let continued = output.iter().filter(|o| o["continued"] == true).count();
    assert_eq!(continued, output.len() - 3);
}

fn a_usage_error_is_an_object_too(mode: Mode) {
    let place = Place::new();
    for flags in [
        ["--log-format=json", "--no-such-flag"],
        ["--log-format=json", "--migrate=a;b"],
    ] {
        let end = place.gate(mode, &flags).end();
        let seen = objects(end.code(64));
        let last = seen.last().expect("a line");
        assert_eq!(last["event"], "gate.failed");
        assert_eq!(last["level"], "error");
        assert_eq!(last["code"], 64);
        assert!(last["hint"].is_string(), "{last}");
    }
    let end = place.gate(mode, &["--log-format=xml"]).end();
    end.code(64).says(&["--log-format", "json"]);
}
