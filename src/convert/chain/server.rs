//! The last command: the server and its wrappers.

use super::super::shell::{self, Redirect, Simple};
use super::super::tools::{self, Wrapped, Wrapper};
use super::super::words::{Word, program, shell_state, source_of};
use super::super::{Refusal, keep, shorten};
use super::command::needs_shell;
use super::statement::{refuse_found, refuse_program};
use super::{Chain, ChainCommand, User};

impl Chain<'_> {
    /// `arguments` are what the text calls `$0`, `$1` and so on, where that is known.
    pub(super) fn server(
        &mut self,
        mut simple: Simple,
        source: &str,
        arguments: Vec<Word>,
        depth: usize,
    ) -> Result<(), Refusal> {
        let shown = shorten(source);
        let has_exec = program(&simple.words) == "exec";
        if has_exec {
            simple.words.remove(0);
        }
        self.takes_cmd = self.take_arguments(&mut simple.words, arguments)?;
        refuse_found(shell_state(&source_of(&simple.words)), source)?;
        let is_empty = simple.words.is_empty() && !self.takes_cmd;
        if is_empty || tools::changes_shell(&simple.words) || tools::ends_at_once(&simple.words) {
            return keep(source, "is the last command, but not a server");
        }
        self.put_assignments(&mut simple, source)?;
        let shell = needs_shell(&simple);
        if simple.redirects.contains(&Redirect::Output) && shell.is_none() {
            self.note("removed the redirection of the server's output: the container's log captures both streams");
        }
        if self.in_shell {
            self.say_exec(has_exec, &shown);
        }
        let Some(what) = shell else {
            return self.words(simple.words, depth);
        };
        if self.takes_cmd || tools::wrapper(&simple.words)?.is_some() {
            return keep(source, format!("needs a shell for {what}"));
        }
        self.note(format!("the server needs a shell for {what}: the image must contain one; `exec` then replaces it with the server"));
        let text = source.strip_prefix("exec").filter(|_| has_exec);
        self.server = Some(ChainCommand {
            source: text.unwrap_or(source).trim_start().to_owned(),
            shell: Some(what),
            words: simple.words,
            ..ChainCommand::default()
        });
        Ok(())
    }

    /// Replaces `"$@"` at the end by the arguments. Returns whether there are none, so that the
    /// image's CMD takes its place.
    fn take_arguments(
        &mut self,
        words: &mut Vec<Word>,
        arguments: Vec<Word>,
    ) -> Result<bool, Refusal> {
        let last = words
            .last()
            .map(|word| word.source.as_str())
            .unwrap_or_default();
        if !matches!(last, "\"$@\"" | "\"${@}\"" | "$@" | "${@}") {
            let unused = ["--", "-", "_", "sh", "bash"];
            let is_unused = |word: &Word| word.text().is_some_and(|text| unused.contains(&text));
            return if arguments.is_empty()
                || matches!(arguments.as_slice(), [one] if is_unused(one))
            {
                Ok(false)
            } else {
                Err(Refusal::new(
                    "`sh -c` takes one string, but more words follow it",
                    "quote the whole chain",
                ))
            };
        }
        if !last.starts_with('"') {
            self.note(
                "unquoted `$@` splits the arguments again; launchgate passes each one unchanged",
            );
        }
        words.pop();
        let takes_cmd = arguments.len() <= 1;
        words.extend(arguments.into_iter().skip(1));
        Ok(takes_cmd)
    }

    /// `NAME=value server` becomes `env NAME=value server`.
    fn put_assignments(&mut self, simple: &mut Simple, source: &str) -> Result<(), Refusal> {
        if simple.assignments.is_empty() {
            return Ok(());
        }
        let mut words = vec![Word::literal("env")];
        for (name, value) in std::mem::take(&mut simple.assignments) {
            let Some(value) = value.text().filter(|_| simple.special.is_none()) else {
                return keep(
                    source,
                    format!("sets {name} to a value that the shell computes"),
                );
            };
            words.push(Word::literal(&format!("{name}={value}")));
        }
        words.append(&mut simple.words);
        simple.words = words;
        if simple.redirects.contains(&Redirect::Elsewhere) {
            return keep(source, "sets a variable and redirects a stream");
        }
        self.note("`env` sets the variable for the server only: the image must contain `env`");
        Ok(())
    }

    /// The words of a command that no shell reads any more: the server, or a shell with the rest
    /// of the chain.
    pub(super) fn words(&mut self, words: Vec<Word>, depth: usize) -> Result<(), Refusal> {
        let (words, user) = self.unwrap_server(words)?;
        if let Some(shell) = shell::call(&words, self.in_shell)? {
            if let Some(user) = &user
                && let Some(earlier) = self.commands.first()
            {
                let what = format!(
                    "and the rest of the chain, which runs as {}, run as different users",
                    user.name
                );
                return keep(&earlier.source, &what);
            }
            self.outer_user = user;
            self.around_init = None;
            self.dialect = shell.dialect;
            self.options.extend(shell.options);
            self.in_shell = true;
            if shell.is_login {
                self.note("a login shell reads /etc/profile and similar files, which launchgate does not: set the variables they set (often PATH) in the container");
            }
            return self.text(&shell.text, shell.arguments, depth + 1);
        }
        if words.is_empty() && !self.takes_cmd {
            return Err(Refusal::new(
                "no server follows the wait",
                "add the server's command",
            ));
        }
        refuse_words(&words, self.in_shell)?;
        let is_job = tools::is_migration(&words) && !tools::is_server(&words);
        if is_job && !self.commands.is_empty() {
            return Err(Refusal::new(
                format!(
                    "the last command, `{}`, is a migration: there is no server",
                    shorten(&source_of(&words))
                ),
                "add the server's command; for a job without a server, write `launchgate job --migrate '…'`",
            ));
        }
        self.server = Some(ChainCommand {
            words,
            user,
            ..ChainCommand::default()
        });
        Ok(())
    }

    /// Strips the server's wrappers, and remembers what stands around an init.
    fn unwrap_server(
        &mut self,
        mut words: Vec<Word>,
    ) -> Result<(Vec<Word>, Option<User>), Refusal> {
        let all = words.clone();
        let mut user = None;
        self.around_init = None;
        while let Some((wrapper, own, rest)) = take(&words, self.takes_cmd)? {
            match wrapper {
                Wrapper::Init { name, flags } => {
                    if !self.init.is_empty() {
                        return Err(Refusal::new(
                            format!("`{name}` is the second init in a row"),
                            "remove one of them",
                        ));
                    }
                    self.note(format!("removed `{name}`: launchgate does the same"));
                    self.init = flags;
                    let front = all[..all.len() - words.len()].to_vec();
                    self.around_init = Some((front, rest.clone()));
                }
                Wrapper::User { name, user: new } => {
                    if user.is_some() || self.outer_user.is_some() {
                        return Err(Refusal::keep_script(format!(
                            "`{name}` changes the user a second time"
                        )));
                    }
                    user = Some(User {
                        name: new,
                        words: own,
                    });
                }
                Wrapper::Wait { timeout } => {
                    self.take_wait(own, timeout)?;
                    self.around_init = None;
                }
            }
            words = rest;
        }
        Ok((words, user))
    }

    fn say_exec(&mut self, has_exec: bool, shown: &str) {
        if !has_exec {
            self.wrong(format!(
                "no `exec` before the server: if the shell stays as PID 1, it drops SIGTERM, so `{shown}` is killed instead of shut down cleanly"
            ));
        } else if !self.commands.is_empty() {
            self.wrong("while the commands before the server run, the shell is PID 1 and drops SIGTERM: a migration is killed midway");
        }
    }
}

/// What is in front of the words; where the CMD follows them, that counts as a command.
fn take(words: &[Word], takes_cmd: bool) -> Result<Option<Wrapped>, Refusal> {
    if !takes_cmd {
        return tools::wrapper(words);
    }
    let mut with_cmd = words.to_vec();
    with_cmd.push(Word::literal("CMD"));
    let found = tools::wrapper(&with_cmd)?;
    Ok(found.and_then(|(wrapper, own, mut rest)| {
        rest.pop()?;
        Some((wrapper, own, rest))
    }))
}

/// Refuses operators, which need a shell, and a program name that is not a plain word.
fn refuse_words(words: &[Word], in_shell: bool) -> Result<(), Refusal> {
    let is_operator = |text: &&str| matches!(*text, ";" | "&&" | "||" | "|" | "&");
    if let Some(operator) = words.iter().filter_map(Word::text).find(is_operator)
        && !in_shell
    {
        return Err(Refusal::new(
            format!("`{operator}` is a plain argument here: no shell interprets it"),
            "quote the whole chain: launchgate convert 'a && b'",
        ));
    }
    refuse_program(words)
}
