//! Processes as /proc shows them (proc(5)).
#![allow(unsafe_code, reason = "kill(2) for every signal, real-time ones too")]

use std::fs;
use std::path::{Path, PathBuf};

/// A process that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its id in this namespace.
    pub pid: i32,
    /// Its id in its own.
    pub own_pid: i32,
    /// Its parent's id.
    pub parent: i32,
    /// `R`, `S`, `T`, `Z` …
    pub state: char,
    /// Its arguments.
    pub command: String,
}

/// All processes.
pub fn all() -> Vec<Seen> {
    let entries = fs::read_dir("/proc").unwrap();
    entries
        .filter_map(|entry| see(entry.ok()?.file_name().to_str()?.parse().ok()?))
        .collect()
}

/// The live processes whose working directory is `folder`.
pub fn in_folder(folder: &Path) -> Vec<Seen> {
    let mut found = all();
    found.retain(|seen| seen.state != 'Z' && link(seen.pid, "cwd").as_deref() == Some(folder));
    found
}

/// One process; `None` where there is none.
pub fn see(pid: i32) -> Option<Seen> {
    let bytes = fs::read(format!("/proc/{pid}/status")).ok()?;
    let status = String::from_utf8_lossy(&bytes);
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        Some(line[name.len()..].trim().to_owned())
    };
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    Some(Seen {
        pid,
        own_pid: field("NSpid:")?.split_whitespace().last()?.parse().ok()?,
        parent: field("PPid:")?.parse().ok()?,
        state: field("State:")?.chars().next()?,
        command: String::from_utf8_lossy(&command).replace('\0', " "),
    })
}

/// Whether a process waits in poll(2), which the C libraries make of either of two calls.
pub fn waits_in_poll(pid: i32) -> bool {
    /// The older one, which only some machines have.
    const POLL: i64 = if cfg!(target_arch = "x86_64") { 7 } else { -1 };
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let number = call.split_whitespace().next().and_then(|n| n.parse().ok());
    number.is_some_and(|number: i64| [libc::SYS_ppoll, POLL].contains(&number))
}

/// The PID namespace of a process.
pub fn namespace(pid: i32) -> Option<PathBuf> {
    link(pid, "ns/pid")
}

fn link(pid: i32, name: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/{name}")).ok()
}

/// Sends a signal with a value.
pub fn queue(pid: i32, number: i32, value: usize) {
    let value = libc::sigval {
        sival_ptr: value as *mut libc::c_void,
    };
    // SAFETY: sigqueue(3) touches no memory.
    assert_eq!(unsafe { libc::sigqueue(pid, number, value) }, 0);
}

/// Sends a signal; `false` where there is no such process.
pub fn signal(pid: i32, number: i32) -> bool {
    // SAFETY: kill(2) touches no memory.
    unsafe { libc::kill(pid, number) == 0 }
}

/// Adds signals to the mask or takes them out, by the kernel's own 64 bits: the C library hides some. A
/// system call and nothing else, for a process between clone and execve.
pub fn change_mask(how: i32, signals: u64) -> i32 {
    // SAFETY: the pointer lives through the call; eight bytes are the kernel's signal set.
    let result = unsafe {
        let before = std::ptr::null_mut::<u64>();
        libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const signals, before, 8)
    };
    -i32::from(result < 0)
}

/// Limits a resource; the same goes for this.
pub fn limit(resource: u32, soft: u64, hard: u64) -> i32 {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: the pointer lives through the call.
    unsafe { libc::setrlimit(resource, &raw const limit) }
}

/// Sends a signal to a process and all its descendants, parents first.
pub fn signal_tree(root: i32, number: i32) {
    let all = all();
    let mut tree = vec![root];
    let mut at = 0;
    while at < tree.len() {
        let children = all.iter().filter(|seen| seen.parent == tree[at]);
        tree.extend(children.map(|seen| seen.pid).collect::<Vec<_>>());
        at += 1;
    }
    for pid in tree {
        signal(pid, number);
    }
}

/// Whether a process is there and no zombie.
pub fn is_alive(pid: &str) -> bool {
    let seen = pid.parse().ok().and_then(see);
    seen.is_some_and(|seen| seen.state != 'Z')
}
