//! What a command consists of: the programs in it, whatever they are nested in.

use brush_parser::ast::{
    AndOr, Command, CommandPrefixOrSuffixItem, CompoundCommand, CompoundList, CompoundListItem,
    IoFileRedirectKind, IoFileRedirectTarget, IoRedirect, Pipeline, SeparatorOperator,
    SimpleCommand,
};

use super::super::words::Word;

/// A program with its arguments.
#[derive(Debug, Clone, Default)]
pub(in crate::convert) struct Simple {
    /// `NAME=value` in front.
    pub(in crate::convert) assignments: Vec<(String, Word)>,
    /// The program and its arguments.
    pub(in crate::convert) words: Vec<Word>,
    /// Where its streams lead.
    pub(in crate::convert) redirects: Vec<Redirect>,
    /// What needs a shell, apart from its words and redirections.
    pub(in crate::convert) special: Option<&'static str>,
    /// Whether it runs in a subshell, so that the shell around it keeps its state.
    pub(in crate::convert) is_scoped: bool,
}

/// Where a stream leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::convert) enum Redirect {
    /// One of the two outputs into the other, or where it leads anyway.
    Output,
    /// Elsewhere.
    Elsewhere,
}

/// What a command is as a whole.
#[derive(Debug, Clone)]
pub(in crate::convert) enum PieceShape {
    /// A program with its arguments.
    Simple(Simple),
    /// `until …; do …; done` or `while ! …`: the commands of the condition come first.
    Until {
        /// How many of the contents' commands are the condition's.
        condition: usize,
    },
    /// Anything else, by name.
    Other(&'static str),
}

/// Everything in a command.
#[derive(Debug, Clone, Default)]
pub(in crate::convert) struct Contents {
    /// The programs, in the order they are written in.
    pub(in crate::convert) commands: Vec<Simple>,
    /// Something that can't be kept: its name.
    pub(in crate::convert) refused: Option<&'static str>,
    /// Whether one failure stops the rest and is the result: `a && b`, no choice, no pipe.
    pub(in crate::convert) fails_as_one: bool,
    /// Whether it continues after a failure, ignoring `set -e`.
    pub(in crate::convert) goes_on: bool,
    /// Whether there is a pipe.
    pub(in crate::convert) pipe: bool,
    depth: usize,
}

impl Contents {
    /// Everything in a command, and what it is as a whole.
    pub(in crate::convert) fn of(pipeline: &Pipeline) -> (Self, PieceShape) {
        let mut contents = Self {
            fails_as_one: true,
            ..Self::default()
        };
        let shape = contents.pipeline(pipeline);
        (contents, shape)
    }

    /// Whether one of the programs is what `what` looks for.
    pub(in crate::convert) fn has(&self, what: fn(&[Word]) -> bool) -> bool {
        self.commands.iter().any(|simple| what(&simple.words))
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> PieceShape {
        self.fails_as_one &= !pipeline.bang;
        if pipeline.timed.is_some() {
            self.refused = Some("`time`");
        }
        let is_pipe = pipeline.seq.len() > 1;
        self.pipe |= is_pipe;
        self.depth += usize::from(is_pipe);
        let mut shape = PieceShape::Other("a pipe");
        for command in &pipeline.seq {
            let whole = self.command(command);
            if !is_pipe {
                shape = whole;
            }
        }
        self.depth -= usize::from(is_pipe);
        if pipeline.bang {
            shape = PieceShape::Other("`!`");
        }
        shape
    }

    fn command(&mut self, command: &Command) -> PieceShape {
        match command {
            Command::Simple(command) => {
                let simple = self.simple(command);
                self.commands.push(simple.clone());
                PieceShape::Simple(simple)
            }
            Command::Compound(compound, redirects) => {
                let redirects = redirects.iter().flat_map(|list| &list.0);
                let leads = redirects.map(|redirect| self.redirect(redirect)).count();
                let shape = self.compound(compound);
                if leads > 0 {
                    return PieceShape::Other("a redirection of several commands");
                }
                shape
            }
            Command::Function(_) => {
                self.refused = Some("a function");
                PieceShape::Other("a function")
            }
            Command::ExtendedTest(_) => {
                self.fails_as_one = false;
                PieceShape::Other("`[[`")
            }
        }
    }

    fn list(&mut self, list: &CompoundList) {
        self.goes_on |= list.0.len() > 1;
        self.fails_as_one &= list.0.len() <= 1;
        for CompoundListItem(list, separator) in &list.0 {
            if matches!(separator, SeparatorOperator::Async) {
                self.refused = Some("a background job");
            }
            self.pipeline(&list.first);
            for next in &list.additional {
                self.fails_as_one &= matches!(next, AndOr::And(_));
                let (AndOr::And(pipeline) | AndOr::Or(pipeline)) = next;
                self.pipeline(pipeline);
            }
        }
    }

    fn compound(&mut self, compound: &CompoundCommand) -> PieceShape {
        self.fails_as_one &= matches!(
            compound,
            CompoundCommand::BraceGroup(_) | CompoundCommand::Subshell(_)
        );
        PieceShape::Other(match compound {
            CompoundCommand::BraceGroup(group) => {
                self.list(&group.list);
                "`{ … }`"
            }
            CompoundCommand::Subshell(subshell) => {
                self.depth += 1;
                self.list(&subshell.list);
                self.depth -= 1;
                "`(…)`, a subshell"
            }
            CompoundCommand::UntilClause(clause) | CompoundCommand::WhileClause(clause) => {
                let before = self.commands.len();
                self.list(&clause.0);
                let condition = self.commands.len() - before;
                self.list(&clause.1.list);
                let is_not = matches!(clause.0.0.as_slice(), [CompoundListItem(list, _)]
                    if list.first.bang && list.additional.is_empty());
                if is_not || matches!(compound, CompoundCommand::UntilClause(_)) {
                    return PieceShape::Until { condition };
                }
                "`while`"
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition);
                self.list(&clause.then);
                for other in clause.elses.iter().flatten() {
                    other.condition.iter().for_each(|list| self.list(list));
                    self.list(&other.body);
                }
                "`if`"
            }
            CompoundCommand::ForClause(clause) => {
                self.goes_on = true;
                self.list(&clause.body.list);
                "`for`"
            }
            CompoundCommand::CaseClause(clause) => {
                let bodies = clause.cases.iter().filter_map(|case| case.cmd.as_ref());
                bodies.for_each(|list| self.list(list));
                "`case`"
            }
            CompoundCommand::ArithmeticForClause(_) => {
                self.refused = Some("`((`");
                "`for`"
            }
            CompoundCommand::Arithmetic(_) => {
                self.refused = Some("`((`");
                "`((`"
            }
        })
    }

