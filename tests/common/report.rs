//! What a process sees of itself, as JSON: everything that launchgate must pass on unchanged.
#![allow(unsafe_code, reason = "system calls that ask about this process")]

use std::fs;
use std::os::fd::RawFd;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::processes;

/// Writes it to a file, which appears whole.
pub fn write(file: &Path) {
    let text = serde_json::to_vec_pretty(&Value::Object(report())).expect("json");
    let draft = file.with_extension("draft");
    fs::write(&draft, text).expect("a file");
    fs::rename(draft, file).expect("a rename");
}

fn report() -> Map<String, Value> {
    let pid = std::process::id().cast_signed();
    let mut seen = Map::new();
    let mut put = |name: &str, value: Value| drop(seen.insert(name.to_owned(), value));
    // First, before this opens anything.
    put("descriptors", descriptors());
    put("pid", json!(pid));
    put("argv", strings("/proc/self/cmdline"));
    put("environment", strings("/proc/self/environ"));
    put("folder", json!(link("/proc/self/cwd")));
    put("status", status());
    let limits = fs::read_to_string("/proc/self/limits").expect("limits");
    put("limits", limits.lines().collect());
    for file in "oom_score_adj personality timerslack_ns coredump_filter".split(' ') {
        let text = fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
        put(file, json!(text.trim()));
    }
    // SAFETY: these ask only; the pointers live through the calls.
    unsafe {
        put("parent", json!(libc::getppid()));
        put("session", json!(libc::getsid(0)));
        put("group", json!(libc::getpgrp()));
        put("foreground", json!(foreground()));
        let (mut subreaper, mut death) = (0i32, 0i32);
        libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut subreaper);
        libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut death);
        put("subreaper", json!(subreaper));
        put("death_signal", json!(death));
        put("dumpable", json!(libc::prctl(libc::PR_GET_DUMPABLE)));
        put("nice", json!(libc::getpriority(libc::PRIO_PROCESS, 0)));
        put("policy", json!(libc::sched_getscheduler(0)));
    }
    put("terminal", terminal());
    let shown = |seen: &processes::Seen| json!({"pid": seen.pid, "parent": seen.parent, "state": seen.state.to_string(), "command": seen.command});
    let all = processes::all();
    let children = all.iter().filter(|seen| seen.parent == pid);
    put("children", children.map(shown).collect());
    let here = fs::read_link("/proc/self/cwd").expect("a folder");
    let neighbours = processes::in_folder(&here);
    let neighbours = neighbours.iter().filter(|seen| seen.pid != pid);
    put("neighbours", neighbours.map(shown).collect());
    seen
}

fn foreground() -> i32 {
    // SAFETY: the strings are constants and the calls touch no other memory.
    unsafe {
        let fd = libc::open(c"/dev/tty".as_ptr(), libc::O_RDWR | libc::O_NOCTTY);
        if fd < 0 {
            return -1;
        }
        let group = libc::tcgetpgrp(fd);
        libc::close(fd);
        group
    }
}

/// The attributes of the terminal on standard input, where it is one.
fn terminal() -> Value {
    // SAFETY: all zeroes are values of these C structures, and the pointers live through the calls.
    unsafe {
        let mut attributes: libc::termios = std::mem::zeroed();
        let mut size: libc::winsize = std::mem::zeroed();
        if libc::tcgetattr(0, &raw mut attributes) != 0
            || libc::ioctl(0, libc::TIOCGWINSZ, &raw mut size) != 0
        {
            return Value::Null;
        }
        json!([
            attributes.c_iflag,
            attributes.c_oflag,
            attributes.c_cflag,
            attributes.c_lflag,
            attributes.c_cc,
            size.ws_row,
            size.ws_col
        ])
    }
}

/// NUL-terminated strings, as they are, whatever they hold.
fn strings(file: &str) -> Value {
    let bytes = fs::read(file).expect("a file of /proc");
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    let shown = bytes
        .split(|&byte| byte == 0)
        .map(|s| json!(s.escape_ascii().to_string()));
    shown.collect()
}

