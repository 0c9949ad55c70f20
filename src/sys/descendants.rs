//! The processes below this one, by /proc (proc(5)).
//!
//! A process that left its group, its session and its parent is still found: launchgate is
//! PID 1 or a subreaper, so the kernel makes every orphaned descendant its child.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// A process as /proc shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    /// `R`, `S`, `D`, `Z` …
    pub(super) state: char,
}

impl Process {
    /// The user it runs as; `None` if it is gone.
    pub(super) fn user(&self) -> Option<u32> {
        let folder = fs::metadata(format!("/proc/{}", self.pid)).ok()?;
        Some(folder.uid())
    }

    /// Whether `entry` is in its environment; `None` if that can't be read, because it is another
    /// user's, a zombie, or in the middle of execve(2).
    pub(super) fn has_entry(&self, entry: &[u8]) -> Option<bool> {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).ok()?;
        (!environment.is_empty()).then(|| environment.split(|byte| *byte == 0).any(|e| e == entry))
    }
}

/// All processes of this PID namespace. `None` if there is no /proc, or it belongs to another
/// namespace, as after `unshare --pid` alone: its numbers mean other processes here.
pub(super) fn processes() -> Option<Vec<Process>> {
    let own = fs::read_link("/proc/self").ok()?;
    if own.to_str()?.parse() != Ok(std::process::id()) {
        return None;
    }
    let entries = fs::read_dir("/proc").ok()?;
    let found = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        let pid: i32 = name.to_str()?.parse().ok()?;
        process(pid)
    });
    Some(found.collect())
}

/// The process of this number, if /proc shows one.
pub(super) fn process(pid: i32) -> Option<Process> {
    // A command's name is arbitrary bytes, cut after fifteen, perhaps within a character.
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &String::from_utf8_lossy(&stat))
}

/// Every descendant of this process, parents first, except those that `skips` selects and
/// theirs.
pub(super) fn below_this(processes: &[Process], skips: impl Fn(&Process) -> bool) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut parent = std::process::id().cast_signed();
    let mut at = 0;
    loop {
        let children = processes.iter().filter(|p| p.parent == parent && !skips(p));
        found.extend(children);
        let Some(next) = found.get(at) else {
            return found;
        };
        parent = next.pid;
        at += 1;
    }
}

/// Reads the fields from the third on. The second is the command in parentheses, which may
/// contain anything.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    Some(Process {
        pid,
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32) -> Process {
        Process {
            pid,
            parent,
            group: 1,
            state: 'S',
        }
    }

    #[test]
    fn finds_the_parent_behind_any_command_name() {
        let found = parse(12, "12 (a) S 9) Z 7 13 12 0").unwrap();
        assert_eq!((found.parent, found.group, found.state), (7, 13, 'Z'));
        assert_eq!(parse(12, "12"), None);
    }

    #[test]
    fn finds_descendants_but_not_those_of_a_skipped_process() {
        let own = std::process::id().cast_signed();
        let all = [(-1, -2), (-2, own), (-3, own), (-4, -3), (-5, -1), (-6, -9)];
        let all = all.map(|(pid, parent)| process(pid, parent));
        let pids = |found: Vec<Process>| found.iter().map(|p| p.pid).collect::<Vec<_>>();
        assert_eq!(pids(below_this(&all, |_| false)), [-2, -3, -1, -4, -5]);
        assert_eq!(pids(below_this(&all, |p| p.pid == -2)), [-3, -4]);
    }
}
