//! The examples, run as their READMEs say: each fenced `sh` block is run, in order, in a copy
//! of the example's folder, and where a block of expected output follows, it is compared.
//!
//! ```` ```sh ```` is run to its end and has to succeed; ```` ```sh server ```` goes on in the
//! background, as in a terminal of its own, until the README is through, and then has to end
//! well when it is asked to stop. What is not run is fenced as `console`.
//!
//! The one thing that is changed is the port, 8080, so that tests can run side by side.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to listen, or to end.
const DEADLINE: Duration = Duration::from_mins(3);

#[test]
fn node_readme_is_true() {
    follow("node");
}

#[test]
fn python_alembic_readme_is_true() {
    follow("python-alembic");
}

#[test]
fn python_django_readme_is_true() {
    follow("python-django");
}

/// The first command of the repository's README, run twice, in the checkout itself: a copy would
/// be built anew. What it builds the tests have built.
#[test]
fn the_first_command_is_true() {
    let readme = fs::read_to_string(repository("README.md")).expect("a README");
    let (_, section) = readme.split_once("\n## Try it\n").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("its end");
    let [Block::Server(start), Block::Run(ask, Some(answer))] = &blocks(section)[..] else {
        panic!("other blocks than a start, a question and its answer:\n{section}");
    };
    assert_eq!(start, "examples/quickstart/start\n");
    let folder = tempfile::tempdir().expect("a folder");
    let mut shown = shown_output(section).into_iter();
    for round in ["first", "second"] {
        let log = folder.path().join(round);
        let port = free_port();
        let mut command = quickstart(start, port, folder.path(), &log);
        let mut server = Server(command.process_group(0).spawn().expect("sh"));
        server.listens(port, start);
        let words = fs::read_to_string(format!("/proc/{}/cmdline", server.0.id()));
        let words = words.expect("its words");
        assert!(words.ends_with("/debug/examples/quickstart\0"), "{words}");
        let output = shell(Path::new("/"), ask, port).output().expect("sh");
        assert_eq!(String::from_utf8_lossy(&output.stdout), *answer);
        assert!(server.stop().success(), "the server ends well");
        let log = fs::read_to_string(log).expect("a log");
        let mut lines = log.lines();
        for wanted in shown.next().expect("what it prints") {
            let wanted = with_port(&wanted, port);
            assert!(
                lines.any(|line| line.starts_with(&wanted)),
                "not in its place: {wanted}\n{log}"
            );
        }
        assert_eq!(
            log.contains("launchgate: applied "),
            round == "first",
            "{log}"
        );
    }
    assert_eq!(shown.next(), None);
}

/// The first command, with data of the test's own.
fn quickstart(script: &str, port: u16, data: &Path, log: &Path) -> Command {
    let mut command = shell(&repository("."), &format!("exec {script}"), port);
    // What the test's own cargo has set is a reason for some build scripts to run anew.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_") && name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    command
        .env("CARGO_TARGET_DIR", build.expect("the build's folder"))
        .env(
            "DATABASE_URL",
            format!("sqlite:{}/guests.db", data.display()),
        )
        .stdout(Stdio::null())
        .stderr(fs::File::create(log).expect("a log"));
    command
}

/// What the README shows of a log, block by block; of each line what is the same every time.
fn shown_output(section: &str) -> Vec<Vec<String>> {
    let blocks = section.split("```console\n").skip(1);
    let text = blocks.map(|rest| rest.split("```").next().unwrap_or_default());
    text.map(|text| text.lines().map(steady).collect())
        .collect()
}

fn steady(line: &str) -> String {
    let words: Vec<_> = line
        .split(' ')
        .take_while(|word| !word.contains('='))
        .collect();
    words.join(" ")
}

#[derive(Debug, PartialEq)]
enum Block {
    /// Run to its end; with its expected output, where the README shows it.
    Run(String, Option<String>),
    /// Goes on in the background.
    Server(String),
}

fn follow(example: &str) {
    let readme = repository("examples").join(example).join("README.md");
    let text = fs::read_to_string(readme).expect("a README");
    let folder = copy(example);
    let port = free_port();
    let mut servers: Vec<Server> = Vec::new();
    for block in blocks(&text) {
        match block {
            Block::Server(script) => servers.push(Server::start(&folder, &script, port)),
            Block::Run(script, expected) => {
                let output = shell(&folder, &script, port).output().expect("sh");
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
        }
    }
    assert!(!servers.is_empty(), "the README starts no server");
    for server in servers {
        let status = server.stop();
        assert!(status.success(), "the server ended with {status}");
    }
}

/// The README's blocks that say something about a run, in order.
fn blocks(readme: &str) -> Vec<Block> {
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
        match (info, blocks.last_mut()) {
            ("sh", _) => blocks.push(Block::Run(body, None)),
            ("sh server", _) => blocks.push(Block::Server(body)),
            ("text" | "json", Some(Block::Run(_, expected @ None))) => *expected = Some(body),
            ("console", _) => {}
            _ => panic!("a block that no test knows what to do with: {line}\n{body}"),
        }
    }
    blocks
}

struct Server(Child);

impl Server {
    /// Returns once it listens, and is no longer launchgate.
    fn start(folder: &Path, script: &str, port: u16) -> Self {
        assert_eq!(
            script.lines().count(),
            1,
            "one command is a server:\n{script}"
        );
        let mut command = shell(folder, &format!("exec {script}"), port);
        let mut server = Self(command.process_group(0).spawn().expect("sh"));
        server.listens(port, script);
        let words = fs::read_to_string(format!("/proc/{}/cmdline", server.0.id()));
        let words = words.expect("its words").replace('\0', " ");
        let script = with_port(script, port);
        let (_, wanted) = script.split_once(" -- ").expect("a server behind --");
        // A script's words come after its interpreter's.
        assert!(
            words
                .trim()
                .ends_with(wanted.trim().trim_start_matches(".venv/bin/")),
            "{words}"
        );
        assert!(!words.contains("launchgate"), "{words}");
        server
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

    fn stop(mut self) -> ExitStatus {
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
fn shell(folder: &Path, script: &str, port: u16) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-e", "-c", &with_port(script, port)])
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("PORT", port.to_string())
        .env_remove("DATABASE_URL");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LAUNCHGATE_") {
            command.env_remove(name);
        }
    }
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
        if path.is_dir() && !path.ends_with(".venv") {
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
            "tar -c --exclude .venv --exclude data --exclude __pycache__ . | tar -x -C \"$0\"",
        ])
        .arg(&folder)
        .current_dir(from)
        .status();
    assert!(status.expect("tar").success(), "no copy of {example}");
    folder
}

fn with_port(script: &str, port: u16) -> String {
    script.replace("8080", &port.to_string())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
