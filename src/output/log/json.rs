//! The log as JSON: one object per line, and a step's output wrapped line by line.
//!
//! Pure. Whatever bytes a step prints, every line of the log parses, and at most [`MOST`] of them are
//! buffered until their line ends.

use serde_json::{Map, Value};

use super::{Event, Level, ShownField};
use crate::sys::capture::LineSink;

/// How many bytes of a line one object holds. A longer line continues in the next object.
const MOST: usize = 16 * 1024;

/// Fields that are numbers. All others are text, whatever they look like.
const NUMBERS: [&str; 19] = [
    "applied",
    "attempt",
    "bytes",
    "code",
    "database_seconds",
    "delay_seconds",
    "failed",
    "files",
    "line",
    "lines",
    "lock_seconds",
    "pending",
    "pid",
    "processes",
    "retries_left",
    "seconds",
    "sessions",
    "signal",
    "user",
];

/// An event as an object.
pub(super) fn line(level: Level, event: Event, message: &str, fields: &[ShownField<'_>]) -> String {
    let mut object = Map::new();
    for (key, text) in fields {
        let number = NUMBERS
            .contains(key)
            .then(|| serde_json::from_str::<serde_json::Number>(text).ok())
            .flatten();
        let value = number.map_or_else(|| Value::String(text.clone()), Value::Number);
        object.insert((*key).to_owned(), value);
    }
    put(&mut object, level, event, message);
    finished(object)
}

fn put(object: &mut Map<String, Value>, level: Level, event: Event, message: &str) {
    for (key, value) in [
        ("level", level.as_str()),
        ("event", event.name()),
        ("message", message),
    ] {
        object.insert(key.to_owned(), Value::String(value.to_owned()));
    }
}

fn finished(object: Map<String, Value>) -> String {
    let mut line = Value::Object(object).to_string();
    line.push('\n');
    line
}

/// Wraps what a step writes to one stream in objects of the log.
#[derive(Debug)]
pub(super) struct StepLines {
    step: String,
    stream: &'static str,
    held: Vec<u8>,
}

impl StepLines {
    /// For the step of this name.
    pub(super) fn new(step: &str, stream: &'static str) -> Self {
        Self {
            step: step.to_owned(),
            stream,
            held: Vec::new(),
        }
    }

    fn hold(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while self.held.len() + bytes.len() > MOST {
            let (now, later) = bytes.split_at(MOST - self.held.len());
            self.held.extend(now);
            let whole = self.held.len() - unfinished(&self.held);
            let rest = self.held.split_off(whole);
            self.say(true, out);
            self.held = rest;
            bytes = later;
        }
        self.held.extend(bytes);
    }

    fn say(&mut self, is_continued: bool, out: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(&self.held);
        let mut object = Map::new();
        put(&mut object, Level::Info, Event::StepOutput, &text);
        object.insert("step".to_owned(), Value::String(self.step.clone()));
        object.insert("stream".to_owned(), Value::String(self.stream.to_owned()));
        if is_continued {
            object.insert("continued".to_owned(), Value::Bool(true));
        }
        out.extend(finished(object).into_bytes());
        self.held.clear();
    }
}

impl LineSink for StepLines {
    fn lines(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = line.strip_suffix(b"\n");
            self.hold(text.unwrap_or(line), &mut out);
            if text.is_some() {
                self.say(false, &mut out);
            }
        }
        if bytes.is_empty() && !self.held.is_empty() {
            self.say(false, &mut out);
        }
        out
    }
}

/// How many of the last bytes belong to an incomplete UTF-8 character.
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.iter().rev().take(3).zip(1..);
    for (byte, count) in last {
        let length = match byte {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            0x80..=0xbf => continue,
            _ => 1,
        };
        return if length > count { count } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wrapped(pieces: &[&[u8]]) -> Vec<Value> {
        let mut lines = StepLines::new("migrate", "stdout");
        let mut out = Vec::new();
        // Without bytes a stream ends.
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            out.extend(lines.lines(piece));
            assert!(lines.held.len() <= MOST);
        }
        out.extend(lines.lines(&[]));
        let text = String::from_utf8(out).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn messages(objects: &[Value]) -> Vec<&str> {
        let messages = objects.iter().map(|object| object["message"].as_str());
        messages.map(Option::unwrap).collect()
    }

    #[test]
    fn an_event_has_its_fields() {
        let fields = [("seconds", "0.012"), ("revision", "123")];
        let fields = fields.map(|(name, value)| (name, value.to_owned()));
        let text = line(Level::Warn, Event::StepFailed, "a \"b\"\n", &fields);
        let object: Value = serde_json::from_str(&text).unwrap();
        let wanted = serde_json::json!({
            "level": "warn", "event": "step.failed", "message": "a \"b\"\n",
            "seconds": 0.012, "revision": "123",
        });
        assert_eq!(object, wanted);
    }

    #[test]
    fn lines_end_where_they_end() {
        let seen = wrapped(&[b"a\nb", b"c\n\nd"]);
        assert_eq!(messages(&seen), ["a", "bc", "", "d"]);
        assert_eq!(seen[0]["step"], "migrate");
        assert_eq!(seen[0]["stream"], "stdout");
        assert_eq!(seen[0]["event"], "step.output");
    }

    #[test]
    fn a_long_line_is_continued_and_no_character_is_cut() {
        let long = "ä€😀".repeat(10_000);
        let seen = wrapped(&[long.as_bytes()]);
        assert_eq!(messages(&seen).concat(), long);
        let (last, others) = seen.split_last().unwrap();
        assert!(others.iter().all(|object| object["continued"] == true));
        assert_eq!(last.get("continued"), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_every_line_parses(pieces: Vec<Vec<u8>>) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let whole = pieces.concat();
            let seen = wrapped(&pieces);
            let text = String::from_utf8_lossy(&whole).into_owned();
            prop_assert_eq!(messages(&seen).join("\n"), text.strip_suffix('\n').unwrap_or(&text));
        }
    }
}
