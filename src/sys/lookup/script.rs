//! Scripts: whether the interpreter that the first line names will run.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{MAX_INTERPRETERS, Unfit, find_at, fit};

/// Shells take an option that ends in a carriage return for an unknown one.
const SHELLS: [&[u8]; 6] = [b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh"];

/// Checks the interpreter of `script`, whose first line continues with `line` after `#!`.
pub(super) fn check(
    script: &Path,
    line: &[u8],
    path: Option<&OsStr>,
    depth: usize,
) -> Result<(), Unfit> {
    let shown = script.display();
    let Some(Shebang { name, argument }) = Shebang::parse(line) else {
        return Err(Unfit::not_executable(
            format!("{shown} has no interpreter after `#!`"),
            "begin the script with `#!/bin/sh` or its interpreter",
        ));
    };
    let interpreter = Path::new(OsStr::from_bytes(name));
    let own_name = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
    let is_env = own_name == b"env";
    let ends_in_return = argument.ends_with(b"\r") && (is_env || SHELLS.contains(&own_name));
    if ends_in_return || (name.ends_with(b"\r") && !interpreter.exists()) {
        return Err(Unfit::not_found(
            format!("{shown} has Windows line endings, so its interpreter can't be found"),
            format!("convert it to Unix line endings: `sed -i 's/\\r$//' {shown}`"),
        ));
    }
    if depth >= MAX_INTERPRETERS {
        return Err(Unfit::not_executable(
            format!("{shown} has too many levels of script interpreters"),
            "use a program, not a script, as the interpreter",
        ));
    }
    let wanted = format!(
        "{shown} needs the interpreter {}",
        String::from_utf8_lossy(name)
    );
    match fit(interpreter, path, depth + 1) {
        Ok(()) => {}
        Err(error) if error.is_missing && !interpreter.exists() => {
            return Err(Unfit::not_found(
                format!("{wanted}, which does not exist"),
                "install it in the image, or fix the script's first line",
            ));
        }
        Err(error) => return Err(error.because_of(&wanted)),
    }
    if !is_env {
        return Ok(());
    }
    check_env(&shown.to_string(), argument, path, depth)
}

/// What `env` is to look up in `PATH`.
fn check_env(
    shown: &str,
    argument: &[u8],
    path: Option<&OsStr>,
    depth: usize,
) -> Result<(), Unfit> {
    let Some(program) = env_program(argument) else {
        return Ok(());
    };
    if program.contains(&b' ') {
        let words = String::from_utf8_lossy(program);
        return Err(Unfit::not_found(
            format!("{shown} passes `{words}` to env as a single word"),
            format!("write `#!/usr/bin/env -S {words}`"),
        ));
    }
    let name = OsStr::from_bytes(program);
    match find_at(name, path, depth + 1) {
        Ok(_) => Ok(()),
        Err(error) => {
            let name = name.to_string_lossy();
            Err(error.because_of(&format!("{shown} needs the interpreter {name}")))
        }
    }
}

/// The program that `env` starts for this argument; `None` if that depends on more than `PATH`.
fn env_program(argument: &[u8]) -> Option<&[u8]> {
    let split = argument
        .strip_prefix(b"-S")
        .or_else(|| argument.strip_prefix(b"--split-string="));
    let is_plain =
        |word: &&[u8]| !word.is_empty() && !word.starts_with(b"-") && !word.contains(&b'=');
    let Some(words) = split else {
        return Some(argument).filter(is_plain);
    };
    // Quotes, escapes, variables, options and assignments are left to env.
    if words.iter().any(|byte| b"'\"\\$#".contains(byte)) {
        return None;
    }
    let mut words = words.trim_ascii_start().split(u8::is_ascii_whitespace);
    words.next().filter(is_plain)
}

/// The first line of a script, as the kernel reads it (execve(2), "Interpreter scripts").
#[derive(Debug, PartialEq, Eq)]
struct Shebang<'a> {
    name: &'a [u8],
    /// All that follows, which is one argument.
    argument: &'a [u8],
}

impl<'a> Shebang<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let line = line.split(|&byte| byte == b'\n').next()?;
        let start = line.iter().position(|byte| !is_blank(byte))?;
        let line = &line[start..];
        let end = line.iter().position(|byte| is_blank(byte) || *byte == 0);
        let (name, rest) = line.split_at(end.unwrap_or(line.len()));
        let start = rest.iter().position(|byte| !is_blank(byte));
        let rest = &rest[start.unwrap_or(rest.len())..];
        let end = rest.iter().rposition(|byte| !is_blank(byte));
        let argument = &rest[..end.map_or(0, |end| end + 1)];
        (!name.is_empty()).then_some(Self { name, argument })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_is_a_name_and_one_argument() {
        for (line, name, argument) in [
            ("/bin/sh\necho", "/bin/sh", ""),
            (" \t/bin/sh -e  \n", "/bin/sh", "-e"),
            ("/usr/bin/env -S node --x\n", "/usr/bin/env", "-S node --x"),
            ("/bin/sh\r\n", "/bin/sh\r", ""),
            ("/bin/sh", "/bin/sh", ""),
        ] {
            let found = Shebang::parse(line.as_bytes()).unwrap();
            let (name, argument) = (name.as_bytes(), argument.as_bytes());
            assert_eq!(found, Shebang { name, argument });
        }
        for line in ["", "\n", "  \n"] {
            assert_eq!(Shebang::parse(line.as_bytes()), None);
        }
    }

    #[test]
    fn env_looks_up_a_plain_name_alone() {
        for (argument, program) in [
            ("node", Some("node")),
            ("node --flag", Some("node --flag")),
            ("-S node --flag", Some("node")),
            ("-Snode", Some("node")),
            ("--split-string=node x", Some("node")),
            ("-S A=1 node", None),
            ("-S -i node", None),
            ("-S 'a b'", None),
            ("-i", None),
            ("A=1", None),
            ("", None),
        ] {
            let program = program.map(str::as_bytes);
            assert_eq!(env_program(argument.as_bytes()), program, "{argument}");
        }
    }
}
