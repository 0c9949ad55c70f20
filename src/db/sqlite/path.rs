//! Where the database file is.

use std::path::{Path, PathBuf};

use super::errors::{CODES, no_file};
use crate::db::{DatabaseUrl, Error, fault::Fault};
use crate::sys::files;

/// The file of a URL that has one.
pub(super) fn database_path(url: &DatabaseUrl) -> &Path {
    url.sqlite_path().unwrap_or(Path::new(""))
}

/// The file itself, whatever links lead to it: everybody must find the same lock and the same
/// database. A missing file is resolved by its folder.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Fault> {
    let unusable = |what: &str, path: &Path, error: &std::io::Error, hint: &str| {
        let what = format!("failed to use the {what} {}: {error}", path.display());
        Fault::unopened(&CODES, Error::refused(what, hint))
    };
    match path.canonicalize() {
        Ok(path) => return Ok(path),
        Err(error) if files::is_circle(&error) => {
            let hint = "replace the symbolic links, which lead in a circle";
            return Err(unusable("file", path, &error, hint));
        }
        Err(_) => {}
    }
    // a link to a file that does not exist yet
    if let Ok(link) = path.read_link() {
        let folder = path.parent().unwrap_or(Path::new(""));
        return resolve(&folder.join(link));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path
        .file_name()
        .ok_or_else(|| no_file(format!("{} is not a file", path.display())))?;
    let folder = folder.canonicalize().map_err(|error| {
        let hint = "create the folder, mount its volume there, or fix the path in the database URL";
        unusable("folder", folder, &error, hint)
    })?;
    Ok(folder.join(name))
}
