//! A file of goose's: its annotations, and the statements between them. Pure.

use std::ops::Range;

use super::versioned::{Malformed, Sections};

/// Marks an annotation in a comment.
const MARK: &str = "+goose";

const UNFINISHED: &str = "the last statement does not end with a semicolon";
const SEMICOLON: &str = "end it with a semicolon, the last word of its line";
const ANNOTATIONS: &str = "goose's annotations are lines such as `-- +goose Up`, `-- +goose Down`, \
     `-- +goose StatementBegin` and `-- +goose StatementEnd`, without blanks in front";

/// Where the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    Up,
    Down,
}

/// The statements to apply, by goose's rules: one ends with a line whose last word, comments aside, ends
/// with a semicolon; or it stands between `StatementBegin` and `StatementEnd`.
pub(super) fn up(text: &str) -> Result<Sections, Malformed> {
    let mut up = Sections::default();
    let (mut section, mut in_block) = (Section::None, false);
    let mut statement: Option<Range<usize>> = None;
    let is_unfinished = |statement: &Option<Range<usize>>| {
        let range = statement.clone();
        range.is_some_and(|range| !text[range].trim().is_empty())
    };
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        let malformed = |what: &str, hint| malformed(number + 1, what, hint);
        let is_comment = line.trim_start().starts_with("--");
        if is_comment && line.contains(MARK) {
            if !is_unfinished(&statement) {
                statement = None;
            }
            if line.starts_with(char::is_whitespace) {
                return Err(malformed("the annotation has blanks in front", ANNOTATIONS));
            }
            let words = line.replace("--", "").replacen(MARK, "", 1);
            let words = words.trim();
            match (words.to_ascii_lowercase().as_str(), section) {
                ("no transaction", _) => up.has_no_transaction = true,
                ("envsub on" | "envsub off", _) => {
                    return Err(malformed(
                        "ENVSUB puts variables into the SQL, which launchgate does not do",
                        "run goose itself with --migrate, or write the values into the file",
                    ));
                }
                ("up", Section::None) => section = Section::Up,
                ("down", _) if statement.is_some() => return Err(malformed(UNFINISHED, SEMICOLON)),
                ("down", Section::Up) if !in_block => section = Section::Down,
                ("statementbegin", Section::Up | Section::Down) if !in_block => in_block = true,
                ("statementend", Section::Down) if in_block => in_block = false,
                ("statementend", Section::Up) if in_block => {
                    in_block = false;
                    // goose loses the line after an empty block.
                    let nothing = "nothing stands between StatementBegin and StatementEnd";
                    let block = statement.take();
                    up.parts
                        .push(block.ok_or_else(|| malformed(nothing, ANNOTATIONS))?);
                }
                ("up" | "down" | "statementbegin" | "statementend", _) => {
                    let what = format!("{words} does not belong here");
                    return Err(malformed(&what, ANNOTATIONS));
                }
                (other, _) => {
                    let what = format!("goose knows no annotation {other:?}");
                    return Err(malformed(&what, ANNOTATIONS));
                }
            }
            continue;
        }
        if statement.is_none() && (is_comment || line.is_empty()) {
            continue;
        }
        match section {
            Section::None if line.trim().is_empty() => {}
            Section::None => {
                return Err(malformed(
                    "a statement stands before `-- +goose Up`",
                    "move it below that line",
                ));
            }
            Section::Down => {}
            Section::Up => {
                let end = start + line.len();
                statement.get_or_insert(start..end).end = end;
                if !in_block && ends_with_semicolon(line) {
                    up.parts.extend(statement.take());
                }
            }
        }
    }
    let (what, hint) = match section {
        Section::None => ("it has no line `-- +goose Up`", ANNOTATIONS),
        _ if in_block => ("`-- +goose StatementEnd` is missing", ANNOTATIONS),
        _ if is_unfinished(&statement) => (UNFINISHED, SEMICOLON),
        _ => return Ok(up),
    };
    Err(malformed(text.lines().count(), what, hint))
}

fn malformed(line: usize, what: &str, hint: &'static str) -> Malformed {
    Malformed {
        line: Some(line),
        what: what.to_owned(),
        hint,
    }
}

fn ends_with_semicolon(line: &str) -> bool {
    let words = line.split_whitespace();
    let last = words.take_while(|word| !word.starts_with("--")).last();
    last.is_some_and(|word| word.ends_with(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> Result<Vec<&str>, String> {
        let up = up(text).map_err(|malformed| malformed.what)?;
        Ok(up.parts.into_iter().map(|range| &text[range]).collect())
    }

    #[test]
    fn statements_end_with_a_line_that_ends_with_a_semicolon() {
        let text = "-- +goose Up\n-- about a\ncreate table a(\n  x int -- the x;\n);\nselect 1; select 2; -- both\n\
                    -- +goose Down\ndrop table a;\n";
        assert_eq!(
            statements(text),
            Ok(vec![
                "create table a(\n  x int -- the x;\n);",
                "select 1; select 2; -- both"
            ])
        );
    }

    #[test]
    fn blanks_before_the_down_section_are_no_statement() {
        let text = "-- +goose Up\nselect 1;\n  \n-- +goose Down\nselect 2;\n";
        assert_eq!(statements(text), Ok(vec!["select 1;"]));
    }

    #[test]
    fn a_block_is_one_statement() {
        let text = "-- +goose Up\n-- +goose StatementBegin\ncreate function f() as $$\nbegin\n  x;\nend $$;\n\
                    -- +goose StatementEnd\nselect 1;\n";
        let expected = vec![
            "create function f() as $$\nbegin\n  x;\nend $$;",
            "select 1;",
        ];
        assert_eq!(statements(text), Ok(expected));
    }

    #[test]
    fn annotations_are_read_in_any_case_of_letters() {
        assert_eq!(
            statements("-- +GOOSE Up\n").unwrap_err(),
            "it has no line `-- +goose Up`"
        );
        assert_eq!(statements("--+goose up\nselect 1;"), Ok(vec!["select 1;"]));
        let text = "-- +goose no transaction\n-- +goose Up\nselect 1;";
        assert!(up(text).unwrap().has_no_transaction);
    }

    #[test]
    fn what_goose_refuses_is_refused() {
        for (text, what) in [
            (
                "select 1;\n-- +goose Up\n",
                "a statement stands before `-- +goose Up`",
            ),
            ("-- +goose Up\nselect 1\n", UNFINISHED),
            ("-- +goose Up\nselect 1\n-- +goose Down\n", UNFINISHED),
            ("-- +goose Down\n", "Down does not belong here"),
            ("-- +goose Up\n-- +goose Up\n", "Up does not belong here"),
            (
                "-- +goose Up\n-- +goose StatementBegin\nselect 1;\n",
                "`-- +goose StatementEnd` is missing",
            ),
            (
                "-- +goose Up\n-- +goose StatementBegin\n-- nothing\n-- +goose StatementEnd\n",
                "nothing stands between StatementBegin and StatementEnd",
            ),
            (
                "-- +goose Up\n-- +goose StatementEnd\n",
                "StatementEnd does not belong here",
            ),
            (" -- +goose Up\n", "the annotation has blanks in front"),
            (
                "-- +goose Sideways\n",
                "goose knows no annotation \"sideways\"",
            ),
            (
                "-- +goose ENVSUB ON\n",
                "ENVSUB puts variables into the SQL, which launchgate does not do",
            ),
        ] {
            assert_eq!(statements(text).unwrap_err(), what, "{text:?}");
        }
    }
}
