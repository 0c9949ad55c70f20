//! Finding executables before anything runs, as execvp(3) would, and checking that the kernel
//! will run them: permission, interpreter, dynamic loader, architecture.
//!
//! An exec that fails after the migration leaves a release half done, and the kernel's own
//! words for it ("No such file or directory" for a missing loader) rarely say why.

mod elf;
mod limits;
mod machine;
mod script;

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::AtFlags;
use nix::unistd::{AccessFlags, faccessat};

pub use limits::measure;

/// What execvp(3) searches if `PATH` is not set: glibc and musl have one or the other.
const DEFAULT_PATH: &str = "/usr/local/bin:/bin:/usr/bin";

/// How much of a file the kernel reads to see what it is (`BINPRM_BUF_SIZE`).
const HEAD: usize = 256;

/// How many interpreters may follow each other: a script's may be a script too (execve(2)).
const MAX_INTERPRETERS: usize = 4;

/// Why something can't be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Whether it does not exist: exit code 127. Otherwise it can't be executed: 126.
    pub is_missing: bool,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: String,
}

impl Unfit {
    fn new(is_missing: bool, what: impl Into<String>, hint: impl Into<String>) -> Self {
        let (what, hint) = (what.into(), hint.into());
        Self {
            is_missing,
            what,
            hint,
        }
    }

    fn not_found(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(true, what, hint)
    }

    fn not_executable(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(false, what, hint)
    }

    /// The same, with words in front of what it is.
    fn because_of(self, before: &str) -> Self {
        let what = format!("{before}: {}", self.what);
        Self { what, ..self }
    }
}

/// Finds the file that executing `name` would execute, with the `PATH` that it would have.
///
/// # Errors
/// It does not exist, or the kernel would not execute it.
pub fn find(name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Unfit> {
    find_at(name, path, 0)
}

fn find_at(name: &OsStr, path: Option<&OsStr>, depth: usize) -> Result<PathBuf, Unfit> {
    if name.as_bytes().contains(&b'/') {
        let file = PathBuf::from(name);
        return fit(&file, path, depth).map(|()| file);
    }
    let mut refused = None;
    // An empty element is the working directory (environ(7)).
    for folder in env::split_paths(path.unwrap_or(OsStr::new(DEFAULT_PATH))) {
        let file = folder.join(name);
        let fit = match check_file(&file) {
            Err(error) if error.is_missing => continue,
            checked => checked.and_then(|()| check_contents(&file, path, depth)),
        };
        match fit {
            Ok(()) => return Ok(file),
            // As in execvp: a file that may not be executed does not hide one further on.
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(|| {
        let name = name.to_string_lossy();
        let path = path.map_or(DEFAULT_PATH.into(), OsStr::to_string_lossy);
        Unfit::not_found(
            format!("{name} was not found in PATH={path}"),
            format!("install {name} in the image, or write its full path"),
        )
    }))
}

fn fit(file: &Path, path: Option<&OsStr>, depth: usize) -> Result<(), Unfit> {
    check_file(file)?;
    check_contents(file, path, depth)
}

/// Whether the kernel will run a file that may be executed.
fn check_contents(file: &Path, path: Option<&OsStr>, depth: usize) -> Result<(), Unfit> {
    let Ok(opened) = File::open(file) else {
        return check_unreadable(file);
    };
    let mut head = [0; HEAD];
    let Ok(len) = (&opened).take(HEAD as u64).read(&mut head) else {
        return Ok(());
    };
    let head = &head[..len];
    if let Some(line) = head.strip_prefix(b"#!") {
        return script::check(file, line, path, depth);
    }
    if head.starts_with(elf::MAGIC) {
        return elf::check(file, head, &opened);
    }
    check_unknown(file, head)
}

/// A file that may be executed and not read. The kernel runs a program, but a script's interpreter has
/// to read the script; which of both it is can be seen only where it is set-user-id, since scripts are not.
fn check_unreadable(file: &Path) -> Result<(), Unfit> {
    const SET_ID: u32 = libc::S_ISUID | libc::S_ISGID;
    if fs::metadata(file).is_ok_and(|meta| meta.mode() & SET_ID != 0) {
        return Ok(());
    }
    let shown = file.display();
    Err(Unfit::not_executable(
        format!("{shown} can't be read by this user, and a script must be readable"),
        format!("run `chmod +r {shown}` in the image"),
    ))
}

/// Whether it is a file that this user may execute.
fn check_file(file: &Path) -> Result<(), Unfit> {
    let shown = file.display();
    let meta = match fs::metadata(file) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Unfit::not_executable(
                format!("can't access {shown}: permission denied"),
                "give this user search permission on its folders",
            ));
        }
        Err(error) if error.raw_os_error() == Some(libc::ENAMETOOLONG) => {
            return Err(Unfit::not_executable(
                "the program's name is too long",
                "shorten it",
            ));
        }
        Err(_) => {
            let mut hint = "copy it into the image, or fix the path".to_owned();
            if file.is_relative() {
                let folder = working_directory();
                hint = format!("{hint}; relative paths are resolved against {folder}");
            }
            return Err(Unfit::not_found(format!("{shown} does not exist"), hint));
        }
    };
    if !meta.is_file() {
        let kind = if meta.is_dir() {
            "a directory"
        } else {
            "not a regular file"
        };
        let what = format!("{shown} is {kind}");
        return Err(Unfit::not_executable(what, "use the path of a program"));
    }
    let flags = AtFlags::AT_EACCESS;
    if faccessat(nix::fcntl::AT_FDCWD, file, AccessFlags::X_OK, flags).is_err() {
        return Err(Unfit::not_executable(
            format!("{shown} is not executable by this user"),
            format!("run `chmod +x {shown}` in the image, or put the interpreter before it"),
        ));
    }
    Ok(())
}

fn working_directory() -> String {
    env::current_dir().map_or_else(
        |_| "the working directory".into(),
        |folder| folder.display().to_string(),
    )
}

/// A file that is neither a script nor an ELF program. It may still be one for which the kernel
/// was given an interpreter (`binfmt_misc`), by its first bytes or by how its name ends.
fn check_unknown(file: &Path, head: &[u8]) -> Result<(), Unfit> {
    let is_text = !head.contains(&0);
    let extension = file.extension();
    let is_registered = extension.is_some_and(|extension| match machine::extensions() {
        Some(known) => known.iter().any(|k| k.as_bytes() == extension.as_bytes()),
        // The list is not visible in most containers; a name of text is rarely in it.
        None => !is_text,
    });
    if !head.is_empty() && (is_registered || machine::runs(head)) {
        return Ok(());
    }
    let shown = file.display();
    if is_text {
        return Err(Unfit::not_executable(
            format!("{shown} has no `#!` line, so only a shell could run it"),
            "begin the script with `#!/bin/sh` or its interpreter, or put the interpreter before it",
        ));
    }
    let what = match head {
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => "a macOS program",
        [b'M', b'Z', ..] => "a Windows program",
        _ => "not in a format that this kernel can execute",
    };
    Err(Unfit::not_executable(
        format!("{shown} is {what}"),
        "build it for Linux, or put the program that runs it before it",
    ))
}
