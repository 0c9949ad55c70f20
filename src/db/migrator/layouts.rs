//! The layouts, and reading a folder by the one that it has.

mod sqlx;

use std::{ffi::OsString, path::Path};

use super::{
    error::MigrationError,
    folder::MigrationFolder,
    layout::{Layout, LayoutKind},
};

pub(super) fn layout(kind: LayoutKind) -> &'static dyn Layout {
    match kind {
        LayoutKind::Sqlx => &sqlx::Sqlx,
    }
}

impl MigrationFolder {
    /// Reads a folder's migrations.
    ///
    /// # Errors
    /// It can't be read, has no migration, or has files that its layout can't explain.
    pub fn read(path: &Path) -> Result<Self, MigrationError> {
        let shown = path.display();
        if !path.is_dir() {
            let what = if path.exists() {
                format!("{shown} is not a folder")
            } else {
                format!("the folder {shown} does not exist")
            };
            let hint = "copy the folder into the image, or correct its path";
            return Err(MigrationError::migration(what, hint));
        }
        let kind = LayoutKind::Sqlx;
        let files = layout(kind).read(path)?;
        if !files.iter().any(|file| file.runs) {
            return Err(MigrationError::migration(
                format!("there is no migration in {shown}"),
                "put files such as 1_guests.sql there, or name the folder that contains them",
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            layout: kind,
            files,
        })
    }

    /// The names of the files that a folder's migrations consist of, in no order; `None` where there are
    /// more than `most`. Reads as few files as possible: this is for a start that may have nothing to do.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn names(path: &Path, most: usize) -> Result<Option<Vec<OsString>>, MigrationError> {
        match sqlx::quick_names(path, most) {
            sqlx::Quick::All(names) => return Ok(Some(names)),
            sqlx::Quick::More => return Ok(None),
            sqlx::Quick::Unsure => {}
        }
        let folder = Self::read(path)?;
        let names = folder.files.into_iter().map(|file| file.name.into());
        Ok(Some(names.collect()))
    }
}
