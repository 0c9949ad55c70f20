//! The launchgate command that does what a chain did.

mod found;
mod users;

pub(super) use found::{ChainCommand, Kind, Server, User};

use super::shell::Dialect;
use super::words::{Part, Word, has_variables, source_of};
use super::{Findings, Refusal, shorten};
use crate::shell_words::{self, Expansion};

/// What to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposal {
    /// The whole command.
    pub words: Vec<String>,
    /// Whether the image's `CMD` follows it as the server.
    pub takes_cmd: bool,
    /// The folder that it is started in.
    pub folder: Option<String>,
}

/// How the commands are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// By their words.
    Words,
    /// By their words, with variables.
    Expanded,
    /// By `/bin/sh -c`.
    Shell,
}

/// The parsed chain, once everything in it is known to be convertible.
#[derive(Debug)]
pub(super) struct ParsedChain<'a> {
    pub(super) commands: Vec<ChainCommand>,
    /// The first and the last migration.
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) server: &'a Server,
    pub(super) dialect: &'a Dialect,
    pub(super) init: &'a [String],
    pub(super) wait_timeout: Option<&'a str>,
    pub(super) outer_user: Option<&'a User>,
    pub(super) folder: Option<&'a str>,
}

impl ParsedChain<'_> {
    /// The command.
    ///
    /// # Errors
    /// launchgate would not run the words that the shell ran.
    pub(super) fn propose(mut self, findings: &mut Findings) -> Result<Proposal, Refusal> {
        let step_env = self.step_env();
        let takes_cmd = self.server.takes_cmd;
        for command in &mut self.commands {
            let is_set = step_env.is_some() && command.kind == Kind::Migration;
            let why = if !command.assignments.is_empty() && !is_set {
                Some("a variable for one command")
            } else if takes_cmd && has_variables(&command.words) {
                // `--expand-env` would expand the dollars of the CMD too.
                Some("a variable")
            } else {
                None
            };
            command.shell = command.shell.or(why);
        }
        let manner = self.manner();
        let step_env = step_env.filter(|_| manner != Manner::Shell);
        let mut words = Vec::new();
        let mut flags = self.init.to_vec();
        let keeps_users = self.users(&mut words, &mut flags)?;
        words.extend(["launchgate".to_owned(), "run".to_owned()]);
        words.append(&mut flags);
        if let Some(timeout) = self.wait_timeout {
            words.extend(["--wait-timeout".to_owned(), timeout.to_owned()]);
        }
        match manner {
            Manner::Words => {}
            Manner::Expanded => words.push("--expand-env".to_owned()),
            Manner::Shell => words.push("--shell".to_owned()),
        }
        for value in step_env.iter().flatten() {
            words.extend(["--step-env".to_owned(), value.clone()]);
        }
        for (number, command) in self.commands.iter().enumerate() {
            let flag = if number < self.first {
                "--prepare"
            } else if number <= self.last {
                "--migrate"
            } else {
                "--warm-up"
            };
            let user = command
                .user
                .as_ref()
                .filter(|_| number < self.first || keeps_users);
            let text = self.text(command, user, manner)?;
            // One that begins with a dash would be read as a flag.
            if text.starts_with('-') {
                words.push(format!("{flag}={text}"));
            } else {
                words.extend([flag.to_owned(), text]);
            }
        }
        words.push("--".to_owned());
        words.extend(self.server_words(manner)?);
        self.say(manner, step_env.as_deref().unwrap_or_default(), findings);
        Ok(Proposal {
            words,
            takes_cmd: self.server.takes_cmd,
            folder: self.folder.map(str::to_owned),
        })
    }

    fn migrations(&self) -> &[ChainCommand] {
        &self.commands[self.first..=self.last]
    }

    /// What `NAME=value` in front of the migrations is for `--step-env`: it is set for all of
    /// them, so they all have to agree.
    fn step_env(&self) -> Option<Vec<String>> {
        let migrations = self.migrations();
        let set = &migrations.first()?.assignments;
        let agree = |command: &ChainCommand| command.assignments == *set && command.shell.is_none();
        if set.is_empty() || !migrations.iter().all(agree) {
            return None;
        }
        set.iter()
            .map(|(name, value)| match value.parts()? {
                [Part::Text(text)] => {
                    let text = text.replace('{', "{{").replace('}', "}}");
                    Some(format!("{name}={text}"))
                }
                [Part::Variable { name: from, .. }] => Some(format!("{name}={{{from}}}")),
                _ => None,
            })
            .collect()
    }

    fn manner(&self) -> Manner {
        let needs = |command: &&ChainCommand| command.shell.is_some();
        if *self.dialect == Dialect::Posix && self.commands.iter().any(|command| needs(&command)) {
            return Manner::Shell;
        }
        let mut plain = self.commands.iter().filter(|command| !needs(command));
        let server = self.server;
        if plain.any(|command| has_variables(&command.words))
            || (server.text.is_none() && has_variables(&server.words))
        {
            Manner::Expanded
        } else {
            Manner::Words
        }
    }

    /// The text behind `--prepare`, `--migrate` or `--warm-up`.
    fn text(
        &self,
        command: &ChainCommand,
        user: Option<&User>,
        manner: Manner,
    ) -> Result<String, Refusal> {
        let front = user.map(|user| user.words.as_slice()).unwrap_or_default();
        if manner == Manner::Shell || command.shell.is_some() {
            let mut source = source_of(front);
            if !source.is_empty() {
                source.push(' ');
            }
            source.push_str(&command.source);
            let mut options = command.options.clone();
            options.sort_unstable();
            options.dedup();
            return match self.dialect {
                Dialect::Bash(bash) if manner != Manner::Shell => {
                    let mut words = vec![bash.as_str()];
                    words.extend(options.iter().flat_map(|option| ["-o", option]));
                    words.extend(["-c", &source]);
                    shlex::try_join(words).map_err(|_| differs(&source))
                }
                _ => {
                    let set = options.iter().map(|option| format!("set -o {option}; "));
                    Ok(set.collect::<String>() + &source)
                }
            };
        }
        let words = [front, &command.words].concat();
        let text = source_of(&words);
        if !reads_as(&text, &words, manner) {
            return Err(differs(&text));
        }
        Ok(text)
    }

    /// The server's words behind `--`.
    fn server_words(&self, manner: Manner) -> Result<Vec<String>, Refusal> {
        let server = self.server;
        let has_variables = has_variables(&server.words);
        if has_variables && server.takes_cmd {
            return Err(Refusal::keep(
                &server.name(),
                "sets a variable and is followed by the CMD",
            ));
        }
        if server.text.is_some() || (manner == Manner::Shell && has_variables) {
            let text = server
                .text
                .clone()
                .unwrap_or_else(|| source_of(&server.words));
            let shell = match self.dialect {
                Dialect::Posix => "sh",
                Dialect::Bash(bash) => bash,
            };
            let nounset = self
                .commands
                .iter()
                .any(|command| command.options.contains(&"nounset"));
            let set = if nounset { "set -o nounset; " } else { "" };
            let words = [shell, "-c", &format!("{set}exec {text}")];
            return Ok(words.map(|word| plain(word, manner)).to_vec());
        }
        let expanded = |word: &Word| {
            let parts = word.parts().ok_or_else(|| differs(&word.source))?;
            let texts = parts.iter().map(|part| match part {
                Part::Text(text) => plain(text, manner),
                Part::Variable { name, .. } => format!("${{{name}}}"),
            });
            Ok(texts.collect())
        };
        server.words.iter().map(expanded).collect()
    }

    fn say(&self, manner: Manner, step_env: &[String], findings: &mut Findings) {
        for command in &self.commands {
            if let Some(what) = command.shell {
                findings.note(format!(
                    "`{}` needs a shell for {what}: the image must contain one",
                    shorten(&command.source)
                ));
            }
        }
        for value in step_env {
            let name = value.split('=').next().unwrap_or_default();
            findings.note(format!(
                "`--step-env` sets {name} for the steps but not for the server, as in the chain"
            ));
        }
        if self.server.user.is_some() && self.first > 0 {
            findings.note("`--prepare` runs as the container's initial user, with the server's environment (including HOME)");
        }
        if manner != Manner::Expanded {
            return;
        }
        let words = self.commands.iter().flat_map(|command| &command.words);
        let words = words.chain(&self.server.words);
        let split: Vec<String> = words
            .flat_map(Word::variables)
            .filter(|(_, splits)| *splits)
            .map(|(name, _)| format!("${name}"))
            .collect();
        findings.note(
            "`--expand-env` expands variables without a shell; an unset variable is an error",
        );
        if !split.is_empty() {
            findings.note(format!(
                "a shell would split the value of {} at spaces; `--expand-env` keeps it as one word",
                split.join(", ")
            ));
        }
    }
}

