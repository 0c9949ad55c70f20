//! Statements: commands with `&&` and `||` between them.

use super::super::shell::{Link, Piece, PieceShape};
use super::super::words::{Word, program, shell_state};
use super::super::{Refusal, keep, shorten, tools};
use super::{Chain, ChainCommand, Line};

/// The pieces of each statement.
pub(super) fn statements(pieces: &[Piece]) -> Vec<&[Piece]> {
    pieces
        .chunk_by(|_, next| next.link != Link::Begin)
        .collect()
}

/// What follows the first `||`.
enum Fallback<'a> {
    None,
    /// `|| exit 1`, perhaps with a message in front.
    GivesUp(&'a Piece),
    /// `|| true`, `|| echo failed`.
    Swallows(&'a Piece),
    /// A choice.
    Choice,
}

impl Chain<'_> {
    /// A statement followed by another one.
    pub(super) fn statement(&mut self, pieces: &[Piece]) -> Result<(), Refusal> {
        refuse_background(pieces)?;
        let before = self.commands.len();
        let or = pieces.iter().position(|piece| piece.link == Link::Or);
        let (body, fallback) = match or {
            None => (pieces, Fallback::None),
            Some(at) => (&pieces[..at], fallback(&pieces[at..])),
        };
        let asks = body.iter().any(is_question);
        match fallback {
            Fallback::None if body.len() > 1 && asks => self.whole(pieces, "`&&`")?,
            Fallback::None => self.each(body)?,
            Fallback::GivesUp(exit) if !asks => {
                self.note(format!(
                    "removed `|| {}`: launchgate stops at a command that fails, with its exit code",
                    shorten(&exit.source)
                ));
                self.each(body)?;
            }
            Fallback::Swallows(swallow) if matches!(body, [one] if one.contents.has(tools::is_migration)) =>
            {
                self.wrong(format!(
                    "`|| {}` hides a failed migration: removed it, so that a failure keeps the server from starting",
                    shorten(&swallow.source)
                ));
                self.each(body)?;
            }
            Fallback::GivesUp(_) | Fallback::Swallows(_) | Fallback::Choice => {
                self.whole(pieces, "`||`")?;
            }
        }
        let runs_something = self.commands.len() > before;
        if runs_something && !self.options.contains(&"errexit") && self.line == Line::Server {
            let source = pieces.last().map(|piece| shorten(&piece.source));
            self.wrong(format!(
                "`;` or a newline continues after a failure: commands after `{}` run even if it fails",
                source.unwrap_or_default()
            ));
        }
        Ok(())
    }

    fn each(&mut self, pieces: &[Piece]) -> Result<(), Refusal> {
        pieces.iter().try_for_each(|piece| self.command(piece))
    }

    /// A whole statement as one command of a shell, for a choice that launchgate can't make.
    fn whole(&mut self, pieces: &[Piece], what: &'static str) -> Result<(), Refusal> {
        let mut options = Vec::new();
        for piece in pieces {
            refuse_influence(piece)?;
            if piece.contents.has(tools::is_migration) {
                let what = "decides whether the migration runs";
                return keep(&joined(pieces), what);
            }
            options.extend(self.options_for(&piece.contents));
        }
        let command = ChainCommand {
            shell: Some(what),
            source: joined(pieces),
            options,
            ..ChainCommand::default()
        };
        self.push(command)
    }

    /// The statement with the server at its end.
    pub(super) fn last_statement(
        &mut self,
        pieces: &[Piece],
        arguments: Vec<Word>,
        depth: usize,
    ) -> Result<(), Refusal> {
        refuse_background(pieces)?;
        let Some((server, before)) = pieces.split_last() else {
            return Ok(());
        };
        let has_or = pieces.iter().any(|piece| piece.link == Link::Or);
        if has_or || before.iter().any(is_question) {
            let what = "starts conditionally, depending on the command before it";
            return keep(&server.source, what);
        }
        self.each(before)?;
        let what = match &server.shape {
            PieceShape::Simple(simple) => {
                refuse_found(server.contents.refused, &server.source)?;
                return self.server(simple.clone(), &server.source, arguments, depth);
            }
            PieceShape::Until { .. } => "a loop",
            PieceShape::Other(what) => what,
        };
        if server.contents.pipe {
            self.wrong("the server is in a pipe: the shell stays as PID 1 and drops SIGTERM, and the pipe hides the server's exit code");
        }
        let what = format!("is {what}, but a server was expected");
        keep(&server.source, &what)
    }
}

