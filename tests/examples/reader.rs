//! Does what a README says: runs its blocks in order, and compares what they print.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::blocks::{Block, blocks};
pub use crate::common::{docker::repository, home::free_port};
use crate::server::Server;

/// How long a server may take to listen, or to end.
pub const DEADLINE: Duration = Duration::from_mins(3);

/// The database that a README has its reader start.
pub const DATABASE: &str = "postgres://postgres:postgres@127.0.0.1:5432/postgres";

/// A reader who follows a README, with a folder, a free port and perhaps a database.
pub struct Reader {
    folder: PathBuf,
    pub port: u16,
    exported: String,
    /// What they write instead of what the README has.
    changes: Vec<(String, String)>,
    /// How many servers they start at once, each in a folder of its own, like a container's.
    replicas: usize,
}

impl Reader {
    /// In a fresh copy of the example.
    pub fn of(example: &str) -> Self {
        Self::within(copy(example))
    }

    /// In this folder.
    pub fn within(folder: PathBuf) -> Self {
        Self {
            folder,
            port: free_port(),
            exported: String::new(),
            changes: Vec::new(),
            replicas: 1,
        }
    }

    /// With a Postgres of their own.
    pub fn with_database(self, url: &str) -> Self {
        self.with(DATABASE, url)
    }

    /// With another text in place of the README's.
    pub fn with(mut self, text: &str, own: &str) -> Self {
        self.changes.push((text.to_owned(), own.to_owned()));
        self
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts three servers at once, and in the end one of them again.
    pub fn with_replicas(mut self) -> Self {
        self.replicas = 3;
        self
    }

    /// Runs the README of this example. What it started in the background goes on until it is
    /// through, and then has to end well. Returns how many that were.
    pub fn follow(mut self, example: &str) -> usize {
        let readme = repository("examples").join(example).join("README.md");
        let text = fs::read_to_string(readme).expect("a README");
        let replicas = tempfile::tempdir().expect("a folder");
        // The servers may run as another user.
        fs::set_permissions(replicas.path(), fs::Permissions::from_mode(0o755))
            .expect("permissions");
        let mut servers: Vec<Server> = Vec::new();
        let mut workers: Vec<Server> = Vec::new();
        for block in blocks(&text) {
            match block {
                Block::Export(script) => self.exported += &script,
                Block::Server(script) => servers.extend(self.start(&script, replicas.path())),
                Block::Worker(script) => workers.push(Server::launch(&self, &script)),
                Block::Run(script, expected) => self.run(&script, expected.as_deref()),
                Block::Until(script, expected) => self.run_until(&script, &expected),
            }
        }
        for worker in &workers {
            worker.is_no_longer_launchgate();
        }
        let count = servers.len() + workers.len();
        for server in servers.into_iter().chain(workers) {
            let script = server.script.clone();
            let status = server.stop();
            assert!(status.success(), "{script} ended with {status}");
        }
        count
    }

    /// The servers of this script, all at the same time, and the first of them again.
    fn start(&self, script: &str, folders: &Path) -> Vec<Server> {
        if self.replicas == 1 {
            let mut server = Server::launch(self, script);
            server.is_ready();
            return vec![server];
        }
        let readers: Vec<_> = (0..self.replicas)
            .map(|number| self.replica(number, folders))
            .collect();
        let start = |reader: &Self| Server::launch(reader, script);
        let mut servers: Vec<_> = readers.iter().map(start).collect();
        servers.iter_mut().for_each(Server::is_ready);
        let status = servers.remove(0).stop();
        assert!(status.success(), "{script} ended with {status}");
        let mut again = start(&readers[0]);
        again.is_ready();
        servers.push(again);
        servers
    }

    /// A copy of this reader. The first has the same port.
    fn replica(&self, number: usize, folders: &Path) -> Self {
        let folder = folders.join(number.to_string());
        let copy = "mkdir \"$0\"; for entry in $(ls -A); do case $entry in \
             .venv | node_modules) ln -s \"$PWD/$entry\" \"$0\" ;; *) cp -a \"$entry\" \"$0\" ;; esac; done";
        let mut command = Command::new("sh");
        command.args(["-e", "-c", copy]).arg(&folder);
        let status = command.current_dir(&self.folder).status().expect("sh");
        assert!(status.success(), "no copy of {}", self.folder.display());
        let port = if number == 0 { self.port } else { free_port() };
        Self {
            folder,
            port,
            exported: self.exported.clone(),
            changes: self.changes.clone(),
            replicas: 1,
        }
    }

    fn run_until(&self, script: &str, expected: &str) {
        let start = Instant::now();
        loop {
            let output = self.shell(script).output().expect("sh");
            let stdout = String::from_utf8_lossy(&output.stdout);
            if output.status.success() && stdout.trim_end() == expected.trim_end() {
                return;
            }
            assert!(
                start.elapsed() < DEADLINE,
                "{script}\nexpected:\n{expected}\nprinted:\n{stdout}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn run(&self, script: &str, expected: Option<&str>) {
        let output = self.shell(script).output().expect("sh");
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{stdout}{stderr}");
        if let Some(expected) = expected {
            assert!(
                stdout.trim_end() == expected.trim_end(),
                "{script}\nexpected:\n{expected}\nprinted:\n{stdout}{stderr}"
            );
        }
    }

    pub fn shell(&self, script: &str) -> Command {
        let script = self.adapt(&format!("{}{script}", self.exported));
        shell(&self.folder, &script, self.port)
    }

    /// The script as this reader has to write it.
    pub fn adapt(&self, script: &str) -> String {
        let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
        let build = build.expect("the build's folder").join("debug");
        let script = with_port(script, self.port)
            .replace("target/debug", build.to_str().expect("a path in UTF-8"));
        let changes = self.changes.iter();
        changes.fold(script, |script, (text, own)| script.replace(text, own))
    }
}

/// A shell as a reader of the README has it: launchgate on the `PATH`, no settings of ours.
pub fn shell(folder: &Path, script: &str, port: u16) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-e", "-c", script])
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("PORT", port.to_string())
        .env_remove("DATABASE_URL");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LAUNCHGATE_") {
            command.env_remove(name);
        }
    }
    // Some build scripts run again when they see what the test's own cargo has set.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_") && name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    command.env("CARGO_TARGET_DIR", build.expect("the build's folder"));
    let binary = Path::new(env!("CARGO_BIN_EXE_launchgate"));
    let own = binary.parent().expect("its folder").to_path_buf();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::join_paths([own].into_iter().chain(std::env::split_paths(&path)));
    command.env("PATH", all.expect("a PATH"));
    command
}

/// A fresh copy of the example. What its package manager installed stays from run to run.
fn copy(example: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("examples")
        .join(example);
    fs::create_dir_all(&folder).expect("a folder");
    for entry in fs::read_dir(&folder).expect("its entries") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with(".venv") && !path.ends_with("node_modules") {
            fs::remove_dir_all(path).expect("removed");
        } else if path.is_file() {
            fs::remove_file(path).expect("removed");
        }
    }
    // What a fresh clone has: what a run in the folder itself left behind stays there.
    let from = repository("examples").join(example);
    let status = Command::new("sh")
        .args([
            "-c",
            "tar -c --exclude .venv --exclude node_modules --exclude data --exclude __pycache__ . | tar -x -C \"$0\"",
        ])
        .arg(&folder)
        .current_dir(from)
        .status();
    assert!(status.expect("tar").success(), "no copy of {example}");
    folder
}

pub fn with_port(script: &str, port: u16) -> String {
    script.replace("8080", &port.to_string())
}
