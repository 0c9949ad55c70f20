//! Programs of Debian unstable that scripts/test unpacks into a folder, with every library that they need.

use std::{path::PathBuf, process::Command};

use super::home::{command_as, tool};

/// The folder, which has a `usr`.
pub fn folder() -> PathBuf {
    let folder = tool("LAUNCHGATE_TEST_SID", "sid");
    assert!(
        folder.join("complete").exists(),
        "no MySQL 9, PgBouncer 1.26 and Odyssey 1.5 in {}: scripts/test unpacks them (need_sid in scripts/lib.sh) into \
         target/tools/sid; set LAUNCHGATE_TEST_SID to where they are",
        folder.display()
    );
    folder
}

/// A program of it, run as `user` by the folder's own dynamic linker.
pub fn command(user: &str, program: &str) -> Command {
    let folder = folder();
    let mut command = command_as(user, &folder.join("usr/lib64/ld-linux-x86-64.so.2"));
    command
        .arg("--library-path")
        .arg(folder.join("usr/lib/x86_64-linux-gnu"))
        .arg(folder.join(program));
    command
}
