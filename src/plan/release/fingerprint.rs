//! Fingerprints: a revision that is a hash of files' names and contents.
//!
//! Reads only what the globs name. Invariant: the same names with the same contents give the same
//! revision on every machine, whatever their order, times, owners and modes.

mod pattern;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};
use walkdir::{DirEntry, WalkDir};

use crate::exit::Problem;
use crate::sys::files::OpenFolder;
use pattern::FilePattern;

/// The prefix of the hashed data, so that another encoding can never give the same hash.
const ENCODING: &[u8] = b"launchgate fingerprint 1\0";

/// How much of the hash is used: 128 bits, which rules out accidental collisions.
const SHOWN_BYTES: usize = 16;

/// The files of a fingerprint, found but not yet read.
#[derive(Debug, Clone)]
pub struct Files {
    /// The folder that relative names start from.
    root: PathBuf,
    /// Paths relative to the root, or absolute; sorted by bytes, without duplicates.
    names: Vec<OsString>,
}

impl Files {
    /// The regular files that any of the globs matches.
    ///
    /// A glob is absolute, or relative to `root`, the working directory. `*`, `?` and `[a-z]` match
    /// within one name, including names that begin with a dot; `{a,b}` matches either, and `**` any
    /// number of directories; `dir/` means `dir/**`. A file that several globs match counts once. Its
    /// name becomes part of the fingerprint as the glob writes it: `sql/1.sql` and `/app/sql/1.sql` are
    /// two names.
    ///
    /// # Errors
    ///
    /// A glob that matches no file; a symbolic link that a glob matches or would pass through, since
    /// its target may not be part of the release; a match that is neither file nor directory, which is
    /// never opened; a folder that can't be read.
    pub fn matching(globs: &[String], root: &Path) -> Result<Self, Problem> {
        let mut files = Self {
            root: root.to_owned(),
            names: Vec::new(),
        };
        for glob in globs {
            let pattern = FilePattern::parse(glob)?;
            check_prefix(&pattern, root)?;
            files.collect(&pattern)?;
        }
        if files.names.is_empty() {
            return Err(Problem::new(
                "no files to fingerprint",
                "list the files, as in 'migrations/**'",
            ));
        }
        files.names.sort_unstable();
        files.names.dedup();
        Ok(files)
    }

    /// Files of one folder, by their names in it.
    pub fn of_folder(folder: &Path, mut names: Vec<OsString>) -> Self {
        names.sort_unstable();
        Self {
            root: folder.to_owned(),
            names,
        }
    }

    /// Reads them. The revision is `fp-` and 32 hexadecimal digits.
    ///
    /// The hash is SHA-256 over each file, sorted by name: the name's length (64 bits, little-endian),
    /// the name, and the SHA-256 of the contents.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn fingerprint(&self) -> Result<String, Problem> {
        let mut folder =
            OpenFolder::open(&self.root).map_err(|error| unreadable(&self.root, &error))?;
        let mut hasher = Sha256::new();
        hasher.update(ENCODING);
        for name in &self.names {
            let mut contents = Sha256::new();
            folder
                .read(name, |piece| contents.update(piece))
                .map_err(|error| unreadable(&self.root.join(name), &error))?;
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update(contents.finalize());
        }
        let mut text = "fp-".to_owned();
        for byte in &hasher.finalize()[..SHOWN_BYTES] {
            // Writing to a `String` can't fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(text)
    }

    /// Adds the files that the glob matches.
    fn collect(&mut self, pattern: &FilePattern) -> Result<(), Problem> {
        let start = self.root.join(&pattern.prefix);
        let depth = if pattern.is_literal { 0 } else { usize::MAX };
        let mut walk = WalkDir::new(&start)
            .follow_root_links(false)
            .max_depth(depth)
            .into_iter();
        let mut matched_files = false;
        let mut matched_directory = None;
        while let Some(entry) = walk.next() {
            let entry = entry.map_err(|error| not_walked(error, &start))?;
            let name = pattern.name_of(entry.path().strip_prefix(&start).unwrap_or(entry.path()));
            let matched = pattern.matches(&name);
            let kind = entry.file_type();
            if kind.is_dir() {
                if !pattern.is_literal && !pattern.leads_through(&name) {
                    walk.skip_current_dir();
                }
                if matched {
                    matched_directory.get_or_insert(name);
                }
            } else if kind.is_symlink() {
                if matched || leads_on(pattern, &name, &entry) {
                    return Err(symlink(entry.path()));
                }
            } else if matched && !kind.is_file() {
                return Err(not_regular(entry.path()));
            } else if matched {
                matched_files = true;
                self.names.push(name.into_os_string());
            }
        }
        if matched_files {
            Ok(())
        } else {
            Err(pattern.no_match(matched_directory))
        }
    }
}

/// Refuses symbolic links among the directories that the glob names. The walk finds out what is
/// missing.
fn check_prefix(pattern: &FilePattern, root: &Path) -> Result<(), Problem> {
    let mut path = root.to_owned();
    for component in pattern.prefix.components() {
        path.push(component);
        if !matches!(component, Component::Normal(_)) {
            continue;
        }
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                return Err(symlink(&path));
            }
            Ok(_) => {}
            Err(error) if is_missing(&error) => return Err(pattern.no_match(None)),
            Err(error) => return Err(unreadable(&path, &error)),
        }
    }
    Ok(())
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Whether a symbolic link leads to a directory that the glob would look into. A link to nowhere, or
/// to a file that doesn't match, is harmless.
fn leads_on(pattern: &FilePattern, name: &Path, link: &DirEntry) -> bool {
    pattern.leads_through(name) && fs::metadata(link.path()).is_ok_and(|target| target.is_dir())
}

fn not_walked(error: walkdir::Error, start: &Path) -> Problem {
    let path = error.path().unwrap_or(start).to_owned();
    unreadable(&path, &error.into())
}

/// A glob leads to a symbolic link.
fn symlink(path: &Path) -> Problem {
    Problem::new(
        format!(
            "{} is a symbolic link, which a fingerprint does not follow",
            quoted(path)
        ),
        "use the real path of the files, or copy the files into the image instead of the link",
    )
}

/// A pipe, a socket or a device.
fn not_regular(path: &Path) -> Problem {
    Problem::new(
        format!("{} is neither a file nor a directory", quoted(path)),
        "only regular files can be fingerprinted: narrow the glob",
    )
}

/// A file or a directory that can't be read.
fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(
        format!("cannot read {}: {error}", quoted(path)),
        "make it readable by the user that launchgate runs as",
    )
}

/// The path in quotes, with escapes for anything that would break the line, such as a newline.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}
