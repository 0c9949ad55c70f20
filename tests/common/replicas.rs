//! Replicas: the real binary beside others of its kind, on a real database, judged by what
//! its steps and servers wrote down themselves.
//!
//! Every step and server appends lines to one file, so that their order is the order of what
//! happened. A step holds `flock` on another file as long as any of its processes lives: where
//! it finds that locked, two steps run at a time, and it says `overlap`.
#![allow(
    clippy::print_stderr,
    reason = "a failed test shows what it saw where its report goes"
)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use super::backends::Db;
pub use super::running::{DEADLINE, Running, is_alive, signal_tree, tree, until};

const STEP: &str = r#"#!/bin/sh
dir=${0%/*}
say() { echo "$* step=$LAUNCHGATE_STEP run=$LAUNCHGATE_RUN_ID revision=$LAUNCHGATE_REVISION replica=$REPLICA attempt=$LAUNCHGATE_ATTEMPT pid=$$" >> "$dir/evidence"; }
[ -e "$dir/stubborn" ] && trap '' TERM
exec 9>>"$dir/exclusive"
flock -n 9 || say overlap
say start succeeded="$("$dir/ask" "select count(*) from launchgate_runs where state='succeeded' and revision='$LAUNCHGATE_REVISION' and app='$LAUNCHGATE_APP'" 2>/dev/null)"
while [ -e "$dir/hold-$LAUNCHGATE_STEP" ]; do sleep 0.02; done
[ -e "$dir/do-$LAUNCHGATE_STEP" ] && . "$dir/do-$LAUNCHGATE_STEP"
[ -e "$dir/fail-$LAUNCHGATE_STEP" ] && { say fail; exit 3; }
say end
"#;

const SERVER: &str = r#"#!/bin/sh
dir=${0%/*}
found=$("$dir/ask" "select count(*) from launchgate_runs where state='succeeded' and revision='$REVISION' and app='$APP'" 2>&1)
echo "server succeeded=$found revision=$REVISION replica=$REPLICA pid=$$" >> "$dir/evidence"
"#;

/// One app on one database, and the folder with its evidence.
pub struct Scene<'a> {
    pub db: &'a Db,
    pub dir: PathBuf,
    pub app: String,
    pub url: String,
    number: AtomicUsize,
}

/// What one line of the evidence says.
#[derive(Debug, Clone)]
pub struct Line(pub String);

impl Line {
    pub fn word(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }

    pub fn get(&self, key: &str) -> &str {
        let found = self
            .0
            .split(' ')
            .find_map(|pair| pair.split_once('=').filter(|(name, _)| *name == key));
        found.map_or("", |(_, value)| value)
    }
}

impl<'a> Scene<'a> {
    /// A scene of its own on `db`, whatever else goes on there.
    pub fn new(db: &'a Db) -> Self {
        static APPS: AtomicUsize = AtomicUsize::new(0);
        let app = format!("app-{}", APPS.fetch_add(1, Ordering::Relaxed));
        Self::named(db, &app)
    }

    pub fn named(db: &'a Db, app: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("launchgate-scene-")
            .tempdir()
            .expect("a folder")
            .keep();
        let scene = Self {
            db,
            dir,
            app: app.to_owned(),
            url: db.url(),
            number: AtomicUsize::new(0),
        };
        scene.script("step", STEP);
        scene.script("server", SERVER);
        scene.script("ask", &db.ask());
        scene.touch("evidence");
        scene
    }

    pub fn script(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        fs::write(&path, text).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a script's mode");
    }

    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    pub fn touch(&self, name: &str) {
        fs::write(self.dir.join(name), "").expect("a marker");
    }

    pub fn dir_has(&self, name: &str) -> bool {
        self.dir.join(name).exists()
    }

    pub fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.dir.join(name));
    }

    /// The evidence so far. A line that is being written is not there yet.
    pub fn evidence(&self) -> Vec<Line> {
        let text = fs::read_to_string(self.dir.join("evidence")).expect("the evidence");
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| Line(line.to_owned())).collect()
    }

    pub fn count(&self, word: &str) -> usize {
        self.evidence()
            .iter()
            .filter(|line| line.word() == word)
            .count()
    }

    /// Rows of this app, as `columns`, oldest first.
    pub fn ledger(&self, columns: &str) -> Vec<String> {
        let ask = format!(
            "select {columns} from launchgate_runs where app = '{}' order by id",
            self.app
        );
        let rows = self.db.sql(&ask);
        rows.lines().map(str::to_owned).collect()
    }

    pub fn states(&self) -> Vec<String> {
        self.ledger("state")
    }

    /// `launchgate VERB` with this scene's database and a scrubbed environment.
    pub fn command(&self, verb: &str) -> Replica<'_> {
        let name = self.number.fetch_add(1, Ordering::Relaxed).to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_launchgate"));
        command
            .arg(verb)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C")
            .env("DATABASE_URL", &self.url)
            .env("LAUNCHGATE_APP", &self.app)
            .env("APP", &self.app)
            .env("LAUNCHGATE_LEASE", "3s")
            .env("LAUNCHGATE_STOP_GRACE", "500ms")
            .env("REPLICA", &name)
            .current_dir(&self.dir)
            .stdin(Stdio::null());
        Replica {
            scene: self,
            command,
            name,
            server: None,
        }
    }

    /// `launchgate run` of one step for `revision`, a lease of three seconds.
    pub fn run(&self, revision: &str) -> Replica<'_> {
        self.run_steps(revision, &["migrate"])
    }

    pub fn run_steps(&self, revision: &str, steps: &[&str]) -> Replica<'_> {
        let mut replica = self.bare(revision);
        let step = self.path("step");
        for kind in steps {
            replica.command.args([&format!("--{kind}"), &step]);
        }
        replica
    }

    /// `launchgate run` with a server and no step yet.
    pub fn bare(&self, revision: &str) -> Replica<'_> {
        let mut replica = self.command("run");
        replica
            .command
            .env("REVISION", revision)
            .args(["--release", revision]);
        replica.server = Some(self.path("server"));
        replica
    }

    /// Fails where one of the rules that hold at any time was broken.
    pub fn check_rules(&self) {
        let evidence = self.evidence();
        let all = || {
            evidence
                .iter()
                .map(|line| line.0.as_str())
                .collect::<Vec<_>>()
                .join("\n")
        };
        for line in &evidence {
            match line.word() {
                "overlap" => panic!("two steps at a time:\n{}", all()),
                "start" => assert!(
                    matches!(line.get("succeeded"), "0" | ""),
                    "a step ran again: {}\n{}",
                    line.0,
                    all()
                ),
                "server" => assert_eq!(
                    line.get("succeeded"),
                    "1",
                    "a server too early: {}\n{}",
                    line.0,
                    all()
                ),
                _ => {}
            }
        }
    }

    /// After everything: the rules, one success, nothing `running`.
    pub fn check_settled(&self, revision: &str) {
        self.check_rules();
        let rows = self.ledger("revision, state");
        let succeeded = rows
            .iter()
            .filter(|row| **row == format!("{revision}|succeeded"))
            .count();
        assert_eq!(succeeded, 1, "{rows:?}\n{:?}", self.evidence());
        assert!(
            !rows.iter().any(|row| row.ends_with("|running")),
            "{rows:?}"
        );
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("evidence kept in {}", self.dir.display());
            for line in self.evidence() {
                eprintln!("{}", line.0);
            }
            for n in 0..self.number.load(Ordering::Relaxed) {
                let log = fs::read_to_string(self.dir.join(format!("log-{n}"))).unwrap_or_default();
                eprintln!("--- replica {n}\n{log}");
            }
        } else {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// A replica that is not started yet.
pub struct Replica<'a> {
    scene: &'a Scene<'a>,
    pub command: Command,
    name: String,
    server: Option<String>,
}

impl<'a> Replica<'a> {
    pub fn scene(&self) -> &'a Scene<'a> {
        self.scene
    }

    pub fn args<S: AsRef<std::ffi::OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without_server(mut self) -> Self {
        self.server = None;
        self
    }

    /// Another copy of launchgate.
    pub fn program(mut self, path: &Path) -> Self {
        let mut command = Command::new(path);
        command
            .args(self.command.get_args())
            .env_clear()
            .stdin(Stdio::null())
            .current_dir(&self.scene.dir);
        for (name, value) in self.command.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        self.command = command;
        self
    }

    /// Started inside another program, such as `ip netns exec NAME`.
    pub fn inside(mut self, words: &[&str]) -> Self {
        let mut outer = Command::new(words[0]);
        outer
            .args(&words[1..])
            .arg(self.command.get_program())
            .args(self.command.get_args());
        outer
            .env_clear()
            .stdin(Stdio::null())
            .current_dir(&self.scene.dir);
        for (name, value) in self.command.get_envs() {
            outer.env(name, value.unwrap_or_default());
        }
        self.command = outer;
        self
    }

    pub fn start(mut self) -> Running {
        if let Some(server) = &self.server {
            self.command.args(["--", server]);
        }
        let log = self.scene.dir.join(format!("log-{}", self.name));
        let file = fs::File::create(&log).expect("a log");
        let out =
            fs::File::create(self.scene.dir.join(format!("out-{}", self.name))).expect("a file");
        let child = self
            .command
            .stdout(out)
            .stderr(file)
            .spawn()
            .expect("launchgate");
        Running {
            child,
            log,
            name: self.name,
            status: None,
        }
    }

    /// Started and waited for.
    pub fn finish(self) -> Running {
        let mut running = self.start();
        running.wait();
        running
    }
}
