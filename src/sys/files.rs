//! Reading files: one that may turn out to be something else, and many small ones in a folder,
//! which every start does if they are the revision.

use std::ffi::{CString, OsStr};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, read};

/// Whether a path could not be followed because its symbolic links lead in a circle.
#[must_use]
pub fn is_circle(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ELOOP)
}

fn read_open(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    let length = file.take(limit + 1).read_to_end(&mut contents)?;
    if length as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {} KiB", limit / 1024),
        ));
    }
    Ok(contents)
}

/// Why a file can't be trusted: someone other than root could have written it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untrusted {
    /// It belongs to this user.
    Owner(u32),
    /// This group may write it.
    Group(u32),
    /// Everyone may write it.
    Everyone,
}

/// Reads a regular file of at most `limit` bytes: a pipe that nobody writes to would block forever.
///
/// # Errors
/// It can't be read, is larger (`FileTooLarge`), or is not a regular file.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_open(&open_regular(path)?.0, limit)
}

/// The same, and if this process is root's, whether someone else could have written the file.
///
/// # Errors
/// As in [`read_regular`].
pub fn read_trusted(path: &Path, limit: u64) -> io::Result<(Vec<u8>, Option<Untrusted>)> {
    let (file, meta) = open_regular(path)?;
    let untrusted = geteuid().is_root().then(|| distrust(&meta)).flatten();
    Ok((read_open(&file, limit)?, untrusted))
}

/// Whether a regular file can be read.
///
/// # Errors
/// It can't be opened, or is something else: `IsADirectory` or `InvalidInput`.
pub fn check_regular(path: &Path) -> io::Result<()> {
    open_regular(path).map(drop)
}

fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    // So as not to wait for the writer of a pipe.
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    // Of the open file: another one may have taken its name.
    let meta = file.metadata()?;
    if meta.is_dir() {
        let what = "it is a folder";
        return Err(io::Error::new(io::ErrorKind::IsADirectory, what));
    }
    if !meta.is_file() {
        let what = "it is not a regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok((file, meta))
}

fn distrust(meta: &Metadata) -> Option<Untrusted> {
    let (everyone, group) = (meta.mode() & 0o002 != 0, meta.mode() & 0o020 != 0);
    if meta.uid() != 0 {
        Some(Untrusted::Owner(meta.uid()))
    } else if everyone {
        Some(Untrusted::Everyone)
    } else if group && meta.gid() != 0 {
        Some(Untrusted::Group(meta.gid()))
    } else {
        None
    }
}

/// Whether a path leads to a regular file that its owner's group and others may not even read, as
/// libpq wants its password file.
pub fn is_private(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.mode().trailing_zeros() >= 6)
}

/// Whether something is mounted there, as far as the kernel tells: it does since Linux 5.8.
pub fn is_mount_point(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: all zeroes is a value of this plain C structure; the path and the structure live through
    // the call.
    let (result, status) = unsafe {
        let mut status: libc::statx = std::mem::zeroed();
        let result = libc::statx(libc::AT_FDCWD, path.as_ptr(), 0, 0, &raw mut status);
        (result, status)
    };
    let mount_root = u64::from(libc::STATX_ATTR_MOUNT_ROOT.cast_unsigned());
    result == 0 && status.stx_attributes & mount_root != 0
}

/// An open folder whose files are read one after the other, by relative names and with as few
/// system calls as possible: with a thousand small files the calls take most of the time.
#[derive(Debug)]
pub struct OpenFolder {
    open: File,
    buffer: Vec<u8>,
}

impl OpenFolder {
    /// Opens it. Opening files by name does not need the right to list them (open(2), `O_PATH`).
    ///
    /// # Errors
    /// It does not exist.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let mut options = OpenOptions::new();
        Ok(Self {
            open: options.read(true).custom_flags(flags.bits()).open(path)?,
            buffer: vec![0; 16 * 1024],
        })
    }

    /// Passes a file's contents to `take`, piece by piece.
    ///
    /// # Errors
    /// It can't be read to its end.
    pub fn read(&mut self, name: &OsStr, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        // So as not to wait for the writer of a pipe.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = openat(self.open.as_fd(), name, flags, Mode::empty())?;
        loop {
            match read(&file, &mut self.buffer)? {
                0 => return Ok(()),
                length => take(&self.buffer[..length]),
            }
        }
    }
}
