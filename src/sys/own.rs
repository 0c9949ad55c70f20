//! This process's own executable.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::lookup;

/// The file to execute to start this program again: the running one, even if its file has been
/// replaced or removed (proc(5)).
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
        let name = std::ffi::CStr::from_ptr(name);
        PathBuf::from(std::os::unix::ffi::OsStrExt::from_bytes(name.to_bytes()) as &OsStr)
    }
}

/// Whether executing `program` would execute this program, under whatever name.
pub fn is_file_of(program: &OsStr, path: Option<&OsStr>) -> bool {
    let Ok(file) = lookup::find(program, path) else {
        return false;
    };
    let (Ok(other), Ok(own)) = (fs::metadata(file), fs::metadata(self::program())) else {
        return false;
    };
    (other.dev(), other.ino()) == (own.dev(), own.ino())
}
