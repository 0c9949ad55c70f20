//! Everything that launchgate shows while it runs: log, progress line, termination log, health
//! endpoint, printed results.
//!
//! May touch `sys` and the leaves; never the gate or SQL.

pub mod health;
pub mod live;
pub mod log;
pub mod options;
pub mod print;
pub mod termination;
pub mod timeline;
