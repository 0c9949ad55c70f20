//! Where in a file a statement stands. Pure.
//!
//! Servers say which statement of a file failed, by how many came before it, and some say where
//! in it. To find the line, the file is split as the server's own lexer would: quotes, comments,
//! Postgres' dollar quotes, and bodies of triggers and routines between BEGIN and END. `SQLite`, to
//! which statements are handed one by one, says itself where one ends.

use crate::db::Backend;
use crate::sys::sqlite::is_complete;

/// A statement of a file, by bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Statement {
    /// Behind the semicolon before it and what is blank: where the server begins to count lines.
    pub(super) from: usize,
    /// Its first word.
    pub(super) word: usize,
    /// Its semicolon, or the end of the file.
    pub(super) end: usize,
}

/// The statements of a file, those that are nothing but comments left out.
pub(super) fn statements(sql: &str, backend: Backend) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut open: Option<Statement> = None;
    let mut from = None;
    let mut body = RoutineBody::default();
    let mut at = 0;
    let bytes = sql.as_bytes();
    while at < bytes.len() {
        let length = token(&sql[at..], at, bytes, backend);
        let text = &sql[at..at + length];
        let is_blank = text.trim().is_empty();
        if !is_blank {
            from.get_or_insert(at);
        }
        if is_blank || is_comment(text, backend) {
            // Between two words.
        } else if text == ";" && ends(&sql[from.unwrap_or(at)..=at], &body, backend) {
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
            body.see(text, backend);
        }
        at += length;
    }
    found.extend(open);
    found
}

/// Whether the semicolon at the end of `text` is the end of a statement.
fn ends(text: &str, body: &RoutineBody, backend: Backend) -> bool {
    match backend {
        Backend::Sqlite => is_complete(text),
        Backend::Postgres | Backend::Mysql => body.depth == 0,
    }
}

/// The line, from 1, of a byte.
pub(super) fn line(sql: &str, at: usize) -> usize {
    1 + sql[..at.min(sql.len())].matches('\n').count()
}

/// The byte of a character, counted from 1, as Postgres does.
pub(super) fn byte_of_character(sql: &str, position: usize) -> usize {
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
    fn see(&mut self, text: &str, backend: Backend) {
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.last.clear();
            return;
        }
        let word = text.to_ascii_uppercase();
        match word.as_str() {
            "CREATE" | "ALTER" if self.depth == 0 => self.creates = true,
            "TRIGGER" | "PROCEDURE" | "FUNCTION" | "EVENT" | "PACKAGE" => {
                self.nests |= self.creates && backend != Backend::Postgres;
            }
            // The only body of Postgres that is no string.
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

fn is_comment(text: &str, backend: Backend) -> bool {
    text.starts_with("--")
        || text.starts_with("/*") && !text.starts_with("/*!")
        || backend == Backend::Mysql && text.starts_with('#')
}

/// How long the token is that `rest` begins with; at least one character.
fn token(rest: &str, at: usize, all: &[u8], backend: Backend) -> usize {
    let bytes = rest.as_bytes();
    let mysql = backend == Backend::Mysql;
    match bytes[0] {
        b'-' if rest.starts_with("--") => to_end_of_line(rest),
        b'#' if mysql => to_end_of_line(rest),
        b'/' if rest.starts_with("/*") => comment(bytes, backend == Backend::Postgres),
        b'\'' => {
            let escapes = mysql
                || backend == Backend::Postgres
                    && at > 0
                    && matches!(all[at - 1], b'e' | b'E')
                    && (at < 2 || !is_word(all[at - 2]));
            quoted(bytes, b'\'', escapes)
        }
        b'"' => quoted(bytes, b'"', mysql),
        b'`' if backend != Backend::Postgres => quoted(bytes, b'`', false),
        b'[' if backend == Backend::Sqlite => rest.find(']').map_or(rest.len(), |end| end + 1),
        b'$' if backend == Backend::Postgres => dollar(rest),
        first if is_word(first) => bytes.iter().take_while(|&&byte| is_word(byte)).count(),
        _ => rest.chars().next().map_or(1, char::len_utf8),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn to_end_of_line(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// Those of Postgres have others inside.
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

/// A quote written twice is an end and a beginning, which comes to the same.
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
    let tag_end = rest[1..].find(|c: char| c != '_' && !c.is_alphanumeric());
    let Some(tag_end) = tag_end
        .map(|end| end + 1)
        .filter(|&end| rest[end..].starts_with('$'))
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

    fn split(sql: &str, backend: Backend) -> Vec<&str> {
        statements(sql, backend)
            .into_iter()
            .map(|s| sql[s.word..s.end].trim())
            .collect()
    }

    #[test]
    fn semicolons_in_quotes_and_comments_end_nothing() {
        let sql = "-- a; b\nselect ';', \"a;b\"; /* c; */ select 'it''s; so';\n;\n-- end";
        for backend in [Backend::Postgres, Backend::Mysql, Backend::Sqlite] {
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
        let found = statements(sql, Backend::Sqlite);
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
                for backend in [Backend::Postgres, Backend::Mysql, Backend::Sqlite] {
                    let mut before = 0;
                    for s in statements(text, backend) {
                        prop_assert!(before <= s.from && s.from <= s.word && s.word <= s.end);
                        prop_assert!(s.end <= text.len());
                        before = s.end;
                    }
                }
            }
        }
    }
}
