//! Something that runs, and something that ended.
#![allow(
    unsafe_code,
    reason = "wait status and kill for every signal, real-time ones too"
)]

use std::path::{Path, PathBuf};

use super::processes::{self, Seen, signal_tree};
use super::{Mode, wait_until};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// A process that a test started. Dropped while it still runs, it is killed with all its
/// descendants; one without a name has its folder to itself, where nothing else remains then.
#[derive(Debug)]
pub struct Run {
    pid: i32,
    mode: Mode,
    folder: PathBuf,
    name: String,
    ended: Option<Ended>,
}

impl Run {
    pub(super) fn new(pid: i32, mode: Mode, folder: &Path, name: String) -> Self {
        Self {
            pid,
            mode,
            folder: folder.to_owned(),
            name,
            ended: None,
        }
    }

    /// Its process id as this test sees it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Its process id as it sees it itself.
    pub fn own_pid(&self) -> i32 {
        if self.mode.is_pid_one() { 1 } else { self.pid }
    }

    /// Its name, where several run at once.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn stream(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}{kind}", self.name))
    }

    /// What it has written to standard error so far.
    pub fn log(&self) -> String {
        text(&self.stream("stderr"))
    }

    /// What it has written to standard output so far.
    pub fn out(&self) -> String {
        text(&self.stream("stdout"))
    }

    /// Sends it a signal, unless it was seen to have ended.
    pub fn signal(&self, number: i32) {
        if self.ended.is_none() {
            assert!(processes::signal(self.pid, number), "{number} finds nobody");
        }
    }

    /// The process that sees itself as `pid`, while it lives.
    pub fn find(&self, pid: i32) -> Option<Seen> {
        let all = processes::all();
        if !self.mode.is_pid_one() {
            return all.into_iter().find(|seen| seen.pid == pid);
        }
        let namespace = processes::namespace(self.pid)?;
        all.into_iter().find(|seen| {
            seen.own_pid == pid && processes::namespace(seen.pid).as_ref() == Some(&namespace)
        })
    }

    /// Processes in the test's folder other than this one, zombies left out.
    pub fn others(&self) -> Vec<Seen> {
        let here = processes::in_folder(&self.folder);
        here.into_iter()
            .filter(|seen| seen.pid != self.pid)
            .collect()
    }

    /// How it has ended, if it has.
    pub fn look(&mut self) -> Option<Ended> {
        if self.ended.is_none() {
            let mut status = 0;
            // SAFETY: the pointer lives through the call.
            let pid = unsafe { libc::waitpid(self.pid, &raw mut status, libc::WNOHANG) };
            if pid == self.pid {
                self.ended = Some(if libc::WIFEXITED(status) {
                    Ended::Code(libc::WEXITSTATUS(status))
                } else {
                    Ended::Signal(libc::WTERMSIG(status))
                });
            }
        }
        self.ended
    }

    /// Waits for its end; its exit code, or 128+n where signal n ended it.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        match wait_until("the end of the process", || self.look()) {
            Ended::Code(code) => code,
            Ended::Signal(number) => 128 + number,
        }
    }

    /// Waits for its end and asserts the exit code.
    #[track_caller]
    pub fn ends_with(&mut self, code: i32) -> &mut Self {
        let ended = self.wait();
        assert_eq!(ended, code, "replica {}:\n{}", self.name, self.log());
        self
    }

    /// Asserts that its log has `words`.
    #[track_caller]
    pub fn says(&self, words: &str) -> &Self {
        let log = self.log();
        assert!(log.contains(words), "no {words:?} in:\n{log}");
        self
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Finished {
        let ended = wait_until("the end of the process", || self.look());
        Finished {
            ended,
            stdout: std::fs::read(self.stream("stdout")).unwrap_or_default(),
            stderr: text(&self.stream("stderr")),
            left: self.others(),
        }
    }

    /// Waits until the log has a line that contains `words`.
    #[track_caller]
    pub fn wait_for_log(&self, words: &str) {
        wait_until(&format!("{words:?} in the log of {:?}", self.name), || {
            let log = self.log();
            log.lines().any(|line| line.contains(words)).then_some(())
        });
    }
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

impl Drop for Run {
    fn drop(&mut self) {
        let ended = self.look();
        if std::thread::panicking() {
            let shown = |name| {
                text(&self.stream(name))
                    .chars()
                    .take(4000)
                    .collect::<String>()
            };
            eprintln!(
                "--- process {} in {:?}: {:?}\n--- standard output:\n{}\n--- standard error:\n{}\n--- others: {:#?}",
                self.pid,
                self.mode,
                ended,
                shown("stdout"),
                shown("stderr"),
                self.others(),
            );
        }
        if ended.is_none() {
            signal_tree(self.pid, libc::SIGKILL);
        }
        if self.name.is_empty() {
            for seen in self.others() {
                processes::signal(seen.pid, libc::SIGKILL);
            }
        }
        wait_until("the end of a killed process", || self.look());
    }
}

/// Something that ended.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub ended: Ended,
    /// What it and its steps wrote, where that went into the folder's file.
    pub stdout: Vec<u8>,
    /// The same for standard error.
    pub stderr: String,
    /// Processes that were still there.
    pub left: Vec<Seen>,
}

impl Finished {
    /// Asserts the exit code.
    #[track_caller]
    pub fn code(&self, code: i32) -> &Self {
        assert_eq!(self.ended, Ended::Code(code), "{self}");
        self
    }

    /// Asserts that one line of standard error has all of these.
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Self {
        let said = self
            .stderr
            .lines()
            .any(|line| words.iter().all(|word| line.contains(word)));
        assert!(said, "no line says {words:?}\n{self}");
        self
    }

    /// Asserts that no line of standard error has this.
    #[track_caller]
    pub fn never_says(&self, word: &str) -> &Self {
        assert!(!self.stderr.contains(word), "it says {word:?}\n{self}");
        self
    }

    /// Asserts that nothing is left running.
    #[track_caller]
    pub fn leaves_nothing(&self) -> &Self {
        assert!(self.left.is_empty(), "it left {:#?}\n{self}", self.left);
        self
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stdout: String = String::from_utf8_lossy(&self.stdout)
            .chars()
            .take(4000)
            .collect();
        write!(
            f,
            "it ended: {:?}\n--- standard output:\n{stdout}\n--- standard error:\n{}",
            self.ended, self.stderr
        )
    }
}
