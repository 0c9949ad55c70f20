//! The pattern that works for a script that can't be converted.

use super::super::shell::{Link, Piece, PieceShape, Simple};
use super::super::words::{program, source_of};
use super::super::{push, tools};

/// How a script is kept: what its last line has to be.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    migrations: Vec<String>,
    server: Option<String>,
    /// What is assigned in front of the server, with a blank behind each.
    variables: String,
    needs_init: bool,
}

impl Pattern {
    /// Looks for the migrations and the server.
    pub(super) fn scan(&mut self, pieces: &[Piece]) {
        let commands = || pieces.iter().flat_map(|piece| &piece.contents.commands);
        for piece in pieces {
            // Behind `||` is another way to migrate, not one more.
            if piece.link == Link::Or && !self.migrations.is_empty() {
                continue;
            }
            let migrations = piece.contents.commands.iter();
            for simple in migrations.filter(|simple| tools::is_migration(&simple.words)) {
                let front = if simple.assignments.is_empty() {
                    ""
                } else {
                    "env "
                };
                let migration = format!("{front}{}{}", variables(simple), source_of(&simple.words));
                push(&mut self.migrations, migration);
            }
        }
        let mut execs = commands().filter(|simple| program(&simple.words) == "exec");
        let simples = pieces.iter().rev().filter_map(|piece| match &piece.shape {
            PieceShape::Simple(simple) => Some(simple),
            _ => None,
        });
        let may_serve =
            |last: &&Simple| !tools::ends_at_once(&last.words) && !tools::is_daemon(&last.words);
        let mut known = simples.clone();
        let last = known
            .find(|simple| tools::is_server(&simple.words))
            .or_else(|| simples.clone().find(may_serve));
        let (simple, server) = match (execs.next(), execs.next(), last) {
            (Some(only), None, _) => (only, &only.words[1..]),
            (None, _, Some(last)) => (last, &last.words[..]),
            _ => return,
        };
        let is_server = !server.is_empty()
            && !tools::changes_shell(server)
            && !tools::is_migration(server)
            && server.iter().all(|word| !word.source.starts_with("\"${@:"));
        if is_server {
            self.needs_init = tools::ignores_term(server);
            self.server = Some(source_of(server));
            self.variables = variables(simple);
        }
    }

    /// What to write.
    pub(super) fn hint(&self) -> String {
        let mut line = format!("{}exec launchgate run ", self.variables);
        if self.needs_init {
            line.push_str("--init ");
        }
        let unknown = ["…".to_owned()];
        let migrations = match self.migrations.as_slice() {
            [] => &unknown[..],
            known => known,
        };
        for migration in migrations {
            line.push_str("--migrate ");
            line.push_str(&shlex::try_quote(migration).unwrap_or_default());
            line.push(' ');
        }
        let server = self.server.as_deref().unwrap_or("$@");
        let server = if server == "$@" { "\"$@\"" } else { server };
        format!(
            "keep the script, take the migration out of it, and end it with `{line}-- {server}`"
        )
    }
}

/// What is assigned in front of a command, with a blank behind each.
fn variables(simple: &Simple) -> String {
    let assignments = simple.assignments.iter();
    let words = assignments.flat_map(|(name, value)| [name, "=", &value.source, " "]);
    words.collect()
}