impl Proposal {
    /// `launchgate init` in place of an init: `words` are the words before and after that init.
    pub(super) fn init(
        (front, behind): (Vec<Word>, Vec<Word>),
        flags: &[String],
        takes_cmd: bool,
        folder: Option<String>,
    ) -> Result<Self, Refusal> {
        let texts = |words: &[Word]| -> Result<Vec<String>, Refusal> {
            let text = |word: &Word| word.text().map(str::to_owned);
            words
                .iter()
                .map(|word| text(word).ok_or_else(|| differs(&word.source)))
                .collect()
        };
        let mut words = texts(&front)?;
        words.extend(["launchgate".to_owned(), "init".to_owned()]);
        words.extend(flags.iter().filter(|flag| *flag != "--init").cloned());
        words.push("--".to_owned());
        words.extend(texts(&behind)?);
        Ok(Self {
            words,
            takes_cmd,
            folder,
        })
    }
}

/// Whether launchgate reads these words from the text.
fn reads_as(text: &str, words: &[Word], manner: Manner) -> bool {
    let mark = |name: &str| format!("\u{1}{name}\u{1}");
    let expected: Option<Vec<String>> = words
        .iter()
        .map(|word| {
            let parts = word.parts()?;
            let texts = parts.iter().map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Variable { name, .. } => mark(name),
            });
            Some(texts.collect())
        })
        .collect();
    let get = |name: &[u8]| Some(mark(&String::from_utf8_lossy(name)).into_bytes());
    let expansion = match manner {
        Manner::Expanded => Expansion::On(&get),
        Manner::Words | Manner::Shell => Expansion::Off,
    };
    let Ok(split) = shell_words::split(text.as_bytes(), expansion) else {
        return false;
    };
    let found = split.argv.words().iter();
    let found = found
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    expected == Some(found)
}

fn differs(source: &str) -> Refusal {
    Refusal::keep_script(format!(
        "launchgate would not split `{}` into words as the shell does",
        shorten(source)
    ))
}

/// Text that is to stay as it is.
fn plain(text: &str, manner: Manner) -> String {
    match manner {
        Manner::Expanded => text.replace('$', "$$"),
        Manner::Words | Manner::Shell => text.to_owned(),
    }
}
