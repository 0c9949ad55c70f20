//! The last command, with what is in front of it.

use super::step::needs;
use super::{Chain, Kept, Kind, of_shell, shorten};
use crate::convert::proposal::Server;
use crate::convert::script::Redirect;
use crate::convert::tools::{self, Front};
use crate::convert::words::Word;
use crate::convert::{Unsure, given};

impl Chain {
    pub(super) fn server(&mut self, kept: Kept, depth: usize) -> Result<(), Unsure> {
        let source = kept.source;
        let mut simple = match kept.body {
            Kind::Simple(simple) => simple,
            Kind::Complex(what) => {
                if what == "a pipe" {
                    self.findings.wrong(
                        "the server is in a pipe: the shell stays PID 1 and drops SIGTERM, and the pipe hides the server's exit code",
                    );
                }
                return Err(Unsure::new(
                    format!(
                        "the last command, which would be the server, is {what}: `{}`",
                        shorten(&source)
                    ),
                    "end with the server alone; let it log to standard output, and put what decides about it into a script",
                ));
            }
        };
        let with_exec = tools::name(&simple.words) == "exec";
        if with_exec {
            simple.words.remove(0);
        }
        let mut whole =
            (!simple.redirects.is_empty() || !simple.assignments.is_empty()).then(|| {
                source
                    .strip_prefix("exec")
                    .unwrap_or(&source)
                    .trim_start()
                    .to_owned()
            });
        let shell = needs(&simple, &source)?;
        let literal: Option<Vec<(String, String)>> = simple
            .assignments
            .iter()
            .map(|(name, value)| Some((name.clone(), value.text()?.to_owned())))
            .collect();
        if !simple.assignments.is_empty() && (shell.is_some() || literal.is_none()) {
            return Err(Unsure::new(
                format!(
                    "`{}` sets variables in a way that only the shell can tell",
                    shorten(&source)
                ),
                "set them for the container",
            ));
        }
        for (name, value) in literal.unwrap_or_default() {
            self.variable(&name, &value, !self.steps.is_empty())?;
        }
        if shell.is_none() && simple.redirects.contains(&Redirect::Output) {
            self.findings.note("the redirection of one of the server's outputs into the other is left out: a container's log has both");
        }
        if shell.is_none() {
            whole = None;
        }
        if simple.words.is_empty() {
            return Err(of_shell(&source));
        }
        if let [word] = simple.words.as_slice()
            && word.source == "\"$@\""
        {
            self.say_exec(with_exec, &source);
            self.takes_cmd = true;
            self.findings.note("`\"$@\"` is what the image's CMD says: the command goes into ENTRYPOINT, with the CMD behind it");
            self.server = Some(Server {
                words: Vec::new(),
                shell: None,
                source: None,
            });
            return Ok(());
        }
        if shell.is_none() {
            let before = self.in_shell;
            let words = self.unwrapped(simple.words)?;
            if is_shell(&words) {
                return self.last(words, depth);
            }
            if before {
                self.say_exec(with_exec, &source);
            }
            return self.become_server(words, None, None);
        }
        if self.in_shell {
            self.say_exec(with_exec, &source);
        }
        if tools::front(&simple.words)?.is_some() {
            return Err(Unsure::new(
                format!(
                    "`{}` needs a shell and a program in front of it",
                    shorten(&source)
                ),
                "write the server without the program in front, and see `launchgate run --help` for what it did",
            ));
        }
        self.become_server(simple.words, shell, whole)
    }

    /// A command without a shell around it: the server, or a shell with the rest.
    pub(super) fn last(&mut self, words: Vec<Word>, depth: usize) -> Result<(), Unsure> {
        let words = self.unwrapped(words)?;
        let Some(shell) = given::shell(&words, self.in_shell)? else {
            return self.become_server(words, None, None);
        };
        self.dialect = shell.dialect;
        self.options.extend(shell.options);
        if shell.login {
            self.findings.note(
                "a login shell reads /etc/profile and the like, launchgate does not: set what they set, often PATH, for the container",
            );
        }
        self.text(&shell.text, depth + 1)
    }

