//! Statements: commands with `&&` and `||` between them.

use super::super::proposal::{Command, Kind};
use super::super::shell::{Contents, Link, Piece, Shape, shape};
use super::super::words::Word;
use super::super::{Refusal, shorten, tools};
use super::Chain;

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
    /// A statement with another one behind it.
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
                self.findings.note(format!(
                    "`|| {}` is left out: launchgate stops at a command that fails, with its exit code",
                    shorten(&exit.source)
                ));
                self.each(body)?;
            }
            Fallback::Swallows(swallow) if matches!(body, [one] if migrates(one)) => {
                self.findings.wrong(format!(
                    "`|| {}` hides a failed migration: it is left out, and a failure keeps the server from starting",
                    shorten(&swallow.source)
                ));
                self.each(body)?;
            }
            Fallback::GivesUp(_) | Fallback::Swallows(_) | Fallback::Choice => {
                self.whole(pieces, "`||`")?;
            }
        }
        if self.commands.len() > before && !self.options.contains(&"errexit") && !self.is_release {
            let source = pieces.last().map(|piece| shorten(&piece.source));
            self.findings.wrong(format!(
                "`;` or a new line goes on after a failure: what follows `{}` runs although it failed",
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
            let contents = Contents::of(&piece.pipeline);
            options.extend(self.options_for(&contents));
            Self::refuse_kept(&piece.source, &contents)?;
            if migrates(piece) {
                return Err(Refusal::keep_script(format!(
                    "whether `{}` runs depends on the command in front of it",
                    shorten(&piece.source)
                )));
            }
        }
        self.push(Command {
            shell: Some(what),
            source: joined(pieces),
            options,
            ..Command::new(Kind::Other)
        });
        Ok(())
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
            return Err(Refusal::keep_script(format!(
                "whether `{}` starts depends on the command in front of it",
                shorten(&server.source)
            )));
        }
        self.each(before)?;
        let contents = Contents::of(&server.pipeline);
        let what = match shape(&server.pipeline, &contents) {
            Shape::Simple(simple) => {
                refuse_content(&server.source, &contents)?;
                return self.server(simple, &server.source, arguments, depth);
            }
            Shape::Until { .. } => "a loop",
            Shape::Other(what) => what,
        };
        if contents.pipe {
            self.findings.wrong("the server is in a pipe: the shell stays PID 1 and drops SIGTERM, and the pipe hides the server's exit code");
        }
        Err(Refusal::keep_script(format!(
            "the last command should be the server, and is {what}: `{}`",
            shorten(&server.source)
        )))
    }
}

/// The text of a statement. `[ -f x ] && cp x y` fails where there is no x, which ends no shell
/// but would end a start: it becomes an `if`.
fn joined(pieces: &[Piece]) -> String {
    let has_or = pieces.iter().any(|piece| piece.link == Link::Or);
    let questions = pieces.iter().rposition(is_question).map_or(0, |at| at + 1);
    let text = |pieces: &[Piece]| {
        let mut text = String::new();
        for (number, piece) in pieces.iter().enumerate() {
            match piece.link {
                _ if number == 0 => {}
                Link::Or => text.push_str(" || "),
                Link::And | Link::Begin => text.push_str(" && "),
            }
            text.push_str(&piece.source);
        }
        text
    };
    if has_or || questions == 0 || questions == pieces.len() {
        return text(pieces);
    }
    let (questions, rest) = pieces.split_at(questions);
    format!("if {}; then {}; fi", text(questions), text(rest))
}

/// What no command may have in it, however it is run.
pub(super) fn refuse_content(source: &str, contents: &Contents) -> Result<(), Refusal> {
    match contents.refused {
        Some(what) => Err(Refusal::keep_script(format!(
            "there is {what}: `{}`",
            shorten(source)
        ))),
        None => Ok(()),
    }
}

/// A whole command in quotes, which a shell takes for the name of a program.
pub(super) fn refuse_program(words: &[Word]) -> Result<(), Refusal> {
    match words.first().and_then(Word::text) {
        Some(program) if program.is_empty() || program.contains(char::is_whitespace) => {
            Err(Refusal::new(
                format!("the program's name is `{program}`"),
                "remove the quotes around the command, so that each word is one",
            ))
        }
        _ => Ok(()),
    }
}

fn refuse_background(pieces: &[Piece]) -> Result<(), Refusal> {
    match pieces.iter().find(|piece| piece.background) {
        Some(piece) => Err(Refusal::keep_script(format!(
            "`{} &` is a background job: it may be a second server, and nobody sees it fail",
            shorten(&piece.source)
        ))),
        None => Ok(()),
    }
}

fn migrates(piece: &Piece) -> bool {
    let contents = Contents::of(&piece.pipeline);
    let mut commands = contents.commands.iter();
    commands.any(|simple| tools::is_migration(&simple.words))
}

/// Whether its exit status is an answer: `[ -f x ]`, `! a`, `command -v psql`, `a | grep b`.
fn is_question(piece: &Piece) -> bool {
    let contents = Contents::of(&piece.pipeline);
    let is_question = |words: &[Word]| tools::is_question(words);
    match shape(&piece.pipeline, &contents) {
        Shape::Simple(simple) => is_question(&simple.words),
        Shape::Until { .. } => false,
        Shape::Other("a pipe") => contents
            .commands
            .last()
            .is_some_and(|last| is_question(&last.words)),
        Shape::Other(what) => matches!(what, "`!`" | "`[[`" | "`((`"),
    }
}

fn name(words: &[Word]) -> &str {
    words.first().and_then(Word::text).unwrap_or_default()
}

fn fallback(pieces: &[Piece]) -> Fallback<'_> {
    let [one] = pieces else {
        return Fallback::Choice;
    };
    let contents = Contents::of(&one.pipeline);
    let Some((last, before)) = contents.commands.split_last() else {
        return Fallback::Choice;
    };
    let is_message = |words: &[Word]| matches!(name(words), "echo" | "printf");
    let only_messages = before.iter().all(|simple| is_message(&simple.words));
    if !only_messages || contents.refused.is_some() || last.is_scoped {
        return Fallback::Choice;
    }
    let code = last
        .words
        .get(1)
        .map(|word| word.text().unwrap_or_default());
    match name(&last.words) {
        "exit" if code != Some("0") => Fallback::GivesUp(one),
        "true" | ":" | "echo" | "printf" => Fallback::Swallows(one),
        _ => Fallback::Choice,
    }
}
