//! What each command of a chain is: the migration, the server, something for every start, or a
//! reason to keep the script.

mod command;
mod pattern;
mod server;
mod statement;
mod wait;

use self::pattern::Pattern;
use super::input::{self, ChainForm, Given};
use super::shell::{self, Dialect, Piece};
use super::words::{Word, source_of};
use super::{KnownDatabase, Refusal, push, shorten};

/// The maximum nesting depth of shells.
const MAX_DEPTH: usize = 4;

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It migrates: once per release.
    Migration,
    /// It waits for a database that launchgate will not know.
    Wait,
    /// Anything else: at every start.
    Other,
}

/// A user, and the words that made a command run as that user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) words: Vec<Word>,
}

/// A command of the chain; the last one is the server.
#[derive(Debug, Clone, Default)]
pub(super) struct ChainCommand {
    /// The program and its arguments; empty where only a shell can run it.
    pub(super) words: Vec<Word>,
    /// `NAME=value` in front of it.
    pub(super) assignments: Vec<(String, Word)>,
    /// As a shell runs it.
    pub(super) source: String,
    /// What it needs a shell for.
    pub(super) shell: Option<&'static str>,
    /// What `set -o` had switched on.
    pub(super) options: Vec<&'static str>,
    /// Who it runs as, where that is not who the chain runs as.
    pub(super) user: Option<User>,
    /// Whether it waits for a database.
    pub(super) is_wait: bool,
}

/// Which line of a Procfile is being read; a chain from elsewhere is the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// `release:`, where every command is a step.
    Release,
    Server,
}

/// What was read so far.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    surroundings: &'a KnownDatabase<'a>,
    pub(super) wrong: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) dialect: Dialect,
    /// Whether a shell reads the text.
    in_shell: bool,
    /// What `set` switched on.
    options: Vec<&'static str>,
    /// What runs before the first migration.
    pub(super) prepare: Vec<ChainCommand>,
    pub(super) migrate: Vec<ChainCommand>,
    /// What runs behind the last migration.
    pub(super) warm_up: Vec<ChainCommand>,
    pub(super) server: Option<ChainCommand>,
    /// Whether the image's CMD follows the server's words.
    pub(super) takes_cmd: bool,
    /// What stood in front of an init, and what stood behind it.
    pub(super) around_init: Option<(Vec<Word>, Vec<Word>)>,
    pub(super) folder: Option<String>,
    /// The user that the shell runs as, and the words that switch to that user.
    pub(super) outer_user: Option<User>,
    /// `--init` and its like.
    pub(super) init: Vec<String>,
    pub(super) wait_timeout: Option<String>,
    /// Whether launchgate will know the database.
    pub(super) knows_database: bool,
    line: Line,
    /// What the hint of a refusal needs: the migrations, the server, whether it needs `--init`.
    pattern: Pattern,
}

impl<'a> Chain<'a> {
    pub(super) fn new(surroundings: &'a KnownDatabase<'a>) -> Self {
        Self {
            surroundings,
            wrong: Vec::new(),
            notes: Vec::new(),
            dialect: Dialect::Posix,
            in_shell: false,
            options: Vec::new(),
            prepare: Vec::new(),
            migrate: Vec::new(),
            warm_up: Vec::new(),
            server: None,
            takes_cmd: false,
            around_init: None,
            folder: None,
            outer_user: None,
            init: Vec::new(),
            wait_timeout: None,
            knows_database: surroundings.has_url,
            line: Line::Server,
            pattern: Pattern::default(),
        }
    }

    /// Reads all of it.
    pub(super) fn take(&mut self, given: Given) -> Result<(), Refusal> {
        for note in given.notes {
            self.note(note);
        }
        if let Some(release) = &given.release {
            self.release(release)?;
        }
        match given.run {
            ChainForm::Text(text) => {
                if let Some((dialect, options)) = shell::hash_bang(&text)? {
                    self.dialect = dialect;
                    self.options = options;
                    self.in_shell = true;
                }
                self.text(&text, Vec::new(), 0)
            }
            ChainForm::Words(words) => self.words(words, 0),
        }
    }

    /// How to keep the script.
    pub(super) fn pattern(&self) -> String {
        self.pattern.hint()
    }

    pub(super) fn wrong(&mut self, text: impl Into<String>) {
        push(&mut self.wrong, text);
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        push(&mut self.notes, text);
    }

    /// The commands in front of the server.
    pub(super) fn commands(&self) -> impl Iterator<Item = &ChainCommand> + Clone {
        self.prepare
            .iter()
            .chain(&self.migrate)
            .chain(&self.warm_up)
    }

    fn push(&mut self, kind: Kind, command: ChainCommand) -> Result<(), Refusal> {
        if self.line == Line::Release || kind == Kind::Migration {
            if let Some(other) = self.warm_up.first() {
                return Err(between_migrations(other, &self.migrate[0]));
            }
            self.migrate.push(command);
        } else if self.migrate.is_empty() {
            self.prepare.push(command);
        } else {
            self.warm_up.push(command);
        }
        Ok(())
    }

    /// A Procfile's `release:` line, which the platform runs once per release already.
    fn release(&mut self, text: &str) -> Result<(), Refusal> {
        self.line = Line::Release;
        let pieces = self.read(text)?;
        for statement in statement::statements(&pieces) {
            self.statement(statement)?;
        }
        self.line = Line::Server;
        self.note("remove the `release:` line: launchgate runs it once per release, in the first web process that starts");
        Ok(())
    }

    fn read(&mut self, text: &str) -> Result<Vec<Piece>, Refusal> {
        let pieces = shell::read(text, &self.dialect)?;
        let mut names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        self.knows_database |= names.any(|name| self.surroundings.url_variables.contains(&name));
        self.pattern.scan(&pieces);
        Ok(pieces)
    }

    fn text(&mut self, text: &str, arguments: Vec<Word>, depth: usize) -> Result<(), Refusal> {
        if depth > MAX_DEPTH {
            return Err(Refusal::keep_script("shells are nested too deeply"));
        }
        let pieces = self.read(text)?;
        self.in_shell |= depth > 0 || pieces.len() > 1;
        let mut statements = statement::statements(&pieces);
        let Some(last) = statements.pop() else {
            return Err(input::nothing());
        };
        for statement in statements {
            self.statement(statement)?;
        }
        self.last_statement(last, arguments, depth)
    }

    /// The server as it is written.
    pub(super) fn server_name(&self) -> String {
        match &self.server {
            Some(server) if server.shell.is_some() => server.source.clone(),
            Some(server) if self.takes_cmd => format!("{} \"$@\"", source_of(&server.words))
                .trim_start()
                .to_owned(),
            Some(server) => source_of(&server.words),
            None => String::new(),
        }
    }
}

fn between_migrations(other: &ChainCommand, first: &ChainCommand) -> Refusal {
    Refusal::new(
        format!(
            "`{}` runs between two migrations: launchgate runs start commands before or after all of the steps, not between them",
            shorten(&other.source)
        ),
        format!(
            "move it before `{}` or after the last migration; if it should run once per release, pass all three as `--migrate`",
            shorten(&first.source)
        ),
    )
}
