//! The termination log: one short paragraph about why a gate failed, in the file that Kubernetes
//! reads (`kubectl describe pod`) or that `--termination-log` names.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::exit::{Failure, Problem};
use crate::redact::Secrets;
use crate::sys::NONBLOCK;

/// Where Kubernetes mounts the file (`terminationMessagePath`).
pub const DEFAULT: &str = "/dev/termination-log";

/// How many bytes Kubernetes keeps of it.
const MOST: usize = 4096;

/// Writes why the gate failed. A file named by a setting is created if it is missing; the default
/// one is only written if it exists.
///
/// # Errors
/// It could not be written.
pub fn write(named: Option<PathBuf>, failure: &Failure, secrets: &Secrets) -> Result<(), Problem> {
    let is_default = named.is_none();
    let path = named.unwrap_or_else(|| PathBuf::from(DEFAULT));
    match put(&path, is_default, &secrets.redact(&paragraph(failure))) {
        Err(error) if !is_default || error.kind() != std::io::ErrorKind::NotFound => {
            Err(Problem::new(
                format!("failed to write {}: {error}", path.display()),
                "set --termination-log to a file that this user can write",
            ))
        }
        _ => Ok(()),
    }
}

fn put(path: &Path, is_default: bool, text: &str) -> std::io::Result<()> {
    // A named pipe without a reader must not block.
    let mut options = OpenOptions::new();
    options
        .write(true)
        .truncate(true)
        .create(!is_default)
        .custom_flags(NONBLOCK);
    options.open(path)?.write_all(text.as_bytes())
}

fn paragraph(failure: &Failure) -> String {
    let mut text = format!(
        "launchgate: {} (exit code {})",
        failure.problem(),
        failure.code()
    );
    text = text.replace(char::is_control, " ");
    text.truncate(text.floor_char_boundary(MOST - 1));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_short_paragraph() {
        let text = paragraph(&Failure::usage("ä".repeat(9000), "b\nc"));
        assert!(text.len() <= MOST && text.ends_with('\n') && text.lines().count() == 1);
        let text = paragraph(&Failure::usage("a", "b"));
        assert_eq!(text, "launchgate: a; b (exit code 64)\n");
    }
}
