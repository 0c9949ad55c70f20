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
    /// The same files as another tool would apply them, if the database has its table.
    pub(super) other: Option<(LayoutKind, Vec<MigrationFile>)>,
}

impl MigrationFolder {
    /// The path as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its files as the tool applies them.
    pub(super) fn files_for(&self, kind: LayoutKind) -> &[MigrationFile] {
        match &self.other {
            Some((other, files)) if *other == kind => files,
            _ => &self.files,
        }
    }
}
