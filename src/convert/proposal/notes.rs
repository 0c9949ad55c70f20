//! What to know about the proposed command.

use super::super::chain::{Chain, ChainCommand, Kind, Stage};
use super::super::words::{Word, source_of};
use super::super::{Refusal, push, shorten, tools};
use super::Manner;

impl Chain<'_> {
    /// What runs once, and what at every start.
    pub(super) fn say_what_runs_when(&mut self) {
        self.wrong("every replica migrates, all at the same time, and again at every restart");
        let notes = &mut self.notes;
        let every_start = self
            .commands
            .iter()
            .filter(|one| one.stage != Stage::Migrate);
        for command in every_start.clone() {
            let could = if tools::is_seed(&command.words) {
                "; it changes the database, so it could be a step: pass it as `--migrate` to run it once per release"
            } else {
                ""
            };
            push(
                notes,
                format!(
                    "`{}` still runs at every start (`{}`){could}",
                    shorten(&command.source),
                    command.stage.flag()
                ),
            );
        }
        let steps = self
            .commands
            .iter()
            .filter(|one| one.stage == Stage::Migrate);
        if let Some(unlock) = tools::unlock(&steps.map(|one| one.words.as_slice())) {
            push(
                notes,
                format!(
                    "a killed migration leaves the tool's lock in the database: unless something else runs the tool too, put `--migrate '{unlock}'` in front (not `--prepare`, which would remove the lock of a replica that is migrating)"
                ),
            );
        }
        let could_be_step =
            |one: &ChainCommand| one.kind != Kind::Wait && !tools::is_seed(&one.words);
        if every_start.clone().any(could_be_step) {
            push(
                notes,
                "a command that only changes the database could be a step: pass it as `--migrate` to run it once per release",
            );
        }
        if !self.knows_database {
            push(
                notes,
                "launchgate needs to know the database: set DATABASE_URL in the container, or add `--database-url`; without either it refuses to start",
            );
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
        let notes = &mut self.notes;
        for command in &self.commands {
            if let Some(what) = command.shell {
                let shown = shorten(&command.source);
                push(
                    notes,
                    format!("`{shown}` needs a shell for {what}: the image must contain one"),
                );
            }
        }
        for value in step_env {
            let name = value.split('=').next().unwrap_or_default();
            push(
                notes,
                format!(
                    "`--step-env` sets {name} for the steps but not for the server, as in the chain"
                ),
            );
        }
        let prepares = self.commands.iter().any(|one| one.stage == Stage::Prepare);
        if server.user.is_some() && prepares {
            push(
                notes,
                "`--prepare` runs as the container's initial user, with the server's environment (including HOME)",
            );
        }
        if manner != Manner::Expanded {
            return;
        }
        push(
            notes,
            "`--expand-env` expands variables without a shell; an unset variable is an error",
        );
        let commands = self.commands.iter().chain([server]);
        let variables = commands.flat_map(|command| command.words.iter().flat_map(Word::variables));
        let split: Vec<String> = variables
            .filter(|(_, splits)| *splits)
            .map(|(name, _)| format!("${name}"))
            .collect();
        if !split.is_empty() {
            push(
                notes,
                format!(
                    "a shell would split the value of {} at spaces; `--expand-env` keeps it as one word",
                    split.join(", ")
                ),
            );
        }
    }

    /// Asks which command migrates.
    pub(super) fn which_migrates(&self, server: &ChainCommand) -> Refusal {
        let commands = self.commands.iter();
        let asked: Vec<String> = commands
            .filter(|command| command.kind != Kind::Wait)
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
        let waits = if self.commands.is_empty() {
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
