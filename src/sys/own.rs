//! This process's own executable, and other processes of it (proc(5)).

use std::ffi::{CStr, OsStr};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{descendants, lookup};

/// The file to execute to start this program again: the running one, even if its file has been
/// replaced or removed.
pub fn program() -> PathBuf {
    let own = Path::new("/proc/self/exe");
    if own.exists() {
        return own.to_owned();
    }
    // Without /proc, the name that execve(2) was given (getauxval(3)).
    // SAFETY: the string lives as long as the process; null is checked for.
    unsafe {
        let name = libc::getauxval(libc::AT_EXECFN) as *const libc::c_char;
        if name.is_null() {
            return own.to_owned();
        }
        PathBuf::from(OsStr::from_bytes(CStr::from_ptr(name).to_bytes()))
    }
}

/// Whether executing `program` would execute this program, under whatever name.
pub fn is_file_of(program: &OsStr, path: Option<&OsStr>) -> bool {
    let found = lookup::find(program, path).ok();
    found
        .and_then(|found| inode(&found))
        .is_some_and(|found| inode(&self::program()) == Some(found))
}

/// Whether there is such a process. A zombie has ended.
pub fn lives(pid: i32) -> bool {
    descendants::process(pid).is_some_and(|process| process.state != 'Z')
}

/// Whether process `pid` exists and is this program, started with one of `words` as its first
/// argument.
pub fn runs(pid: i32, words: &[&str]) -> bool {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let Ok(arguments) = fs::read(folder.join("cmdline")) else {
        return false;
    };
    let mut arguments = arguments.split(|&byte| byte == 0);
    let name = arguments.next().unwrap_or_default();
    let first = arguments.next().unwrap_or_default();
    if !words.iter().any(|word| word.as_bytes() == first) {
        return false;
    }
    match (
        inode(&folder.join("exe")),
        inode(Path::new("/proc/self/exe")),
    ) {
        (Some(other), Some(own)) => other == own,
        // Another user's: go by its name.
        _ => name.rsplit(|&byte| byte == b'/').next() == Some(b"launchgate"),
    }
}

/// The device and inode of a file.
fn inode(path: &Path) -> Option<(u64, u64)> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino()))
}
