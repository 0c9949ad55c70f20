//! A clock that a test sets, for a program that runs on it: `clock.c`, preloaded into the program.
#![allow(dead_code, reason = "another test binary has it, too")]

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::common::home::output;

/// A file with an offset from the real clock, in seconds, which the programs that run on it have mapped.
pub(crate) struct Clock {
    folder: TempDir,
    offset: File,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("launchgate-clock-")
            .tempdir()
            .expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chaos/clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-shared", "-fPIC", "-Wall", "-Werror", "-o"]);
        output(compiler.arg(folder.path().join("clock.so")).arg(source));
        let offset = File::create(folder.path().join("offset")).expect("a file");
        let clock = Self { folder, offset };
        clock.set(0);
        clock
    }

    /// Sets it to so many seconds after the real clock.
    pub(crate) fn set(&self, offset: i64) {
        let written = self.offset.write_all_at(&offset.to_ne_bytes(), 0);
        written.expect("an offset");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What has a program run on this clock.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        let at = |name| self.path(name).display().to_string();
        [
            ("LD_PRELOAD", at("clock.so")),
            ("CLOCK_OFFSET", at("offset")),
        ]
    }

    /// A server's command on this clock; `setpriv`, which may come before it, is not.
    pub(crate) fn command(&self, server: &Command) -> Command {
        let words: Vec<_> = std::iter::once(server.get_program())
            .chain(server.get_args())
            .collect();
        let own = words.iter().position(|word| *word == "--");
        let (user, own) = words.split_at(own.map_or(0, |at| at + 1));
        let variables = self.variables();
        let variables = variables.map(|(name, value)| format!("{name}={value}"));
        let env = OsStr::new("env");
        let mut all = user.iter().chain([&env]);
        let mut command = Command::new(all.next().expect("a program"));
        command.args(all).args(variables).args(own);
        command
    }
}
