//! A command before the server.

use super::{Chain, Kept, Kind, is_name, shorten};
use crate::convert::Unsure;
use crate::convert::proposal::Step;
use crate::convert::script::{Redirect, Simple};
use crate::convert::tools::{self, Front};
use crate::convert::words::{Meaning, Piece, Word};

impl Chain {
    pub(super) fn step(&mut self, kept: Kept) -> Result<(), Unsure> {
        let Kept {
            source,
            shown,
            body,
            mut options,
            ..
        } = kept;
        let mut words = Vec::new();
        let mut rewritten = false;
        let shell = match body {
            Kind::Complex(what) => {
                if what == "a pipe" && !options.contains(&"pipefail") {
                    self.findings.wrong(format!(
                        "a pipe hides the failure of all but its last command: `{}`",
                        shorten(&source)
                    ));
                }
                Some(what)
            }
            Kind::Simple(simple) => {
                let shell = needs(&simple, &source)?;
                if simple.redirects.contains(&Redirect::Output) && shell.is_none() {
                    self.findings.note("a redirection of one output into the other is left out: launchgate passes both on");
                }
                words = simple.words;
                rewritten = simple.rewritten;
                if let Some((Front::User { user, .. }, rest)) = tools::front(&words)?
                    && shell.is_none()
                {
                    let known = self.step_user.get_or_insert_with(|| user.clone());
                    if *known != user || !self.steps.is_empty() {
                        return Err(Unsure::new(
                            "the steps run as different users",
                            "`--step-user` is for all of them: decide on one",
                        ));
                    }
                    words = rest;
                    rewritten = true;
                } else if self.step_user.is_some() {
                    return Err(Unsure::new(
                        "the steps run as different users",
                        "`--step-user` is for all of them: decide on one",
                    ));
                }
                if tools::is_server(&words) {
                    return Err(Unsure::new(
                        format!(
                            "`{}` is a server, and another command follows it",
                            shorten(&source)
                        ),
                        "launchgate becomes one server: give each its own container, or run a supervisor as the server",
                    ));
                }
                options.clear();
                match shell {
                    None => self.assign(&simple.assignments, &source)?,
                    some => some,
                }
            }
        };
        if let Some(what) = shell {
            self.findings.note(format!(
                "`{}` needs a shell, for {what}: there has to be one in the image",
                shorten(&source)
            ));
        }
        self.steps.push(Step {
            words,
            source,
            shown: (!rewritten).then_some(shown),
            shell,
            options,
        });
        Ok(())
    }

    /// `NAME=value` in front of a step. Returns what needs a shell after all.
    fn assign(
        &mut self,
        assignments: &[(String, Word)],
        source: &str,
    ) -> Result<Option<&'static str>, Unsure> {
        let mut flags = Vec::new();
        for (name, word) in assignments {
            let flag = match &word.meaning {
                Meaning::Literal(value) => ("--step-env", format!("{name}={value}")),
                Meaning::Variables(pieces) => match pieces.as_slice() {
                    [Piece::Variable { name: from, .. }] => {
                        self.findings.note(format!(
                            "`{from}` is for the steps alone now: `--step-env-from` keeps it from the server"
                        ));
                        ("--step-env-from", format!("{name}={from}"))
                    }
                    _ => return Ok(Some("a value made of variables")),
                },
                _ => return Ok(Some("a value that only a shell can tell")),
            };
            flags.push((flag.0.to_owned(), flag.1));
        }
        for (flag, pair) in flags {
            let name = pair.split('=').next().unwrap_or_default();
            let set = |(known, other): &(String, String)| {
                known.starts_with("--step-env") && other.split('=').next() == Some(name)
            };
            if self
                .step_flags
                .iter()
                .any(|known| set(known) && *known != (flag.clone(), pair.clone()))
            {
                return Err(Unsure::new(
                    format!("`{source}` sets {name} to another value than a step before"),
                    "`--step-env` is for all steps: put the command into a script that sets it",
                ));
            }
            self.findings.note(format!(
                "`{name}=` is set for the steps with `{flag}`, for all of them and not for the server"
            ));
            if !self.step_flags.contains(&(flag.clone(), pair.clone())) {
                self.step_flags.push((flag, pair));
            }
        }
        Ok(None)
    }
}

/// A shell of its own must not do what the commands behind it depend on.
pub(super) fn refuse_influence(source: &str, what: &str) -> Result<(), Unsure> {
    if what.contains("subshell") && !source.contains("$?") && !source.contains("$@") {
        return Ok(());
    }
    let mut parts = source.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let found = parts.find(|part| {
        matches!(
            *part,
            "exec"
                | "exit"
                | "return"
                | "cd"
                | "export"
                | "unset"
                | "set"
                | "source"
                | "trap"
                | "eval"
                | "wait"
                | "break"
                | "function"
                | "umask"
                | "ulimit"
                | "read"
        )
    });
    let assigns = what != "a pipe"
        && source
            .split(|c: char| c.is_whitespace() || c == ';')
            .any(|part| part.split_once('=').is_some_and(|(name, _)| is_name(name)));
    let special = matches!(what, "a function" | "`!`" | "`[[`" | "`((`" | "`time`");
    let asks = ["$@", "$*", "$?", "$!", "$#"];
    let asks = asks.iter().any(|sign| source.contains(sign));
    if found.is_none() && !assigns && !special && !asks {
        return Ok(());
    }
    Err(Unsure::new(
        format!("`{}` decides about what is behind it", shorten(source)),
        "put it with what depends on it into a script that is a step of its own",
    ))
}

/// What a simple command needs a shell for.
pub(super) fn needs(simple: &Simple, source: &str) -> Result<Option<&'static str>, Unsure> {
    if simple.redirects.contains(&Redirect::HereDocument) {
        return Err(Unsure::new(
            "a text stands behind a command (a here-document)",
            "put it into a file of the image and name that",
        ));
    }
    let cmd = simple
        .words
        .last()
        .is_some_and(|word| word.source == "\"$@\"");
    let mut found = simple.special;
    for word in simple
        .words
        .iter()
        .chain(simple.assignments.iter().map(|(_, word)| word))
    {
        match &word.meaning {
            Meaning::OfThisShell(_) if cmd && simple.words.len() == 1 => {}
            Meaning::OfThisShell(what) => {
                return Err(Unsure::new(
                    format!("`{}` has {what}", shorten(source)),
                    "write the words themselves",
                ));
            }
            Meaning::Shell(what) => found = found.or(Some(*what)),
            _ => {}
        }
    }
    let program = simple.words.first();
    if program.is_some_and(|word| word.variables().next().is_some()) {
        found = found.or(Some("a program that a variable names"));
    }
    if found.is_none() && simple.redirects.contains(&Redirect::Elsewhere) {
        found = Some("a redirection");
    }
    Ok(found)
}
