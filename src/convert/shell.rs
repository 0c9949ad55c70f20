//! A shell's text as the list of its commands, parsed by `brush-parser`, each with its own text.

mod call;
mod contents;

use brush_parser::ast::{AndOr, CompoundListItem, Pipeline, Program, SeparatorOperator};
use brush_parser::{Parser, ParserOptions, SourceInfo, Token, tokenize_str_with_options};

pub(super) use call::{call, hash_bang, options};
pub(super) use contents::{Contents, PieceShape, Redirect, Simple};

use super::Refusal;

/// The maximum length of the text: 16 KiB. Linux allows arguments eight times as long.
pub(super) const MAX_TEXT: usize = 16 * 1024;

/// The most separators within one compound command.
const MAX_SEPARATORS: usize = 200;

/// Which shell the text is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `sh`, `ash`, `dash`: what every shell reads.
    #[default]
    Posix,
    /// bash, by the name that was written.
    Bash(String),
}

/// How a command follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// It begins a statement.
    Begin,
    /// Behind `&&`.
    And,
    /// Behind `||`.
    Or,
}

/// One command of the list: a pipeline, in the grammar's words.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) link: Link,
    /// Whether its statement is put into the background.
    pub(super) background: bool,
    /// As it is written.
    pub(super) source: String,
    pub(super) contents: Contents,
    pub(super) shape: PieceShape,
}

impl Piece {
    /// The text between the braces of `{ …; }`, where it is a group and nothing else.
    fn group(&self) -> Option<&str> {
        match self.shape {
            PieceShape::Other("`{ … }`") => self.source.strip_prefix('{')?.strip_suffix('}'),
            _ => None,
        }
    }
}

/// Reads a shell's text. Groups (`{ …; }`) become the commands in them where that changes nothing.
///
/// # Errors
/// It does not parse, or is too long or too deeply nested.
pub(super) fn read(text: &str, dialect: &Dialect) -> Result<Vec<Piece>, Refusal> {
    refuse_too_much(text)?;
    let mut flat: Vec<Piece> = Vec::new();
    let mut pieces = ParsedText::new(text, dialect)?
        .pieces()?
        .into_iter()
        .peekable();
    while let Some(piece) = pieces.next() {
        let is_choice = [Some(&piece), pieces.peek()]
            .into_iter()
            .flatten()
            .any(|one| one.link == Link::Or);
        match piece.group() {
            Some(inside) if !is_choice && !piece.background => {
                let from = flat.len();
                flat.extend(read(inside, dialect)?);
                if let Some(first) = flat.get_mut(from) {
                    first.link = piece.link;
                }
            }
            _ => flat.push(piece),
        }
    }
    Ok(flat)
}

/// The text with its tokens. The parser does not say where a command ends (it places words, but
/// not redirections), so a command is the shortest text up to a separator that parses to it.
struct ParsedText<'a> {
    text: &'a str,
    dialect: &'a Dialect,
    tokens: Vec<Token>,
    /// The byte that each character begins at.
    offsets: Vec<usize>,
    program: Program,
}

impl<'a> ParsedText<'a> {
    fn new(text: &'a str, dialect: &'a Dialect) -> Result<Self, Refusal> {
        let tokens = tokenize_str_with_options(text, &parser_options(dialect).tokenizer_options())
            .map_err(|error| broken(&error.to_string()))?;
        let ends = [text.len()];
        Ok(Self {
            text,
            dialect,
            tokens,
            offsets: text.char_indices().map(|(at, _)| at).chain(ends).collect(),
            program: parse(text, dialect).map_err(|error| broken(&error))?,
        })
    }

    fn pieces(&self) -> Result<Vec<Piece>, Refusal> {
        let mut pieces = Vec::new();
        let mut at = 0;
        let lists = self.program.complete_commands.iter();
        for CompoundListItem(list, separator) in lists.flat_map(|list| &list.0) {
            let background = matches!(separator, SeparatorOperator::Async);
            let additional = list.additional.iter().map(|next| match next {
                AndOr::And(pipeline) => (Link::And, pipeline),
                AndOr::Or(pipeline) => (Link::Or, pipeline),
            });
            for (link, pipeline) in [(Link::Begin, &list.first)].into_iter().chain(additional) {
                let (contents, shape) = Contents::of(pipeline);
                pieces.push(Piece {
                    link,
                    background,
                    source: self.cut(&mut at, pipeline)?,
                    shape,
                    contents,
                });
            }
        }
        Ok(pieces)
    }

