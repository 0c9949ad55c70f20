//! Step commands and the server's arguments.
//!
//! "A step command is split into words as a POSIX shell splits them, with no shell involved."

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;

use launchgate::shell_words::{self, Expansion, Split, SplitRefusal};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::harness::{for_all, for_some};
use crate::inputs::pieces;

/// The value of the variable A.
const VALUE: &str = "a  'b' \"c\" $A `d` \\ * ~ #e";

fn value(name: &[u8]) -> Option<Vec<u8>> {
    (name == b"A").then(|| VALUE.into())
}

fn split(text: &[u8], is_expanded: bool) -> Result<Split, SplitRefusal> {
    let expansion = if is_expanded {
        Expansion::On(&value)
    } else {
        Expansion::Off
    };
    shell_words::split(text, expansion)
}

/// A part of a word: as it is typed, and what it means.
type Part = (String, String);

fn part() -> impl Strategy<Value = Part> {
    let same = |text: String| (text.clone(), text);
    prop_oneof![
        "[a-zA-Z0-9_./:@%+,#~*?!{}\\[\\]^-]{1,6}".prop_map(same),
        "[^'\0]{0,8}".prop_map(|text| (format!("'{text}'"), text)),
        "[^\"\\\\$`\0]{0,8}".prop_map(|text| (format!("\"{text}\""), text)),
        "[^\n\0]".prop_map(|c| (format!("\\{c}"), c)),
        "[\"\\\\$`]".prop_map(|c| (format!("\"\\{c}\""), c)),
        "[^\"\\\\$`\n\0]".prop_map(|c| (format!("\"\\{c}\""), format!("\\{c}"))),
        Just(("$A".to_owned(), VALUE.to_owned())),
        Just(("${A}".to_owned(), VALUE.to_owned())),
        Just(("\"x$A\"".to_owned(), format!("x{VALUE}"))),
        Just(("$$".to_owned(), "$".to_owned())),
        Just(("\\\n".to_owned(), String::new())),
    ]
}

/// A word: its parts, where a name in one does not go on in the next.
fn word() -> impl Strategy<Value = Part> {
    prop::collection::vec(part(), 1..4).prop_map(|parts| {
        let (mut typed, mut meant) = (String::new(), String::new());
        for (text, meaning) in parts {
            if typed.ends_with("$A") && !text.starts_with(['\'', '"']) {
                typed.push_str("''");
            }
            typed.push_str(&text);
            meant.push_str(&meaning);
        }
        // A line continuation alone is no word.
        if typed.replace("\\\n", "").is_empty() {
            typed.push_str("''");
        }
        (typed, meant)
    })
}

#[test]
fn words_are_what_was_typed() {
    let blank = prop_oneof![Just(" "), Just("\t"), Just("  "), Just(" \\\n ")];
    let list = prop::collection::vec((word(), blank), 0..5);
    for_all(("[a-z./]{1,6}", list), |(program, list)| {
        let mut text = program.clone();
        let mut expected = vec![OsString::from(program)];
        for ((typed, meant), blank) in list {
            let _ = write!(text, "{blank}{typed}");
            expected.push(meant.into());
        }
        match split(text.as_bytes(), true) {
            Ok(split) => prop_assert_eq!(split.argv.words(), expected, "{:?}", text),
            Err(refusal) => prop_assert!(false, "{text:?}: {refusal:?}"),
        }
        Ok(())
    });
}

/// Pieces of which a shell and launchgate make the same: without `#`, which is an ordinary character
/// here, and without what only a shell expands.
const PIECES: &[&str] = &[
    "a", "b", " ", " ", "\t", "'", "\"", "\\", "\\\n", "\n", "=", "~", "*", "?", "[", "]", "{",
    "}", "!", "é", "\r", "\u{b}", "\u{c}", "\u{a0}", ";", "&", "|", "<", ">", "(", ")", "`", "-",
    "%", "'$x'", "\\$", "\"\\$\"", "$A", "${A}", "a=b", "\u{1}", "\u{7f}", "\u{81}", "\\'", "\\\"",
    "\\\\", "^", ":",
];

/// The words of each text, with an empty one after each list.
fn words_by_dash(texts: &[&str]) -> Vec<OsString> {
    // Nothing but the words: no field splitting, no file names, no home folder.
    let mut script = "set -f; IFS=\n".to_owned();
    for text in texts {
        let mut text = *text;
        // In front of the command, not behind `printf`.
        while let Some(behind) = ["\\\n", "\n", " ", "\t"]
            .iter()
            .find_map(|blank| text.strip_prefix(blank))
        {
            text = behind;
        }
        let _ = write!(script, "printf '%s\\0' {text}\nprintf '\\0'\n");
    }
    let dash = Command::new("dash")
        .args(["-c", &script])
        .env_clear()
        .env("HOME", "~")
        .env("A", VALUE)
        .output();
    let output = dash.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{texts:?}: {said}"
    );
    let words = output.stdout.split(|&byte| byte == 0);
    words
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect()
}

#[test]
fn words_are_those_of_dash() {
    let texts = prop::collection::vec(pieces(PIECES, 14), 24);
    for_some(texts, |texts| {
        let accepted: Vec<(&str, Split)> = texts
            .iter()
            .filter(|text| !text.contains(['#', '\0']) && !has_other_dollar(text))
            .filter_map(|text| Some((&**text, split(text.as_bytes(), true).ok()?)))
            .collect();
        let typed: Vec<&str> = accepted.iter().map(|(text, _)| *text).collect();
        let expected: Vec<OsString> = accepted
            .iter()
            .flat_map(|(_, split)| split.argv.words().iter().cloned().chain([OsString::new()]))
            .chain([OsString::new()])
            .collect();
        prop_assert_eq!(words_by_dash(&typed), expected, "{:?}", typed);
        Ok(())
    });
}

/// Whether there is a dollar that is neither escaped nor one of `$A`, `${A}` and `$x'`.
fn has_other_dollar(text: &str) -> bool {
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let behind = rest.as_str();
        let is_known = ["A", "{A}", "x'"]
            .iter()
            .any(|known| behind.starts_with(known));
        match c {
            '\\' => drop(rest.next()),
            '$' if !is_known => return true,
            _ => {}
        }
    }
    false
}

fn refusal_helps(refusal: &SplitRefusal) -> TestCaseResult {
    prop_assert!(
        !refusal.found.is_empty() && !refusal.instead.is_empty(),
        "{refusal:?}"
    );
    Ok(())
}

#[test]
fn any_bytes_are_words_or_refused() {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        pieces(PIECES, 40).prop_map(String::into_bytes),
        pieces(&["$", "{", "}", "A", "$$", "${", "\"", "'", " ", "\\"], 20)
            .prop_map(String::into_bytes),
        (pieces(PIECES, 8), 1..2000_usize)
            .prop_map(|(text, times)| text.repeat(times).into_bytes()),
    ];
    for_all(bytes, |bytes| {
        for is_expanded in [false, true] {
            match split(&bytes, is_expanded) {
                Ok(split) => prop_assert!(!split.argv.program().is_empty()),
                Err(refusal) => refusal_helps(&refusal)?,
            }
        }
        match shell_words::expand(&bytes, &value) {
            Ok(word) if !bytes.contains(&b'$') => prop_assert_eq!(&word, &bytes),
            Ok(_) => {}
            Err(refusal) => refusal_helps(&refusal)?,
        }
        let _ = shell_words::unexpanded(&bytes);
        Ok(())
    });
}
