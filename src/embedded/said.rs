//! Reading what an embedded step said: lines that this very program wrote. Pure.

/// What a failed step's last words are: what and hint.
pub(super) fn failure(tail: &[u8]) -> Option<(String, String)> {
    let line = line(tail, "error: ")?;
    let end = line.rfind(" code=")?;
    let what = unescape(&line[..end]);
    Some((what, value(&line, "hint")?))
}

/// The rest of the last line that begins so, behind the program's name.
pub(super) fn line(tail: &[u8], begins: &str) -> Option<String> {
    let text = String::from_utf8_lossy(tail);
    text.lines()
        .rev()
        .find_map(|line| line.strip_prefix("launchgate: ")?.strip_prefix(begins))
        .map(str::to_owned)
}

/// The value of a key.
pub(super) fn value(line: &str, key: &str) -> Option<String> {
    let start = line.rfind(&format!(" {key}="))? + key.len() + 2;
    let rest = &line[start..];
    let Some(quoted) = rest.strip_prefix('"') else {
        return rest.split(' ').next().map(str::to_owned);
    };
    let mut is_escaped = false;
    let end = quoted.find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })?;
    Some(unescape(&quoted[..end]))
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
        let tail = b"noise\nlaunchgate: error: a \\n b code=65 hint=\"say \\\"x\\\"; y\\\\\"\nlaunchgate: more a=1\n";
        let (what, hint) = failure(tail).unwrap();
        assert_eq!((what.as_str(), hint.as_str()), ("a \n b", "say \"x\"; y\\"));
        let line = line(b"launchgate: made it file=/a/b c=\"d e\"", "made it").unwrap();
        assert_eq!(value(&line, "file").unwrap(), "/a/b");
        assert_eq!(value(&line, "c").unwrap(), "d e");
        assert_eq!(value(&line, "x"), None);
        assert_eq!(failure(b"nothing of the kind"), None);
    }
}