    /// The text of the next command. `at` is the token it is looked for from, then the one
    /// behind its separator.
    fn cut(&self, at: &mut usize, pipeline: &Pipeline) -> Result<String, Refusal> {
        let shown = pipeline.to_string();
        let tokens = &self.tokens;
        while tokens.get(*at).is_some_and(|token| token.to_str() == "\n") {
            *at += 1;
        }
        let is_end = |at: &usize| tokens.get(*at).is_none_or(separates);
        for end in (*at + 1..=tokens.len()).filter(is_end).take(MAX_SEPARATORS) {
            let from = tokens[*at].location().start.index;
            let to = tokens[end - 1].location().end.index;
            // The tokenizer misplaces what follows some substitutions.
            let Some(text) = self.text.get(self.offsets[from]..self.offsets[to]) else {
                continue;
            };
            if self.is_exact(text, &shown) {
                *at = end + 1;
                return Ok(text.to_owned());
            }
        }
        Err(Refusal::keep_script(
            "can't tell where one of the commands ends",
        ))
    }

    /// Whether `text` alone is the one command that the parser shows as `shown`.
    fn is_exact(&self, text: &str, shown: &str) -> bool {
        let program = parse(text, self.dialect);
        let lists = program.map_or_else(|_| Vec::new(), |program| program.complete_commands);
        let mut items = lists.iter().flat_map(|list| &list.0);
        matches!(
            (items.next(), items.next()),
            (Some(CompoundListItem(only, SeparatorOperator::Sequence)), None)
                if only.additional.is_empty() && only.first.to_string() == shown
        )
    }
}

fn separates(token: &Token) -> bool {
    matches!(token, Token::Operator(operator, _) if matches!(operator.as_str(), ";" | "&" | "&&" | "||" | "\n"))
}

fn parser_options(dialect: &Dialect) -> ParserOptions {
    ParserOptions {
        sh_mode: *dialect == Dialect::Posix,
        ..ParserOptions::default()
    }
}

fn parse(text: &str, dialect: &Dialect) -> Result<Program, String> {
    Parser::new(
        text.as_bytes(),
        &parser_options(dialect),
        &SourceInfo::default(),
    )
    .parse_program()
    .map_err(|error| error.to_string())
}

fn broken(what: &str) -> Refusal {
    Refusal::new(
        format!("not valid shell syntax: {what}"),
        "look for an unclosed quote or keyword",
    )
}

fn refuse_too_much(text: &str) -> Result<(), Refusal> {
    if text.len() > MAX_TEXT {
        let what = format!("the text is longer than {} KiB", MAX_TEXT / 1024);
        return Err(Refusal::keep_script(what));
    }
    let words = |known: &[&str]| {
        text.split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| known.contains(word))
            .count()
    };
    let groups = text.matches('{').count() - text.matches("${").count();
    let pairs = text.as_bytes().windows(2);
    let double = pairs.filter(|pair| pair == b"((").count();
    // The parser is recursive, and deep nesting would overflow its stack. It tries two ways at each level
    // of a loop and of double brackets, so thirty of these take seconds.
    let is_too_deep = text.matches(['(', '{', '`', '[']).count() > 96
        || words(&["if", "elif", "for", "case", "function", "select", "time"]) > 24
        || groups > 24
        || words(&["while", "until"]) > 8
        || double > 8;
    if is_too_deep {
        return Err(Refusal::keep_script(
            "the text has too many brackets or keywords",
        ));
    }
    let is_odd = |c: &char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || (c.is_whitespace() && !c.is_ascii())
            || *c == '\u{feff}'
    };
    if let Some(c) = text.chars().find(is_odd) {
        return Err(Refusal::new(
            format!(
                "the text contains an invisible character ({})",
                c.escape_default()
            ),
            "use plain spaces, line endings without carriage returns, and no byte order mark",
        ));
    }
    Ok(())
}
