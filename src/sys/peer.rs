//! Recognizing other processes of this program (proc(5)).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Whether there is such a process, a zombie included.
pub fn lives(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
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
    match (file(&folder.join("exe")), file(Path::new("/proc/self/exe"))) {
        (Some(other), Some(own)) => other == own,
        // Another user's: go by its name.
        _ => name.rsplit(|&byte| byte == b'/').next() == Some(b"launchgate"),
    }
}

/// Device and inode.
fn file(path: &Path) -> Option<(u64, u64)> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino()))
}
