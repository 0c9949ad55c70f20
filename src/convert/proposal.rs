//! The launchgate command that does what a chain was meant to do.

use super::Unsure;
use super::script::{self, Dialect};
use super::words::{Meaning, Piece, Word};
use crate::shell_words::{self, Expansion};

/// What to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposal {
    /// The whole command, `launchgate` first.
    pub words: Vec<String>,
    /// Whether the image's `CMD` stands behind it as the server.
    pub takes_cmd: bool,
    /// Variables for the container.
    pub env: Vec<(String, String)>,
    /// The folder that it is started in.
    pub folder: Option<String>,
}

/// A command before the server.
#[derive(Debug)]
pub(super) struct Step {
    /// Its words, where it is a simple command.
    pub(super) words: Vec<Word>,
    /// As it is written, with everything around the words.
    pub(super) source: String,
    /// The same as the parser shows it, to hold `source` against. None where something that
    /// was in front of the words is gone.
    pub(super) shown: Option<String>,
    /// What it needs a shell for.
    pub(super) shell: Option<&'static str>,
    /// What that shell's `set -o` has to have.
    pub(super) options: Vec<&'static str>,
}

/// What comes last.
#[derive(Debug)]
pub(super) struct Server {
    /// Its words; none where they are the shell's own arguments.
    pub(super) words: Vec<Word>,
    /// What it needs a shell for.
    pub(super) shell: Option<&'static str>,
    /// What a shell is to run, where the words are not all of it.
    pub(super) source: Option<String>,
}

/// How the steps are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// By their words.
    Words,
    /// By their words, with variables.
    Expanded,
    /// By `/bin/sh -c`.
    Shell,
}

/// How steps and server have to be run.
pub(super) fn manner(steps: &[Step], server: &Server, dialect: &Dialect) -> Manner {
    if *dialect == Dialect::Posix && steps.iter().any(|step| step.shell.is_some()) {
        return Manner::Shell;
    }
    let plain = steps.iter().filter(|step| step.shell.is_none());
    let words = plain.flat_map(|step| &step.words);
    let of_server = server.words.iter().filter(|_| server.shell.is_none());
    let mut words = words.chain(of_server);
    if words.any(|word| word.variables().next().is_some()) {
        Manner::Expanded
    } else {
        Manner::Words
    }
}

/// The text behind `--migrate`.
///
/// # Errors
/// launchgate would not run the words that the shell ran.
pub(super) fn step_command(
    step: &Step,
    manner: Manner,
    dialect: &Dialect,
) -> Result<String, Unsure> {
    let sources: Vec<&str> = step.words.iter().map(|word| word.source.as_str()).collect();
    let text = sources.join(" ");
    let exact = || match &step.shown {
        Some(shown) if script::is_exact(&step.source, shown, dialect) => Ok(step.source.clone()),
        None if step.shell.is_none() => Ok(text.clone()),
        _ => Err(differs(&step.source)),
    };
    if manner == Manner::Shell {
        let source = exact()?;
        let mut set = String::new();
        for option in &step.options {
            set.push_str("set -o ");
            set.push_str(option);
            set.push_str("; ");
        }
        return Ok(set + &source);
    }
    if step.shell.is_some() {
        let Dialect::Bash(bash) = dialect else {
            return Err(differs(&step.source));
        };
        let source = exact()?;
        let mut words = vec![bash.as_str()];
        for option in &step.options {
            words.extend(["-o", option]);
        }
        words.extend(["-c", &source]);
        return quoted(&words);
    }
    let expected: Option<Vec<String>> = step.words.iter().map(marked).collect();
    let mark = |name: &[u8]| Some(mark(&String::from_utf8_lossy(name)).into_bytes());
    let expansion = match manner {
        Manner::Expanded => Expansion::On(&mark),
        _ => Expansion::Off,
    };
    let found = shell_words::split(text.as_bytes(), expansion)
        .ok()
        .map(|split| {
            let words = split.argv.words().iter();
            words
                .map(|word| word.to_string_lossy().into_owned())
                .collect()
        });
    if expected.is_none() || found != expected {
        return Err(differs(&text));
    }
    Ok(text)
}

/// A word with a mark in place of each variable's value.
fn marked(word: &Word) -> Option<String> {
    match &word.meaning {
        Meaning::Literal(text) => Some(text.clone()),
        Meaning::Variables(pieces) => Some(
            pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Variable { name, .. } => mark(name),
                })
                .collect(),
        ),
        Meaning::Shell(_) | Meaning::OfThisShell(_) => None,
    }
}

fn mark(name: &str) -> String {
    format!("\u{1}{name}\u{1}")
}

fn differs(source: &str) -> Unsure {
    Unsure::new(
        format!("`{source}` can't be handed over word by word with certainty"),
        "put it into a script that is a step of its own",
    )
}

/// Words as a shell reads them back.
pub(super) fn quoted(words: &[&str]) -> Result<String, Unsure> {
    shlex::try_join(words.iter().copied()).map_err(|_| {
        Unsure::new(
            "there is a zero byte in the text",
            "no process can be given one",
        )
    })
}

/// The server's words behind `--`.
///
/// # Errors
/// Only the shell that is to go can run it.
pub(super) fn server_words(
    server: &Server,
    manner: Manner,
    dialect: &Dialect,
) -> Result<Vec<String>, Unsure> {
    let has_variables = server
        .words
        .iter()
        .any(|word| word.variables().next().is_some());
    let by_shell = server.shell.is_some() || (manner == Manner::Shell && has_variables);
    let words = if by_shell {
        let sources: Vec<&str> = server
            .words
            .iter()
            .map(|word| word.source.as_str())
            .collect();
        let text = server.source.clone().unwrap_or_else(|| sources.join(" "));
        let shell = match dialect {
            Dialect::Posix => "sh",
            Dialect::Bash(bash) => bash,
        };
        vec![
            plain(shell, manner),
            "-c".to_owned(),
            plain(&format!("exec {text}"), manner),
        ]
    } else {
        let mut words = Vec::new();
        for word in &server.words {
            words.push(match &word.meaning {
                Meaning::Literal(text) => plain(text, manner),
                Meaning::Variables(pieces) => pieces
                    .iter()
                    .map(|piece| match piece {
                        Piece::Text(text) => plain(text, manner),
                        Piece::Variable { name, .. } => format!("${{{name}}}"),
                    })
                    .collect(),
                Meaning::Shell(_) | Meaning::OfThisShell(_) => return Err(differs(&word.source)),
            });
        }
        words
    };
    Ok(words)
}

/// Text that is to stay as it is.
fn plain(text: &str, manner: Manner) -> String {
    if manner == Manner::Expanded {
        text.replace('$', "$$")
    } else {
        text.to_owned()
    }
}
