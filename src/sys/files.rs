//! Reading files: one that may be no such file, and many small ones of one folder, which every
//! start does where they are the revision.
//!
//! The many by a name relative to the open folder, with as few system calls as can be, and on as many
//! threads as are worth it: of a thousand files it is the calls that take the time.

use std::ffi::OsString;
use std::fs::{File, metadata};
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::read;

/// So many files are worth a thread.
const SHARE: usize = 128;

/// More threads than this are not worth their start.
const THREADS: usize = 4;

/// The contents of a file of at most `limit` bytes.
///
/// # Errors
/// It can't be read, or holds more: `FileTooLarge`.
pub fn read_up_to(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    let length = File::open(path)?
        .take(limit + 1)
        .read_to_end(&mut contents)?;
    if length as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {} KiB", limit / 1024),
        ));
    }
    Ok(contents)
}

/// The same of a regular file: a pipe that nobody writes would be waited for without end.
///
/// # Errors
/// As [`read_up_to`]; it is something else.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let kind = metadata(path)?.file_type();
    if kind.is_dir() {
        let what = "it is a folder";
        return Err(io::Error::new(io::ErrorKind::IsADirectory, what));
    }
    if !kind.is_file() {
        let what = "it is no regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    read_up_to(path, limit)
}

/// What `digest` makes of each file's contents, in the order of the names.
///
/// # Errors
/// The first file that can't be read.
pub fn read_each<T: Send>(
    folder: &Path,
    names: &[OsString],
    digest: &(dyn Fn(&[u8]) -> T + Sync),
) -> io::Result<Vec<T>> {
    let folder = File::open(folder)?;
    let folder = &folder;
    let threads = match names.len() / SHARE {
        0 | 1 => 1,
        shares => thread::available_parallelism()
            .map_or(1, usize::from)
            .min(shares)
            .min(THREADS),
    };
    let share = names.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let mut shares = names.chunks(share);
        let first = shares.next().unwrap_or_default();
        let others: Vec<_> = shares
            .map(|names| scope.spawn(move || read_share(folder, names, digest)))
            .collect();
        let mut all = read_share(folder, first, digest)?;
        for other in others {
            let more = other.join();
            all.extend(more.map_err(|_| io::Error::other("a thread that reads died"))??);
        }
        Ok(all)
    })
}

fn read_share<T>(
    folder: &File,
    names: &[OsString],
    digest: &(dyn Fn(&[u8]) -> T + Sync),
) -> io::Result<Vec<T>> {
    let mut buffer = vec![0; 16 * 1024];
    names
        .iter()
        .map(|name| {
            // Not to wait for a pipe's writer.
            let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
            let file = openat(folder.as_fd(), name.as_os_str(), flags, Mode::empty())?;
            let mut length = 0;
            loop {
                if length == buffer.len() {
                    buffer.resize(length * 2, 0);
                }
                match read(&file, &mut buffer[length..])? {
                    0 => return Ok(digest(&buffer[..length])),
                    more => length += more,
                }
            }
        })
        .collect()
}
