//! What a step left running: every descendant of this process, by /proc (proc(5)).
//!
//! A process that left its group, its session and its parent is still found: launchgate is
//! PID 1 or a subreaper, so the kernel makes every orphaned descendant its child.

use std::fs;

/// The children of this process, zombies included.
#[must_use]
pub fn children() -> Vec<i32> {
    let own = std::process::id().cast_signed();
    processes()
        .into_iter()
        .filter(|p| p.parent == own)
        .map(|p| p.pid)
        .collect()
}

/// Every descendant of this process except `foreign` children and what descends from them.
/// Empty where /proc can't be read.
#[must_use]
pub fn all(foreign: &[i32]) -> Vec<i32> {
    let processes = processes();
    let mut found = vec![std::process::id().cast_signed()];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(
            processes
                .iter()
                .filter(|p| p.parent == parent && !foreign.contains(&p.pid))
                .map(|p| p.pid),
        );
        at += 1;
    }
    found.remove(0);
    found
}

struct Process {
    pid: i32,
    parent: i32,
}

fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let pid: i32 = name.to_str()?.parse().ok()?;
            // A command's name is any bytes: cut after fifteen, it may end within a character.
            let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
            Some(Process {
                pid,
                parent: parent(&String::from_utf8_lossy(&stat))?,
            })
        })
        .collect()
}

/// The fourth field; the second is the command in parentheses and may hold anything.
fn parent(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?
        .1
        .split_ascii_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn finds_the_parent_behind_any_command_name() {
        assert_eq!(super::parent("12 (a) S 9) Z 7 12 12 0"), Some(7));
        assert_eq!(super::parent("12"), None);
    }
}
