//! One word of a shell command: what it stands for, and whether that takes a shell to know.

/// A word as it is written, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// As it is written, quotes and all.
    pub(super) source: String,
    /// What it stands for.
    pub(super) meaning: Meaning,
}

/// What a word stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// This text, whatever shell reads it.
    Literal(String),
    /// Text with variables in it, which `--expand-env` can do.
    Variables(Vec<Piece>),
    /// Only a shell can tell: what was found.
    Shell(&'static str),
    /// It speaks of the shell itself (`$@`, `$?`): no other process can tell.
    OfThisShell(&'static str),
}

/// A piece of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
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
    /// A word of a shell's text.
    pub(super) fn read(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            meaning: meaning(source),
        }
    }

    /// A word that no shell reads. `None` where no process can have it as an argument.
    pub(super) fn literal(text: &str) -> Option<Self> {
        Some(Self {
            source: shlex::try_quote(text).ok()?.into_owned(),
            meaning: Meaning::Literal(text.to_owned()),
        })
    }

    /// Its text, where it is plain text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.meaning {
            Meaning::Literal(text) => Some(text),
            _ => None,
        }
    }

    /// The variables in it.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, bool)> {
        let pieces: &[Piece] = match &self.meaning {
            Meaning::Variables(pieces) => pieces,
            _ => &[],
        };
        pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { name, splits } => Some((name.as_str(), *splits)),
            Piece::Text(_) => None,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Double,
}

struct Reader<'a> {
    rest: &'a str,
    quote: Quote,
    pieces: Vec<Piece>,
    text: String,
    braces: Braces,
}

/// How far an unquoted `{a,b}` or `{1..3}` has come, which bash makes several words of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Braces {
    None,
    Open,
    Parted,
}

fn meaning(source: &str) -> Meaning {
    let mut reader = Reader {
        rest: source,
        quote: Quote::None,
        pieces: Vec::new(),
        text: String::new(),
        braces: Braces::None,
    };
    if source == "[" {
        return Meaning::Literal(source.to_owned());
    }
    if source.starts_with('~') {
        return Meaning::Shell("`~`");
    }
    if let Err(found) = reader.read() {
        return found;
    }
    let Reader {
        mut pieces, text, ..
    } = reader;
    if pieces.is_empty() {
        return Meaning::Literal(text);
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Meaning::Variables(pieces)
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), Meaning> {
        while let Some(c) = self.rest.chars().next() {
            self.rest = &self.rest[c.len_utf8()..];
            match (self.quote, c) {
                (_, '`') => return Err(Meaning::Shell("a backtick, a command substitution")),
                (_, '$') => self.dollar()?,
                (_, '\\') => self.backslash(),
                (Quote::None, '\'') => {
                    let (inside, behind) = self
                        .rest
                        .split_once('\'')
                        .ok_or(Meaning::Shell("a ' that is never closed"))?;
                    self.text.push_str(inside);
                    self.rest = behind;
                }
                (Quote::None, '"') => self.quote = Quote::Double,
                (Quote::Double, '"') => self.quote = Quote::None,
                (Quote::None, '*' | '?' | '[') => {
                    return Err(Meaning::Shell("a pattern of file names"));
                }
                (Quote::None, c) => self.plain(c)?,
                (Quote::Double, c) => self.text.push(c),
            }
        }
        match self.quote {
            Quote::None => Ok(()),
            Quote::Double => Err(Meaning::Shell("a \" that is never closed")),
        }
    }

    fn plain(&mut self, c: char) -> Result<(), Meaning> {
        if matches!(c, ';' | '&' | '|' | '<' | '>' | '(' | ')') {
            return Err(Meaning::Shell("a pattern or an operator within a word"));
        }
        self.braces = match (self.braces, c) {
            (_, '{') => Braces::Open,
            (Braces::Open, ',') => Braces::Parted,
            (Braces::Open, '.') if self.rest.starts_with('.') => Braces::Parted,
            (Braces::Parted, '}') => return Err(Meaning::Shell("`{…,…}`")),
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
        let special = matches!(next, '$' | '`' | '"' | '\\' | '\n');
        if self.quote == Quote::Double && !special {
            self.text.push('\\');
            return;
        }
        self.rest = &self.rest[next.len_utf8()..];
        if next != '\n' {
            self.text.push(next);
        }
    }

    fn dollar(&mut self) -> Result<(), Meaning> {
        let name = |text: &str| {
            let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            let end = text
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(text.len());
            if starts { end } else { 0 }
        };
        if let Some(inside) = self.rest.strip_prefix('{') {
            let end = name(inside);
            if end == 0 || !inside[end..].starts_with('}') {
                let of_shell =
                    inside.starts_with(|c: char| c.is_ascii_digit() || "@*?!$-".contains(c));
                return Err(if of_shell {
                    Meaning::OfThisShell("`${…}` with the shell's own arguments or state")
                } else {
                    Meaning::Shell("`${…}` with more than a name in it")
                });
            }
            self.variable(&inside[..end]);
            self.rest = &inside[end + 1..];
            return Ok(());
        }
        let end = name(self.rest);
        if end > 0 {
            let (name, behind) = self.rest.split_at(end);
            self.variable(name);
            self.rest = behind;
            return Ok(());
        }
        match self.rest.chars().next() {
            Some('(') => Err(Meaning::Shell("`$(`, a command substitution")),
            Some('\'' | '"') if self.quote == Quote::None => Err(Meaning::Shell("`$'`")),
            Some('[') => Err(Meaning::Shell("`$[`")),
            Some('@' | '*' | '#' | '?' | '$' | '!' | '-' | '0'..='9') => Err(Meaning::OfThisShell(
                "`$@`, `$1`, `$?` or the like, the shell's own arguments or state",
            )),
            _ => {
                self.text.push('$');
                Ok(())
            }
        }
    }

    fn variable(&mut self, name: &str) {
        if !self.text.is_empty() {
            self.pieces
                .push(Piece::Text(std::mem::take(&mut self.text)));
        }
        self.pieces.push(Piece::Variable {
            name: name.to_owned(),
            splits: self.quote == Quote::None,
        });
    }
}
