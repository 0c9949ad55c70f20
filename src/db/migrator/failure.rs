//! A file that failed: how far it got, what of it remains, and what to say about it. Pure.

use super::{
    dialect::{FileTransaction, MigrationDialect},
    file::MigrationFile,
    layout::Layout,
    progress::Progress,
    send::StatementFault,
    statements::{Statement, line, statements},
    transactions::ends_transaction,
};
use crate::db::fault::Fault;

/// How much of a failed statement is shown.
const SHOWN: usize = 160;

/// A file that failed, and how far it got.
pub(super) struct FailedFile<'a> {
    pub(super) file: &'a MigrationFile,
    pub(super) dialect: &'static MigrationDialect,
    pub(super) transaction: FileTransaction,
    /// The part that was sent; the last one if its commit failed.
    sql: &'a str,
    /// Where the part begins in the file, and its number.
    offset: usize,
    pub(super) part: usize,
    pub(super) all: Vec<Statement>,
    /// So many of them were executed.
    done: usize,
    /// Everything was executed, and the commit failed.
    is_at_end: bool,
    /// A transaction that the file had was ended before this part.
    pub(super) has_committed: bool,
}

impl<'a> FailedFile<'a> {
    pub(super) fn new(
        file: &'a MigrationFile,
        dialect: &'static MigrationDialect,
        transaction: FileTransaction,
        progress: &Progress,
    ) -> Self {
        let is_at_end = progress.part >= file.parts.len();
        let part = progress.part.min(file.parts.len().saturating_sub(1));
        let sql = file.part(part);
        let all = statements(sql, dialect.lexer);
        Self {
            file,
            dialect,
            transaction,
            sql,
            offset: file.parts.get(part).map_or(0, |range| range.start),
            part,
            done: if is_at_end { all.len() } else { progress.done },
            all,
            is_at_end,
            has_committed: progress.has_committed,
        }
    }

    /// The statements that were executed.
    pub(super) fn executed(&self) -> impl Iterator<Item = &'a str> {
        self.all.iter().take(self.done).map(|s| s.of(self.sql))
    }

    fn failed(&self) -> Option<Statement> {
        self.all.get(self.done).or(self.all.last()).copied()
    }

    /// The statement that failed.
    pub(super) fn statement(&self) -> Option<&'a str> {
        self.failed().map(|statement| statement.of(self.sql))
    }

    /// Whether the file ended its transaction in this part.
    pub(super) fn has_ended(&self) -> bool {
        let one_by_one = self.dialect.one_by_one.is_some();
        self.executed().any(|s| ends_transaction(s, one_by_one))
    }

    /// What remains of the file. Not for a database that commits changes of the schema by itself.
    pub(super) fn partial_effects(&self) -> PartialEffects {
        let is_open = self.transaction.is_open();
        if self.has_ended() || self.has_committed && is_open {
            PartialEffects::Committed
        } else if is_open {
            PartialEffects::Nothing
        } else if self.part > 0 || self.dialect.one_by_one.is_some() {
            PartialEffects::Before
        } else if self.all.len() == 1 {
            // Several statements in one message are one transaction; some statements alone are several.
            PartialEffects::Part
        } else {
            PartialEffects::Nothing
        }
    }

    /// Place, the database's words, and what remains.
    pub(super) fn what(&self, error: &StatementFault, effects: Option<PartialEffects>) -> String {
        let (shown, words) = (&self.file.shown, self.words(error));
        let rest = effects.map_or("", |effects| effects.words().0);
        if self.is_at_end {
            return format!("{shown}: failed to commit: {words}{rest}");
        }
        let text = &self.file.text;
        let at = error.at.or(self.failed().map(|s| s.word)).unwrap_or(0);
        let number = line(text, self.offset + at);
        let text = text.lines().nth(number - 1).unwrap_or_default().trim();
        let cut = text.floor_char_boundary(text.len().min(SHOWN));
        let quoted = match text {
            "" => String::new(),
            _ if self.has_secret() => String::new(),
            _ if cut < text.len() => format!("; at `{}…`", &text[..cut]),
            _ => format!("; at `{text}`"),
        };
        format!("{shown}:{number}: {words}{rest}{quoted}")
    }

    /// The database's full message; without its quotation from the statement, if that has a secret.
    pub(super) fn words(&self, error: &StatementFault) -> String {
        let mut words = format!("{}{}", error.fault.message, error.details);
        if self.has_secret() {
            let quotes = [" at or near ", " near "];
            let end = quotes.iter().filter_map(|near| words.find(near)).min();
            words.truncate(end.unwrap_or(words.len()));
        }
        words
    }

    /// Whether a statement sets a role's password, which does not belong in a log.
    fn has_secret(&self) -> bool {
        self.failed().is_some_and(|statement| {
            let text = self.sql[statement.from..statement.end].to_ascii_lowercase();
            text.contains("password") || text.contains("identified")
        })
    }

    /// What to do. `effects` is what remains, unless the connection was lost; `table` is the history's.
    pub(super) fn hint(
        &self,
        fault: &Fault,
        effects: Option<PartialEffects>,
        layout: &Layout,
        table: &str,
    ) -> String {
        let file = self.file;
        let Some(effects) = effects else {
            return "check in the database what it did, and in the server's log why the connection broke; then start again".to_owned();
        };
        if self.dialect.refuses_transaction == Some(&*fault.code) {
            return match layout.no_transaction_hint.filter(|_| self.transaction.is_open()) {
                Some(hint) => format!("{hint}, and keep only this statement in the file"),
                None => "put this statement in a file of its own: several statements in one file run as one transaction".to_owned(),
            };
        }
        if self.transaction == FileTransaction::Marked
            && let Some(hint) = layout.failed_hint
        {
            return hint(file);
        }
        // Some editors write it, and only SQLite accepts it.
        if file.text.starts_with('\u{feff}') && !self.dialect.allows_byte_order_mark {
            return "save the file as UTF-8 without a byte order mark (BOM), and start again"
                .to_owned();
        }
        // The row which says that the file is unfinished may be there.
        if self.transaction == FileTransaction::RowFirst
            && (self.dialect.commits_schema_changes || effects == PartialEffects::Committed)
        {
            return format!(
                "fix the file and start again; if {table} has a row of version {}, first undo the remaining changes by hand and delete that row",
                file.version
            );
        }
        effects.words().1.to_owned()
    }
}

/// How much of a file is still there after one of its statements failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartialEffects {
    /// Nothing.
    Nothing,
    /// All that came before the statement.
    Before,
    /// The same, in spite of the file's transaction.
    SchemaChanges,
    /// What the statement itself did in steps of its own.
    Part,
    /// What the file committed.
    Committed,
}

impl PartialEffects {
    /// The end of a sentence that says what failed, and what to do.
    fn words(self) -> (&'static str, &'static str) {
        let undo = "undo the remaining changes by hand, fix the file and start again";
        match self {
            Self::Nothing => (
                "; none of this file's changes remain",
                "fix the file and start again",
            ),
            Self::Before => (
                "; the file has no transaction, so the changes before this statement remain",
                undo,
            ),
            Self::SchemaChanges => (
                "; this database commits each schema change immediately, so the changes before this statement remain",
                undo,
            ),
            Self::Part => (
                "; the file has no transaction, so some of its changes may remain",
                "undo the remaining changes by hand, such as an invalid index; then fix the file and start again",
            ),
            Self::Committed => (
                "; the file ends its own transaction, so the changes before that remain",
                undo,
            ),
        }
    }
}
