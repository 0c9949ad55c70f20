//! Locates statements in a file. Pure.
//!
//! Servers tell which statement of a file failed by how many came before it, and some tell where in it.
//! To find the line, the file is split as the server's own lexer would: quotes, comments, Postgres'
//! dollar quotes, and bodies of triggers and routines between BEGIN and END. `SQLite`, which gets
//! statements one by one, says itself where one ends.

use crate::sys::sqlite::is_complete;

/// Whose lexer reads a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Lexer {
    Postgres,
    Mysql,
    Sqlite,
}

/// A statement of a file, by bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) struct Statement {
    /// Behind the semicolon before it and the white space: where the server begins to count lines.
    pub(in crate::db) from: usize,
    /// Its first word.
    pub(in crate::db) word: usize,
    /// Its semicolon, or the end of the file.
    pub(in crate::db) end: usize,
}

impl Statement {
    pub(super) fn of(self, sql: &str) -> &str {
        &sql[self.word..self.end]
    }
}

/// The statements of a file, those that are nothing but comments left out.
pub(in crate::db) fn statements(sql: &str, lexer: Lexer) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut open: Option<Statement> = None;
    let mut from = None;
    let mut body = RoutineBody::default();
    let mut at = 0;
    let bytes = sql.as_bytes();
    while at < bytes.len() {
        let length = token(&sql[at..], at, bytes, lexer);
        let text = &sql[at..at + length];
        let is_blank = text.trim().is_empty();
        if !is_blank {
            from.get_or_insert(at);
        }
        if is_blank || is_comment(text, lexer) {
            // Between two words.
        } else if text == ";" && body.ends(&sql[from.unwrap_or(at)..=at], lexer) {
            found.extend(open.take().map(|statement| Statement {
                end: at,
                ..statement
            }));
            (from, body) = (None, RoutineBody::default());
        } else {
            open.get_or_insert(Statement {
                from: from.unwrap_or(at),
                word: at,
                end: bytes.len(),
            });
            body.see(text, lexer);
        }
        at += length;
    }
    found.extend(open);
    found
}

/// The line, from 1, of a byte.
pub(in crate::db) fn line(sql: &str, at: usize) -> usize {
    1 + sql[..at.min(sql.len())].matches('\n').count()
}

/// The byte of a character, counted from 1, as Postgres does.
pub(in crate::db) fn byte_of_character(sql: &str, position: usize) -> usize {
    sql.char_indices()
        .nth(position.saturating_sub(1))
        .map_or(sql.len(), |(at, _)| at)
}

/// The bodies that a statement is in the middle of.
#[derive(Debug, Default)]
struct RoutineBody {
    depth: usize,
    creates: bool,
    nests: bool,
    last: String,
}

impl RoutineBody {
    /// Whether the semicolon at the end of `text` is the end of a statement.
    fn ends(&self, text: &str, lexer: Lexer) -> bool {
        match lexer {
            Lexer::Sqlite => is_complete(text),
            Lexer::Postgres | Lexer::Mysql => self.depth == 0,
        }
    }

    fn see(&mut self, text: &str, lexer: Lexer) {
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.last.clear();
            return;
        }
        let word = text.to_ascii_uppercase();
        match word.as_str() {
            "CREATE" | "ALTER" if self.depth == 0 => self.creates = true,
            "TRIGGER" | "PROCEDURE" | "FUNCTION" | "EVENT" | "PACKAGE" => {
                self.nests |= self.creates && lexer == Lexer::Mysql;
            }
            // The only body that Postgres does not write as a string.
            "ATOMIC" if self.last == "BEGIN" && self.creates => {
                self.nests = true;
                self.depth = 1;
            }
            "CASE" if self.nests && self.depth > 0 && self.last == "END" => {}
            "BEGIN" | "CASE" if self.nests && (word == "BEGIN" || self.depth > 0) => {
                self.depth += 1;
            }
            "END" if self.nests => self.depth = self.depth.saturating_sub(1),
            // These end with END as well, and began without BEGIN.
            "IF" | "LOOP" | "WHILE" | "REPEAT" | "FOR" if self.nests && self.last == "END" => {
                self.depth += 1;
            }
            _ => {}
        }
        self.last = word;
    }
}

