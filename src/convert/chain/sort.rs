//! One command after the other: done by launchgate, by the container, or kept.

use super::{Chain, Kept, Kind, is_name, of_shell, refuse_influence, shorten};
use crate::convert::script::{Body, Item, Redirect, Simple};
use crate::convert::tools::{self, Front};
use crate::convert::words::Word;
use crate::convert::{Unsure, given};

impl Chain {
    /// One command, in its order: done by launchgate, by the container, or kept.
    pub(super) fn sort(&mut self, item: Item, kept: &mut Vec<Kept>) -> Result<(), Unsure> {
        let Item {
            link,
            body,
            source,
            shown,
            ..
        } = item;
        let body = match body {
            Body::Simple(simple) => match self.simple(simple, &source, kept)? {
                Some(simple) => Kind::Simple(simple),
                None => return Ok(()),
            },
            Body::Until(condition, meanwhile) => {
                return self.waits(&condition, &meanwhile, &source);
            }
            Body::Pipe => Kind::Complex("a pipe"),
            Body::Group(_) => Kind::Complex("`{ … }`"),
            Body::Other(name) => Kind::Complex(name),
        };
        if let Kind::Complex(what) = &body {
            refuse_influence(&source, what)?;
        }
        if let Some(Kept {
            source: before,
            body: Kind::Simple(simple),
            ..
        }) = kept.last()
            && tools::name(&simple.words) == "exec"
        {
            return Err(Unsure::new(
                format!("`{before}` replaces the shell, so what is behind it never ran"),
                "leave out `exec`, or what is behind it",
            ));
        }
        kept.push(Kept {
            link,
            source,
            shown,
            body,
            options: self.options.clone(),
        });
        Ok(())
    }

    fn simple(
        &mut self,
        mut simple: Simple,
        source: &str,
        kept: &[Kept],
    ) -> Result<Option<Simple>, Unsure> {
        if simple.words.is_empty() {
            return Err(Unsure::new(
                format!("`{source}` sets a variable of the shell"),
                "write `export`, or put it in front of the one command that needs it",
            ));
        }
        let elsewhere = simple.redirects.contains(&Redirect::Elsewhere);
        let texts: Option<Vec<&str>> = simple.words.iter().map(Word::text).collect();
        match (tools::name(&simple.words), texts.as_deref()) {
            ("set", Some(texts)) => self.set(texts, source)?,
            ("export", _) => self.export(&simple, source, kept)?,
            ("cd", texts) => self.change_folder(texts, source, kept)?,
            ("sleep", _) => self.findings.wrong(format!(
                "`{source}` hopes that the database is there by then; launchgate waits until it is (`--wait-timeout`, 60s)"
            )),
            ("echo" | "printf", _) if !elsewhere => self
                .findings
                .note(format!("`{}` is left out: launchgate's log says what happens", shorten(source))),
            ("true" | ":", _) if !elsewhere => {}
            (
                "set" | "trap" | "wait" | "ulimit" | "umask" | "eval" | "." | "source" | "read" | "shift"
                | "alias" | "unset" | "return" | "local" | "exit" | "test" | "[" | "break"
                | "continue" | "declare" | "readonly" | "hash" | "type" | "times" | "fg" | "bg"
                | "jobs" | "shopt" | "typeset" | "getopts" | "command" | "builtin" | "let",
                _,
            ) => return Err(of_shell(source)),
            ("false", _) => {
                return Err(Unsure::new("`false` always fails", "leave it out"));
            }
            _ => {
                if let Some((Front::Wait { name, timeout }, rest)) = tools::front(&simple.words)? {
                    self.say_wait(&name, timeout);
                    if rest.is_empty() {
                        return Ok(None);
                    }
                    if !simple.assignments.is_empty() || !simple.redirects.is_empty() {
                        return Err(of_shell(source));
                    }
                    simple.words = rest;
                    simple.rewritten = true;
                }
                return Ok(Some(simple));
            }
        }
        Ok(None)
    }

