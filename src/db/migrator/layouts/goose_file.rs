//! A file of goose's: its annotations, and the statements between them. Pure.

use std::ops::Range;

use super::versioned::{Sections, malformed};
use crate::{db::migrator::file::MigrationFile, exit::Failure};

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
pub(super) fn up(file: &MigrationFile) -> Result<Sections, Failure> {
    let text = &file.text;
    let mut parts = Vec::new();
    let (mut section, mut in_block) = (Section::None, false);
    let mut has_no_transaction = false;
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
        let refused = |what: &str, hint| Err(malformed(file, Some(number + 1), what, hint));
        let is_comment = line.trim_start().starts_with("--");
        if is_comment && line.contains(MARK) {
            if !is_unfinished(&statement) {
                statement = None;
            }
            if line.starts_with(char::is_whitespace) {
                return refused("the annotation has blanks in front", ANNOTATIONS);
            }
            let words = line.replace("--", "").replacen(MARK, "", 1);
            let words = words.trim();
            match (words.to_ascii_lowercase().as_str(), section) {
                ("no transaction", _) => has_no_transaction = true,
                ("envsub on" | "envsub off", _) => {
                    return refused(
                        "ENVSUB puts variables into the SQL, which launchgate does not do",
                        "run goose itself with --migrate, or write the values into the file",
                    );
                }
                ("up", Section::None) => section = Section::Up,
                ("down", _) if statement.is_some() => return refused(UNFINISHED, SEMICOLON),
                ("down", Section::Up) if !in_block => section = Section::Down,
                ("statementbegin", Section::Up | Section::Down) if !in_block => in_block = true,
                ("statementend", Section::Down) if in_block => in_block = false,
                ("statementend", Section::Up) if in_block => {
                    in_block = false;
                    let Some(block) = statement.take() else {
                        // goose loses the line after an empty block.
                        let nothing = "nothing stands between StatementBegin and StatementEnd";
                        return refused(nothing, ANNOTATIONS);
                    };
                    parts.push(block);
                }
                ("up" | "down" | "statementbegin" | "statementend", _) => {
                    return refused(&format!("{words} does not belong here"), ANNOTATIONS);
                }
                (other, _) => {
                    let what = format!("goose knows no annotation {other:?}");
                    return refused(&what, ANNOTATIONS);
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
                return refused(
                    "a statement stands before `-- +goose Up`",
                    "move it below that line",
                );
            }
            Section::Down => {}
            Section::Up => {
                let end = start + line.len();
                statement.get_or_insert(start..end).end = end;
                if !in_block && ends_with_semicolon(line) {
                    parts.extend(statement.take());
                }
            }
        }
    }
    let (what, hint) = match section {
        Section::None => ("it has no line `-- +goose Up`", ANNOTATIONS),
        _ if in_block => ("`-- +goose StatementEnd` is missing", ANNOTATIONS),
        _ if is_unfinished(&statement) => (UNFINISHED, SEMICOLON),
        _ => return Ok((parts, has_no_transaction)),
    };
    Err(malformed(file, Some(text.lines().count()), what, hint))
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
        let (parts, _) = sections(text).map_err(|refusal| {
            let (_, what) = refusal.problem().what().split_once(": ").unwrap();
            what.to_owned()
        })?;
        Ok(parts.into_iter().map(|range| &text[range]).collect())
    }

    fn sections(text: &str) -> Result<Sections, Failure> {
        up(&MigrationFile {
            text: text.to_owned(),
            ..MigrationFile::default()
        })
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
        assert!(sections(text).unwrap().1);
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
