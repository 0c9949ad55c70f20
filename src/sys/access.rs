//! What this user may do in a folder.

use std::io;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

/// Whether files can be made there, as far as can be told without making one: access(2) also
/// knows a file system that is read-only.
pub fn may_make_files(folder: &Path) -> io::Result<()> {
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK).map_err(io::Error::from)
}