/// The lines of /proc/self/status that stay the same from one start to the next.
fn status() -> Value {
    let text = fs::read_to_string("/proc/self/status").expect("status");
    let wanted = "Umask Uid Gid Groups Threads SigPnd ShdPnd SigBlk SigIgn SigCgt CapInh CapPrm CapEff CapBnd \
        CapAmb NoNewPrivs Seccomp Cpus_allowed";
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let found: Map<String, Value> = lines
        .filter(|(name, _)| wanted.contains(name))
        .map(|(name, value)| (name.to_owned(), json!(value.trim())))
        .collect();
    Value::Object(found)
}

/// Number, target and flags of each open descriptor.
fn descriptors() -> Value {
    let numbers: Vec<RawFd> = fs::read_dir("/proc/self/fd")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let shown = numbers.into_iter().filter_map(|fd| {
        // The listing's own descriptor is closed by now.
        let target = fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
        let flags = info
            .lines()
            .find(|line| line.starts_with("flags"))?
            .to_owned();
        Some((fd.to_string(), json!([target, flags])))
    });
    Value::Object(shown.collect())
}

fn link(path: &str) -> String {
    fs::read_link(path).expect("a link").display().to_string()
}

/// What a process saw, read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Report(Map<String, Value>);

impl Report {
    /// Reads it and removes the file.
    pub fn take(file: &Path) -> Self {
        let bytes = fs::read(file).expect("what a process saw");
        fs::remove_file(file).expect("a file");
        Self(serde_json::from_slice(&bytes).expect("json"))
    }

    /// One thing that it saw.
    pub fn value(&self, name: &str) -> &Value {
        self.0.get(name).expect(name)
    }

    /// A number.
    pub fn number(&self, name: &str) -> i64 {
        self.value(name).as_i64().expect(name)
    }

    /// A list.
    pub fn list(&self, name: &str) -> &[Value] {
        self.value(name).as_array().expect(name)
    }

    fn strings(&self, name: &str) -> Vec<String> {
        let all = self.list(name).iter().filter_map(Value::as_str);
        all.map(str::to_owned).collect()
    }

    /// The entries of its environment.
    pub fn environment(&self) -> Vec<String> {
        self.strings("environment")
    }

    /// Its arguments.
    pub fn argv(&self) -> Vec<String> {
        self.strings("argv")
    }

    /// Where a descriptor leads.
    pub fn descriptor(&self, number: i32) -> Option<String> {
        let found = &self.value("descriptors")[number.to_string()][0];
        found.as_str().map(str::to_owned)
    }

    /// How many descriptors are open.
    pub fn descriptors(&self) -> usize {
        self.value("descriptors").as_object().expect("a map").len()
    }

    /// Replaces its own process id by a word wherever it stands, and drops its neighbours, so
    /// that two processes can be compared.
    pub fn comparable(mut self) -> Self {
        let own = self.value("pid").clone();
        for name in ["session", "group", "pid", "foreground"] {
            if self.0[name] == own {
                self.0[name] = json!("own");
            }
        }
        self.0.remove("neighbours");
        self
    }

    /// Leaves out what `--init` can't and does not pass on: the parent, its session where
    /// that is launchgate's `own`, and what launchgate is to its parent and its orphans.
    pub fn behind_init(mut self, own: i32) -> Self {
        if self.0["session"] == json!(own) {
            self.0["session"] = json!("own");
        }
        for name in ["parent", "death_signal", "subreaper"] {
            self.0.remove(name);
        }
        self
    }

    /// Asserts that `other` saw the same, and shows what differs.
    #[track_caller]
    pub fn assert_same(&self, other: &Self) {
        // The parent last: it differs in consequence of something else.
        let names = self.0.keys().chain(other.0.keys());
        let (parents, names): (Vec<_>, Vec<_>) = names.partition(|name| *name == "parent");
        for name in names.into_iter().chain(parents) {
            assert_eq!(other.0.get(name), self.0.get(name), "another {name}");
        }
    }
}
