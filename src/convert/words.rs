//! One word of a shell command: what it means, and whether only a shell can tell.

/// A word as it is written, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// As it is written, with its quotes.
    pub(super) source: String,
    /// Text and variables, which `--expand-env` can expand; or what only a shell can.
    parts: Result<Vec<Part>, &'static str>,
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Plain text.
    Text(String),
    /// A variable's value.
    Variable {
        /// Its name.
        name: String,
        /// Whether a shell would split the value into several words.
        splits: bool,
    },
}

impl Word {
    /// Reads a word of a shell's text.
    pub(super) fn read(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            parts: parts(source),
        }
    }

    /// A word that no shell reads; a zero byte in it was refused before.
    pub(super) fn literal(text: &str) -> Self {
        let source = shlex::try_quote(text).map_or_else(|_| String::new(), Into::into);
        Self {
            source,
            parts: Ok(vec![Part::Text(text.to_owned())]),
        }
    }

    /// Its text, where it is plain text.
    pub(super) fn text(&self) -> Option<&str> {
        match self.parts() {
            Some([Part::Text(text)]) => Some(text),
            _ => None,
        }
    }

    /// Why it needs a shell, where it does.
    pub(super) fn needs_shell(&self) -> Option<&'static str> {
        self.parts.as_ref().err().copied()
    }

    /// Its parts: `None` where only a shell can tell.
    pub(super) fn parts(&self) -> Option<&[Part]> {
        self.parts.as_deref().ok()
    }

    /// Its parts in other words, one behind the other: `None` where only a shell can tell.
    pub(super) fn render(
        &self,
        text: impl Fn(&str) -> String,
        variable: impl Fn(&str) -> String,
    ) -> Option<String> {
        let parts = self.parts()?.iter().map(|part| match part {
            Part::Text(plain) => text(plain),
            Part::Variable { name, .. } => variable(name),
        });
        Some(parts.collect())
    }

    /// The variables in it, and whether a shell would split their values.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, bool)> {
        let parts = self.parts().unwrap_or_default().iter();
        parts.filter_map(|part| match part {
            Part::Variable { name, splits } => Some((name.as_str(), *splits)),
            Part::Text(_) => None,
        })
    }
}

/// Anything in the text that reads or changes the shell's own state, which no other process can
/// know: the shell's arguments, its last exit status, an assignment within `${…}`.
pub(super) fn shell_state(text: &str) -> Option<&'static str> {
    let mut double = false;
    let mut before = ' ';
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let is_fresh = std::mem::replace(&mut before, c).is_whitespace();
        match c {
            '#' if is_fresh && !double => drop(chars.by_ref().find(|(_, c)| *c == '\n')),
            '\\' => drop(chars.next()),
            '"' => double = !double,
            '\'' if !double => drop(chars.by_ref().find(|(_, c)| *c == '\'')),
            '$' => {
                let rest = &text[at + 1..];
                let inside = rest.strip_prefix('{');
                if inside.unwrap_or(rest).starts_with(is_special) {
                    return Some("a positional or special parameter (`$1`, `$@`, `$?`, …)");
                }
                let behind = inside.map(|inside| inside.trim_start_matches(is_name_char));
                if behind.is_some_and(|rest| rest.starts_with('=') || rest.starts_with(":=")) {
                    return Some("a default assignment (`${NAME:=…}`)");
                }
            }
            _ => {}
        }
    }
    None
}

fn is_special(c: char) -> bool {
    c.is_ascii_digit() || "@*#?$!-".contains(c)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether it is the name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(is_name_char)
}

#[derive(Default)]
struct Reader<'a> {
    rest: &'a str,
    double: bool,
    parts: Vec<Part>,
    text: String,
    braces: Braces,
}

/// How much of an unquoted `{a,b}` or `{1..3}`, which bash expands, has been read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Braces {
    #[default]
    None,
    Open,
    Parted,
}

