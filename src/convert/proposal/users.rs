//! Who runs what.

use super::super::Refusal;
use super::super::words::Word;
use super::{ChainCommand, ParsedChain};

impl ParsedChain<'_> {
    /// Who runs what. Returns whether the commands keep the words that change their user.
    pub(super) fn users(
        &self,
        front: &mut Vec<String>,
        flags: &mut Vec<String>,
    ) -> Result<bool, Refusal> {
        let differs = |command: &ChainCommand| {
            Err(Refusal::keep(
                &command.source,
                "and the server run as different users",
            ))
        };
        if let Some(outer) = self.outer_user {
            if let Some(command) = self.commands.iter().find(|command| command.user.is_some()) {
                return differs(command);
            }
            if self.first == 0 {
                flags.extend(["--user".to_owned(), outer.name.clone()]);
            } else {
                // A `--prepare` command runs as the user who started launchgate.
                front.extend(outer.words.iter().filter_map(Word::text).map(str::to_owned));
            }
            return Ok(false);
        }
        let Some(user) = &self.server.user else {
            return Ok(true);
        };
        flags.extend(["--user".to_owned(), user.name.clone()]);
        let is_user = |command: &&ChainCommand| {
            command
                .user
                .as_ref()
                .is_some_and(|own| own.name == user.name)
        };
        let migrations = self.migrations();
        if migrations.iter().all(|command| command.user.is_none()) {
            // Only root may change to another user.
            flags.extend(["--step-user".to_owned(), "0".to_owned()]);
        } else if let Some(other) = migrations.iter().find(|command| !is_user(command)) {
            return differs(other);
        }
        match self.commands[self.last + 1..]
            .iter()
            .find(|command| !is_user(command))
        {
            Some(other) => differs(other),
            None => Ok(false),
        }
    }
}
