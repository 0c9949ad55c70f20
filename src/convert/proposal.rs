//! The launchgate command that does what a chain did.

mod notes;

use super::chain::{Chain, ChainCommand, Stage, User};
use super::shell::Dialect;
use super::words::{Part, Word, has_variables, source_of};
use super::{Refusal, keep, shorten};
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

impl Chain<'_> {
    /// The launchgate command, if everything in the chain can be preserved.
    ///
    /// # Errors
    /// Something can't be, or no command is known to migrate.
    pub(super) fn propose(&mut self) -> Result<Proposal, Refusal> {
        let Some(server) = self.server.clone() else {
            return Err(Refusal::keep_script("the chain starts no server"));
        };
        if self.of(Stage::Migrate).next().is_none() {
            return self.without_migration(&server);
        }
        self.say_what_runs_when();
        self.say_of_server(&server);
        let step_env = self.step_env();
        let takes_cmd = self.takes_cmd;
        for command in &mut self.commands {
            let is_set = command.stage == Stage::Migrate && step_env.is_some();
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
        let manner = self.manner(&server);
        let step_env = step_env.filter(|_| manner != Manner::Shell);
        let step_env = step_env.unwrap_or_default();
        self.say_how_they_run(&server, manner, &step_env);
        self.command_words(&server, manner, step_env)
            .map(|words| self.proposal(words))
    }

    fn proposal(&self, words: Vec<String>) -> Proposal {
        Proposal {
            words,
            takes_cmd: self.takes_cmd,
            folder: self.folder.clone(),
        }
    }

    fn command_words(
        &mut self,
        server: &ChainCommand,
        manner: Manner,
        step_env: Vec<String>,
    ) -> Result<Vec<String>, Refusal> {
        let mut flags = self.init.clone();
        let mut words = self.users(server.user.as_ref(), &mut flags)?;
        words.extend(["launchgate", "run"].map(str::to_owned));
        words.append(&mut flags);
        if let Some(timeout) = &self.wait_timeout {
            words.extend(["--wait-timeout".to_owned(), timeout.clone()]);
        }
        match manner {
            Manner::Words => {}
            Manner::Expanded => words.push("--expand-env".to_owned()),
            Manner::Shell => words.push("--shell".to_owned()),
        }
        for value in step_env {
            words.extend(["--step-env".to_owned(), value]);
        }
        for command in &self.commands {
            let flag = command.stage.flag();
            let text = self.command_text(command, manner)?;
            // One that begins with a dash would be read as a flag.
            if text.starts_with('-') {
                words.push(format!("{flag}={text}"));
            } else {
                words.extend([flag.to_owned(), text]);
            }
        }
        words.push("--".to_owned());
        words.extend(self.server_words(server, manner)?);
        Ok(words)
    }

    /// Who runs what: adds the flags, and returns the words in front of launchgate. What launchgate runs as
    /// the server's user no longer switches to that user itself.
    fn users(
        &mut self,
        server: Option<&User>,
        flags: &mut Vec<String>,
    ) -> Result<Vec<String>, Refusal> {
        let differs = |command: Option<&ChainCommand>| {
            let what = "and the server run as different users";
            command.map_or(Ok(()), |command| keep(&command.source, what))
        };
        let mut flag = |name: &str, value: &str| flags.extend([name, value].map(str::to_owned));
        if let Some(outer) = &self.outer_user {
            differs(self.commands.iter().find(|command| command.user.is_some()))?;
            // A `--prepare` command runs as the user who started launchgate.
            if self.of(Stage::Prepare).next().is_some() {
                let words = outer.words.iter().filter_map(Word::text);
                return Ok(words.map(str::to_owned).collect());
            }
            flag("--user", &outer.name);
        } else if let Some(user) = server {
            flag("--user", &user.name);
            let name = |command: &ChainCommand| command.user.as_ref().map(|own| own.name.clone());
            let is_other = |command: &&ChainCommand| name(command).as_ref() != Some(&user.name);
            if self.of(Stage::Migrate).all(|one| one.user.is_none()) {
                // Only root may change to another user.
                flag("--step-user", "0");
            } else {
                differs(self.of(Stage::Migrate).find(is_other))?;
            }
            differs(self.of(Stage::WarmUp).find(is_other))?;
            for command in &mut self.commands {
                command.user.take_if(|_| command.stage > Stage::Prepare);
            }
        }
        Ok(Vec::new())
    }

    /// What `NAME=value` in front of the migrations is for `--step-env`: it is set for all of
    /// them, so they all have to agree.
    fn step_env(&self) -> Option<Vec<String>> {
        let set = &self.of(Stage::Migrate).next()?.assignments;
        let agree = |command: &ChainCommand| command.assignments == *set && command.shell.is_none();
        if set.is_empty() || !self.of(Stage::Migrate).all(agree) {
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

    fn manner(&self, server: &ChainCommand) -> Manner {
        let mut commands = self.commands.iter();
        if self.dialect == Dialect::Posix && commands.any(|command| command.shell.is_some()) {
            return Manner::Shell;
        }
        let mut plain = self.commands.iter().chain([server]);
        if plain.any(|command| command.shell.is_none() && has_variables(&command.words)) {
            Manner::Expanded
        } else {
            Manner::Words
        }
    }

    /// The text behind `--prepare`, `--migrate` or `--warm-up`.
    fn command_text(&self, command: &ChainCommand, manner: Manner) -> Result<String, Refusal> {
        let front = command
            .user
            .as_ref()
            .map_or(&[][..], |user| user.words.as_slice());
        if manner == Manner::Shell || command.shell.is_some() {
            let mut source = source_of(front);
            if !source.is_empty() {
                source.push(' ');
            }
            source.push_str(&command.source);
            let mut options = command.options.clone();
            options.sort_unstable();
            options.dedup();
            return match &self.dialect {
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
    fn server_words(&self, server: &ChainCommand, manner: Manner) -> Result<Vec<String>, Refusal> {
        let has_variables = has_variables(&server.words);
        if has_variables && self.takes_cmd {
            return keep(
                &self.server_name(),
                "sets a variable and is followed by the CMD",
            );
        }
        if server.shell.is_some() || (manner == Manner::Shell && has_variables) {
            let shell = match &self.dialect {
                Dialect::Posix => "sh",
                Dialect::Bash(bash) => bash,
            };
            let mut options = self.commands.iter().flat_map(|command| &command.options);
            let set = if options.any(|option| *option == "nounset") {
                "set -o nounset; "
            } else {
                ""
            };
            let words = [shell, "-c", &format!("{set}exec {}", self.server_name())];
            return Ok(words.map(|word| plain(word, manner)).to_vec());
        }
        let expanded = |word: &Word| {
            let word_of = word.render(|text| plain(text, manner), |name| format!("${{{name}}}"));
            word_of.ok_or_else(|| differs(&word.source))
        };
        server.words.iter().map(expanded).collect()
    }

    /// No command is recognized as a migration: either only an init is wanted, or the user has to
    /// say which one migrates.
    fn without_migration(&mut self, server: &ChainCommand) -> Result<Proposal, Refusal> {
        if self.commands.is_empty()
            && let Some((front, behind)) = self.around_init.take()
        {
            self.say_of_server(server);
            let mut words = texts(&front)?;
            words.extend(["launchgate", "init"].map(str::to_owned));
            words.extend(self.init.iter().filter(|flag| *flag != "--init").cloned());
            words.push("--".to_owned());
            words.extend(texts(&behind)?);
            return Ok(self.proposal(words));
        }
        Err(self.which_migrates(server))
    }
}

/// The texts of words that no variable is in.
fn texts(words: &[Word]) -> Result<Vec<String>, Refusal> {
    let text = |word: &Word| word.text().map(str::to_owned);
    words
        .iter()
        .map(|word| text(word).ok_or_else(|| differs(&word.source)))
        .collect()
}

/// Whether launchgate reads these words from the text.
fn reads_as(text: &str, words: &[Word], manner: Manner) -> bool {
    let mark = |name: &str| format!("\u{1}{name}\u{1}");
    let expected = words.iter().map(|word| word.render(str::to_owned, mark));
    let expected: Option<Vec<String>> = expected.collect();
    let get = |name: &[u8]| Some(mark(&String::from_utf8_lossy(name)).into_bytes());
    let expansion = match manner {
        Manner::Expanded => Expansion::On(&get),
        Manner::Words | Manner::Shell => Expansion::Off,
    };
    shell_words::split(text.as_bytes(), expansion).is_ok_and(|split| {
        let found = split.argv.words().iter();
        expected == Some(found.map(|word| word.to_string_lossy().into()).collect())
    })
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
