//! `launchgate convert`: a chain of shell commands as people write it into a command override,
//! what is wrong with it, and the launchgate command that does what was meant.
//!
//! `given` sorts out what was pasted, `script` reads a shell's text, `chain` has the rules,
//! `proposal` makes the command, `render` the page. All of them are pure; this file alone reads
//! and prints. The invariant: a command is proposed only where every word of every step is
//! the word that the shell would have run, or where a shell runs the very same text. Else it is
//! said what can't be told, and the exit code is 64: what was given is configuration that
//! launchgate refuses, and nothing was touched.

mod chain;
mod given;
mod proposal;
mod render;
mod script;
mod tools;
mod words;

use std::ffi::OsString;
use std::io::Read as _;
use std::os::fd::AsFd as _;

pub use proposal::Proposal;

use crate::exit::{Failure, FailureKind, Problem};
use crate::sys::host::{Host, Wake};

/// Prints what is wrong with the chain and what to write instead.
///
/// # Errors
/// It can't be told with certainty what to write instead; what is wrong was printed all the same.
pub fn convert(host: &Host, words: &[OsString]) -> Result<(), Failure> {
    let words = read_words(host, words)?;
    let (findings, outcome) = propose(&words);
    let proposal = outcome.as_ref().ok();
    crate::output::print::print(host, render::page(&findings, proposal).as_bytes())?;
    match outcome {
        Ok(_) => Ok(()),
        Err(Unsure { what, hint }) => Err(Failure::usage(
            format!("can't convert this with certainty: {what}"),
            hint,
        )),
    }
}

/// Why no command is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsure {
    what: String,
    hint: String,
}

impl Unsure {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: hint.into(),
        }
    }
}

/// What there is to say about a chain, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    wrong: Vec<String>,
    notes: Vec<String>,
}

impl Findings {
    /// Something that is wrong with the chain.
    fn wrong(&mut self, text: impl Into<String>) {
        push(&mut self.wrong, text.into());
    }

    /// Something to know about the command that takes its place.
    fn note(&mut self, text: impl Into<String>) {
        push(&mut self.notes, text.into());
    }
}

fn push(list: &mut Vec<String>, text: String) {
    if !list.contains(&text) {
        list.push(text);
    }
}

/// What is wrong with a chain, and what to write instead where that is certain.
pub fn propose(words: &[String]) -> (Findings, Result<Proposal, Unsure>) {
    let given = match given::read(words) {
        Ok(given) => given,
        Err(unsure) => return (Findings::default(), Err(unsure)),
    };
    let mut chain = chain::Chain::new();
    let outcome = chain.read(given).and_then(|()| chain.proposal());
    let mut findings = chain.findings;
    if let Ok(proposal) = &outcome
        && proposal.shows_password()
    {
        findings.wrong(
            "there is a password in a command line, which every process and every log can read: move it into a variable of the container",
        );
    }
    (findings, outcome)
}

fn read_words(host: &Host, words: &[OsString]) -> Result<Vec<String>, Failure> {
    let not_text = || {
        Failure::usage(
            "the chain is not UTF-8",
            "give it as text; launchgate itself takes any bytes",
        )
    };
    let words: Option<Vec<String>> = words
        .iter()
        .map(|word| word.to_str().map(str::to_owned))
        .collect();
    let words = words.ok_or_else(not_text)?;
    if words != ["-"] {
        return Ok(words);
    }
    let text = String::from_utf8(read_standard_input(host)?).map_err(|_| not_text())?;
    Ok(vec![text])
}

/// As much as is read at most, and a byte more.
fn read_standard_input(host: &Host) -> Result<Vec<u8>, Failure> {
    let mut stdin = std::io::stdin().lock();
    let mut text = Vec::new();
    let mut part = vec![0; script::MAX_TEXT];
    while text.len() <= script::MAX_TEXT {
        let wake = host.wait(Some(std::io::stdin().as_fd()), None);
        if let Wake::Stop(stop) = wake {
            let what = format!("stopped by {stop} while reading");
            return Err(Failure::new(
                FailureKind::Stopped(stop),
                Problem::new(what, "see who writes standard input"),
            ));
        }
        match stdin.read(&mut part) {
            Ok(0) => break,
            Ok(len) => text.extend(&part[..len]),
            Err(error) => {
                return Err(Failure::usage(
                    format!("failed to read standard input: {error}"),
                    "give the chain as an argument",
                ));
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
