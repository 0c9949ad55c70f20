//! A command before the server.

use super::super::shell::{self, Contents, Dialect, Piece, PieceShape, Redirect, Simple};
use super::super::words::{Word, has_variables, program, source_of};
use super::super::{Refusal, keep, shorten, tools};
use super::statement::{refuse_content, refuse_influence, refuse_program, refuse_undoing, undoing};
use super::{Chain, ChainCommand, Kind, Line};

impl Chain<'_> {
    pub(super) fn command(&mut self, piece: &Piece) -> Result<(), Refusal> {
        match &piece.shape {
            PieceShape::Simple(simple) => {
                refuse_content(piece)?;
                self.simple(simple.clone(), &piece.source)
            }
            PieceShape::Until { condition } => self.until(piece, *condition),
            PieceShape::Other(what) => self.compound(piece, what),
        }
    }

    /// The `set` options that affect a command run in its own shell.
    pub(super) fn options_for(&self, contents: &Contents) -> Vec<&'static str> {
        let mut options = self.options.clone();
        options.retain(|option| match *option {
            "errexit" => contents.goes_on,
            "pipefail" => contents.pipe,
            _ => true,
        });
        options
    }

    pub(super) fn push_text(
        &mut self,
        piece: &Piece,
        kind: Kind,
        what: &'static str,
    ) -> Result<(), Refusal> {
        for simple in &piece.contents.commands {
            if tools::is_migration(&simple.words) {
                self.judge_tasks(&simple.words)?;
            }
        }
        let command = ChainCommand {
            shell: Some(what),
            source: piece.source.clone(),
            options: self.options_for(&piece.contents),
            kind,
            ..ChainCommand::default()
        };
        self.push(command)
    }

    /// Anything but a program with its arguments.
    pub(super) fn compound(&mut self, piece: &Piece, what: &'static str) -> Result<(), Refusal> {
        refuse_influence(piece)?;
        let contents = &piece.contents;
        let last = contents.commands.last();
        let last_migrates = last.is_some_and(|last| tools::is_migration(&last.words));
        let pipe_hides = contents.pipe && !self.options.contains(&"pipefail");
        if pipe_hides {
            self.wrong(format!(
                "a pipe hides the failure of all but its last command: `{}`",
                shorten(&piece.source)
            ));
        }
        if !contents.has(tools::is_migration) {
            return self.push_text(piece, Kind::Other, what);
        }
        if pipe_hides && !last_migrates {
            return Err(Refusal::new(
                format!(
                    "the pipe in `{}` hides a failed migration",
                    shorten(&piece.source)
                ),
                "take the migration out of the pipe: launchgate passes its output through and records the last lines",
            ));
        }
        if !contents.fails_as_one || !(last_migrates || contents.pipe) {
            let what = "decides whether the migration runs, or hides that it failed";
            return keep(&piece.source, what);
        }
        self.push_text(piece, Kind::Migration, what)
    }

    fn simple(&mut self, mut simple: Simple, source: &str) -> Result<(), Refusal> {
        let count = simple.words.len();
        let user = self.take_wrappers(&mut simple)?;
        let rest = source_of(&simple.words);
        let source = if simple.words.len() == count {
            source
        } else if rest.is_empty() {
            return Ok(());
        } else {
            &rest
        };
        let shown = shorten(source);
        let keep = |what| keep(source, what);
        let is_quiet = !simple.redirects.contains(&Redirect::Elsewhere)
            && simple.words.iter().all(|word| word.needs_shell().is_none());
        let texts: Vec<Option<&str>> = simple.words.iter().map(Word::text).collect();
        match texts.as_slice() {
            [] => return keep("sets a variable for later commands"),
            [Some("exec"), ..] => return keep("replaces the shell, so later commands never run"),
            [Some("set"), options @ ..] => return self.set(options, source),
            // A folder that everything runs in, where it is known beforehand.
            [Some("cd"), Some(folder)] | [Some("cd"), Some("--"), Some(folder)]
                if folder.starts_with('/') && self.commands.is_empty() =>
            {
                self.folder = Some((*folder).to_owned());
                self.note(format!(
                    "`{source}` becomes the container's working directory"
                ));
                return Ok(());
            }
            [Some("cd"), ..] => return keep("changes the working directory for later commands"),
            [Some("true" | ":"), ..] if is_quiet => return Ok(()),
            [Some("echo" | "printf"), ..] if is_quiet => {
                self.note(format!(
                    "removed `{shown}`: launchgate logs what happens"
                ));
                return Ok(());
            }
            [Some("sleep"), ..] => self.wrong(format!(
                "`{shown}` waits a fixed time: if it is meant for the database, remove it, because launchgate waits for the database"
            )),
            _ => {}
        }
        if tools::changes_shell(&simple.words) {
            return keep("changes the shell's state for later commands");
        }
        refuse_program(&simple.words)?;
        if tools::is_daemon(&simple.words) {
            return keep("starts a daemon, which launchgate would stop when the command ends");
        }
        if tools::is_server(&simple.words) {
            return keep("is a server, but another command follows it");
        }
        let kind = self.kind(&simple.words)?;
        let shell = needs_shell(&simple);
        if simple.redirects.contains(&Redirect::Output) && shell.is_none() {
            self.note(format!(
                "removed the redirection in `{shown}`: launchgate passes both streams through"
            ));
        }
        let command = ChainCommand {
            shell,
            source: source.to_owned(),
            user,
            options: self.options_for(&Contents::default()),
            words: simple.words,
            assignments: simple.assignments,
            kind,
            ..ChainCommand::default()
        };
        self.push(command)
    }

    /// What a program with its arguments is for.
    fn kind(&mut self, words: &[Word]) -> Result<Kind, Refusal> {
        if let Some(inner) = shell::call(words, self.in_shell)? {
            refuse_inner(&shell::read(&inner.text, &inner.dialect)?)?;
            return Ok(Kind::Other);
        }
        for text in tools::texts_for_shells(words) {
            refuse_inner(&shell::read(text, &Dialect::Posix).unwrap_or_default())?;
        }
        if tools::is_migration(words) {
            self.judge_tasks(words)?;
            return Ok(Kind::Migration);
        }
        let hides = |word: &&Word| {
            word.needs_shell().is_some()
                && word.source.contains("migrat")
                && word.source.contains(['(', '`'])
        };
        match words.iter().find(hides) {
            Some(word) => keep(&word.source, "may run a migration inside another command"),
            None if self.line == Line::Server && tools::undoes(words) => {
                Err(undoing(&source_of(words)))
            }
            None => Ok(Kind::Other),
        }
    }

    /// What a migration does besides migrating. launchgate connects to the database before it
    /// migrates, so the database has to exist; and other tasks belong to every start.
    fn judge_tasks(&mut self, words: &[Word]) -> Result<(), Refusal> {
        let has = |text: &str| words.iter().any(|word| word.text() == Some(text));
        if has("db:create") {
            return Err(Refusal::new(
                "this command both creates and migrates the database, but launchgate connects to the database before it migrates",
                "split it in two: `rails db:create && rails db:migrate`",
            ));
        }
        if let Some(task) = tools::other_task(words) {
            return Err(Refusal::new(
                format!("the command that migrates also runs `{task}`"),
                "split it in two: what only migrates runs once per release, the rest at every start",
            ));
        }
        if has("db:prepare") || has("db:setup") || has("ecto.setup") {
            self.note("launchgate connects before it migrates: if the database may not exist yet, create it first (`--prepare 'rails db:create'`, `--prepare 'mix ecto.create'`)");
        }
        Ok(())
    }

    fn set(&mut self, options: &[Option<&str>], source: &str) -> Result<(), Refusal> {
        let options: Option<Vec<&str>> = options.iter().copied().collect();
        let options = options.and_then(|options| shell::options(&options));
        let Some(options) = options else {
            return keep(source, "is an option that convert does not support");
        };
        let what = if options.is_empty() {
            "logs what it runs"
        } else {
            "stops at the first command that fails anyway"
        };
        self.options.extend(options);
        self.note(format!("removed `{source}`: launchgate {what}"));
        Ok(())
    }
}

