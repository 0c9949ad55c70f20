//! Replicas that were started, and other processes.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Nothing that a test waits for takes this long.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// A replica that was started.
pub struct Running {
    pub(super) child: Child,
    pub(super) log: PathBuf,
    pub name: String,
    pub(super) status: Option<ExitStatus>,
}

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"))
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn out(&self) -> String {
        let path = self.log.display().to_string().replace("/log-", "/out-");
        fs::read_to_string(path).unwrap_or_default()
    }

    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            let _ = kill(self.pid(), signal);
        }
    }

    pub fn has_ended(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("wait");
        }
        self.status.is_some()
    }

    /// Its exit code, 128+n where a signal ended it.
    pub fn wait(&mut self) -> i32 {
        self.wait_for(DEADLINE)
    }

    pub fn wait_for(&mut self, limit: Duration) -> i32 {
        let end = Instant::now() + limit;
        while !self.has_ended() {
            assert!(
                Instant::now() < end,
                "replica {} does not end:\n{}",
                self.name,
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let status = self.status.expect("ended");
        status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
    }

    /// Fails unless it ends with `code`.
    pub fn ends_with(&mut self, code: i32) -> &mut Self {
        let ended = self.wait();
        assert_eq!(ended, code, "replica {}:\n{}", self.name, self.log());
        self
    }

    /// Fails unless its log has `words`.
    pub fn says(&self, words: &str) -> &Self {
        assert!(
            self.log().contains(words),
            "no {words:?} in:\n{}",
            self.log()
        );
        self
    }

    pub fn says_in_time(&mut self, words: &str) {
        until(
            &format!("{words:?} in the log of replica {}", self.name),
            || self.log().contains(words),
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended() {
            signal_tree(self.pid(), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// Looks until `happened`, and fails at the deadline.
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !happened() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A process and everything that descends from it, parents first.
pub fn tree(root: Pid) -> Vec<Pid> {
    let parents: Vec<(i32, i32)> = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some((
                pid,
                stat.rsplit_once(')')?
                    .1
                    .split_ascii_whitespace()
                    .nth(1)?
                    .parse()
                    .ok()?,
            ))
        })
        .collect();
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at].as_raw();
        found.extend(
            parents
                .iter()
                .filter(|(_, p)| *p == parent)
                .map(|(pid, _)| Pid::from_raw(*pid)),
        );
        at += 1;
    }
    found
}

pub fn signal_tree(root: Pid, signal: Signal) {
    for pid in tree(root) {
        let _ = kill(pid, signal);
    }
}

/// Whether a process is there and no zombie.
pub fn is_alive(pid: &str) -> bool {
    fs::read_to_string(Path::new("/proc").join(pid).join("stat")).is_ok_and(|stat| {
        !stat
            .rsplit_once(')')
            .is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
    })
}
