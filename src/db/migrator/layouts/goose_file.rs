//! A file of goose's: its annotations, and the statements between them. Pure.

use std::ops::Range;

use super::versioned::Sections;

/// Marks an annotation in a comment.
const MARK: &str = "+goose";

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) what: String,
    pub(super) hint: &'static str,
}

/// Where the reader is: before any section, or in one, and there between `StatementBegin` and `StatementEnd`
/// or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    Up { in_block: bool },
    Down { in_block: bool },
}

/// The statements to apply, by goose's rules: one ends with a line whose last word, comments aside, ends
/// with a semicolon; or it stands between `StatementBegin` and `StatementEnd`.
pub(super) fn up(text: &str) -> Result<Sections, Malformed> {
    let mut up = Sections::default();
    let mut section = Section::None;
    let mut statement: Option<Range<usize>> = None;
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        let malformed = |what: String, hint| Malformed {
            line: number + 1,
            what,
            hint,
        };
        let is_comment = line.trim_start().starts_with("--");
        if is_comment && line.contains(MARK) {
            statement = statement.filter(|range| !text[range.clone()].trim().is_empty());
            let is_unfinished = statement.is_some();
            match annotation(line).map_err(|what| malformed(what, ANNOTATIONS))? {
                Annotation::NoTransaction => up.has_no_transaction = true,
                Annotation::Envsub => {
                    return Err(malformed(
                        "ENVSUB puts variables into the SQL, which launchgate does not do"
                            .to_owned(),
                        "run goose itself with --migrate, or write the values into the file",
                    ));
                }
                next => {
                    let ends = next == Annotation::StatementEnd;
                    if next == Annotation::Down && is_unfinished {
                        return Err(malformed(UNFINISHED.to_owned(), SEMICOLON));
                    }
                    section = section.after(next).ok_or_else(|| {
                        malformed(format!("{next:?} does not belong here"), ANNOTATIONS)
                    })?;
                    if ends && matches!(section, Section::Up { .. }) {
                        // goose loses the line after an empty block.
                        let range = statement.take().ok_or_else(|| {
                            malformed(
                                "nothing stands between StatementBegin and StatementEnd".to_owned(),
                                ANNOTATIONS,
                            )
                        })?;
                        up.parts.push(range);
                    }
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
                    "a statement stands before `-- +goose Up`".to_owned(),
                    "move it below that line",
                ));
            }
            Section::Down { .. } => {}
            Section::Up { in_block } => {
                let end = start + line.len();
                let range = statement.get_or_insert(start..end);
                range.end = end;
                if !in_block && ends_with_semicolon(line) {
                    up.parts.extend(statement.take());
                }
            }
        }
    }
    let line = text.lines().count();
    let (what, hint) = match section {
        Section::None => ("it has no line `-- +goose Up`", ANNOTATIONS),
        Section::Up { in_block: true } | Section::Down { in_block: true } => {
            ("`-- +goose StatementEnd` is missing", ANNOTATIONS)
        }
        _ if statement.is_some_and(|range| !text[range].trim().is_empty()) => {
            (UNFINISHED, SEMICOLON)
        }
        _ => return Ok(up),
    };
    Err(Malformed {
        line,
        what: what.to_owned(),
        hint,
    })
}

const UNFINISHED: &str = "the last statement does not end with a semicolon";
const SEMICOLON: &str = "end it with a semicolon, the last word of its line";
const ANNOTATIONS: &str = "goose's annotations are lines such as `-- +goose Up`, `-- +goose Down`, \
     `-- +goose StatementBegin` and `-- +goose StatementEnd`, without blanks in front";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Annotation {
    Up,
    Down,
    StatementBegin,
    StatementEnd,
    NoTransaction,
    Envsub,
}

impl Section {
    /// `None` where the annotation does not belong.
    fn after(self, next: Annotation) -> Option<Self> {
        Some(match (self, next) {
            (Self::Up { in_block: false }, Annotation::Down) => Self::Down { in_block: false },
            (Self::Up { in_block: false }, Annotation::StatementBegin) => {
                Self::Up { in_block: true }
            }
            (Self::Down { in_block: false }, Annotation::StatementBegin) => {
                Self::Down { in_block: true }
            }
            (Self::None, Annotation::Up)
            | (Self::Up { in_block: true }, Annotation::StatementEnd) => {
                Self::Up { in_block: false }
            }
            (Self::Down { in_block: true }, Annotation::StatementEnd) => {
                Self::Down { in_block: false }
            }
            _ => return None,
        })
    }
}

fn annotation(line: &str) -> Result<Annotation, String> {
    if line.starts_with(char::is_whitespace) {
        return Err("the annotation has blanks in front".to_owned());
    }
    let words = line.replace("--", "").replacen(MARK, "", 1);
    match words.trim().to_ascii_lowercase().as_str() {
        "up" => Ok(Annotation::Up),
        "down" => Ok(Annotation::Down),
        "statementbegin" => Ok(Annotation::StatementBegin),
        "statementend" => Ok(Annotation::StatementEnd),
        "no transaction" => Ok(Annotation::NoTransaction),
        "envsub on" | "envsub off" => Ok(Annotation::Envsub),
        other => Err(format!("goose knows no annotation {other:?}")),
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
