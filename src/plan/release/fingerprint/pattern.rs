//! One glob: where to start, which directories to look into, which files it matches.

use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::exit::Problem;

/// A parsed glob. Paths are compared by name: relative to the root if the glob is relative, and
/// without `.` and `dir/..`.
pub(super) struct FilePattern {
    written: String,
    /// The leading directories without wildcards; the whole path if the glob has none.
    pub(super) prefix: PathBuf,
    /// Whether it is a plain path without wildcards.
    pub(super) is_literal: bool,
    files: String,
    /// The directories below the prefix that can contain a match.
    directories: Vec<String>,
}

impl FilePattern {
    pub(super) fn parse(written: &str) -> Result<Self, Problem> {
        let syntax = |reason: &str| {
            Problem::new(
                format!("{written:?} is not a valid glob: {reason}"),
                "fix the glob; if a file name contains * ? [ ] { or }, escape it with a backslash",
            )
        };
        if written.is_empty() {
            return Err(syntax("the glob is empty"));
        }
        let mut components: Vec<&str> = split(written)
            .map_err(syntax)?
            .into_iter()
            .filter(|name| !matches!(*name, "" | "."))
            .collect();
        if written.ends_with('/') {
            components.push("**");
        }
        let named = components.iter().take_while(|name| !is_wild(name)).count();
        let wild = components.split_off(named);
        if wild.contains(&"..") {
            return Err(syntax("`..` after a wildcard"));
        }
        let absolute = written.starts_with('/');
        let prefix = resolve(components, absolute);
        let front = if absolute {
            format!("/{}", prefix.join("/"))
        } else {
            prefix.join("/")
        };
        Ok(Self {
            files: join(&front, &wild),
            directories: directories(&front, &wild),
            written: written.to_owned(),
            prefix: PathBuf::from(front),
            is_literal: wild.is_empty(),
        })
    }

    /// The name of the entry at `below` under the prefix.
    pub(super) fn name_of(&self, below: &Path) -> PathBuf {
        if below.as_os_str().is_empty() {
            self.prefix.clone()
        } else {
            self.prefix.join(below)
        }
    }

    pub(super) fn matches(&self, name: &Path) -> bool {
        is_match(&self.files, name)
    }

    /// Whether a file under the directory of this name can match.
    pub(super) fn leads_through(&self, name: &Path) -> bool {
        name == self.prefix
            || self
                .directories
                .iter()
                .any(|directory| is_match(directory, name))
    }

    /// The error for a glob that matches no file, although it may match a directory.
    pub(super) fn no_match(&self, directory: Option<PathBuf>) -> Problem {
        let glob = &self.written;
        let Some(directory) = directory else {
            return Problem::new(
                format!("{glob:?} matches no file"),
                "globs are relative to the working directory: check it, and check that the files are in the image",
            );
        };
        let everything = directory.join("**").display().to_string();
        Problem::new(
            format!("{glob:?} matches a directory but no file"),
            format!(
                "to match the files in that directory, write '{}'",
                everything.escape_debug()
            ),
        )
    }
}

/// Splits at slashes, but not within `{…}`: an alternative may have slashes of its own.
///
/// # Errors
///
/// A bracket without its other half, a range from a higher character to a lower one, a backslash at the end.
fn split(glob: &str) -> Result<Vec<&str>, &'static str> {
    let mut components = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    let mut letters = glob.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if letters.next().is_none() => return Err("it ends with a backslash"),
            '[' => skip_class(letters.by_ref().map(|(_, letter)| letter))?,
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1).ok_or("`}` without `{`")?,
            '/' if depth == 0 => {
                components.push(&glob[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err("`{` without `}`");
    }
    components.push(&glob[start..]);
    Ok(components)
}

/// Reads what follows a `[`, up to its `]`. One that comes first stands for itself.
fn skip_class(letters: impl Iterator<Item = char>) -> Result<(), &'static str> {
    let mut letters = letters.peekable();
    letters.next_if(|letter| matches!(letter, '!' | '^'));
    let mut low = None;
    while let Some(letter) = letters.next() {
        match (letter, low) {
            (']', Some(_)) => return Ok(()),
            ('-', Some(low))
                if letters
                    .peek()
                    .is_some_and(|&high| high != ']' && high < low) =>
            {
                return Err("a range ends before it begins");
            }
            _ => low = Some(letter),
        }
    }
    Err("`[` without `]`")
}

fn is_wild(component: &str) -> bool {
    component.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

/// Takes out `dir/..`, which no symbolic link can make another place: links are refused.
fn resolve(components: Vec<&str>, absolute: bool) -> Vec<&str> {
    let mut resolved = Vec::new();
    for component in components {
        match (component, resolved.last()) {
            ("..", None) if absolute => {}
            ("..", Some(&last)) if last != ".." => {
                resolved.pop();
            }
            _ => resolved.push(component),
        }
    }
    resolved
}

fn join(front: &str, components: &[&str]) -> String {
    let mut glob = front.to_owned();
    for component in components {
        if !glob.is_empty() && !glob.ends_with('/') {
            glob.push('/');
        }
        glob.push_str(component);
    }
    glob
}

/// The globs of the directories on the way: each beginning of the glob, up to where one can't be
/// told, from where on every directory is.
fn directories(front: &str, wild: &[&str]) -> Vec<String> {
    let mut globs = Vec::new();
    for (at, component) in wild.iter().enumerate() {
        if component.contains('/') {
            let mut beginning = wild[..at].to_vec();
            beginning.push("**");
            globs.push(join(front, &beginning));
            break;
        }
        // The last component is about files, unless it is about everything below.
        if at + 1 < wild.len() || *component == "**" {
            globs.push(join(front, &wild[..=at]));
        }
    }
    globs
}

/// `*` stops at a slash, as in a shell.
fn is_match(glob: &str, name: &Path) -> bool {
    let name = name.as_os_str().as_bytes();
    // a leading `!` would turn the whole glob round
    if glob.starts_with('!') {
        fast_glob::glob_match(format!("\\{glob}"), name)
    } else {
        fast_glob::glob_match(glob, name)
    }
}
