//! What each command of a chain is: the migration, the server, something for every start, or a
//! reason to keep the script.

mod command;
mod pattern;
mod server;
mod statement;
mod wait;

use self::pattern::Pattern;
use super::input::{self, ChainForm, Given};
use super::proposal::{ChainCommand, Kind, ParsedChain, Proposal, Server, User};
use super::shell::{self, Dialect, Piece};
use super::tools;
use super::words::Word;
use super::{Findings, KnownDatabase, Refusal, shorten};

/// The maximum nesting depth of shells.
const MAX_DEPTH: usize = 4;

/// What was read so far.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    surroundings: &'a KnownDatabase<'a>,
    pub(super) findings: Findings,
    dialect: Dialect,
    /// Whether a shell reads the text.
    in_shell: bool,
    /// What `set` switched on.
    options: Vec<&'static str>,
    commands: Vec<ChainCommand>,
    server: Option<Server>,
    folder: Option<String>,
    /// The user that the shell runs as, and the words that switch to that user.
    outer_user: Option<User>,
    /// `--init` and its like.
    init: Vec<String>,
    wait_timeout: Option<String>,
    /// Whether a wait for the database was found, and whether launchgate will know the database.
    knows_database: bool,
    /// A Procfile's `release:` line is being read: what it runs is a step.
    is_release: bool,
    /// What the hint of a refusal needs: the migrations, the server, whether it needs `--init`.
    pattern: Pattern,
}

impl<'a> Chain<'a> {
    pub(super) fn new(surroundings: &'a KnownDatabase<'a>) -> Self {
        Self {
            surroundings,
            findings: Findings::default(),
            dialect: Dialect::Posix,
            in_shell: false,
            options: Vec::new(),
            commands: Vec::new(),
            server: None,
            folder: None,
            outer_user: None,
            init: Vec::new(),
            wait_timeout: None,
            knows_database: surroundings.has_url,
            is_release: false,
            pattern: Pattern::default(),
        }
    }

