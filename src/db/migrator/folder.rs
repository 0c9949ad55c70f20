//! The folder and its files.

use std::path::{Path, PathBuf};

use super::{file::MigrationFile, layout::LayoutKind};

/// A folder's migrations, in the order in which they are applied.
#[derive(Debug)]
pub struct MigrationFolder {
    pub(super) path: PathBuf,
    pub(super) layout: LayoutKind,
    /// `--sql-layout` names the layout.
    pub(super) is_decided: bool,
    pub(super) files: Vec<MigrationFile>,
}

impl MigrationFolder {
    /// The path as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose layout it has.
    #[must_use]
    pub fn layout(&self) -> LayoutKind {
        self.layout
    }

    /// The files to apply, in order.
    pub fn ups(&self) -> impl Iterator<Item = &MigrationFile> {
        self.files.iter().filter(|file| file.runs)
    }
}
