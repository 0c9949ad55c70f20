use super::*;
use proptest::prelude::*;

fn words(text: &str) -> Result<Vec<String>, SplitRefusal> {
    split(text.as_bytes(), Expansion::Off).map(|split| strings(&split))
}

fn strings(split: &Split) -> Vec<String> {
    split
        .argv
        .words()
        .iter()
        .map(|w| w.to_string_lossy().into_owned())
        .collect()
}

fn expanded(text: &str) -> Result<Vec<String>, SplitRefusal> {
    let get = |name: &[u8]| match name {
        b"A" => Some(b"a b".to_vec()),
        b"Q" => Some(b"it's \"$HOME\" \\ `x`".to_vec()),
        b"NF-DB_URI" => Some(b"uri".to_vec()),
        b"EMPTY" => Some(Vec::new()),
        _ => None,
    };
    split(text.as_bytes(), Expansion::On(&get)).map(|split| strings(&split))
}

#[test]
fn splits_as_a_posix_shell_does() {
    assert_eq!(
        words("node migrate/migration-code.js").unwrap(),
        ["node", "migrate/migration-code.js"]
    );
    assert_eq!(
        words(r#"a 'b c' "d \"e\" \x" f\ g h''i """#).unwrap(),
        ["a", "b c", r#"d "e" \x"#, "f g", "hi", ""]
    );
    assert_eq!(words("a \\\n b").unwrap(), ["a", "b"]);
    assert_eq!(words("  a\tb \n").unwrap(), ["a", "b"]);
}

#[test]
fn a_hash_is_an_ordinary_character() {
    assert_eq!(
        words("a #b c#d '#e' # f").unwrap(),
        ["a", "#b", "c#d", "#e", "#", "f"]
    );
}

#[test]
fn refuses_what_only_a_shell_understands() {
    for (text, found) in [
        ("a; b", "`;`"),
        ("a && b", "`&&`"),
        ("a & b", "`&`"),
        ("a || b", "`||`"),
        ("a | b", "`|`"),
        ("a <b", "`<`"),
        ("a 2>&1", "`>`"),
        ("(a)", "`(`"),
        ("a )", "`)`"),
        ("a `b`", "backtick"),
        ("a \"`b`\"", "backtick"),
        ("a $(b)", "`$(`"),
        ("a \"$(b)\"", "`$(`"),
        ("A=1 b", "`A=`"),
        ("\\\nA=b ./x", "`A=`"),
        (" \\\n \\\n\tA=b ./x", "`A=`"),
        ("A\\\nB\\\n=b ./x", "`AB=`"),
        ("a\nb", "line break"),
        ("a 'b", "'"),
        ("a \"b", "\""),
        ("a \\", "backslash"),
        ("", "no command"),
        ("   ", "no command"),
        ("''", "no command"),
    ] {
        let refusal = words(text).unwrap_err();
        assert!(refusal.found.contains(found), "{text:?}: {refusal:?}");
        assert!(!refusal.instead.is_empty());
    }
}

#[test]
fn a_setting_that_takes_one_command_is_not_told_to_be_repeated() {
    for text in ["a; b", "a && b", "a\nb"] {
        let refusal = words(text).unwrap_err();
        assert!(refusal.instead.contains("--migrate"), "{refusal:?}");
        let instead = refusal.instead_of_one();
        assert!(
            instead.contains("--shell") && !instead.contains("--migrate"),
            "{instead}"
        );
    }
    let refusal = words("a > b").unwrap_err();
    assert_eq!(refusal.instead_of_one(), refusal.instead);
}

#[test]
fn quoted_operators_are_ordinary() {
    assert_eq!(
        words(r#"a ';' "&&" '$(x)' \; '`'"#).unwrap(),
        ["a", ";", "&&", "$(x)", ";", "`"]
    );
    assert_eq!(words("env A=1 b").unwrap(), ["env", "A=1", "b"]);
    for text in ["\\\n./x A=1", "1A=b", "./A=b", "'A'=b", "A-B=c"] {
        assert!(words(text).is_ok(), "{text}");
    }
}

#[test]
fn without_expansion_a_variable_stays_and_is_reported() {
    let split = split(b"a $HOME '$X'", Expansion::Off).unwrap();
    assert_eq!(strings(&split), ["a", "$HOME", "$X"]);
    assert_eq!(split.unexpanded.as_deref(), Some("$HOME"));
    let quoted = super::split(b"a '$X' \\$Y 5$", Expansion::Off).unwrap();
    assert_eq!(quoted.unexpanded, None);
}

#[test]
fn expands_outside_single_quotes_and_never_splits_a_value() {
    assert_eq!(
        expanded("x $A ${A}y \"$A\" '$A' \\$A").unwrap(),
        ["x", "a b", "a by", "a b", "$A", "$A"]
    );
    assert_eq!(
        expanded("x $Q \"$Q\"").unwrap(),
        ["x", "it's \"$HOME\" \\ `x`", "it's \"$HOME\" \\ `x`"]
    );
    assert_eq!(
        expanded("x ${NF-DB_URI} $$ a$$b $1 $").unwrap(),
        ["x", "uri", "$", "a$b", "$1", "$"]
    );
    assert_eq!(expanded("x $EMPTY y").unwrap(), ["x", "", "y"]);
}

#[test]
fn an_unset_variable_is_an_error() {
    assert!(expanded("x $NOPE").unwrap_err().found.contains("NOPE"));
    assert!(expanded("x ${A:-b}").unwrap_err().found.contains("A:-b"));
    assert!(expanded("x ${A").unwrap_err().found.contains("${"));
}

/// Found by `scripts/fuzz`.
#[test]
fn only_blanks_and_line_ends_separate_words() {
    assert_eq!(words("\ra b").unwrap(), ["\ra", "b"]);
    assert_eq!(words("\u{c}a").unwrap(), ["\u{c}a"]);
    assert!(words("a\n\r").unwrap_err().found.contains("line break"));
}

/// Found by `scripts/fuzz`.
#[test]
fn a_line_continuation_may_divide_anything_but_single_quotes() {
    assert_eq!(expanded("x ${\\\nA}").unwrap(), ["x", "a b"]);
    assert!(expanded("x $A\\\nB").unwrap_err().found.contains("`AB`"));
    assert!(words("x $\\\n(y)").unwrap_err().found.contains("`$(`"));
    assert_eq!(words("x a\\\nb \"c\\\nd\"").unwrap(), ["x", "ab", "cd"]);
    assert_eq!(words("x 'a\\\nb' \\\\").unwrap(), ["x", "a\\\nb", "\\"]);
}

proptest! {
    #[test]
    fn what_is_quoted_comes_back(list in proptest::collection::vec("[^\0]{0,12}", 1..5)) {
        prop_assume!(!list[0].is_empty());
        let text = list.iter().map(|w| format!("'{}'", w.replace('\'', "'\\''"))).collect::<Vec<_>>().join(" ");
        prop_assert_eq!(words(&text).unwrap(), list);
    }

    #[test]
    fn a_value_is_one_word_whatever_it_holds(value in "[^\0]{0,20}") {
        let get = |_: &[u8]| Some(value.clone().into_bytes());
        let bare = split(b"x $V", Expansion::On(&get)).unwrap();
        let quoted = split(b"x \"$V\"", Expansion::On(&get)).unwrap();
        prop_assert_eq!(strings(&bare), vec!["x".to_owned(), value.clone()]);
        prop_assert_eq!(strings(&quoted), vec!["x".to_owned(), value.clone()]);
    }
}
