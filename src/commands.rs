//! One file per command, each of which reads like the order of what it does. `every_start`,
//! `embedded`, `init_loop` and `table` are the parts and the processes that several of them need.
//!
//! May use every other room; nothing imports this one but `lib.rs`.

pub mod check;
pub mod convert;
pub mod embedded;
pub mod every_start;
pub mod generate;
pub mod init;
pub mod init_loop;
pub mod print_ddl;
pub mod probe;
pub mod resolve;
pub mod run;
pub mod status;
mod table;
pub mod wait;
