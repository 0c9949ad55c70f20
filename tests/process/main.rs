//! Black-box tests of what launchgate does to processes: steps, signals, terminals, the server.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[path = "../common/mod.rs"]
mod common;

mod at_terminal;
mod bad_input;
mod behind_entrypoint;
mod captured;
mod check;
mod codes;
mod colours;
mod commands;
mod convert;
mod generate;
mod health;
mod init;
mod init_command;
mod init_input;
mod init_leftovers;
mod init_terminal;
mod inits_page;
mod json;
mod last_moment;
mod leftovers;
mod links;
mod order;
mod output;
mod preflight;
mod probe_command;
mod server_view;
mod settings;
mod settings_file;
mod step_view;
mod stopping;
mod termination;
mod unwritable;
mod users;
