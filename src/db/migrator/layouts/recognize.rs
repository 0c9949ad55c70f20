//! Whose layout a folder has, by its files.

use std::path::Path;

use super::{drizzle::JOURNAL, files, prisma, sqlx};
use crate::{db::migrator::layout::LayoutKind, exit::Failure};

/// The layout that a file of the tool's own names; looks at no migration.
pub(super) fn declared(path: &Path) -> Option<LayoutKind> {
    if path.join(JOURNAL).is_file() {
        Some(LayoutKind::Drizzle)
    } else if path.join(prisma::LOCK).is_file() {
        Some(LayoutKind::Prisma)
    } else {
        None
    }
}

/// Recognizes a folder's layout, and whether that is certain; else the user has to confirm it. Reads its
/// files as far as it has to.
///
/// # Errors
/// A folder that can't be read, or of a layout that launchgate does not know.
pub(super) fn recognize(path: &Path) -> Result<(LayoutKind, bool), Failure> {
    if let Some(kind) = declared(path) {
        return Ok((kind, true));
    }
    let folders = files::folders(path)?;
    let has = |file: &str| {
        folders
            .iter()
            .find(|name| path.join(name).join(file).is_file())
    };
    if let Some(folder) = has("snapshot.json")
        && path.join(folder).join(prisma::SCRIPT).is_file()
    {
        return Err(Failure::usage(
            format!(
                "{} is a migration of drizzle-kit 1.0, which launchgate can't apply yet",
                path.join(folder).display()
            ),
            "apply the folder with --migrate and drizzle-orm's own migrator",
        ));
    }
    if let Some(folder) = has(prisma::SCRIPT) {
        let is_beside = path
            .parent()
            .is_some_and(|parent| parent.join(prisma::LOCK).is_file());
        if is_beside {
            return Ok((LayoutKind::Prisma, true));
        }
        return only_folders(path, folder);
    }
    by_markers(path)
}

/// Folders such as Prisma's without the file that tells: the user has to say so.
fn only_folders(path: &Path, folder: &str) -> Result<(LayoutKind, bool), Failure> {
    let names = files::sql_files(path)?;
    let is_sqlx_s = |name: &&String| matches!(sqlx::known(path, name), Ok(Some(_)));
    let Some(file) = names.iter().find(is_sqlx_s) else {
        return Ok((LayoutKind::Prisma, false));
    };
    Err(Failure::usage(
        format!(
            "{} has migrations such as {file} and such as {folder}/{}: no tool's layout has both",
            path.display(),
            prisma::SCRIPT
        ),
        "keep the migrations of one tool in the folder",
    ))
}

/// By the marks in `.sql` files.
fn by_markers(path: &Path) -> Result<(LayoutKind, bool), Failure> {
    let names = files::sql_files(path)?;
    let mut marked = names.iter().filter_map(|name| {
        // What can't be read is its layout's business.
        let text = files::text(&path.join(name)).ok()?;
        Some((marker(&text)?, name))
    });
    let Some((kind, first)) = marked.next() else {
        return Ok((LayoutKind::Sqlx, true));
    };
    match marked.find(|(other, _)| *other != kind) {
        None => Ok((kind, true)),
        Some((other, name)) => Err(Failure::usage(
            format!(
                "{} is a migration of {}, and {name} beside it is one of {}",
                path.join(first).display(),
                kind.as_str(),
                other.as_str()
            ),
            "keep the migrations of one tool in the folder",
        )),
    }
}

/// The mark of a file's sections, where it has one.
fn marker(text: &str) -> Option<LayoutKind> {
    text.lines().find_map(|line| {
        let comment = line.trim_start().strip_prefix("--")?;
        let words = comment.trim_start();
        if words.starts_with("migrate:up") || words.starts_with("migrate:down") {
            Some(LayoutKind::Dbmate)
        } else if words.starts_with("+goose") {
            Some(LayoutKind::Goose)
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_comments_at_the_beginning_of_a_line() {
        assert_eq!(marker("-- migrate:up\nselect 1;"), Some(LayoutKind::Dbmate));
        assert_eq!(
            marker("\n--migrate:up transaction:false"),
            Some(LayoutKind::Dbmate)
        );
        assert_eq!(marker("-- +goose Up"), Some(LayoutKind::Goose));
        assert_eq!(marker("--  +goose StatementBegin"), Some(LayoutKind::Goose));
        assert_eq!(marker("select '-- migrate:up'; -- +goose Up"), None);
    }
}
