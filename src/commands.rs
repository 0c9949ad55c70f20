//! One file per command. Each reads like the order of what it does.
//!
//! May use every other room; nothing imports this one but `lib.rs`.

pub mod check;
pub mod convert;
pub mod embedded;
pub mod every_start;
pub mod generate;
pub mod init;
mod init_state;
pub mod probe;
pub mod resolve;
pub mod run;
pub mod server;
pub mod status;
pub mod wait;
