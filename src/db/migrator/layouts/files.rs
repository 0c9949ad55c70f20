//! Reading a folder's entries, for every layout.

use std::{fs, io, path::Path};

use crate::{db::migrator::error::sql_failure, exit::Failure};

/// The names of the folders in a folder, in the order of their bytes. Links are passed over.
pub(super) fn folders(path: &Path) -> Result<Vec<String>, Failure> {
    entries(path, fs::FileType::is_dir)
}

/// The names of the files in a folder, in the order of their bytes. A link counts as what it leads to.
pub(super) fn files(path: &Path) -> Result<Vec<String>, Failure> {
    let mut names = entries(path, |kind| !kind.is_dir())?;
    names.retain(|name| !path.join(name).is_dir());
    Ok(names)
}

/// Those of them whose names end with `.sql`.
pub(super) fn sql_files(path: &Path) -> Result<Vec<String>, Failure> {
    let mut names = files(path)?;
    names.retain(|name| {
        Path::new(name).extension().is_some_and(|end| end == "sql") && path.join(name).is_file()
    });
    Ok(names)
}

fn entries(path: &Path, is_wanted: impl Fn(&fs::FileType) -> bool) -> Result<Vec<String>, Failure> {
    let unreadable = |error: io::Error| unreadable(path, &error);
    let mut names = Vec::new();
    for entry in path.read_dir().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if is_wanted(&entry.file_type().map_err(unreadable)?) {
            let name = entry.file_name();
            let name = name.into_string().map_err(|name| {
                sql_failure(
                    format!("{}: its name is not UTF-8", path.join(name).display()),
                    "rename it",
                )
            })?;
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The text of a file.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::InvalidData => "save the file as UTF-8",
        io::ErrorKind::PermissionDenied => {
            "give the user who runs the steps read access to the folder and its files"
        }
        _ => "copy the folder into the image, or fix its path",
    };
    sql_failure(format!("{}: {error}", path.display()), hint)
}
