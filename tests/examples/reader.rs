//! Does what a README says: runs its blocks in order, and compares what they print.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to listen, or to end.
const DEADLINE: Duration = Duration::from_mins(3);

/// The database that a README has its reader start.
const DATABASE: &str = "postgres://postgres:postgres@127.0.0.1:5432/postgres";

#[derive(Debug, PartialEq)]
pub enum Block {
    /// Run to its end; with its expected output, where the README shows it.
    Run(String, Option<String>),
    /// Goes on in the background.
    Server(String),
    /// Counts in every terminal that follows.
    Export(String),
}

/// A reader who follows a README, with a folder, a free port and perhaps a database.
pub struct Reader {
    folder: PathBuf,
    port: u16,
    database: Option<String>,
    exported: String,
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
            database: None,
            exported: String::new(),
        }
    }

    /// With a Postgres of their own.
    pub fn with_database(mut self, url: String) -> Self {
        self.database = Some(url);
        self
    }

    /// Runs the README of this example. The servers it started listen until it is through, and
    /// then have to end well.
    pub fn follow(mut self, example: &str) -> usize {
        let readme = repository("examples").join(example).join("README.md");
        let text = fs::read_to_string(readme).expect("a README");
        let mut servers: Vec<Server> = Vec::new();
        for block in blocks(&text) {
            match block {
                Block::Export(script) => self.exported += &script,
                Block::Server(script) => servers.push(Server::start(&self, &script)),
                Block::Run(script, expected) => self.run(&script, expected.as_deref()),
            }
        }
        let count = servers.len();
        for server in servers {
            let status = server.stop();
            assert!(status.success(), "the server ended with {status}");
        }
        count
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

    fn shell(&self, script: &str) -> Command {
        let script = self.adapt(&format!("{}{script}", self.exported));
        shell(&self.folder, &script, self.port)
    }

    /// The script as this reader has to write it.
    fn adapt(&self, script: &str) -> String {
        let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
        let build = build.expect("the build's folder").join("debug");
        let script = with_port(script, self.port)
            .replace("target/debug", build.to_str().expect("a path in UTF-8"));
        match &self.database {
            Some(url) => script.replace(DATABASE, url),
            None => script,
        }
    }
}

/// The README's blocks that say something about a run, in order.
pub fn blocks(readme: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let body: String = lines
            .by_ref()
            .take_while(|line| *line != "```")
            .flat_map(|line| [line, "\n"])
            .collect();
        let exports = body.lines().all(|line| line.starts_with("export "));
        match (info, blocks.last_mut()) {
            ("sh", _) if exports => blocks.push(Block::Export(body)),
            ("sh", _) => blocks.push(Block::Run(body, None)),
            ("sh server", _) => blocks.push(Block::Server(body)),
            ("text" | "json", Some(Block::Run(_, expected @ None))) => *expected = Some(body),
            ("console", _) => {}
            _ => panic!("a block that no test knows what to do with: {line}\n{body}"),
        }
    }
    blocks
}

pub struct Server(Child);

impl Server {
    /// Returns once it listens, and is no longer launchgate.
    fn start(reader: &Reader, script: &str) -> Self {
        assert_eq!(
            script.lines().count(),
            1,
            "one command is a server:\n{script}"
        );
        let mut command = reader.shell(&format!("exec {script}"));
        let server = Self::spawn(&mut command, reader.port, script);
        let words = server.words().replace('\0', " ");
        let script = reader.adapt(script);
        let (_, wanted) = script.split_once(" -- ").expect("a server behind --");
        // A script's words come after its interpreter's.
        assert!(
            words
                .trim()
                .ends_with(wanted.trim().trim_start_matches(".venv/bin/")),
            "{words}"
        );
        let program = fs::read_link(format!("/proc/{}/exe", server.0.id())).expect("its program");
        assert!(!program.ends_with("launchgate"), "{}", program.display());
        server
    }

    /// Returns once it listens.
    pub fn spawn(command: &mut Command, port: u16, script: &str) -> Self {
        let mut server = Self(command.process_group(0).spawn().expect("sh"));
        server.listens(port, script);
        server
    }

    /// Its command line, as the system has it.
    pub fn words(&self) -> String {
        fs::read_to_string(format!("/proc/{}/cmdline", self.0.id())).expect("its words")
    }

    /// Waits until something listens.
    fn listens(&mut self, port: u16, script: &str) {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = self.0.try_wait().expect("its state") {
                panic!("it ended with {status}: {script}");
            }
            assert!(start.elapsed() < DEADLINE, "nothing listens: {script}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn stop(mut self) -> ExitStatus {
        signal("TERM", &self.0.id().to_string());
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("its state") {
                return status;
            }
            assert!(start.elapsed() < DEADLINE, "the server does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    /// Its whole group, also where a test ends early.
    fn drop(&mut self) {
        signal("KILL", &format!("-{}", self.0.id()));
        let _ = self.0.wait();
    }
}

fn signal(name: &str, target: &str) {
    let _ = Command::new("kill")
        .args(["-s", name, "--", target])
        .stderr(Stdio::null())
        .status();
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

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
