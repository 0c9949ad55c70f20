//! What is shown hides what is secret.

use super::*;

#[test]
fn what_is_shown_can_break_no_line() {
    assert_eq!(
        url("postgres://a%0Ab@h/d%0Ae").to_string(),
        "postgres://a%0Ab@h/d%0Ae"
    );
    assert_eq!(url("sqlite:a%0Ab").to_string(), "sqlite:a%0Ab");
}

#[test]
fn hides_secrets_in_other_texts() {
    let text = "postgres://ann:p%40ss%2Fw@h/d?sslpassword=key-pass";
    let read = url(text);
    for (shown, expected) in [
        (format!("connecting to {text} now"), "connecting to *** now"),
        (
            "raw p@ss/w, encoded p%40ss%2Fw.".to_owned(),
            "raw ***, encoded ***.",
        ),
        ("p@ss/wp@ss/w".to_owned(), "******"),
        ("p@ss/".to_owned(), "p@ss/"),
        ("key-pass".to_owned(), "***"),
        ("ünïcode p@ss/w ü".to_owned(), "ünïcode *** ü"),
    ] {
        assert_eq!(read.redact(&shown), expected);
    }
    assert_eq!(
        &*read.secrets().redact_bytes(b"\xff p@ss/w \xfe"),
        b"\xff *** \xfe"
    );
}

/// What Node, Python, PHP and Go make of one password.
#[test]
fn hides_a_password_however_a_tool_writes_it() {
    let read = url("postgres://ann:a%22%5Cb%2F%3C%C3%B6%20%2B%21@h/d");
    assert_eq!(password(&read), Some("a\"\\b/<ö +!"));
    for shown in [
        "a\"\\b/<ö +!",
        // encodeURIComponent, and in lower case
        "a%22%5Cb%2F%3C%C3%B6%20%2B!",
        "a%22%5cb%2f%3c%c3%b6%20%2b!",
        // encodeURI
        "a%22%5Cb/%3C%C3%B6%20+!",
        "a%22%5cb/%3c%c3%b6%20+!",
        // new URL(…).href
        "a%22%5Cb%2F%3C%C3%B6%20+!",
        // urllib.parse.quote, with safe='', quote_plus
        "a%22%5Cb/%3C%C3%B6%20%2B%21",
        "a%22%5Cb%2F%3C%C3%B6%20%2B%21",
        "a%22%5Cb%2F%3C%C3%B6+%2B%21",
        // JSON.stringify, json.dumps, json_encode, encoding/json
        r#"a\"\\b/<ö +!"#,
        r#"a\"\\b/<\u00f6 +!"#,
        r#"a\"\\b\/<\u00f6 +!"#,
        r#"a\"\\b/\u003cö +!"#,
    ] {
        assert_eq!(read.redact(&format!("-{shown}-")), "-***-");
    }
    // Both at once: the address as it was given, in JSON.
    let read = url("postgres://ann:p%2Fw@h/d?x=1");
    for shown in [
        r"postgres:\/\/ann:p%2Fw@h\/d?x=1",
        "postgres://ann:p%2fw@h/d?x=1",
    ] {
        assert_eq!(read.redact(shown), "***");
    }
}

#[test]
fn overlapping_secrets_leave_no_ends() {
    let read = url("postgres://u:abcd@h/d?password=cdefg");
    assert_eq!(read.redact("-abcdefg-"), "-***-");
}

#[test]
fn a_short_password_is_hidden_only_where_it_is_surely_one() {
    let read = url("postgres://u:a@h/d");
    assert_eq!(
        read.redact("a banana for postgres://u:a@h/other"),
        "a banana for postgres://***h/other"
    );
    assert_eq!(read.redact("postgres://u:a@h/d"), "***");
    assert!(url("postgres://u:@h/d").secrets().is_empty());
    assert!(url("sqlite:x.db").secrets().is_empty());
}
