//! Replicas: the real binary beside others of its kind, on a real database, judged by what
//! its steps and servers wrote down themselves.
//!
//! Every step and server appends lines to one file, so that their order is the order of what
//! happened. A step holds `flock` on another file as long as any of its processes lives: where
//! it finds that locked, two steps run at a time, and it says `overlap`.

use std::{
    ops::Deref,
    sync::atomic::{AtomicUsize, Ordering},
};

use launchgate::db::{Backend, ddl};

use super::{Gate, Mode, Place, Run, backends::Db, until};

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

/// A [`Place`] with one app on one database, and with the evidence of its replicas.
pub struct Scene<'a> {
    place: Place,
    pub db: &'a Db,
    pub app: String,
    pub url: String,
    number: AtomicUsize,
}

impl Deref for Scene<'_> {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
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
        let place = Place::new();
        let scene = Self {
            db,
            app: app.to_owned(),
            url: db.url(),
            number: AtomicUsize::new(0),
            place,
        };
        scene.write_program("step", STEP);
        scene.write_program("server", SERVER);
        scene.write_program("ask", &db.ask());
        scene.touch("evidence");
        if db.is_sqlite() && !db.sqlite_file().exists() {
            // The first run has no row until it ends: most scenes are about a later one.
            db.sql(&ddl(Backend::Sqlite, None, None));
        }
        scene
    }

    /// The same where the file of an `SQLite` database does not exist yet.
    pub fn without_database_file(self) -> Self {
        if self.db.is_sqlite() {
            std::fs::remove_file(self.db.sqlite_file()).expect("a file");
        }
        self
    }

    /// The path of a file, as a word of a command line.
    pub fn path(&self, name: &str) -> String {
        self.place.path(name).display().to_string()
    }

    pub fn touch(&self, name: &str) {
        self.write(name, "");
    }

    pub fn count(&self, word: &str) -> usize {
        let evidence = self.evidence();
        evidence.iter().filter(|line| line.word() == word).count()
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

    /// `launchgate VERB` with this scene's database.
    pub fn command(&self, verb: &str) -> Gate<'_> {
        self.program(&["./launchgate", verb])
    }

    /// Any program in the environment that launchgate would have here.
    pub fn program(&self, argv: &[&str]) -> Gate<'_> {
        let name = self.number.fetch_add(1, Ordering::Relaxed).to_string();
        self.place
            .run(Mode::Ordinary, argv)
            .env("LC_ALL", "C")
            .env("DATABASE_URL", &self.url)
            .env("LAUNCHGATE_APP", &self.app)
            .env("APP", &self.app)
            .env("LAUNCHGATE_LEASE", "3s")
            .env("LAUNCHGATE_STOP_GRACE", "500ms")
            .env("LAUNCHGATE_RETRY_DELAY", "0")
            .env("REPLICA", &name)
            .named(name)
    }

    /// `launchgate run` of one step for `revision`, a lease of three seconds.
    pub fn run(&self, revision: &str) -> Gate<'_> {
        self.run_steps(revision, &["migrate"])
    }

    pub fn run_steps(&self, revision: &str, steps: &[&str]) -> Gate<'_> {
        let step = self.path("step");
        let flags = steps.iter().map(|kind| format!("--{kind}={step}"));
        self.bare(revision).args(flags)
    }

    /// Starts it and waits for its step, which is held until [`Scene::let_go`].
    #[track_caller]
    pub fn start_held(&self, replica: Gate<'_>) -> Run {
        self.touch("hold-migrate");
        let earlier = self.count("start");
        let holder = replica.start();
        until("the step", || self.count("start") > earlier);
        holder
    }

    /// Lets a step go on that was held.
    pub fn let_go(&self) {
        self.remove("hold-migrate");
    }

    /// `launchgate run` with a server and no step yet.
    pub fn bare(&self, revision: &str) -> Gate<'_> {
        self.command("run")
            .env("REVISION", revision)
            .args(["--release", revision])
            .server(&[self.path("server")])
    }

    /// Fails where one of the rules that hold at any time was broken.
    pub fn check_rules(&self) {
        let evidence = self.evidence();
        for line in &evidence {
            let broken = match line.word() {
                "overlap" => Some("two steps at a time"),
                "start" if !matches!(line.get("succeeded"), "0" | "") => Some("a step ran again"),
                "server" if line.get("succeeded") != "1" => Some("a server too early"),
                _ => None,
            };
            assert!(broken.is_none(), "{broken:?}: {}\n{evidence:#?}", line.0);
        }
    }

    /// After everything: the rules, one success, nothing `running`.
    pub fn check_settled(&self, revision: &str) {
        self.check_rules();
        let rows = self.ledger("revision, state");
        let success = format!("{revision}|succeeded");
        let successes = rows.iter().filter(|row| **row == success).count();
        assert_eq!(successes, 1, "{rows:?}\n{:?}", self.evidence());
        let is_running = rows.iter().any(|row| row.ends_with("|running"));
        assert!(!is_running, "{rows:?}");
    }
}

impl Place {
    /// The evidence so far. A line that is being written is not there yet.
    pub fn evidence(&self) -> Vec<Line> {
        let text = self.text("evidence");
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| Line(line.to_owned())).collect()
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- evidence:\n{}", self.text("evidence"));
            for number in 0..self.number.load(Ordering::Relaxed) {
                let log = self.text(&format!("{number}stderr"));
                eprintln!("--- replica {number}\n{log}");
            }
        }
    }
}
