//! Finding executables before anything runs, as execvp(3) would, and seeing why the kernel
//! would refuse them: no shebang, a missing interpreter or dynamic loader, no permission.
//!
//! An exec that fails after the migration is a release half done, and the kernel's "No such
//! file or directory" for a missing *loader* has cost many an evening.

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::fcntl::AtFlags;
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{AccessFlags, faccessat};

use crate::sys::environment::EnvEntry;

/// What execvp(3) searches where `PATH` is not set: glibc's and musl's are one or the other.
const DEFAULT_PATH: &str = "/usr/local/bin:/bin:/usr/bin";

/// How much of a file is read to see what it is: the kernel reads 256 (`BINPRM_BUF_SIZE`).
const HEAD: usize = 256;

/// The longest single argument or variable, its NUL included: 32 pages (execve(2)).
const STRING_LIMIT: usize = 32 * 4096;

/// What comes on top of a program's own words: its path, and what a step is told.
const ADDED: usize = 8 * 1024;

/// Why something can't be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It is not there: exit code 127.
    NotFound {
        /// What was looked for and where.
        what: String,
        /// What to do.
        hint: String,
    },
    /// It is there, but can't be executed: exit code 126.
    NotExecutable {
        /// What it is.
        what: String,
        /// What to do.
        hint: String,
    },
}

impl Unfit {
    fn not_found(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::NotFound {
            what: what.into(),
            hint: hint.into(),
        }
    }

    fn not_executable(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::NotExecutable {
            what: what.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { what, .. } | Self::NotExecutable { what, .. } => f.write_str(what),
        }
    }
}

/// Finds the file that executing `name` would execute, with the `PATH` that it would have.
///
/// # Errors
/// It is not there, or it can't be executed.
pub fn find(name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Unfit> {
    if name.as_bytes().contains(&b'/') {
        let file = PathBuf::from(name);
        return fit(&file).map(|()| file);
    }
    let mut refused = None;
    for file in candidates(name, path) {
        match fit(&file) {
            Ok(()) => return Ok(file),
            Err(Unfit::NotFound { .. }) if !file.exists() => {}
            // As execvp: one that may not be executed hides none behind it.
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(|| {
        let name = name.to_string_lossy();
        let path = path.map_or(DEFAULT_PATH.into(), OsStr::to_string_lossy);
        Unfit::not_found(
            format!("{name} is not found in PATH={path}"),
            format!("install {name} in the image, or write its whole path"),
        )
    }))
}

fn candidates(name: &OsStr, path: Option<&OsStr>) -> Vec<PathBuf> {
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH)).as_bytes();
    path.split(|&byte| byte == b':')
        .map(|folder| {
            // An empty element is the working directory (environ(7)).
            let mut file = folder.to_vec();
            if !file.is_empty() {
                file.push(b'/');
            }
            file.extend(name.as_bytes());
            PathBuf::from(OsString::from_vec(file))
        })
        .collect()
}

fn fit(file: &Path) -> Result<(), Unfit> {
    let shown = file.display();
    let meta = match fs::metadata(file) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Unfit::not_executable(
                format!("{shown} can't be reached: permission denied"),
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
            let hint = format!(
                "put it into the image, or correct the path; relative paths start at {}",
                here()
            );
            return Err(Unfit::not_found(format!("{shown} is not there"), hint));
        }
    };
    if meta.is_dir() {
        return Err(Unfit::not_executable(
            format!("{shown} is a directory"),
            "name the program in it",
        ));
    }
    if !meta.is_file() {
        return Err(Unfit::not_executable(
            format!("{shown} is no regular file"),
            "name a program",
        ));
    }
    if faccessat(
        nix::fcntl::AT_FDCWD,
        file,
        AccessFlags::X_OK,
        AtFlags::AT_EACCESS,
    )
    .is_err()
    {
        return Err(Unfit::not_executable(
            format!("{shown} is not executable by this user"),
            format!("`chmod +x {shown}` in the image, or name the interpreter in front of it"),
        ));
    }
    // Unreadable but executable is fine: the kernel will look inside.
    File::open(file).map_or(Ok(()), |opened| fit_inside(file, &opened))
}

fn here() -> String {
    std::env::current_dir().map_or_else(
        |_| "the working directory".into(),
        |d| d.display().to_string(),
    )
}

fn fit_inside(file: &Path, opened: &File) -> Result<(), Unfit> {
    let mut head = [0; HEAD];
    let Ok(len) = opened.take(HEAD as u64).read(&mut head) else {
        return Ok(());
    };
    let head = &head[..len];
    if let Some(line) = head.strip_prefix(b"#!") {
        return interpreter(file, line);
    }
    if head.starts_with(b"\x7fELF") {
        return loader(file, head, opened);
    }
    // Another format may be one that the kernel was taught (binfmt_misc); text is none,
    // unless its name ends in something that was registered.
    if len == 0 || (!head.contains(&0) && file.extension().is_none_or(|e| !registered(e))) {
        return Err(Unfit::not_executable(
            format!(
                "{} has no `#!` line, so only a shell could run it",
                file.display()
            ),
            "begin the script with `#!/bin/sh` or its interpreter, or name the interpreter in front of it",
        ));
    }
    Ok(())
}