    /// Reads all of it and writes the command that does the same.
    pub(super) fn convert(&mut self, given: Given) -> Result<Proposal, Refusal> {
        for note in given.notes {
            self.findings.note(note);
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
                self.text(&text, Vec::new(), 0)?;
            }
            ChainForm::Words(words) => self.words(words, false, 0)?,
        }
        self.propose()
    }

    /// A Procfile's `release:` line, which the platform runs once per release already.
    fn release(&mut self, text: &str) -> Result<(), Refusal> {
        self.is_release = true;
        let pieces = self.read(text)?;
        for statement in statement::statements(&pieces) {
            self.statement(statement)?;
        }
        self.is_release = false;
        self.findings.note("remove the `release:` line: launchgate runs it once per release, in the first web process that starts");
        Ok(())
    }

    fn read(&mut self, text: &str) -> Result<Vec<Piece>, Refusal> {
        let pieces = shell::read(text, &self.dialect)?;
        self.knows_database |= self.mentions_url(text);
        self.pattern.scan(&pieces);
        Ok(pieces)
    }

    /// Whether a variable that launchgate reads a URL from is used in the text.
    fn mentions_url(&self, text: &str) -> bool {
        let mut names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        names.any(|name| self.surroundings.url_variables.contains(&name))
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

    /// The launchgate command, if everything in the chain can be preserved.
    fn propose(&mut self) -> Result<Proposal, Refusal> {
        let Some(server) = self.server.take() else {
            return Err(Refusal::keep_script("the chain starts no server"));
        };
        let commands = std::mem::take(&mut self.commands);
        let is_migration = |command: &ChainCommand| command.kind == Kind::Migration;
        let (Some(first), Some(last)) = (
            commands.iter().position(is_migration),
            commands.iter().rposition(is_migration),
        ) else {
            return self.without_migration(&commands, &server);
        };
        if let Some(other) = commands[first..=last].iter().find(|c| !is_migration(c)) {
            return Err(between_migrations(other, &commands[first]));
        }
        self.say_what_runs_when(&commands, first, last);
        if !self.knows_database {
            self.findings.note("launchgate needs to know the database: set DATABASE_URL in the container, or add `--database-url`; without either it refuses to start");
        }
        if self.init.is_empty() && tools::ignores_term(&server.words) {
            self.init.push("--init".to_owned());
            self.findings.note(format!(
                "`--init`: `{}` installs no SIGTERM handler, and the kernel drops unhandled signals for PID 1; remove `--init` if your application handles SIGTERM",
                shorten(&server.name())
            ));
        }
        self.say_of_server(&server);
        ParsedChain {
            commands,
            first,
            last,
            server: &server,
            dialect: &self.dialect,
            init: &self.init,
            wait_timeout: self.wait_timeout.as_deref(),
            outer_user: self.outer_user.as_ref(),
            folder: self.folder.as_deref(),
        }
        .propose(&mut self.findings)
    }

    fn say_what_runs_when(&mut self, commands: &[ChainCommand], first: usize, last: usize) {
        self.findings
            .wrong("every replica migrates, all at the same time, and again at every restart");
        for (flag, list) in [
            ("--prepare", &commands[..first]),
            ("--warm-up", &commands[last + 1..]),
        ] {
            for command in list {
                let source = shorten(&command.source);
                let could = if tools::is_seed(&command.words) {
                    "; it changes the database, so it could be a step: pass it as `--migrate` to run it once per release"
                } else {
                    ""
                };
                self.findings.note(format!(
                    "`{source}` still runs at every start (`{flag}`){could}"
                ));
            }
        }
        let migrations = commands[first..=last].iter();
        let migrations: Vec<&[Word]> = migrations.map(|one| one.words.as_slice()).collect();
        if let Some(unlock) = tools::unlock(&migrations) {
            self.findings.note(format!(
                "a killed migration leaves the tool's lock in the database: unless something else runs the tool too, put `--migrate '{unlock}'` in front (not `--prepare`, which would remove the lock of a replica that is migrating)"
            ));
        }
        let rest = [&commands[..first], &commands[last + 1..]].concat();
        if rest
            .iter()
            .any(|command| command.kind == Kind::Other && !tools::is_seed(&command.words))
        {
            self.findings.note("a command that only changes the database could be a step: pass it as `--migrate` to run it once per release");
        }
    }

    fn say_of_server(&mut self, server: &Server) {
        if server.takes_cmd && self.init.is_empty() && server.words.is_empty() {
            self.findings.note("the CMD is the server: add `--init` if it does not handle SIGTERM (node, for example, does not)");
        }
        if tools::is_package_runner(&server.words) {
            self.findings.note("the package manager keeps running as the server's parent: start the server directly, as in `node server.js`");
        }
        let texts: Vec<&str> = server.words.iter().filter_map(Word::text).collect();
        if texts.first().is_some_and(|name| name.ends_with("php-fpm")) && self.init.is_empty() {
            self.findings.note("php-fpm drops its requests on SIGTERM and finishes them on SIGQUIT: add `--init --rewrite-signal 15:3`, unless the image has STOPSIGNAL SIGQUIT");
        }
        if matches!(texts.as_slice(), [.., "./bin/rails", "server"]) {
            self.findings.note("the bin/docker-entrypoint that Rails generates runs `db:prepare` in every replica if the command ends in `./bin/rails server`: set this as the ENTRYPOINT, or remove db:prepare from that script");
        } else if tools::is_script(&server.words) {
            self.findings.note(
                "the server is a script: convert the script too, to see what it does at every start",
            );
        }
    }

    /// No command is recognized as a migration: either only an init is wanted, or the user has to
    /// say which one migrates.
    fn without_migration(
        &mut self,
        commands: &[ChainCommand],
        server: &Server,
    ) -> Result<Proposal, Refusal> {
        let asked: Vec<String> = commands
            .iter()
            .filter(|command| command.kind == Kind::Other)
            .map(|command| format!("`{}`", shorten(&command.source)))
            .collect();
        if commands.is_empty()
            && let Some(words) = &server.behind_init
        {
            return Proposal::init(
                words.clone(),
                &self.init,
                server.takes_cmd,
                self.folder.clone(),
            );
        }
        if !asked.is_empty() {
            return Err(Refusal::new(
                format!(
                    "which of these commands migrates the database: {}? convert recognizes none of them",
                    asked.join(", ")
                ),
                "pass the migration as `--migrate`, commands before it as `--prepare`, commands after it as `--warm-up`, and the server after `--`",
            ));
        }
        let name = shorten(&server.name());
        let hint = if tools::is_script(&server.words) {
            format!("`{name}` is a script: convert its text with `launchgate convert < SCRIPT`")
        } else if tools::is_migration(&server.words) {
            format!(
                "add the server's command; for a job without a server, write: launchgate job --migrate '{name}'"
            )
        } else {
            format!(
                "add the migration: launchgate run --migrate '…' -- {name}; if you only want an init: launchgate init -- {name}"
            )
        };
        let waits = if commands.is_empty() {
            ""
        } else {
            "; before it migrates, launchgate waits for the database in DATABASE_URL or `--database-url`"
        };
        Err(Refusal::new(
            format!(
                "which command migrates the database? No command before the server `{name}` does"
            ),
            format!("{hint}{waits}"),
        ))
    }

    /// Adds how to keep the script.
    pub(super) fn with_pattern(&self, refusal: Refusal) -> Refusal {
        if !refusal.hint.is_empty() {
            return refusal;
        }
        Refusal {
            hint: self.pattern.hint(),
            ..refusal
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
