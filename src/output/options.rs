//! What the output is configured with. `settings` fills these in; here, the origin of a value is only
//! text for a message.

use std::net::SocketAddr;

enum_with_all! {
    /// How a log line looks.
    #[derive(Default)]
    pub enum Format {
        /// For people.
        #[default]
        Text = "text",
        /// One object per line.
        Json = "json",
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only warnings and errors.
    Quiet,
    /// One line per transition.
    Normal,
    /// Debug messages too (`-v`).
    Verbose,
}

/// Where health checks are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthAddress {
    /// As the user wrote it.
    pub text: String,
    /// The first address whose family this machine supports is used.
    pub addresses: Vec<SocketAddr>,
    /// The setting that names it, for messages.
    pub source: String,
}
