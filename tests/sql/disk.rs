//! A small disk of a test's own.

#![allow(unreachable_pub, reason = "a module of one test binary")]

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::home::output;

/// A mounted tmpfs, gone with the test.
pub struct Disk(Option<tempfile::TempDir>);

impl Disk {
    pub fn new(options: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("launchgate-disk-")
            .tempdir()
            .expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "launchgate-test"]);
        output(mount.arg(folder.path()));
        Self(Some(folder))
    }

    pub fn path(&self) -> &Path {
        self.0.as_ref().expect("mounted").path()
    }

    pub fn entries(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("entries");
        entries
            .map(|e| e.expect("one").file_name().to_string_lossy().into_owned())
            .collect()
    }

    pub fn read_only(&self) {
        self.resize("ro");
    }

    pub fn writable(&self) {
        self.resize("rw");
    }

    /// Mounts it again with another option.
    pub fn resize(&self, option: &str) {
        let options = format!("remount,{option}");
        output(
            Command::new("mount")
                .args(["-o", &options])
                .arg(self.path()),
        );
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take() {
            let _ = Command::new("umount").arg("-l").arg(folder.path()).status();
        }
    }
}
