//! `--sql` and `--snapshot` against real database servers.

#[path = "../common/mod.rs"]
mod common;

mod disk;
mod folder;

mod difficult_files;
mod every_database;
mod other_layouts;
mod random_files;
mod sqlite_and_snapshots;
mod takes_turns_with_npm_tools;
mod takes_turns_with_sqlx_cli;
