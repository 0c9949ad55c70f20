//! The log as text: `launchgate: MESSAGE key=value …`.
//!
//! Pure. A line stays one line, whatever its message and values contain.

use std::fmt::Write as _;

use super::{Level, Paint, ShownField};

/// The prefix of every line, in colour.
const FAINT: &str = "\x1b[2mlaunchgate:\x1b[0m ";

/// An event as a line.
pub(super) fn line(level: Level, message: &str, fields: &[ShownField<'_>], paint: Paint) -> String {
    let mut line = String::with_capacity(160);
    // Faint, bold red and yellow (ECMA-48: SGR).
    let parts = match (paint, level) {
        (Paint::Pipe | Paint::Plain, Level::Error) => ["launchgate: ", "error: "],
        (Paint::Pipe | Paint::Plain, Level::Warn) => ["launchgate: ", "warning: "],
        (Paint::Pipe | Paint::Plain, _) => ["launchgate: ", ""],
        (Paint::Colour, Level::Error) => [FAINT, "\x1b[1;31merror:\x1b[0m "],
        (Paint::Colour, Level::Warn) => [FAINT, "\x1b[33mwarning:\x1b[0m "],
        (Paint::Colour, _) => [FAINT, ""],
    };
    for part in parts {
        line.push_str(part);
    }
    escape(&mut line, message);
    for (key, value) in fields {
        line.push(' ');
        line.push_str(key);
        line.push('=');
        if *key == "hint" {
            // The last value: not quoted further, so that its command can be pasted as it is.
            line.push('"');
            escape(&mut line, value);
            line.push('"');
        } else {
            push_value(&mut line, value);
        }
    }
    line.push('\n');
    line
}

/// Quotes a value that is empty, or contains white space or a quote.
fn push_value(line: &mut String, value: &str) {
    let plain = !value.is_empty()
        && value
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=');
    if plain {
        line.push_str(value);
        return;
    }
    line.push('"');
    for c in value.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            c => push_printable(line, c),
        }
    }
    line.push('"');
}

/// A line stays one line, and no control character reaches a terminal.
fn escape(line: &mut String, text: &str) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return line.push_str(text);
    }
    text.chars().for_each(|c| push_printable(line, c));
}

fn push_printable(line: &mut String, c: char) {
    match c {
        '\n' => line.push_str("\\n"),
        '\t' => line.push_str("\\t"),
        '\r' => line.push_str("\\r"),
        c if c.is_control() => {
            let _ = write!(line, "\\u{{{:x}}}", u32::from(c));
        }
        c => line.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_a_line() {
        let fields = [("a", "1"), ("b", "x y"), ("c", "q\"\\\n\u{1b}")];
        let fields = fields.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(
            line(Level::Info, "some\nthing", &fields, Paint::Plain),
            "launchgate: some\\nthing a=1 b=\"x y\" c=\"q\\\"\\\\\\n\\u{1b}\"\n"
        );
        assert_eq!(
            line(Level::Error, "no", &[("e", String::new())], Paint::Pipe),
            "launchgate: error: no e=\"\"\n"
        );
        let hint = r#"`exec launchgate run -- "$@"`, `sed 's/\r$//' x`"#;
        assert_eq!(
            line(Level::Warn, "so", &[("hint", hint.to_owned())], Paint::Pipe),
            format!("launchgate: warning: so hint=\"{hint}\"\n")
        );
    }
}
