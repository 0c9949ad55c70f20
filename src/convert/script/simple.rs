//! A program with its arguments, from the parser's tree.

use brush_parser::ast::{
    Command, CommandPrefixOrSuffixItem, IoFileRedirectKind, IoFileRedirectTarget, IoRedirect,
    SimpleCommand, SourceLocation as _,
};

use super::{Redirect, Simple};
use crate::convert::words::Word;

/// The character behind the last word of a command that the parser can place.
pub(super) fn extent(command: &Command) -> Option<usize> {
    let Command::Simple(simple) = command else {
        return command.location().map(|location| location.end.index);
    };
    let prefix = simple.prefix.iter().flat_map(|prefix| &prefix.0);
    let suffix = simple.suffix.iter().flat_map(|suffix| &suffix.0);
    let ends = prefix.chain(suffix).filter_map(|item| match item {
        CommandPrefixOrSuffixItem::Word(word) => word.loc.as_ref().map(|loc| loc.end.index),
        CommandPrefixOrSuffixItem::AssignmentWord(assignment, _) => Some(assignment.loc.end.index),
        _ => None,
    });
    let name = simple
        .word_or_name
        .iter()
        .filter_map(|word| word.loc.as_ref());
    ends.chain(name.map(|loc| loc.end.index)).max()
}

pub(super) fn simple(command: &SimpleCommand) -> Simple {
    let mut out = Simple::default();
    for item in command.prefix.iter().flat_map(|prefix| &prefix.0) {
        match item {
            CommandPrefixOrSuffixItem::AssignmentWord(assignment, word) => {
                let (name, value) = word.value.split_once('=').unwrap_or((&word.value, ""));
                let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                if assignment.append || !plain || value.contains(['(', '~']) {
                    out.special = Some("an assignment that is not `NAME=value`");
                }
                out.assignments.push((name.to_owned(), Word::read(value)));
            }
            other => argument(&mut out, other),
        }
    }
    let name = command.word_or_name.iter();
    out.words.extend(name.map(|word| Word::read(&word.value)));
    for item in command.suffix.iter().flat_map(|suffix| &suffix.0) {
        argument(&mut out, item);
    }
    out
}

fn argument(out: &mut Simple, item: &CommandPrefixOrSuffixItem) {
    match item {
        CommandPrefixOrSuffixItem::Word(word)
        | CommandPrefixOrSuffixItem::AssignmentWord(_, word) => {
            out.words.push(Word::read(&word.value));
        }
        CommandPrefixOrSuffixItem::IoRedirect(redirect) => out.redirects.push(leads(redirect)),
        CommandPrefixOrSuffixItem::ProcessSubstitution(..) => {
            out.special = Some("`<(…)`, a process substitution");
        }
    }
}

fn leads(redirect: &IoRedirect) -> Redirect {
    let IoRedirect::File(fd, kind, target) = redirect else {
        return match redirect {
            IoRedirect::HereDocument(..) => Redirect::HereDocument,
            _ => Redirect::Elsewhere,
        };
    };
    let output = matches!(fd, None | Some(1 | 2));
    let same = match (kind, target) {
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
    };
    if output && same {
        Redirect::Output
    } else {
        Redirect::Elsewhere
    }
}
