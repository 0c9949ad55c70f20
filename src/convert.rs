//! `convert`: a chain of shell commands as people write it into a command override or an
//! entrypoint, what is wrong with it, and the launchgate command that does the same.
//!
//! `input` finds the chain in what was pasted, `shell` parses it into commands, `chain` decides
//! what each command is with the tables of `tools`, `proposal` writes the launchgate command,
//! `page` prints it. Everything here is pure.
//!
//! The invariant: a proposal runs what the chain ran, with the words that the shell would have
//! passed, except that a migration runs once per release and a failure keeps the server from
//! starting. Whatever can't be kept is refused, with a reason and with what to write instead.

mod chain;
mod input;
mod page;
mod proposal;
mod shell;
mod tools;
mod words;
mod yaml;

use std::fmt::Display;

pub use input::WHAT_TO_PASS;
pub use proposal::Proposal;

/// What is known about the place where the command will run.
#[derive(Debug, Clone, Copy)]
pub struct KnownDatabase<'a> {
    /// The variables that launchgate reads a database's URL from.
    pub url_variables: &'a [&'a str],
    /// Whether one of them is set.
    pub has_url: bool,
}

/// Everything found out about a chain.
#[derive(Debug)]
pub struct Report {
    /// What is wrong with the chain as it is.
    pub wrong: Vec<String>,
    /// What to know about the command that replaces it.
    pub notes: Vec<String>,
    /// That command, or why there is none.
    pub outcome: Result<Proposal, Refusal>,
}

/// Why no command is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was found.
    pub what: String,
    /// What to write instead; empty where the script is to be kept.
    pub hint: String,
}

impl Refusal {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// Something only the script can do: the hint says how to keep the script.
    fn keep_script(what: impl Into<String>) -> Self {
        Self::new(what, "")
    }
}

/// Refuses one command that only the script can run.
fn keep<T>(source: &str, what: impl Display) -> Result<T, Refusal> {
    let what = format!("`{}` {what}", shorten(source));
    Err(Refusal::keep_script(what))
}

/// Adds what is not there yet.
fn push(list: &mut Vec<String>, text: impl Into<String>) {
    let text = text.into();
    if !list.contains(&text) {
        list.push(text);
    }
}

/// What is wrong with a chain, and the command that replaces it. `words` are the arguments that
/// the chain was given as: one text in any of the forms that `input` knows, or a command's words.
pub fn convert(words: &[String], surroundings: &KnownDatabase<'_>) -> Report {
    let mut chain = chain::Chain::new(surroundings);
    let taken = input::read(words).and_then(|given| chain.take(given));
    let mut outcome = taken.and_then(|()| chain.propose());
    if let Err(refusal) = &mut outcome
        && refusal.hint.is_empty()
    {
        refusal.hint = chain.pattern();
    }
    let chain::Chain { wrong, notes, .. } = chain;
    Report {
        wrong,
        notes,
        outcome,
    }
}

/// A command, shortened to fit in a sentence.
fn shorten(source: &str) -> String {
    let line = source.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 70 {
        return line;
    }
    line.chars().take(69).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