/// What a shell within the chain must not do.
fn refuse_inner(pieces: &[Piece]) -> Result<(), Refusal> {
    for piece in pieces {
        refuse_undoing(piece)?;
        let serves = piece.contents.has(tools::is_server) || piece.contents.has(tools::is_daemon);
        if piece.contents.refused.is_some() || piece.background || serves {
            return keep(&piece.source, "starts a server or a background job");
        }
        if piece.contents.has(tools::is_migration) {
            return Err(Refusal::new(
                format!("a shell inside the chain runs `{}`", shorten(&piece.source)),
                "move that shell's commands into the chain itself (`gosu USER COMMAND` runs one as another user)",
            ));
        }
    }
    Ok(())
}

/// What a program with its arguments needs a shell for.
pub(super) fn needs_shell(simple: &Simple) -> Option<&'static str> {
    let values = simple.assignments.iter().map(|(_, value)| value);
    let mut words = simple.words.iter().chain(values);
    if let Some(what) = simple.special.or_else(|| words.find_map(Word::needs_shell)) {
        return Some(what);
    }
    let first = &simple.words[..simple.words.len().min(1)];
    let mut variables = simple.words.iter().flat_map(Word::variables);
    if has_variables(first) {
        Some("a program name that comes from a variable")
    } else if variables.any(|(name, splits)| splits && is_list(name)) {
        Some("a variable that may expand to several words")
    } else if matches!(
        program(&simple.words),
        "hash" | "type" | "time" | "[[" | "command" | ":"
    ) {
        Some("a builtin or keyword of the shell")
    } else {
        let leads = simple.redirects.contains(&Redirect::Elsewhere);
        leads.then_some("a redirection")
    }
}

/// Whether a variable's name says that its value is to be split.
fn is_list(name: &str) -> bool {
    const ENDS: [&str; 8] = [
        "OPTS",
        "OPTIONS",
        "ARGS",
        "FLAGS",
        "PARAMS",
        "ARGUMENTS",
        "CMD",
        "COMMAND",
    ];
    let name = name.to_ascii_uppercase();
    ENDS.iter().any(|end| name.ends_with(end)) || name.contains("EXTRA")
}
