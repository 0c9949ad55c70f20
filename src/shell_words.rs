//! Splitting the text of a step command into words, without a shell.
//!
//! Pure. The `shlex` crate splits words as a POSIX shell does (POSIX 2.3, Token Recognition, and
//! 2.2, Quoting). A scan in front of it refuses what only a shell can do, and expands variables if
//! that is wanted. It rewrites the text so that `shlex` sees an expanded value as quoted and `#` as
//! an ordinary character.

mod builtin;
mod dollar;
mod refusal;

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use self::dollar::{Dollar, dollar, lookup, unexpanded_at};

pub use builtin::instead_of;
pub use dollar::{expand, unexpanded};
pub use refusal::{RefusalKind, SplitRefusal};

/// A program with its arguments. Never empty, and neither is its first word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argv(Vec<OsString>);

impl Argv {
    /// `None` if there is no first word or it is empty.
    pub fn new(words: Vec<OsString>) -> Option<Self> {
        if words.first().is_none_or(|word| word.is_empty()) {
            None
        } else {
            Some(Self(words))
        }
    }

    /// The program's name as written.
    pub fn program(&self) -> &OsString {
        &self.0[0]
    }

    /// The program's name and its arguments.
    pub fn words(&self) -> &[OsString] {
        &self.0
    }
}

/// Whether and how `$NAME` is expanded.
#[derive(Clone, Copy)]
pub enum Expansion<'a> {
    /// `$NAME` stays as it is.
    Off,
    /// `$NAME` becomes what this function returns; `None` is an error.
    On(&'a dyn Fn(&[u8]) -> Option<Vec<u8>>),
}

/// A command split into words.
#[derive(Debug, PartialEq, Eq)]
pub struct Split {
    /// The words.
    pub argv: Argv,
    /// The first `$NAME` that was left alone, for the warning.
    pub unexpanded: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    None,
    Single,
    Double,
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    quote: Quoting,
    /// Whether the next byte begins a word.
    fresh: bool,
    out: Vec<u8>,
    unexpanded: Option<String>,
    expansion: Expansion<'a>,
}

/// Splits a step command into words as a POSIX shell would.
///
/// # Errors
/// What only a shell can do (operators, substitutions, assignments, a second line), an
/// unbalanced quote, an unset variable, or no word at all.
pub fn split(text: &[u8], expansion: Expansion<'_>) -> Result<Split, SplitRefusal> {
    let text = join_lines(text);
    let blanks = text.iter().take_while(|byte| is_blank(**byte));
    let text = &text[blanks.count()..];
    refuse_assignment(text)?;
    let mut scan = Scan {
        text,
        at: 0,
        quote: Quoting::None,
        fresh: true,
        out: Vec::with_capacity(text.len()),
        unexpanded: None,
        expansion,
    };
    scan.run()?;
    let words: Vec<OsString> = shlex::bytes::Shlex::new(&scan.out)
        .map(OsString::from_vec)
        .collect();
    match Argv::new(words) {
        Some(argv) => Ok(Split {
            argv,
            unexpanded: scan.unexpanded,
        }),
        None => Err(SplitRefusal::new("no command", "write the program to run")),
    }
}

