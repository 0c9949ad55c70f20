//! Waits for the database, retry loops, and what else stands in front of a command.

use super::super::shell::{Piece, Simple};
use super::super::tools::{self, Wrapper};
use super::super::words::{Word, program, source_of};
use super::super::{Refusal, shorten};
use super::command::needs_shell;
use super::statement::refuse_influence;
use super::{Chain, ChainCommand, Kind, User};

impl Chain<'_> {
    /// A retry loop: around a wait or a migration.
    pub(super) fn until(&mut self, piece: &Piece, condition: usize) -> Result<(), Refusal> {
        const LOOP: &str = "a loop";
        let (asked, meanwhile) = piece.contents.commands.split_at(condition);
        let is_idle = meanwhile.iter().all(|simple| {
            matches!(
                program(&simple.words),
                "sleep" | "echo" | "printf" | ":" | "true"
            )
        });
        let [asked] = asked else {
            return self.compound(piece, LOOP);
        };
        let client = tools::base(program(&asked.words));
        let is_client = matches!(client, "psql" | "mysql" | "mariadb");
        let is_wait = matches!(tools::wrapper(&asked.words)?, Some((Wrapper::Wait { .. }, _, rest)) if rest.is_empty());
        if is_idle && (is_client || (is_wait && tools::about_database(&asked.words))) {
            refuse_influence(piece)?;
            if self.drops_wait(&piece.source) {
                return Ok(());
            }
            self.push_text(piece, Kind::Wait, LOOP)
        } else if is_idle && tools::is_migration(&asked.words) {
            refuse_influence(piece)?;
            self.note(format!(
                "`{}` retries the migration forever: `--max-attempts` sets a limit, and the ledger records each attempt",
                shorten(&piece.source)
            ));
            self.push_text(piece, Kind::Migration, LOOP)
        } else {
            self.compound(piece, LOOP)
        }
    }

    /// Whether a wait for the database can be dropped: launchgate waits itself if it knows the
    /// database.
    fn drops_wait(&mut self, source: &str) -> bool {
        let source = shorten(source);
        if self.knows_database {
            self.wrong(format!(
                "removed `{source}`: launchgate waits for the database itself, and also checks that it can log in (`--wait-timeout`, 60s)"
            ));
        } else {
            self.note(format!(
                "kept `{source}`: launchgate waits only for the database it is configured for; set DATABASE_URL or add `--database-url`, then remove this wait"
            ));
        }
        self.knows_database
    }

    pub(super) fn take_wait(
        &mut self,
        own: Vec<Word>,
        timeout: Option<String>,
    ) -> Result<(), Refusal> {
        let source = source_of(&own);
        let is_database = tools::about_database(&own);
        if is_database && self.drops_wait(&source) {
            self.wait_timeout = timeout.or(self.wait_timeout.take());
            return Ok(());
        }
        self.push(ChainCommand {
            source,
            words: own,
            kind: if is_database { Kind::Wait } else { Kind::Other },
            ..ChainCommand::default()
        })
    }

    /// Strips wrappers that wait or change the user. Returns the user.
    pub(super) fn take_wrappers(&mut self, simple: &mut Simple) -> Result<Option<User>, Refusal> {
        let is_plain = simple.assignments.is_empty()
            && simple.redirects.is_empty()
            && needs_shell(simple).is_none();
        let mut user = None;
        while let Some((wrapper, own, rest)) = tools::wrapper(&simple.words)? {
            let is_alone = rest.is_empty() && tools::about_database(&own);
            match wrapper {
                Wrapper::Wait { timeout } if is_plain || is_alone => {
                    self.take_wait(own, timeout)?;
                }
                Wrapper::User { user: name, .. } if is_plain && user.is_none() => {
                    user = Some(User { name, words: own });
                }
                Wrapper::Init { .. } | Wrapper::User { .. } | Wrapper::Wait { .. } => break,
            }
            simple.words = rest;
        }
        Ok(user)
    }
}