    pub(super) fn say_wait(&mut self, name: &str, timeout: Option<String>) {
        self.findings.wrong(format!(
            "`{name}` waits for the database; launchgate does that itself, with a password and all (`--wait-timeout`, 60s)"
        ));
        if let Some(timeout) = timeout {
            self.step_flags.retain(|(flag, _)| flag != "--wait-timeout");
            self.step_flags.push(("--wait-timeout".to_owned(), timeout));
        }
    }

    fn set(&mut self, texts: &[&str], source: &str) -> Result<(), Unsure> {
        let options = given::shell_options(&texts[1..]).ok_or_else(|| of_shell(source))?;
        self.options.extend(options);
        self.findings.note(format!(
            "`{source}` is left out: launchgate stops at the first step that fails"
        ));
        Ok(())
    }

    fn export(&mut self, simple: &Simple, source: &str, kept: &[Kept]) -> Result<(), Unsure> {
        for word in &simple.words[1..] {
            let pair = word.text().and_then(|text| text.split_once('='));
            let Some((name, value)) =
                pair.filter(|(name, value)| is_name(name) && !value.contains('~'))
            else {
                return Err(Unsure::new(
                    format!("`{source}` is more than NAME=value, which only the shell can tell"),
                    "set the variable for the container, or for the steps alone with `--step-env` or `--step-env-from`",
                ));
            };
            self.variable(name, value, !kept.is_empty())?;
        }
        Ok(())
    }

    /// A variable that is to be the container's.
    pub(super) fn variable(&mut self, name: &str, value: &str, late: bool) -> Result<(), Unsure> {
        if value.contains(char::is_control) {
            return Err(Unsure::new(
                format!("the value of {name} has a line break or the like in it"),
                "set the variable for the container by its own means",
            ));
        }
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
        let too = if late {
            "; the steps see it too then"
        } else {
            ""
        };
        self.findings.note(format!(
            "`{name}=` becomes a variable of the container, for want of a shell to set it{too}"
        ));
        Ok(())
    }

    fn change_folder(
        &mut self,
        texts: Option<&[&str]>,
        source: &str,
        kept: &[Kept],
    ) -> Result<(), Unsure> {
        let folder = match texts {
            Some([_, folder] | [_, "--", folder]) if !folder.starts_with('-') => *folder,
            _ => "",
        };
        let known = self.folder.is_some() && !folder.starts_with('/');
        if folder.is_empty() || known || !kept.is_empty() {
            return Err(Unsure::new(
                format!(
                    "`{source}` changes the folder in the middle, or to one that only the shell knows"
                ),
                "set one working folder for the container and write the paths from there",
            ));
        }
        self.findings
            .note(format!("`{source}` becomes the container's working folder"));
        self.folder = Some(folder.to_owned());
        Ok(())
    }

    /// A loop until something is there.
    fn waits(
        &mut self,
        condition: &[Item],
        meanwhile: &[Item],
        source: &str,
    ) -> Result<(), Unsure> {
        let idle = meanwhile.iter().all(|item| match &item.body {
            Body::Simple(simple) => {
                matches!(
                    tools::name(&simple.words),
                    "sleep" | "echo" | "printf" | ":" | "true"
                ) && !item.source.contains("$(")
            }
            _ => false,
        });
        let about = match condition {
            [
                Item {
                    body: Body::Simple(simple),
                    ..
                },
            ] if idle => {
                matches!(tools::name(&simple.words), "psql" | "mysql" | "mariadb")
                    || matches!(tools::front(&simple.words)?, Some((Front::Wait { .. }, rest)) if rest.is_empty())
            }
            _ => false,
        };
        self.findings.wrong(format!(
            "`{}` waits without an end; launchgate waits for the database itself (`--wait-timeout`, 60s)",
            shorten(source)
        ));
        if about {
            return Ok(());
        }
        Err(Unsure::new(
            format!(
                "`{}` may wait for something that is not the database",
                shorten(source)
            ),
            "launchgate waits for the database alone: leave the loop out where that is all, else put it into a script",
        ))
    }
}
