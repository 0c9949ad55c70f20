//! Why there is no fingerprint.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no fingerprint. Paths are shown quoted, since a name can contain a newline.
#[derive(Debug)]
#[non_exhaustive]
pub enum FingerprintError {
    /// No glob was given.
    NoGlobs,
    /// A glob is invalid.
    Syntax {
        /// As it was given.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A glob matches no file.
    NoMatch {
        /// As it was given.
        glob: String,
        /// A directory that it does match.
        directory: Option<PathBuf>,
    },
    /// A glob leads to a symbolic link.
    Symlink {
        /// Where it is.
        path: PathBuf,
    },
    /// A pipe, a socket or a device.
    NotRegular {
        /// Where it is.
        path: PathBuf,
    },
    /// A file or a directory that can't be read.
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl FingerprintError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoGlobs => "list the files, as in 'migrations/**'".to_owned(),
            Self::Syntax { .. } => {
                "fix the glob; if a file name contains * ? [ ] { or }, escape it with a backslash".to_owned()
            }
            Self::NoMatch { directory: Some(directory), .. } => {
                let front = directory.display().to_string();
                let slash = if front.is_empty() || front.ends_with('/') { "" } else { "/" };
                format!("to match the files in that directory, write '{}'", format!("{front}{slash}**").escape_debug())
            }
            Self::NoMatch { directory: None, .. } => {
                "globs are relative to the working directory: check it, and check that the files are in the image".to_owned()
            }
            Self::Symlink { .. } => {
                "use the real path of the files, or copy the files into the image instead of the link".to_owned()
            }
            Self::NotRegular { .. } => "only regular files can be fingerprinted: narrow the glob".to_owned(),
            Self::Unreadable { .. } => "make it readable by the user that launchgate runs as".to_owned(),
        }
    }
}

impl fmt::Display for FingerprintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGlobs => f.write_str("no files to fingerprint"),
            Self::Syntax { glob, reason } => write!(f, "{glob:?} is not a valid glob: {reason}"),
            Self::NoMatch {
                glob,
                directory: Some(_),
            } => write!(f, "{glob:?} matches a directory but no file"),
            Self::NoMatch {
                glob,
                directory: None,
            } => write!(f, "{glob:?} matches no file"),
            Self::Symlink { path } => write!(
                f,
                "{} is a symbolic link, which a fingerprint does not follow",
                quoted(path)
            ),
            Self::NotRegular { path } => {
                write!(f, "{} is neither a file nor a directory", quoted(path))
            }
            Self::Unreadable { path, source } => {
                write!(f, "cannot read {}: {source}", quoted(path))
            }
        }
    }
}

impl Error for FingerprintError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The path in quotes, with escapes for anything that would break the line.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}
