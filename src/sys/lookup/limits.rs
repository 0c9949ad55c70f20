//! How much the kernel takes as arguments and environment.

use std::ffi::CString;

use nix::sys::resource::{Resource, getrlimit};

use super::Unfit;
use crate::sys::environment::EnvEntry;

/// The longest single argument or variable, its NUL included: 32 pages (execve(2)).
const STRING_LIMIT: usize = 32 * 4096;

/// Room for what comes on top: the path, and the variables that launchgate adds for a step.
const ADDED: usize = 8 * 1024;

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
                "pass it in a file instead",
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
                "arguments and environment take {total} bytes, more than the kernel's limit of {limit}"
            ),
            "pass less, or raise the stack limit (`ulimit -s`)",
        ));
    }
    Ok(())
}