impl Scan<'_> {
    fn run(&mut self) -> Result<(), SplitRefusal> {
        while let Some(&byte) = self.text.get(self.at) {
            match (self.quote, byte) {
                (Quoting::Single, b'\'') | (Quoting::Double, b'"') => self.turn(Quoting::None),
                (Quoting::Single, _) => self.take(1),
                (_, b'\\') => self.backslash()?,
                (_, b'`') => return Err(refusal::substitution("a backtick")),
                (_, b'$') => self.dollar()?,
                (Quoting::Double, _) => self.take(1),
                (Quoting::None, b'\'') => self.turn(Quoting::Single),
                (Quoting::None, b'"') => self.turn(Quoting::Double),
                (Quoting::None, _) => self.plain(byte)?,
            }
        }
        match self.quote {
            Quoting::None => Ok(()),
            Quoting::Single => Err(refusal::unbalanced('\'')),
            Quoting::Double => Err(refusal::unbalanced('"')),
        }
    }

    /// Copies the next `len` bytes.
    fn take(&mut self, len: usize) {
        self.out.extend(&self.text[self.at..self.at + len]);
        self.at += len;
        self.fresh = false;
    }

    fn turn(&mut self, quote: Quoting) {
        self.take(1);
        self.quote = quote;
    }

    fn backslash(&mut self) -> Result<(), SplitRefusal> {
        if self.text.get(self.at + 1).is_none() {
            // A shell would wait for the next line.
            return Err(SplitRefusal::new(
                "a trailing backslash",
                "write two backslashes, or remove it",
            ));
        }
        self.take(2);
        Ok(())
    }

    fn plain(&mut self, byte: u8) -> Result<(), SplitRefusal> {
        match byte {
            b'\n' if self.text[self.at..].iter().all(|byte| is_blank(*byte)) => {
                self.at = self.text.len();
                Ok(())
            }
            b'\n' => Err(refusal::line_break()),
            b' ' | b'\t' => {
                self.take(1);
                self.fresh = true;
                Ok(())
            }
            b'#' if self.fresh => {
                self.out.push(b'\\');
                self.take(1);
                Ok(())
            }
            b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => {
                Err(refusal::operator(byte, self.text.get(self.at + 1).copied()))
            }
            _ => {
                self.take(1);
                Ok(())
            }
        }
    }

    fn dollar(&mut self) -> Result<(), SplitRefusal> {
        if self.text.get(self.at + 1) == Some(&b'(') {
            return Err(refusal::substitution("`$(`"));
        }
        let Expansion::On(get) = self.expansion else {
            if self.unexpanded.is_none() {
                self.unexpanded = unexpanded_at(&self.text[self.at..]);
            }
            self.take(1);
            return Ok(());
        };
        let (kind, len) = dollar(&self.text[self.at..])?;
        match kind {
            Dollar::Variable(name) => {
                let value = lookup(name, get)?;
                self.quoted(&value);
            }
            Dollar::Plain => self.quoted(b"$"),
            Dollar::Other => {
                self.take(len);
                return Ok(());
            }
        }
        self.at += len;
        self.fresh = false;
        Ok(())
    }

    /// Writes a value so that the splitter leaves it alone, inside whichever quotes surround it.
    fn quoted(&mut self, value: &[u8]) {
        if self.quote == Quoting::Double {
            for &byte in value {
                if matches!(byte, b'$' | b'`' | b'"' | b'\\') {
                    self.out.push(b'\\');
                }
                self.out.push(byte);
            }
            return;
        }
        self.out.push(b'\'');
        for &byte in value {
            if byte == b'\'' {
                self.out.extend(b"'\\''");
            } else {
                self.out.push(byte);
            }
        }
        self.out.push(b'\'');
    }
}

fn name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What separates words; any other white space is part of one, as it is for a shell (POSIX 2.3).
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

/// Removes line continuations, as a shell does before anything else (POSIX 2.2.1).
fn join_lines(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.windows(2).any(|pair| pair == b"\\\n") {
        return text.into();
    }
    let mut joined = Vec::with_capacity(text.len());
    let mut quote = Quoting::None;
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        quote = match (quote, byte) {
            (Quoting::None | Quoting::Double, b'\\') => {
                let (pair, behind) = rest.split_at(rest.len().min(1));
                rest = behind;
                if pair != b"\n" {
                    joined.push(byte);
                    joined.extend(pair);
                }
                continue;
            }
            (Quoting::None, b'\'') => Quoting::Single,
            (Quoting::None, b'"') => Quoting::Double,
            (Quoting::Single, b'\'') | (Quoting::Double, b'"') => Quoting::None,
            (quote, _) => quote,
        };
        joined.push(byte);
    }
    joined.into()
}

/// Refuses `NAME=` in front of the first word.
fn refuse_assignment(text: &[u8]) -> Result<(), SplitRefusal> {
    let end = text.iter().position(|&byte| !name_byte(byte));
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    if name.first().is_some_and(|&byte| name_start(byte)) && rest.first() == Some(&b'=') {
        return Err(refusal::assignment(name));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
