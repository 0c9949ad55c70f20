//! Properties of everything that reads text which others wrote: the database's URL, step commands, the
//! settings file, the command line, the chains that `convert` is given, release ids; and of what hides
//! passwords. Whatever the text is, launchgate must not panic, hang, or show a password, and what it
//! accepts must mean what it says.
//!
//! A test run tries a few hundred inputs each. `scripts/fuzz` tries more, for as long as it is told to.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod chains;
mod harness;
mod inputs;
mod migrations;
mod passwords;
mod releases;
mod settings;
mod settings_inputs;
mod urls;
mod words;
