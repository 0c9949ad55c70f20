//! What a README has its reader start in the background.

use std::fs;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::reader::{DEADLINE, Reader};

pub struct Server {
    process: Child,
    port: u16,
    pub script: String,
}

impl Server {
    /// Starts one of a README's commands that go on.
    pub fn launch(reader: &Reader, script: &str) -> Self {
        let script = script.replace("\\\n", " ");
        let lines = script.lines().count();
        assert_eq!(lines, 1, "one command is a server:\n{script}");
        let mut command = reader.shell(&format!("exec {script}"));
        Self {
            process: command.process_group(0).spawn().expect("sh"),
            port: reader.port,
            script: reader.adapt(&script),
        }
    }

    /// Returns once it listens, and is no longer launchgate.
    pub fn is_ready(&mut self) {
        self.listens();
        self.is_no_longer_launchgate();
    }

    /// What the script has behind `--` runs: in place of launchgate or, with `--init`, as its child.
    pub fn is_no_longer_launchgate(&self) {
        let mut process = self.process.id();
        if self.script.contains(" --init ") {
            let children = format!("/proc/{process}/task/{process}/children");
            let children = fs::read_to_string(children).expect("its children");
            process = children.trim().parse().expect("one child");
        }
        let program = fs::read_link(format!("/proc/{process}/exe")).expect("its program");
        assert!(!program.ends_with("launchgate"), "{}", program.display());
        let words = fs::read_to_string(format!("/proc/{process}/cmdline")).expect("its words");
        let words = words.replace('\0', " ");
        let (_, wanted) = self.script.split_once(" -- ").expect("a server behind --");
        let wanted = wanted.trim().trim_start_matches(".venv/bin/");
        // Some write what they are in place of their words. A script's come after its interpreter's.
        let titles = ["php-fpm: master process", "puma ", "sidekiq "];
        assert!(
            words.trim().ends_with(wanted) || titles.iter().any(|title| words.starts_with(title)),
            "{words}"
        );
    }

    /// Returns once it listens.
    pub fn spawn(command: &mut Command, port: u16, script: &str) -> Self {
        let mut server = Self {
            process: command.process_group(0).spawn().expect("sh"),
            port,
            script: script.to_owned(),
        };
        server.listens();
        server
    }

    /// Its command line, as the system has it.
    pub fn words(&self) -> String {
        fs::read_to_string(format!("/proc/{}/cmdline", self.process.id())).expect("its words")
    }

    /// Waits until something listens.
    fn listens(&mut self) {
        let start = Instant::now();
        let script = &self.script;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = self.process.try_wait().expect("its state") {
                panic!("it ended with {status}: {script}");
            }
            assert!(start.elapsed() < DEADLINE, "nothing listens: {script}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn stop(mut self) -> ExitStatus {
        signal("TERM", &self.process.id().to_string());
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("its state") {
                return status;
            }
            assert!(
                start.elapsed() < DEADLINE,
                "it does not end: {}",
                self.script
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    /// Its whole group, also where a test ends early.
    fn drop(&mut self) {
        signal("KILL", &format!("-{}", self.process.id()));
        let _ = self.process.wait();
    }
}

fn signal(name: &str, target: &str) {
    let _ = Command::new("kill")
        .args(["-s", name, "--", target])
        .stderr(Stdio::null())
        .status();
}
