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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// It migrates: once per release.
    Migration,
    /// It waits for a database that launchgate will not know.
    Wait,
    /// Anything else: at every start.
    #[default]
    Other,
}

/// When a command runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd)]
pub(super) enum Stage {
    /// At every start, before the migrations.
    #[default]
    Prepare,
    /// Once per release.
    Migrate,
    /// At every start, behind the migrations.
    WarmUp,
}

impl Stage {
    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::Prepare => "--prepare",
            Self::Migrate => "--migrate",
            Self::WarmUp => "--warm-up",
        }
    }
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
    pub(super) kind: Kind,
    pub(super) stage: Stage,
}

/// Which line of a Procfile is being read; a chain from elsewhere is the server's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    /// `release:`, where every command is a step.
    Release,
    #[default]
    Server,
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Chain<'a> {
    /// The variables that launchgate reads a database's URL from.
    url_variables: &'a [&'a str],
    pub(super) wrong: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) dialect: Dialect,
    /// Whether a shell reads the text.
    in_shell: bool,
    /// What `set` switched on.
    options: Vec<&'static str>,
    /// The commands in front of the server, in order.
    pub(super) commands: Vec<ChainCommand>,
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
    pub(super) fn new(surroundings: &KnownDatabase<'a>) -> Self {
        Self {
            url_variables: surroundings.url_variables,
            knows_database: surroundings.has_url,
            ..Self::default()
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

    /// The commands of one stage.
    pub(super) fn of(&self, stage: Stage) -> impl Iterator<Item = &ChainCommand> + Clone {
        let commands = self.commands.iter();
        commands.filter(move |command| command.stage == stage)
    }

    fn push(&mut self, mut command: ChainCommand) -> Result<(), Refusal> {
        let is_step = self.line == Line::Release || command.kind == Kind::Migration;
        let before = self.commands.last();
        command.stage = match before.map_or(Stage::Prepare, |before| before.stage) {
            Stage::WarmUp if is_step => return Err(self.between_migrations()),
            Stage::Prepare | Stage::Migrate if is_step => Stage::Migrate,
            Stage::Prepare => Stage::Prepare,
            Stage::Migrate | Stage::WarmUp => Stage::WarmUp,
        };
        self.commands.push(command);
        Ok(())
    }

    fn between_migrations(&self) -> Refusal {
        let shown = |stage| {
            let first = self.of(stage).next();
            first.map_or_else(String::new, |command| shorten(&command.source))
        };
        Refusal::new(
            format!(
                "`{}` runs between two migrations: launchgate runs start commands before or after all of the steps, not between them",
                shown(Stage::WarmUp)
            ),
            format!(
                "move it before `{}` or after the last migration; if it should run once per release, pass all three as `--migrate`",
                shown(Stage::Migrate)
            ),
        )
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
        self.knows_database |= names.any(|name| self.url_variables.contains(&name));
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