fn is_comment(text: &str, lexer: Lexer) -> bool {
    text.starts_with("--")
        || text.starts_with("/*") && !is_executed(text, lexer)
        || lexer == Lexer::Mysql && text.starts_with('#')
}

/// Whether a comment is SQL for MySQL (`/*!`) or only `MariaDB` (`/*M!`).
fn is_executed(text: &str, lexer: Lexer) -> bool {
    lexer == Lexer::Mysql && (text.starts_with("/*!") || text.starts_with("/*M!"))
}

/// How long the token is that `rest` begins with; at least one character.
fn token(rest: &str, at: usize, all: &[u8], lexer: Lexer) -> usize {
    let bytes = rest.as_bytes();
    match bytes[0] {
        b'-' if rest.starts_with("--") && begins_comment(bytes.get(2), lexer) => {
            to_end_of_line(rest, lexer)
        }
        b'#' if lexer == Lexer::Mysql => to_end_of_line(rest, lexer),
        b'/' if rest.starts_with("/*") => comment(bytes, lexer == Lexer::Postgres),
        b'\'' => {
            let escapes = match lexer {
                Lexer::Postgres => {
                    let before = &all[..at];
                    let is_escape = before.last().is_some_and(|b| b"eE".contains(b));
                    is_escape && !before.iter().rev().nth(1).is_some_and(|b| is_word(*b))
                }
                Lexer::Mysql => true,
                Lexer::Sqlite => false,
            };
            quoted(bytes, b'\'', escapes)
        }
        b'"' => quoted(bytes, b'"', lexer == Lexer::Mysql),
        b'`' if lexer != Lexer::Postgres => quoted(bytes, b'`', false),
        b'[' if lexer == Lexer::Sqlite => rest.find(']').map_or(rest.len(), |end| end + 1),
        b'$' if lexer == Lexer::Postgres => dollar(rest),
        // In a name, a dollar is a letter to Postgres, and so is whatever is not ASCII.
        first if lexer == Lexer::Postgres && !first.is_ascii_digit() && is_letter(first) => {
            let letters = bytes.iter().take_while(|&&b| is_letter(b) || b == b'$');
            letters.count()
        }
        first if is_word(first) => bytes.iter().take_while(|&&byte| is_word(byte)).count(),
        _ => rest.chars().next().map_or(1, char::len_utf8),
    }
}

