//! Why there is no fingerprint. Paths are shown quoted, since a name can contain a newline.

use std::io;
use std::path::Path;

use crate::exit::Problem;

/// A glob leads to a symbolic link.
pub(super) fn symlink(path: &Path) -> Problem {
    Problem::new(
        format!(
            "{} is a symbolic link, which a fingerprint does not follow",
            quoted(path)
        ),
        "use the real path of the files, or copy the files into the image instead of the link",
    )
}

/// A pipe, a socket or a device.
pub(super) fn not_regular(path: &Path) -> Problem {
    Problem::new(
        format!("{} is neither a file nor a directory", quoted(path)),
        "only regular files can be fingerprinted: narrow the glob",
    )
}

/// A file or a directory that can't be read.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(
        format!("cannot read {}: {error}", quoted(path)),
        "make it readable by the user that launchgate runs as",
    )
}

/// The path in quotes, with escapes for anything that would break the line.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}
