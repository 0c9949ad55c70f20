//! What hides passwords in text that others wrote.

use launchgate::redact;
use proptest::prelude::*;

use crate::harness::{assert_hidden, for_all};
use crate::inputs::{pieces, typed_url};

const PIECES: &[&str] = &[
    "://",
    ":",
    "@",
    "a",
    "'",
    "\"",
    "`",
    "\\",
    " ",
    "=",
    "password=",
    "pwd",
    "--password",
    "--pass ",
    "postgres://u:",
    "@h/d",
    "?",
    "&",
    "it's",
    "can't",
    "é",
    "[",
    "]",
    "/",
    ",",
    "\n",
    "***",
    "sha256:",
    "$",
];

#[test]
fn any_text_is_hidden_in_time() {
    let texts = (
        pieces(PIECES, 30),
        prop_oneof![3 => Just(1), 1 => 1..2000_usize],
    );
    for_all(texts, |(text, times)| {
        let mut text = text.repeat(times);
        let end = (0..=text.len().min(64 * 1024))
            .rev()
            .find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or_default());
        let _ = redact::passwords(&text);
        Ok(())
    });
}

/// As a word of a command line, alone or beside others.
#[test]
fn a_url_among_words_shows_no_password() {
    let others = || prop::collection::vec("[a-z-]{1,6}", 0..3);
    for_all(
        (others(), typed_url(), others()),
        |(before, url, behind)| {
            let words = before
                .iter()
                .chain([&url])
                .chain(&behind)
                .map(String::as_str);
            let Ok(text) = shlex::try_join(words) else {
                return Ok(());
            };
            let shown = redact::passwords(&text).into_owned();
            assert_hidden(&(&text, &shown), &shown)
        },
    );
}
