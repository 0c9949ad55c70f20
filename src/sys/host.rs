//! Who this is.

use nix::unistd::gethostname;

/// Host name and process id, for the ledger.
#[must_use]
pub fn holder() -> String {
    let name = gethostname().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|_| "unknown".into());
    format!(
        "{}:{}",
        name.chars().take(200).collect::<String>(),
        std::process::id()
    )
}
