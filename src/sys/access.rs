//! What this user may do with a file or a folder, found without doing it.

use std::io;
use std::path::Path;

use nix::unistd::{AccessFlags, access, geteuid};

/// The user that this process acts as.
pub fn user() -> u32 {
    geteuid().as_raw()
}

/// Whether files can be created in a folder, as far as access(2) knows; it does know about
/// read-only file systems.
pub fn may_make_files(folder: &Path) -> io::Result<()> {
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK).map_err(io::Error::from)
}

/// Whether a file can be written.
pub fn may_write(file: &Path) -> io::Result<()> {
    access(file, AccessFlags::W_OK).map_err(io::Error::from)
}

/// Whether a file can be read.
pub fn may_read(file: &Path) -> io::Result<()> {
    access(file, AccessFlags::R_OK).map_err(io::Error::from)
}