    fn simple(&mut self, command: &SimpleCommand) -> Simple {
        let mut out = Simple {
            is_scoped: self.depth > 0,
            ..Simple::default()
        };
        for item in command.prefix.iter().flat_map(|prefix| &prefix.0) {
            match item {
                CommandPrefixOrSuffixItem::AssignmentWord(assignment, word) => {
                    let (name, value) = word.value.split_once('=').unwrap_or((&word.value, ""));
                    if assignment.append || name.contains('[') || value.contains(['(', '~']) {
                        out.special = Some("an assignment that is not `NAME=value`");
                    }
                    out.assignments.push((name.to_owned(), Word::read(value)));
                }
                other => self.argument(&mut out, other),
            }
        }
        let name = command.word_or_name.iter();
        out.words.extend(name.map(|word| Word::read(&word.value)));
        for item in command.suffix.iter().flat_map(|suffix| &suffix.0) {
            self.argument(&mut out, item);
        }
        out
    }

    fn argument(&mut self, out: &mut Simple, item: &CommandPrefixOrSuffixItem) {
        match item {
            CommandPrefixOrSuffixItem::Word(word)
            | CommandPrefixOrSuffixItem::AssignmentWord(_, word) => {
                out.words.push(Word::read(&word.value));
            }
            CommandPrefixOrSuffixItem::IoRedirect(redirect) => {
                let leads = self.redirect(redirect);
                out.redirects.push(leads);
            }
            CommandPrefixOrSuffixItem::ProcessSubstitution(..) => {
                self.refused = Some("`<(…)`, a process substitution");
            }
        }
    }

    fn redirect(&mut self, redirect: &IoRedirect) -> Redirect {
        match redirect {
            IoRedirect::File(fd, kind, target) => {
                if matches!(target, IoFileRedirectTarget::ProcessSubstitution(..)) {
                    self.refused = Some("`>(…)`, a process substitution");
                }
                if matches!(fd, None | Some(1 | 2)) && is_output(kind, target) {
                    return Redirect::Output;
                }
            }
            IoRedirect::HereDocument(..) => self.refused = Some("a here-document"),
            IoRedirect::HereString(..) | IoRedirect::OutputAndError(..) => {}
        }
        Redirect::Elsewhere
    }
}

fn is_output(kind: &IoFileRedirectKind, target: &IoFileRedirectTarget) -> bool {
    match (kind, target) {
        (IoFileRedirectKind::DuplicateOutput, IoFileRedirectTarget::Fd(to)) => {
            matches!(to, 1 | 2)
        }
        (IoFileRedirectKind::DuplicateOutput, IoFileRedirectTarget::Duplicate(word)) => {
            matches!(word.value.as_str(), "1" | "2")
        }
        (
            IoFileRedirectKind::Write | IoFileRedirectKind::Append,
            IoFileRedirectTarget::Filename(word),
        ) => matches!(
            word.value.as_str(),
            "/dev/stdout" | "/dev/stderr" | "/proc/1/fd/1" | "/proc/1/fd/2"
        ),
        _ => false,
    }
}