fn is_letter(byte: u8) -> bool {
    is_word(byte) || !byte.is_ascii()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// For MySQL, `--` begins a comment only in front of a blank: `5--1` is 6.
fn begins_comment(next: Option<&u8>, lexer: Lexer) -> bool {
    let is_blank = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
    lexer != Lexer::Mysql || next.is_none_or(is_blank)
}

/// For Postgres, a carriage return alone ends a line too.
fn to_end_of_line(rest: &str, lexer: Lexer) -> usize {
    let ends = |c: char| c == '\n' || c == '\r' && lexer == Lexer::Postgres;
    rest.find(ends).unwrap_or(rest.len())
}

fn comment(bytes: &[u8], nests: bool) -> usize {
    let (mut at, mut depth) = (2, 1);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else if nests && bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// A quote written twice ends a string and begins another, which comes to the same.
fn quoted(bytes: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 1,
            byte if byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// `$tag$ … $tag$`; a lone dollar, or a parameter, is one character.
fn dollar(rest: &str) -> usize {
    let ends = |c: char| c.is_ascii() && c != '_' && !c.is_ascii_alphanumeric();
    let Some(tag_end) = rest[1..]
        .find(ends)
        .map(|end| end + 1)
        .filter(|&end| rest[end..].starts_with('$') && !rest.as_bytes()[1].is_ascii_digit())
    else {
        return 1;
    };
    let tag = &rest[..=tag_end];
    rest[tag.len()..]
        .find(tag)
        .map_or(rest.len(), |end| tag.len() + end + tag.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::db::Backend;

    fn lexer(backend: Backend) -> Lexer {
        backend.driver().migrations.lexer
    }

    fn split(sql: &str, backend: Backend) -> Vec<&str> {
        statements(sql, lexer(backend))
            .into_iter()
            .map(|s| sql[s.word..s.end].trim())
            .collect()
    }

    #[test]
    fn semicolons_in_quotes_and_comments_end_nothing() {
        let sql = "-- a; b\nselect ';', \"a;b\"; /* c; */ select 'it''s; so';\n;\n-- end";
        for backend in Backend::ALL {
            assert_eq!(
                split(sql, backend),
                ["select ';', \"a;b\"", "select 'it''s; so'"]
            );
        }
    }

    #[test]
    fn postgres_has_dollar_quotes_nested_comments_and_atomic_bodies() {
        let sql = "do $x$ begin; end $x$; select $$;$$, $1; /* /* ; */ ; */ select E'\\';'; \
                   create function f() returns int begin atomic select 1; select case when true then 1 end; end; select 2";
        assert_eq!(
            split(sql, Backend::Postgres),
            [
                "do $x$ begin; end $x$",
                "select $$;$$, $1",
                "select E'\\';'",
                "create function f() returns int begin atomic select 1; select case when true then 1 end; end",
                "select 2",
            ]
        );
        assert_eq!(
            split("begin; select 1; end; select 2", Backend::Postgres).len(),
            4
        );
    }

    #[test]
    fn names_and_comments_end_where_postgres_ends_them() {
        for sql in [
            "select 1 as a$$; select 2 as b$$",
            "select 1 as é$x$; select 2 as é$x$",
            "-- a\rselect 1;\r-- b\rselect 2",
            "/*! a */ select 1; select $é$;$é$",
        ] {
            assert_eq!(split(sql, Backend::Postgres).len(), 2, "{sql:?}");
        }
        assert!(split("-- a\rselect 1;", Backend::Mysql).is_empty());
        assert_eq!(split("/*M! select 1 */", Backend::Mysql).len(), 1);
        assert_eq!(split("select 5--1; select 2", Backend::Mysql).len(), 2);
    }

    #[test]
    fn bodies_of_triggers_and_routines_are_one_statement() {
        let trigger = "create trigger t after insert on a begin update b set x = case when 1 then 2 end; delete from c; end; select 1";
        assert_eq!(split(trigger, Backend::Sqlite).len(), 2);
        let routine = "create procedure p() begin if a then set b = 1; end if; while c do set d = 1; end while; \
                       case e when 1 then set f = 1; end case; end; select 1";
        assert_eq!(split(routine, Backend::Mysql).len(), 2);
        assert_eq!(
            split("select 'a\\';b'; # c; d\nselect 1", Backend::Mysql).len(),
            2
        );
    }

    #[test]
    fn lines_are_counted_from_one() {
        let sql = "\n-- first\nselect 1;\n\n  select\n2";
        let found = statements(sql, lexer(Backend::Sqlite));
        let lines: Vec<_> = found
            .iter()
            .map(|s| (line(sql, s.from), line(sql, s.word)))
            .collect();
        assert_eq!(lines, [(2, 3), (5, 5)]);
        assert_eq!(line(sql, byte_of_character(sql, sql.chars().count())), 6);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(sql in any::<String>(), quotes in "[-'\"`$/*;#\\\\\\[\\]eE a\n]{0,40}") {
            for text in [&sql, &quotes] {
                for backend in Backend::ALL {
                    let mut before = 0;
                    for s in statements(text, lexer(backend)) {
                        prop_assert!(before <= s.from && s.from <= s.word && s.word <= s.end);
                        prop_assert!(s.end <= text.len());
                        before = s.end;
                    }
                }
            }
        }
    }
}
