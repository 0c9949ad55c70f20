//! What was found in a chain: its commands and its server.

use super::super::words::{Word, source_of};

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::convert) enum Kind {
    /// It migrates: once per release.
    Migration,
    /// It waits for a database that launchgate will not know.
    Wait,
    /// Anything else: at every start.
    Other,
}

/// A user, and the words that made a command run as that user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::convert) struct User {
    pub(in crate::convert) name: String,
    pub(in crate::convert) words: Vec<Word>,
}

/// A command in front of the server.
#[derive(Debug, Clone)]
pub(in crate::convert) struct ChainCommand {
    pub(in crate::convert) kind: Kind,
    /// The program and its arguments; empty where only a shell can run it.
    pub(in crate::convert) words: Vec<Word>,
    /// `NAME=value` in front of it.
    pub(in crate::convert) assignments: Vec<(String, Word)>,
    /// As a shell runs it.
    pub(in crate::convert) source: String,
    /// What it needs a shell for.
    pub(in crate::convert) shell: Option<&'static str>,
    /// What `set -o` had switched on.
    pub(in crate::convert) options: Vec<&'static str>,
    /// Who it runs as, where that is not who the chain runs as.
    pub(in crate::convert) user: Option<User>,
}

impl ChainCommand {
    pub(in crate::convert) fn new(kind: Kind) -> Self {
        Self {
            kind,
            words: Vec::new(),
            assignments: Vec::new(),
            source: String::new(),
            shell: None,
            options: Vec::new(),
            user: None,
        }
    }
}

/// The last command.
#[derive(Debug, Default)]
pub(in crate::convert) struct Server {
    /// Its words.
    pub(in crate::convert) words: Vec<Word>,
    /// What a shell is to run, where the server needs one.
    pub(in crate::convert) text: Option<String>,
    /// Who it runs as.
    pub(in crate::convert) user: Option<User>,
    /// Whether the image's CMD follows its words.
    pub(in crate::convert) takes_cmd: bool,
    /// What stood in front of an init, and what stood behind it.
    pub(in crate::convert) behind_init: Option<(Vec<Word>, Vec<Word>)>,
}

impl Server {
    /// As it is written.
    pub(in crate::convert) fn name(&self) -> String {
        match (&self.text, self.takes_cmd) {
            (Some(text), _) => text.clone(),
            (None, true) => format!("{} \"$@\"", source_of(&self.words))
                .trim_start()
                .to_owned(),
            (None, false) => source_of(&self.words),
        }
    }
}
