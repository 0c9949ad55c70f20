//! What to know about the proposed command.

use super::super::chain::{Chain, ChainCommand};
use super::super::words::{Word, source_of};
use super::super::{Refusal, shorten, tools};
use super::Manner;

impl Chain<'_> {
    /// What runs once, and what at every start.
    pub(super) fn say_what_runs_when(&mut self) {
        self.wrong("every replica migrates, all at the same time, and again at every restart");
        let mut notes = Vec::new();
        for (flag, list) in [("--prepare", &self.prepare), ("--warm-up", &self.warm_up)] {
            for command in list {
                let source = shorten(&command.source);
                let could = if tools::is_seed(&command.words) {
                    "; it changes the database, so it could be a step: pass it as `--migrate` to run it once per release"
                } else {
                    ""
                };
                notes.push(format!(
                    "`{source}` still runs at every start (`{flag}`){could}"
                ));
            }
        }
        let migrations = self.migrate.iter().map(|one| one.words.as_slice());
        if let Some(unlock) = tools::unlock(&migrations) {
            notes.push(format!(
                "a killed migration leaves the tool's lock in the database: unless something else runs the tool too, put `--migrate '{unlock}'` in front (not `--prepare`, which would remove the lock of a replica that is migrating)"
            ));
        }
        let mut rest = self.prepare.iter().chain(&self.warm_up);
        if rest.any(|command| !command.is_wait && !tools::is_seed(&command.words)) {
            notes.push("a command that only changes the database could be a step: pass it as `--migrate` to run it once per release".to_owned());
        }
        if !self.knows_database {
            notes.push("launchgate needs to know the database: set DATABASE_URL in the container, or add `--database-url`; without either it refuses to start".to_owned());
        }
        for note in notes {
            self.note(note);
        }
    }

    /// What the server is known for.
    pub(super) fn say_of_server(&mut self, server: &ChainCommand) {
        let words = &server.words;
        if self.init.is_empty() && tools::ignores_term(words) {
            self.init.push("--init".to_owned());
            self.note(format!(
                "`--init`: `{}` installs no SIGTERM handler, and the kernel drops unhandled signals for PID 1; remove `--init` if your application handles SIGTERM",
                shorten(&self.server_name())
            ));
        }
        if self.takes_cmd && self.init.is_empty() && words.is_empty() {
            self.note("the CMD is the server: add `--init` if it does not handle SIGTERM (node, for example, does not)");
        }
        if tools::is_package_runner(words) {
            self.note("the package manager keeps running as the server's parent: start the server directly, as in `node server.js`");
        }
        let texts: Vec<&str> = words.iter().filter_map(Word::text).collect();
        if texts.first().is_some_and(|name| name.ends_with("php-fpm")) && self.init.is_empty() {
            self.note("php-fpm drops its requests on SIGTERM and finishes them on SIGQUIT: add `--init --rewrite-signal 15:3`, unless the image has STOPSIGNAL SIGQUIT");
        }
        if matches!(texts.as_slice(), [.., "./bin/rails", "server"]) {
            self.note("the bin/docker-entrypoint that Rails generates runs `db:prepare` in every replica if the command ends in `./bin/rails server`: set this as the ENTRYPOINT, or remove db:prepare from that script");
        } else if tools::is_script(words) {
            self.note(
                "the server is a script: convert the script too, to see what it does at every start",
            );
        }
    }

    pub(super) fn say_how_they_run(
        &mut self,
        server: &ChainCommand,
        manner: Manner,
        step_env: &[String],
    ) {
        let mut notes = Vec::new();
        for command in self.commands() {
            if let Some(what) = command.shell {
                notes.push(format!(
                    "`{}` needs a shell for {what}: the image must contain one",
                    shorten(&command.source)
                ));
            }
        }
        for value in step_env {
            let name = value.split('=').next().unwrap_or_default();
            notes.push(format!(
                "`--step-env` sets {name} for the steps but not for the server, as in the chain"
            ));
        }
        if server.user.is_some() && !self.prepare.is_empty() {
            notes.push("`--prepare` runs as the container's initial user, with the server's environment (including HOME)".to_owned());
        }
        if manner == Manner::Expanded {
            notes.push(
                "`--expand-env` expands variables without a shell; an unset variable is an error"
                    .to_owned(),
            );
            let words = self
                .commands()
                .chain([server])
                .flat_map(|command| &command.words);
            let split: Vec<String> = words
                .flat_map(Word::variables)
                .filter(|(_, splits)| *splits)
                .map(|(name, _)| format!("${name}"))
                .collect();
            if !split.is_empty() {
                notes.push(format!(
                    "a shell would split the value of {} at spaces; `--expand-env` keeps it as one word",
                    split.join(", ")
                ));
            }
        }
        for note in notes {
            self.note(note);
        }
    }

    /// Asks which command migrates.
    pub(super) fn which_migrates(&self, server: &ChainCommand) -> Refusal {
        let asked: Vec<String> = self
            .prepare
            .iter()
            .filter(|command| !command.is_wait)
            .map(|command| format!("`{}`", shorten(&command.source)))
            .collect();
        if !asked.is_empty() {
            return Refusal::new(
                format!(
                    "which of these commands migrates the database: {}? convert recognizes none of them",
                    asked.join(", ")
                ),
                "pass the migration as `--migrate`, commands before it as `--prepare`, commands after it as `--warm-up`, and the server after `--`",
            );
        }
        let name = shorten(&self.server_name());
        let hint = if tools::is_script(&server.words) {
            let script = shorten(&source_of(&server.words));
            format!("`{script}` is a script: convert its text with `launchgate convert < SCRIPT`")
        } else if tools::is_migration(&server.words) {
            format!(
                "add the server's command; for a job without a server, write: launchgate job --migrate '{name}'"
            )
        } else {
            format!(
                "add the migration: launchgate run --migrate '…' -- {name}; if you only want an init: launchgate init -- {name}"
            )
        };
        let waits = if self.prepare.is_empty() {
            ""
        } else {
            "; before it migrates, launchgate waits for the database in DATABASE_URL or `--database-url`"
        };
        Refusal::new(
            format!(
                "which command migrates the database? No command before the server `{name}` does"
            ),
            format!("{hint}{waits}"),
        )
    }
}
