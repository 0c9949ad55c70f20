//! A migration, as its layout reads it from the folder.

use std::ops::Range;

use super::dialect::FileTransaction;
use crate::exit::Failure;

/// One migration of a folder.
#[derive(Debug, Clone, Default)]
pub struct MigrationFile {
    /// Its name in the folder.
    pub name: String,
    /// For messages: the folder as it was given, and the name.
    pub shown: String,
    /// Whether it is applied. Else it only belongs to the folder: it undoes another one, or lists them.
    pub(super) runs: bool,
    /// The number that its layout orders or compares by.
    pub(super) version: i64,
    /// What its row is called by, where that is text.
    pub(super) label: String,
    /// The hash of the file that its row holds, where it holds one.
    pub(super) checksum: Vec<u8>,
    /// The file, or what of it can be run: lines are counted in it.
    pub(super) text: String,
    /// What of the text is sent, each part as one message, in order.
    pub(super) parts: Vec<Range<usize>>,
    /// The file asks for no transaction.
    pub(super) has_no_transaction: bool,
    /// Why it can't be applied. A tool reads a file only to apply it, so in an applied file this goes unnoticed.
    pub(super) refusal: Option<Failure>,
}

impl MigrationFile {
    /// Lets the whole text be one part.
    pub(super) fn whole(mut self) -> Self {
        self.parts.push(0..self.text.len());
        self
    }

    /// One part of the file as it is sent; empty after the last.
    pub(super) fn part(&self, number: usize) -> &str {
        self.parts
            .get(number)
            .and_then(|range| self.text.get(range.clone()))
            .unwrap_or_default()
    }

    /// The transaction of a tool that gives a file one unless the file asks for none.
    pub(super) fn usual_transaction(&self) -> FileTransaction {
        if self.has_no_transaction {
            FileTransaction::None
        } else {
            FileTransaction::RowLast
        }
    }
}