/// The text of a statement. `[ -f x ] && cp x y` fails if there is no x. A shell continues after
/// that, but launchgate would stop, so it becomes an `if`.
fn joined(pieces: &[Piece]) -> String {
    let text = |pieces: &[Piece]| {
        let mut text = String::new();
        for (number, piece) in pieces.iter().enumerate() {
            text.push_str(match piece.link {
                _ if number == 0 => "",
                Link::Or => " || ",
                Link::And | Link::Begin => " && ",
            });
            text.push_str(&piece.source);
        }
        text
    };
    let has_or = pieces.iter().any(|piece| piece.link == Link::Or);
    let questions = pieces.iter().rposition(is_question).map_or(0, |at| at + 1);
    if has_or || questions == 0 || questions == pieces.len() {
        return text(pieces);
    }
    let (questions, rest) = pieces.split_at(questions);
    format!("if {}; then {}; fi", text(questions), text(rest))
}

/// What is never allowed, however the command is run, and what only the chain's own shell knows.
pub(super) fn refuse_content(piece: &Piece) -> Result<(), Refusal> {
    let found = piece.contents.refused;
    refuse_found(found.or_else(|| shell_state(&piece.source)), &piece.source)
}

pub(super) fn refuse_found(found: Option<&str>, source: &str) -> Result<(), Refusal> {
    match found {
        Some(what) => keep(source, format!("contains {what}")),
        None => Ok(()),
    }
}

/// Effects on the chain's shell that a separate shell can't have.
pub(super) fn refuse_influence(piece: &Piece) -> Result<(), Refusal> {
    refuse_content(piece)?;
    refuse_undoing(piece)?;
    for simple in &piece.contents.commands {
        let sets = simple.words.is_empty() && !simple.assignments.is_empty();
        if !simple.is_scoped && (sets || tools::changes_shell(&simple.words)) {
            let what = "changes the shell's state for later commands";
            return keep(&piece.source, what);
        }
        if tools::is_server(&simple.words) || tools::is_daemon(&simple.words) {
            return keep(&piece.source, "starts a server or a daemon");
        }
    }
    Ok(())
}

/// What takes the schema back or away: at every start it would, and the migration would not follow.
pub(super) fn refuse_undoing(piece: &Piece) -> Result<(), Refusal> {
    let contents = &piece.contents;
    let sends_it = contents.has(tools::is_sql_client) && tools::has_undoing_sql(&piece.source);
    if sends_it || contents.has(tools::undoes) {
        return Err(undoing(&piece.source));
    }
    Ok(())
}

pub(super) fn undoing(source: &str) -> Refusal {
    Refusal::new(
        format!(
            "`{}` takes the schema back or away: launchgate would run it at every start, and the migration only once per release",
            shorten(source)
        ),
        "remove it; if every release needs it, pass it as `--migrate` in front of the migration",
    )
}

/// A whole command in quotes, which a shell treats as one program name.
pub(super) fn refuse_program(words: &[Word]) -> Result<(), Refusal> {
    match words.first().and_then(Word::text) {
        Some(program) if program.is_empty() || program.contains(char::is_whitespace) => {
            Err(Refusal::new(
                format!("the program's name is `{program}`"),
                "remove the quotes around the command, so that it is split into words",
            ))
        }
        _ => Ok(()),
    }
}

fn refuse_background(pieces: &[Piece]) -> Result<(), Refusal> {
    let what =
        "is a background job (`&`): it may be a second server, and its failure goes unnoticed";
    match pieces.iter().find(|piece| piece.background) {
        Some(piece) => keep(&piece.source, what),
        None => Ok(()),
    }
}

/// Whether its exit status is an answer: `[ -f x ]`, `! a`, `command -v psql`, `a | grep b`.
fn is_question(piece: &Piece) -> bool {
    match &piece.shape {
        PieceShape::Simple(simple) => tools::is_question(&simple.words),
        PieceShape::Until { .. } => false,
        PieceShape::Other("a pipe") => {
            let last = piece.contents.commands.last();
            last.is_some_and(|last| tools::is_question(&last.words))
        }
        PieceShape::Other(what) => matches!(*what, "`!`" | "`[[`" | "`((`"),
    }
}

fn fallback(pieces: &[Piece]) -> Fallback<'_> {
    let [one] = pieces else {
        return Fallback::Choice;
    };
    let Some((last, before)) = one.contents.commands.split_last() else {
        return Fallback::Choice;
    };
    let is_message = |words: &[Word]| matches!(program(words), "echo" | "printf");
    let only_messages = before.iter().all(|simple| is_message(&simple.words));
    if !only_messages || one.contents.refused.is_some() || last.is_scoped {
        return Fallback::Choice;
    }
    let code = last
        .words
        .get(1)
        .map(|word| word.text().unwrap_or_default());
    match program(&last.words) {
        "exit" if code != Some("0") => Fallback::GivesUp(one),
        "true" | ":" | "echo" | "printf" => Fallback::Swallows(one),
        _ => Fallback::Choice,
    }
}
