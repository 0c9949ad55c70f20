//! The rules: which command of a chain is a step, which is the server, which is no longer
//! needed, and what is wrong with it as it stands.

mod links;
mod server;
mod sort;
mod step;

use links::flatten;
use step::refuse_influence;

use super::given::Given;
use super::proposal::{self, Manner, Proposal, Server, Step};
use super::script::{self, Dialect, Link, Simple};
use super::words::Word;
use super::{Findings, Unsure};

/// As many shells as may be wrapped into each other.
const MAX_DEPTH: usize = 4;

/// What was read so far.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) findings: Findings,
    dialect: Dialect,
    in_shell: bool,
    /// What `set` switched on that a step's own shell has to have too.
    options: Vec<&'static str>,
    steps: Vec<Step>,
    server: Option<Server>,
    takes_cmd: bool,
    env: Vec<(String, String)>,
    step_flags: Vec<(String, String)>,
    server_flags: Vec<String>,
    step_user: Option<String>,
    folder: Option<String>,
}

/// A command that is neither done by launchgate nor by the container.
#[derive(Debug)]
struct Kept {
    link: Link,
    source: String,
    shown: String,
    body: Kind,
    /// What `set` had switched on by then.
    options: Vec<&'static str>,
}

#[derive(Debug)]
enum Kind {
    Simple(Simple),
    /// Not a simple command: what it is.
    Complex(&'static str),
}

impl Chain {
    pub(super) fn new() -> Self {
        Self {
            findings: Findings::default(),
            dialect: Dialect::Posix,
            in_shell: false,
            options: Vec::new(),
            steps: Vec::new(),
            server: None,
            takes_cmd: false,
            env: Vec::new(),
            step_flags: Vec::new(),
            server_flags: Vec::new(),
            step_user: None,
            folder: None,
        }
    }

    /// Reads all of it.
    pub(super) fn read(&mut self, given: Given) -> Result<(), Unsure> {
        match given {
            Given::Text(text) => self.text(&text, 0),
            Given::Words(words) => self.last(words, 0),
        }
    }

    fn text(&mut self, text: &str, depth: usize) -> Result<(), Unsure> {
        if depth > MAX_DEPTH {
            return Err(Unsure::new(
                "there are more shells within shells than can be followed",
                "give the text of the innermost one alone",
            ));
        }
        let mut items = Vec::new();
        flatten(script::read(text, &self.dialect)?, &mut items);
        if depth > 0 || items.len() > 1 {
            self.in_shell = true;
        }
        let items = self.without_fallbacks(items)?;
        let items = self.in_foreground(items)?;
        let mut kept = Vec::new();
        for item in items {
            self.sort(item, &mut kept)?;
        }
        let Some(server) = kept.pop() else {
            return Err(Unsure::new(
                "there is no command that could be the server",
                "the last command is taken as the server, what comes before it as steps",
            ));
        };
        self.say_links(&kept, &server);
        for step in kept {
            self.step(step)?;
        }
        self.server(server, depth)
    }

    /// The command that does the same.
    pub(super) fn proposal(&mut self) -> Result<Proposal, Unsure> {
        let Some(server) = self.server.take() else {
            return Err(Unsure::new("there is no command", "write the chain"));
        };
        if let Some(user) = self.step_user.take() {
            self.server_flags.extend(["--step-user".to_owned(), user]);
        }
        let manner = proposal::manner(&self.steps, &server, &self.dialect);
        let mut words = vec!["launchgate".to_owned(), "run".to_owned()];
        words.append(&mut self.server_flags);
        match manner {
            Manner::Words => {}
            Manner::Expanded => words.push("--expand-env".to_owned()),
            Manner::Shell => words.push("--shell".to_owned()),
        }
        for (flag, value) in &self.step_flags {
            if manner == Manner::Shell && flag.starts_with("--step-env") {
                continue; // they are in the step's own text
            }
            words.extend([flag.clone(), value.clone()]);
        }
        for step in &self.steps {
            let command = proposal::step_command(step, manner, &self.dialect)?;
            // One that begins with a dash would be read as a flag.
            if command.starts_with('-') {
                words.push(format!("--migrate={command}"));
            } else {
                words.extend(["--migrate".to_owned(), command]);
            }
        }
        words.push("--".to_owned());
        let named = proposal::server_words(&server, manner, &self.dialect)?;
        words.extend(named);
        self.say_variables(manner, &server);
        Ok(Proposal {
            words,
            takes_cmd: self.takes_cmd,
            env: std::mem::take(&mut self.env),
            folder: self.folder.take(),
        })
    }

    fn say_variables(&mut self, manner: Manner, server: &Server) {
        if manner != Manner::Expanded {
            return;
        }
        let words = self
            .steps
            .iter()
            .flat_map(|step| &step.words)
            .chain(&server.words);
        let split: Vec<String> = words
            .flat_map(Word::variables)
            .filter(|(_, splits)| *splits)
            .map(|(name, _)| format!("${name}"))
            .collect();
        self.findings.note(
            "`--expand-env` puts variables in without a shell; one that is not set is an error there, and not nothing",
        );
        if !split.is_empty() {
            self.findings.note(format!(
                "a shell would split the value of {} at spaces; `--expand-env` keeps it one word",
                split.join(", ")
            ));
        }
    }
}

fn of_shell(source: &str) -> Unsure {
    Unsure::new(
        format!("`{}` changes or asks the shell itself", shorten(source)),
        "let the container set it, or put the command with all that depends on it into a script",
    )
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// As much of a command as a sentence can take.
fn shorten(source: &str) -> String {
    let line = source.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 70 {
        return line;
    }
    line.chars().take(69).chain(['…']).collect()
}