    /// Takes off what is in front of the server.
    fn unwrapped(&mut self, mut words: Vec<Word>) -> Result<Vec<Word>, Unsure> {
        while let Some((front, rest)) = tools::front(&words)? {
            match front {
                Front::Init { name, flags } => {
                    self.findings.note(format!(
                        "`{name}` is done by `--init`: the image no longer needs it"
                    ));
                    if self.server_flags.iter().any(|flag| flag == "--init") {
                        return Err(Unsure::new(
                            format!("`{name}` is the second init in a row"),
                            "one is enough: leave the other out",
                        ));
                    }
                    self.server_flags.extend(flags);
                }
                Front::User { name, user } => {
                    self.findings.note(format!(
                        "`{name}` is done by `--user`: the image no longer needs it"
                    ));
                    if self.server_flags.iter().any(|flag| flag == "--user") {
                        return Err(of_shell(&name));
                    }
                    // Inside, the steps in front were still who started the shell.
                    let steps = match (&self.step_user, self.steps.is_empty()) {
                        (Some(same), _) if *same == user => None,
                        (Some(other), _) => Some(other.clone()),
                        (None, false) => Some("0".to_owned()),
                        (None, true) => None,
                    };
                    self.server_flags.extend(["--user".to_owned(), user]);
                    if let Some(steps) = steps {
                        self.server_flags.extend(["--step-user".to_owned(), steps]);
                    }
                    self.step_user = None;
                }
                Front::Wait { name, timeout } => self.say_wait(&name, timeout),
            }
            if rest.is_empty() {
                return Err(Unsure::new(
                    "there is no server behind the wait",
                    "write the server's command too",
                ));
            }
            words = rest;
        }
        Ok(words)
    }

    fn say_exec(&mut self, with_exec: bool, source: &str) {
        if with_exec {
            if !self.steps.is_empty() {
                self.findings.wrong(
                    "the shell is PID 1 while the steps run, and drops SIGTERM: a migration is killed in the middle",
                );
            }
        } else {
            self.findings.wrong(format!(
                "no `exec` in front of the server: where the shell stays, it is PID 1 and drops SIGTERM, so `{}` is killed and never stopped in order",
                shorten(source)
            ));
        }
    }

    fn become_server(
        &mut self,
        words: Vec<Word>,
        shell: Option<&'static str>,
        source: Option<String>,
    ) -> Result<(), Unsure> {
        let has_steps = !self.steps.is_empty();
        refuse_operators(&words, self.in_shell)?;
        if tools::is_migration(&words) && !tools::is_server(&words) {
            return Err(Unsure::new(
                if has_steps {
                    "the last command looks like a migration, and no server follows"
                } else {
                    "the only command looks like a migration"
                },
                "write the server behind it; or, where none is to start, `launchgate job --migrate \"…\"`",
            ));
        }
        let program = words.first();
        if program.is_some_and(|word| {
            word.text()
                .is_some_and(|text| text.contains(char::is_whitespace) || text.is_empty())
        }) {
            return Err(Unsure::new(
                "the program's name has a space in it or is empty",
                "look for quotes that are one too many",
            ));
        }
        let name = tools::name(&words);
        if matches!(name, "npm" | "npx" | "yarn" | "pnpm") {
            self.findings.note(format!(
                "`{name}` stays in front of the server and passes signals on badly: name the server itself (`node server.js`), or use `--init --init-group`"
            ));
        }
        if !has_steps {
            self.findings.note(
                "there is only a server here and nothing to migrate: name the migration with `--migrate`",
            );
            if [".sh", "entrypoint"].iter().any(|end| name.ends_with(end))
                || matches!(name, "sh" | "bash" | "dash" | "ash")
            {
                self.findings
                    .note("it is a script: give its text to see what it does");
            }
        }
        if let Some(what) = shell {
            self.findings.note(format!(
                "the server needs a shell, for {what}: there has to be one in the image, and `exec` makes the server take its place"
            ));
        }
        self.server = Some(Server {
            words,
            shell,
            source,
        });
        Ok(())
    }
}

/// Words that only a shell would take for operators.
fn refuse_operators(words: &[Word], in_shell: bool) -> Result<(), Unsure> {
    let operator = |text: &&str| matches!(*text, ";" | "&&" | "||" | "|" | "&");
    match words.iter().filter_map(Word::text).find(operator) {
        Some(operator) if !in_shell => Err(Unsure::new(
            format!("`{operator}` is an argument there: no shell reads it"),
            "put the whole chain in quotes: launchgate convert 'a && b'",
        )),
        _ => Ok(()),
    }
}

fn is_shell(words: &[Word]) -> bool {
    let name = tools::name(words);
    name == "busybox" || name == "pwsh" || name == "fish" || name.ends_with("sh") && name.len() <= 4
}