fn parts(source: &str) -> Result<Vec<Part>, &'static str> {
    // `[` alone is a program, and no glob.
    if source == "[" {
        return Ok(vec![Part::Text(source.to_owned())]);
    }
    if source.starts_with('~') {
        return Err("`~`");
    }
    let mut reader = Reader {
        rest: source,
        ..Reader::default()
    };
    reader.read()?;
    if !reader.text.is_empty() || reader.parts.is_empty() {
        reader.parts.push(Part::Text(reader.text));
    }
    Ok(reader.parts)
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), &'static str> {
        while let Some(c) = self.rest.chars().next() {
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '`' => return Err("a backtick, a command substitution"),
                '$' => self.dollar()?,
                '\\' => self.backslash(),
                '"' => self.double = !self.double,
                c if self.double => self.text.push(c),
                '\'' => {
                    let (inside, behind) = self.rest.split_once('\'').ok_or("an unclosed '")?;
                    self.text.push_str(inside);
                    self.rest = behind;
                }
                '*' | '?' | '[' => return Err("a glob"),
                c => self.plain(c)?,
            }
        }
        if self.double {
            return Err("a \" that is never closed");
        }
        Ok(())
    }

    fn plain(&mut self, c: char) -> Result<(), &'static str> {
        if matches!(c, ';' | '&' | '|' | '<' | '>' | '(' | ')') {
            return Err("a glob or an operator inside a word");
        }
        self.braces = match (self.braces, c) {
            (_, '{') => Braces::Open,
            (Braces::Open, ',') => Braces::Parted,
            (Braces::Open, '.') if self.rest.starts_with('.') => Braces::Parted,
            (Braces::Parted, '}') => return Err("`{…,…}`"),
            (Braces::Open, '}') => Braces::None,
            (braces, _) => braces,
        };
        self.text.push(c);
        Ok(())
    }

    fn backslash(&mut self) {
        let Some(next) = self.rest.chars().next() else {
            self.text.push('\\');
            return;
        };
        if self.double && !matches!(next, '$' | '`' | '"' | '\\' | '\n') {
            self.text.push('\\');
            return;
        }
        self.rest = &self.rest[next.len_utf8()..];
        if next != '\n' {
            self.text.push(next);
        }
    }

    fn dollar(&mut self) -> Result<(), &'static str> {
        let braced = self.rest.strip_prefix('{');
        let inside = braced.unwrap_or(self.rest);
        let end = inside.find(|c| !is_name_char(c)).unwrap_or(inside.len());
        let (name, behind) = inside.split_at(end);
        let close = if braced.is_some() { "}" } else { "" };
        if let Some(behind) = behind.strip_prefix(close).filter(|_| is_name(name)) {
            if !self.text.is_empty() {
                self.parts.push(Part::Text(std::mem::take(&mut self.text)));
            }
            self.parts.push(Part::Variable {
                name: name.to_owned(),
                splits: !self.double,
            });
            self.rest = behind;
            return Ok(());
        }
        match self.rest.chars().next() {
            Some('{') => Err("a parameter expansion other than `${NAME}`"),
            Some('(') => Err("`$(`, a command substitution"),
            Some('\'' | '"') if !self.double => Err("`$'`"),
            Some('[') => Err("`$[`"),
            Some(c) if is_special(c) => Err("a positional or special parameter"),
            _ => {
                self.text.push('$');
                Ok(())
            }
        }
    }
}

/// Whether a variable is in one of them.
pub(super) fn has_variables(words: &[Word]) -> bool {
    words.iter().any(|word| word.variables().next().is_some())
}

/// The program's name, where it is plain text.
pub(super) fn program(words: &[Word]) -> &str {
    words.first().and_then(Word::text).unwrap_or_default()
}

/// Words as they are written, with a space between them.
pub(super) fn source_of(words: &[Word]) -> String {
    let sources: Vec<&str> = words.iter().map(|word| word.source.as_str()).collect();
    sources.join(" ")
}
