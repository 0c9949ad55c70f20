//! The layouts, and reading a folder by the one that it has.

mod dbmate;
mod drizzle;
mod files;
mod golang_migrate;
mod goose;
mod goose_file;
mod locale;
mod prisma;
mod recognize;
mod sqlx;
mod versioned;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use recognize::{declared, recognize};
use sqlx::quick_names;

use super::{
    error::sql_failure,
    file::MigrationFile,
    layout::{Layout, LayoutKind},
};
use crate::{db::Backend, exit::Failure};

pub(super) fn layout(kind: LayoutKind) -> &'static Layout {
    match kind {
        LayoutKind::Sqlx => &sqlx::SQLX,
        LayoutKind::Prisma => &prisma::PRISMA,
        LayoutKind::Drizzle => &drizzle::DRIZZLE,
        LayoutKind::Dbmate => &dbmate::DBMATE,
        LayoutKind::Goose => &goose::GOOSE,
        LayoutKind::GolangMigrate => &golang_migrate::GOLANG_MIGRATE,
    }
}

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

    /// Reads a folder's migrations, by the layout that its files have; `wanted` decides where they leave
    /// it open.
    ///
    /// # Errors
    /// It can't be read, has no migration, or has files that its layout can't explain.
    pub fn read(path: &Path, wanted: Option<LayoutKind>) -> Result<Self, Failure> {
        let shown = path.display();
        if !path.is_dir() {
            let what = if path.exists() {
                format!("{shown} is not a folder")
            } else {
                format!("the folder {shown} does not exist")
            };
            let hint = "copy the folder into the image, or fix its path";
            return Err(sql_failure(what, hint));
        }
        let kind = choose(path, wanted)?;
        let files = (layout(kind).read)(path)?;
        // Files that golang-migrate would read too: the tables in the database decide.
        let other = match kind {
            LayoutKind::Sqlx if wanted.is_none() && golang_migrate::can_be(&files) => {
                let kind = LayoutKind::GolangMigrate;
                Some((kind, (layout(kind).read)(path)?))
            }
            _ => None,
        };
        if !files.iter().any(|file| file.runs) {
            return Err(sql_failure(
                format!("{shown} contains no migrations"),
                "add files such as 1_guests.sql, or pass the folder that contains them",
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            layout: kind,
            is_decided: wanted.is_some(),
            files,
            other,
        })
    }

    /// Refuses a folder whose own files say that it is for another kind of database. Looks at no
    /// migration.
    ///
    /// # Errors
    /// It is for another one, or that file can't be read.
    pub fn check_backend(path: &Path, backend: Backend) -> Result<(), Failure> {
        let (file, found, code) = match declared(path) {
            Some(LayoutKind::Drizzle) => (drizzle::JOURNAL, drizzle::dialect(path)?, ""),
            Some(LayoutKind::Prisma) => (prisma::LOCK, prisma::provider(path), " (P3019)"),
            _ => return Ok(()),
        };
        let names: &[&str] = match backend {
            Backend::Postgres => &["postgresql", "postgres", "pg", "cockroachdb"],
            Backend::Mysql => &["mysql"],
            Backend::Sqlite => &["sqlite", "turso"],
        };
        match found.filter(|found| !names.contains(&&**found)) {
            None => Ok(()),
            Some(found) => Err(Failure::usage(
                format!(
                    "{file} says that the migrations in {} are for {found}, and the database is {backend}{code}",
                    path.display()
                ),
                "name the other database, or the folder for this one",
            )),
        }
    }

    /// The names of the files that a folder's migrations consist of, in no order; `None` where there are
    /// more than `most`. Reads as few files as possible: this is for a start that may have nothing to do.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn names(
        path: &Path,
        wanted: Option<LayoutKind>,
        most: usize,
    ) -> Result<Option<Vec<OsString>>, Failure> {
        if let Some(names) = quick_names(path, most) {
            return Ok((names.len() <= most).then_some(names));
        }
        let folder = Self::read(path, wanted)?;
        let names = folder.files.into_iter().map(|file| file.name.into());
        Ok(Some(names.collect()))
    }
}

fn choose(path: &Path, wanted: Option<LayoutKind>) -> Result<LayoutKind, Failure> {
    let shown = path.display();
    let (found, is_certain) = recognize(path)?;
    let name = found.as_str();
    match wanted {
        None if is_certain => Ok(found),
        None => Err(Failure::usage(
            format!("the files in {shown} don't say which tool they belong to"),
            format!("set --sql-layout {name}"),
        )),
        Some(wanted) if wanted == found => Ok(found),
        // Both have files such as 1_guests.up.sql.
        Some(LayoutKind::GolangMigrate) if found == LayoutKind::Sqlx => {
            Ok(LayoutKind::GolangMigrate)
        }
        Some(wanted) => Err(Failure::usage(
            format!(
                "{shown} has the layout of {name}, but --sql-layout is {}",
                wanted.as_str()
            ),
            format!("set --sql-layout {name}, leave it out, or pass another folder"),
        )),
    }
}
