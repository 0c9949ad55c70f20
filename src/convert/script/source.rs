//! The parser's tree as a list of commands, each with its own text.

use brush_parser::Token;
use brush_parser::ast::{
    AndOr, Command, CompoundCommand, CompoundList, CompoundListItem, Pipeline, SeparatorOperator,
    WhileOrUntilClauseCommand,
};

use super::simple::{extent, simple};
use super::{Body, Dialect, Item, Link, MAX_OPENERS, Unsure, is_exact};

/// Where reading has come to.
pub(super) struct Place {
    /// The character behind the last separator.
    from: usize,
    link: Link,
}

impl Place {
    pub(super) fn start() -> Self {
        Self {
            from: 0,
            link: Link::First,
        }
    }
}

/// A command's own text, and what is behind it.
struct Cut {
    source: String,
    behind: usize,
    next: Link,
}

/// The text with its tokens. The parser tells where words are, but not where redirections
/// are, so a command's own text is what lies between two separators.
pub(super) struct Source<'a> {
    text: &'a str,
    /// The byte that each character begins at.
    offsets: Vec<usize>,
    tokens: Vec<Token>,
    dialect: &'a Dialect,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str, tokens: Vec<Token>, dialect: &'a Dialect) -> Self {
        let offsets = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        Self {
            text,
            offsets,
            tokens,
            dialect,
        }
    }

    pub(super) fn list(
        &self,
        list: &CompoundList,
        place: &mut Place,
        items: &mut Vec<Item>,
    ) -> Result<(), Unsure> {
        for CompoundListItem(and_or, separator) in &list.0 {
            let background = matches!(separator, SeparatorOperator::Async);
            let first = items.len();
            items.push(self.item(&and_or.first, None, place)?);
            for next in &and_or.additional {
                let (pipeline, link) = match next {
                    AndOr::And(pipeline) => (pipeline, Link::And),
                    AndOr::Or(pipeline) => (pipeline, Link::Or),
                };
                items.push(self.item(pipeline, Some(link), place)?);
            }
            if background {
                for item in &mut items[first..] {
                    item.background = true;
                }
            }
        }
        Ok(())
    }

    fn item(
        &self,
        pipeline: &Pipeline,
        link: Option<Link>,
        place: &mut Place,
    ) -> Result<Item, Unsure> {
        let lost = || {
            Unsure::new(
                "a command in the text can't be told from the next with certainty",
                "put each on a line of its own, or into a script",
            )
        };
        if matches!(pipeline.seq.as_slice(), [Command::Function(_)]) {
            return Err(Unsure::new(
                "a function decides about what is behind it",
                "put the text into a script that is a step of its own",
            ));
        }
        let end = pipeline
            .seq
            .iter()
            .filter_map(extent)
            .max()
            .ok_or_else(lost)?;
        let shown = pipeline.to_string();
        let separators = self
            .tokens
            .iter()
            .filter(|token| token.location().start.index >= end && separates(token));
        let mut separators = separators.take(MAX_OPENERS);
        let is_simple = matches!(pipeline.seq.as_slice(), [Command::Simple(_)]);
        let cut = loop {
            let separator = separators.next();
            let cut = self.cut(place.from, separator).ok_or_else(lost)?;
            // The parser places the end of some compound commands too early.
            if is_simple || separator.is_none() || is_exact(&cut.source, &shown, self.dialect) {
                break cut;
            }
        };
        let body = self.body(pipeline)?;
        let item = Item {
            link: link.unwrap_or(place.link),
            background: false,
            body,
            source: cut.source,
            shown,
        };
        place.from = cut.behind;
        place.link = cut.next;
        Ok(item)
    }

    /// What lies between `from` and a separator.
    fn cut(&self, from: usize, separator: Option<&Token>) -> Option<Cut> {
        let (until, behind, next) = match separator {
            None => (self.offsets.len() - 1, usize::MAX, Link::Newline),
            Some(token) => {
                let location = token.location();
                let link = match token.to_str() {
                    "&" => Link::Background,
                    ";" => Link::Semicolon,
                    _ => Link::Newline,
                };
                (location.start.index, location.end.index, link)
            }
        };
        let inside = |token: &&Token| {
            token.location().start.index >= from
                && token.location().end.index <= until
                && token.to_str() != "\n"
        };
        let first = self.tokens.iter().find(inside)?;
        let last = self.tokens.iter().rev().find(inside)?;
        let from = *self.offsets.get(first.location().start.index)?;
        let to = *self.offsets.get(last.location().end.index)?;
        Some(Cut {
            source: self.text.get(from..to)?.to_owned(),
            behind,
            next,
        })
    }

    fn body(&self, pipeline: &Pipeline) -> Result<Body, Unsure> {
        if pipeline.bang {
            return Ok(Body::Other("`!`"));
        }
        if pipeline.timed.is_some() {
            return Ok(Body::Other("`time`"));
        }
        Ok(match pipeline.seq.as_slice() {
            [Command::Simple(command)] => Body::Simple(simple(command)),
            [Command::Compound(_, Some(redirects))] if !redirects.0.is_empty() => {
                Body::Other("a redirection of several commands")
            }
            [Command::Compound(compound, _)] => self.compound(compound)?,
            [Command::ExtendedTest(_)] => Body::Other("`[[`"),
            _ => Body::Pipe,
        })
    }

    fn inner(&self, list: &CompoundList, from: usize) -> Result<Vec<Item>, Unsure> {
        let mut items = Vec::new();
        let link = Link::First;
        self.list(list, &mut Place { from, link }, &mut items)?;
        Ok(items)
    }

    fn compound(&self, compound: &CompoundCommand) -> Result<Body, Unsure> {
        Ok(match compound {
            CompoundCommand::BraceGroup(group) => {
                Body::Group(self.inner(&group.list, group.loc.start.index + 1)?)
            }
            CompoundCommand::UntilClause(clause) => self.until(clause, "until".len(), "`until`"),
            CompoundCommand::WhileClause(clause) => {
                let condition = clause.0.0.as_slice();
                match condition {
                    [CompoundListItem(and_or, _)]
                        if and_or.first.bang && and_or.additional.is_empty() =>
                    {
                        let mut clause = clause.clone();
                        clause.0.0[0].0.first.bang = false;
                        self.until(&clause, "while".len(), "`while`")
                    }
                    _ => Body::Other("`while`"),
                }
            }
            CompoundCommand::Subshell(_) => Body::Other("`(…)`, a subshell"),
            CompoundCommand::IfClause(_) => Body::Other("`if`"),
            CompoundCommand::ForClause(_) | CompoundCommand::ArithmeticForClause(_) => {
                Body::Other("`for`")
            }
            CompoundCommand::CaseClause(_) => Body::Other("`case`"),
            CompoundCommand::Arithmetic(_) => Body::Other("`((`"),
        })
    }

    fn until(
        &self,
        clause: &WhileOrUntilClauseCommand,
        keyword: usize,
        name: &'static str,
    ) -> Body {
        let WhileOrUntilClauseCommand(condition, body, location) = clause;
        let condition = self.inner(condition, location.start.index + keyword);
        let body = self.inner(&body.list, body.loc.start.index + "do".len());
        match (condition, body) {
            (Ok(condition), Ok(body)) => Body::Until(condition, body),
            _ => Body::Other(name),
        }
    }
}

fn separates(token: &Token) -> bool {
    matches!(token, Token::Operator(operator, _) if matches!(operator.as_str(), ";" | "&" | "&&" | "||" | "\n"))
}
