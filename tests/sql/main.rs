//! `--sql` and `--snapshot` against real database servers.

#[path = "../common/mod.rs"]
mod common;

mod disk;
mod folder;
mod npm_tools;

mod connects_as_the_steps_do;
mod difficult_files;
mod every_database;
mod other_layouts;
mod prisma;
mod random_files;
mod random_folders;
mod refuses_what_it_cannot_apply;
mod snapshots;
mod sqlite_in_use;
mod stops;
mod takes_turns_with_npm_tools;
mod takes_turns_with_sqlx_cli;
mod the_folder_is_the_revision;
mod tried_again;
mod what_stays;
mod without_a_snapshot_nothing_migrates;