/// Whether `binfmt_misc` knows this file name extension.
fn registered(extension: &OsStr) -> bool {
    let Ok(entries) = fs::read_dir("/proc/sys/fs/binfmt_misc") else {
        return false;
    };
    let wanted = format!("extension .{}", extension.to_string_lossy());
    entries.filter_map(Result::ok).any(|entry| {
        fs::read_to_string(entry.path()).is_ok_and(|text| text.lines().any(|line| line == wanted))
    })
}

fn interpreter(script: &Path, line: &[u8]) -> Result<(), Unfit> {
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let name = line
        .trim_ascii_start()
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .next()
        .unwrap_or_default();
    let path = Path::new(OsStr::from_bytes(name));
    if name.is_empty() || path.exists() {
        return Ok(());
    }
    let shown = script.display();
    if name.ends_with(b"\r") {
        return Err(Unfit::not_found(
            format!("{shown} has Windows line ends, so its interpreter is not found"),
            "save it with Unix line ends",
        ));
    }
    Err(Unfit::not_found(
        format!(
            "{shown} wants the interpreter {}, which is not there",
            path.display()
        ),
        "install it in the image, or correct the script's first line",
    ))
}

/// An ELF file's dynamic loader (elf(5), `PT_INTERP`), which a scratch or musl image lacks.
fn loader(file: &Path, head: &[u8], opened: &File) -> Result<(), Unfit> {
    let Some(name) = elf_interpreter(head, opened) else {
        return Ok(());
    };
    let path = Path::new(OsStr::from_bytes(&name));
    if path.exists() {
        return Ok(());
    }
    Err(Unfit::not_found(
        format!(
            "{} wants the dynamic loader {}, which is not there",
            file.display(),
            path.display()
        ),
        "link it statically, or build it for the C library of this image",
    ))
}

fn elf_interpreter(head: &[u8], opened: &File) -> Option<Vec<u8>> {
    // 64-bit little-endian only, which is every machine launchgate is built for.
    if head.get(4..6) != Some(&[2, 1]) {
        return None;
    }
    let at = u64::from_le_bytes(head.get(32..40)?.try_into().ok()?);
    let size = u64::from(u16::from_le_bytes(head.get(54..56)?.try_into().ok()?));
    let count = u64::from(u16::from_le_bytes(head.get(56..58)?.try_into().ok()?));
    for i in 0..count.min(64) {
        let mut entry = [0; 56];
        opened
            .read_exact_at(&mut entry, at.checked_add(i * size)?)
            .ok()?;
        if entry[..4] != [3, 0, 0, 0] {
            continue;
        }
        let offset = u64::from_le_bytes(entry[8..16].try_into().ok()?);
        let len = u64::from_le_bytes(entry[32..40].try_into().ok()?);
        let mut name = vec![0; usize::try_from(len.min(4096)).ok()?];
        opened.read_exact_at(&mut name, offset).ok()?;
        name.retain(|&byte| byte != 0);
        return Some(name);
    }
    None
}

/// Whether the kernel will take these arguments and variables (execve(2), "Limits on size of
/// arguments and environment").
///
/// # Errors
/// They are too long, alone or together.
pub fn measure(argv: &[CString], environment: &[EnvEntry]) -> Result<(), Unfit> {
    let mut total = ADDED;
    let strings = argv.iter().map(|word| &**word);
    for string in strings.chain(environment.iter().map(|entry| &**entry)) {
        let len = string.to_bytes_with_nul().len();
        if len > STRING_LIMIT {
            // Of a variable the name: its value may be a secret.
            let text = string.to_string_lossy();
            let start = text.split('=').next().unwrap_or_default();
            let start: String = start.chars().take(40).collect();
            return Err(Unfit::not_executable(
                format!(
                    "an argument or variable of {len} bytes (`{start}…`) is longer than the kernel's {STRING_LIMIT}"
                ),
                "put it into a file",
            ));
        }
        total += len + size_of::<usize>();
    }
    let stack = getrlimit(Resource::RLIMIT_STACK).map_or(8 << 20, |(soft, _)| soft);
    // A quarter of the stack, at most 6 MiB, at least 32 pages.
    let limit = usize::try_from(stack / 4)
        .unwrap_or(usize::MAX)
        .clamp(STRING_LIMIT, 6 << 20);
    if total > limit {
        return Err(Unfit::not_executable(
            format!(
                "arguments and environment of {total} bytes are more than the kernel's {limit}"
            ),
            "pass less, or raise the stack limit (`ulimit -s`)",
        ));
    }
    Ok(())
}
