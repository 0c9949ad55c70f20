//! Whether this kernel runs programs of some kind, found by asking it.
//!
//! The list of registered formats (`binfmt_misc`, used by qemu and Rosetta) is not visible inside
//! most containers, although it applies there. So launchgate creates a file in memory with the same
//! first bytes, one that can't possibly run, and executes it: the kernel answers ENOEXEC if it
//! knows no way to run such files, and something else if it does.

use std::ffi::{CStr, OsString};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::execveat;

/// Whether it runs files that begin like this. Files that it would run by itself must not be
/// asked for, unless their execution is bound to fail.
pub(super) fn runs(head: &[u8]) -> bool {
    let Ok(file) = in_memory(head) else {
        // Without such a file there is no answer, and the real one decides.
        return true;
    };
    // The descriptor is closed by exec, so no interpreter could open what it is to interpret: the
    // kernel refuses with ENOENT before it starts one (execveat(2), "BUGS").
    let none: [&CStr; 0] = [];
    execveat(&file, c"", &none, &none, AtFlags::AT_EMPTY_PATH) != Err(Errno::ENOEXEC)
}

/// An executable file without a name (`memfd_create(2)`).
fn in_memory(contents: &[u8]) -> std::io::Result<File> {
    /// `MFD_EXEC`, asked for where files in memory are not executable unless that is said (Linux 6.3).
    const EXECUTABLE: MFdFlags = MFdFlags::from_bits_retain(0x10);
    let make = |flags| memfd_create(c"launchgate", MFdFlags::MFD_CLOEXEC | flags);
    let mut file = File::from(make(EXECUTABLE).or_else(|_| make(MFdFlags::empty()))?);
    file.write_all(contents)?;
    Ok(file)
}

/// The extensions of file names for which the kernel was given an interpreter; `None` if the
/// list can't be seen.
pub(super) fn extensions() -> Option<Vec<OsString>> {
    let entries = fs::read_dir("/proc/sys/fs/binfmt_misc").ok()?;
    let entries: Vec<_> = entries.filter_map(Result::ok).collect();
    if entries.is_empty() {
        return None;
    }
    let texts = entries
        .iter()
        .filter_map(|entry| fs::read(entry.path()).ok());
    let extension = |text: Vec<u8>| {
        let mut lines = text.split(|&byte| byte == b'\n');
        let found = lines.find_map(|line| line.strip_prefix(b"extension ."));
        found.map(|name| OsString::from_vec(name.to_vec()))
    };
    Some(texts.filter_map(extension).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_nobody_registered_does_not_run() {
        assert!(!runs(b"launchgate's own format, which no kernel knows"));
    }
}
