//! Reading what an embedded step said: lines that this very program wrote. Pure.

use serde_json::{Map, Value};

/// What a failed step's last words are: what and hint.
pub(super) fn failure(tail: &[u8]) -> Option<(String, String)> {
    let said = find(tail, |said| match said {
        Said::Text(line) => line.starts_with("error: "),
        Said::Object(object) => object.get("level") == Some(&Value::from("error")),
    })?;
    match &said {
        Said::Text(line) => {
            let line = line.strip_prefix("error: ")?;
            // The words before may hold anything.
            let mut ends = line.rmatch_indices(" code=").map(|(at, _)| at);
            let (end, hint) = ends.find_map(|at| Some((at, hint(&line[at..])?)))?;
            Some((unescape(&line[..end]), hint))
        }
        Said::Object(object) => {
            let what = object.get("message")?.as_str()?;
            Some((what.to_owned(), said.value("hint")?))
        }
    }
}

/// The hint, where these are the fields of a failure.
fn hint(fields: &str) -> Option<String> {
    let (code, rest) = fields.strip_prefix(" code=")?.split_once(' ')?;
    let is_number = code.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && rest.starts_with("hint=")).then(|| in_text(fields, "hint"))?
}

/// The last line whose message is this one.
pub(super) fn line(tail: &[u8], message: &str) -> Option<Said> {
    find(tail, |said| match said {
        Said::Text(line) => line.starts_with(message),
        Said::Object(object) => object.get("message") == Some(&Value::from(message)),
    })
}

fn find(tail: &[u8], is_it: impl Fn(&Said) -> bool) -> Option<Said> {
    let text = String::from_utf8_lossy(tail);
    text.lines().rev().filter_map(Said::parse).find(is_it)
}

/// A line of the log, in either format.
#[derive(Debug)]
pub(super) enum Said {
    /// What is behind the program's name.
    Text(String),
    /// The object.
    Object(Map<String, Value>),
}

impl Said {
    fn parse(line: &str) -> Option<Self> {
        match line.strip_prefix("launchgate: ") {
            Some(rest) => Some(Self::Text(rest.to_owned())),
            None => serde_json::from_str(line).ok().map(Self::Object),
        }
    }

    /// The value of a key.
    pub(super) fn value(&self, key: &str) -> Option<String> {
        match self {
            Self::Text(line) => in_text(line, key),
            Self::Object(object) => object.get(key)?.as_str().map(str::to_owned),
        }
    }
}

fn in_text(line: &str, key: &str) -> Option<String> {
    let key = format!("{key}=");
    let mut rest = line;
    // A value may hold what looks like a key.
    loop {
        let (word, behind) = rest.split_once('=')?;
        let is_key = format!(" {word}=").ends_with(&format!(" {key}"));
        let (value, next) = match behind.strip_prefix('"') {
            Some(quoted) => {
                let end = closing_quote(quoted)?;
                (unescape(&quoted[..end]), &quoted[end + 1..])
            }
            None => match behind.split_once(' ') {
                Some((value, next)) => (value.to_owned(), next),
                None => (behind.to_owned(), ""),
            },
        };
        if is_key {
            return Some(value);
        }
        rest = next;
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.find(|c| {
        let closes = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        closes
    })
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some('r') => plain.push('\r'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_understood() {
        let text = b"noise\nlaunchgate: error: a \\n b code=65 hint=\"say \\\"x\\\"; y\\\\\"\nlaunchgate: more a=1\n";
        let json = br#"noise
{"code":65,"event":"embedded.failed","hint":"say \"x\"; y\\","level":"error","message":"a \n b"}
{"level":"info","message":"more"}"#;
        for tail in [&text[..], &json[..]] {
            let (what, hint) = failure(tail).unwrap();
            assert_eq!((what.as_str(), hint.as_str()), ("a \n b", "say \"x\"; y\\"));
        }
        for tail in [
            &b"launchgate: made it file=/a/b c=\"d e\" f=\"x c=y\""[..],
            br#"{"message":"made it","file":"/a/b","c":"d e","f":"x c=y"}"#,
        ] {
            let said = line(tail, "made it").unwrap();
            assert_eq!(said.value("file").unwrap(), "/a/b");
            assert_eq!(said.value("c").unwrap(), "d e");
            assert_eq!(said.value("f").unwrap(), "x c=y");
            assert_eq!(said.value("x"), None);
        }
        assert_eq!(failure(b"nothing of the kind"), None);
    }
}
