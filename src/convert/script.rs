//! A shell's text, read by `brush-parser`, as the list of commands that it runs one after the
//! other. What is nested deeper than that stays text.

mod simple;
mod source;

use brush_parser::ast::{CompoundListItem, Program, SeparatorOperator};
use brush_parser::{Parser, ParserOptions, SourceInfo, tokenize_str_with_options};

use self::source::{Place, Source};
use super::Unsure;
use super::words::Word;

/// The longest text that is read. The longest argument that Linux takes is eight times as much.
pub(super) const MAX_TEXT: usize = 16 * 1024;

/// As many brackets as a text may have. The parser descends by recursion, so what is nested
/// without end would overflow the stack.
const MAX_OPENERS: usize = 64;

/// As many compound commands.
const MAX_COMPOUNDS: usize = 16;

/// As many loops, and double brackets: for these the parser tries two ways at each level, so
/// that thirty of them take it seconds.
const MAX_LOOPS: usize = 8;

/// Which shell is to read the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `sh`, `ash`, `dash`: what any shell reads.
    Posix,
    /// bash, by the name that was written.
    Bash(String),
}

/// How a command follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// It is the first.
    First,
    /// Behind `;`.
    Semicolon,
    /// On a line of its own.
    Newline,
    /// Behind `&`: the one before goes on in the background.
    Background,
    /// Behind `&&`.
    And,
    /// Behind `||`.
    Or,
}

/// One command of the list.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// How it follows the one before.
    pub(super) link: Link,
    /// Whether it is put into the background.
    pub(super) background: bool,
    /// What it is.
    pub(super) body: Body,
    /// As it is written.
    pub(super) source: String,
    /// As the parser shows it.
    pub(super) shown: String,
}

/// What a command is.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// A program with its arguments.
    Simple(Simple),
    /// Commands with pipes between them.
    Pipe,
    /// `{ …; }`.
    Group(Vec<Item>),
    /// `until …; do …; done`, or `while ! …`: the condition, and what is done meanwhile.
    Until(Vec<Item>, Vec<Item>),
    /// Anything else, by name.
    Other(&'static str),
}

/// A program with its arguments.
#[derive(Debug, Clone, Default)]
pub(super) struct Simple {
    /// `NAME=value` in front.
    pub(super) assignments: Vec<(String, Word)>,
    /// The program and its arguments.
    pub(super) words: Vec<Word>,
    /// Where its streams lead.
    pub(super) redirects: Vec<Redirect>,
    /// What only a shell can do with it, beside its words.
    pub(super) special: Option<&'static str>,
    /// Whether something in front of it was taken off.
    pub(super) rewritten: bool,
}

/// Where a stream leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirect {
    /// One of the two outputs into the other, or where it leads anyway.
    Output,
    /// Elsewhere.
    Elsewhere,
    /// A text that stands behind the command.
    HereDocument,
}

/// Reads a shell's text.
///
/// # Errors
/// It does not parse, or is too long or too deep.
pub(super) fn read(text: &str, dialect: &Dialect) -> Result<Vec<Item>, Unsure> {
    refuse_too_much(text)?;
    let options = options(dialect);
    let tokens = tokenize_str_with_options(text, &options.tokenizer_options())
        .map_err(|error| broken(&error.to_string()))?;
    let program = parse(text, dialect)?;
    let source = Source::new(text, tokens, dialect);
    let mut items = Vec::new();
    let mut at = Place::start();
    for list in &program.complete_commands {
        source.list(list, &mut at, &mut items)?;
    }
    Ok(items)
}

fn options(dialect: &Dialect) -> ParserOptions {
    ParserOptions {
        sh_mode: *dialect == Dialect::Posix,
        ..ParserOptions::default()
    }
}

fn parse(text: &str, dialect: &Dialect) -> Result<Program, Unsure> {
    Parser::new(text.as_bytes(), &options(dialect), &SourceInfo::default())
        .parse_program()
        .map_err(|error| broken(&error.to_string()))
}

fn broken(what: &str) -> Unsure {
    Unsure::new(
        format!("the text is no complete shell command: {what}"),
        "look for a quote or a keyword without its end",
    )
}

/// Whether `source` alone is the one command that the parser shows as `shown`.
pub(super) fn is_exact(source: &str, shown: &str, dialect: &Dialect) -> bool {
    let Ok(program) = parse(source, dialect) else {
        return false;
    };
    let [list] = program.complete_commands.as_slice() else {
        return false;
    };
    let [CompoundListItem(and_or, SeparatorOperator::Sequence)] = list.0.as_slice() else {
        return false;
    };
    and_or.additional.is_empty() && and_or.first.to_string() == shown
}

fn refuse_too_much(text: &str) -> Result<(), Unsure> {
    let hint = "put it into a script that is a step of its own";
    if text.len() > MAX_TEXT {
        return Err(Unsure::new(
            format!("the text is longer than {} KiB", MAX_TEXT / 1024),
            hint,
        ));
    }
    let words = |known: &[&str]| {
        text.split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| known.contains(word))
            .count()
    };
    let groups = text.matches('{').count() - text.matches("${").count();
    let double = text
        .as_bytes()
        .windows(2)
        .filter(|two| two == b"((")
        .count();
    let too_deep = text.matches(['(', '{', '`', '[']).count() > MAX_OPENERS
        || words(&["if", "elif", "for", "case", "function", "select", "time"]) > MAX_COMPOUNDS
        || words(&["while", "until"]) > MAX_LOOPS
        || groups > MAX_COMPOUNDS
        || double > MAX_LOOPS;
    if too_deep {
        return Err(Unsure::new(
            "the text has too many brackets and keywords to be read with certainty",
            hint,
        ));
    }
    let odd = |c: char| {
        (c.is_control() && c != '\n' && c != '\t') || (c.is_whitespace() && !c.is_ascii())
    };
    if let Some(c) = text.chars().find(|c| odd(*c)) {
        return Err(Unsure::new(
            format!(
                "there is a character in the text that can't be seen ({})",
                c.escape_default()
            ),
            "write plain spaces, and line ends without a carriage return",
        ));
    }
    Ok(())
}
