//! A scene's folder of migrations, and what was applied of it.

#![allow(unreachable_pub, reason = "a module of one test binary")]

use std::fs;
use std::path::PathBuf;

use crate::common::{Db, Gate, Scene};

/// The folder `migrations` beside the scene's scripts.
pub struct Migrations(pub PathBuf);

impl Migrations {
    pub fn new(scene: &Scene<'_>) -> Self {
        let path = scene.folder().join("migrations");
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("a migration");
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.0.join(name)).expect("a migration");
    }
}

/// Version and description of what the table says was applied, oldest version first.
pub fn applied(db: &Db) -> Vec<String> {
    let rows =
        db.sql("select version, description from _sqlx_migrations where success order by version");
    rows.lines().map(str::to_owned).collect()
}

/// `launchgate run --sql`, without a step of anybody else's.
pub fn with_sql<'a>(scene: &'a Scene<'a>, revision: &str) -> Gate<'a> {
    scene.bare(revision).args(["--sql", "migrations"])
}
