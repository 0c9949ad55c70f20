//! A small project of each tool: three migrations, the second of them slow, and a server.

use std::{
    env,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::common::{
    Gate, Mode, Place, Run,
    home::output,
    servers::{PASSWORD, Postgres, postgres_15},
    until,
};
use crate::replicas::Round;

static POSTGRES: LazyLock<Postgres> = LazyLock::new(|| {
    let server = Postgres::start();
    // Go's driver refuses a password that is hashed in as few rounds as the fixture's.
    let password = PASSWORD.replace('\'', "''");
    server.sql(
        "postgres",
        &format!("ALTER ROLE postgres PASSWORD '{password}'"),
    );
    server
});
static COUNT: AtomicU32 = AtomicU32::new(0);

const REPLICAS: usize = 4;

/// How a migration tool is called, and what serves.
pub struct Tool {
    /// Its folder in `tests/tools/projects`.
    pub project: &'static str,
    /// How this tool spells a URL's scheme.
    pub scheme: &'static str,
    /// What else it needs in the URL.
    pub options: &'static str,
    pub migrate: &'static str,
    pub server: &'static str,
}

/// A copy of a tool's project, and an empty database.
pub struct Project {
    tool: &'static Tool,
    place: Place,
    database: String,
    path: String,
}

impl Project {
    pub fn new(tool: &'static Tool) -> Self {
        let path = path();
        for command in [tool.migrate, tool.server] {
            let program = command.split(' ').next().unwrap_or_default();
            assert!(
                path.split(':')
                    .any(|folder| Path::new(folder).join(program).exists()),
                "there is no {program}: run scripts/install-test-tools, which installs the migration tools into {}",
                installed().display()
            );
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let database = format!("{}_{number}", tool.project.replace('-', "_"));
        POSTGRES.create_database(&database);
        // A sequence counts executions whose transaction was rolled back, too.
        POSTGRES.sql(&database, "CREATE SEQUENCE executions");
        let place = Place::new();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
        let project = fixtures.join("projects").join(tool.project).join(".");
        let mut copy = Command::new("cp");
        copy.arg("-R").arg(project);
        for file in ["record", "server.py", "server.js"] {
            copy.arg(fixtures.join(file));
        }
        output(copy.arg(place.folder()));
        symlink(installed().join("node_modules"), place.path("node_modules")).expect("a link");
        Self {
            tool,
            place,
            database,
            path,
        }
    }

    /// `sh -c "migrate; serve"` in four replicas. The first one's slow migration is held: the others
    /// start when it has begun, and it goes on when one of them has met it, which means that two
    /// wait for a lock, or that a server has started meanwhile.
    pub fn chain(&self) -> Round {
        let script = format!("./record {}; exec {}", self.tool.migrate, self.tool.server);
        let mut held = Some(Held::new(&self.database));
        let replica = |number| {
            if number == 1 {
                let held = held.as_ref().expect("held");
                until("the first replica's slow migration", || held.waiting() > 0);
            }
            self.place.run(Mode::Ordinary, ["/bin/sh", "-c", &script])
        };
        let replicas = self.start(replica);
        self.watch(replicas, |round| {
            let met = |held: &Held<'_>| !round.servers().is_empty() || held.waiting() > 1;
            held.take_if(|held| met(held));
        })
    }

    /// The same through `launchgate run`, started together.
    pub fn gate(&self) -> Round {
        let migrate = format!("--migrate=./record {}", self.tool.migrate);
        let server: Vec<_> = self.tool.server.split(' ').collect();
        let replicas = self.start(|_| {
            self.place
                .run(Mode::Ordinary, ["./launchgate", "run", "--expand-env"])
                .args([&migrate])
                .server(&server)
                .env("GIT_SHA", "4f2a91c")
        });
        self.watch(replicas, |_| ())
    }

    fn start<'a>(&'a self, replica: impl Fn(usize) -> Gate<'a>) -> Vec<Run> {
        self.place.write("evidence", "");
        let start = |number| {
            let gate = replica(number)
                .env("PATH", &self.path)
                .env("HOME", self.place.folder())
                .env("LC_ALL", "C.UTF-8")
                .env("DATABASE_URL", self.url())
                .env("EVIDENCE", self.place.path("evidence"));
            gate.named(format!("replica-{number}-")).start()
        };
        (0..REPLICAS).map(start).collect()
    }

    fn watch(&self, replicas: Vec<Run>, meanwhile: impl FnMut(&Round)) -> Round {
        let executions = || {
            let count = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM executions";
            let count = POSTGRES.sql(&self.database, count);
            count.parse().expect("a number")
        };
        Round::watch(&self.place, replicas, meanwhile, executions)
    }

    /// How many runs, the state of the last, its attempt, its exit code.
    pub fn ledger(&self) -> String {
        let runs = "SELECT count(*), max(state), max(attempt), max(exit_code) FROM launchgate_runs";
        POSTGRES.sql(&self.database, runs)
    }

    /// What a Python script prints that connects to this project's database.
    pub fn python(&self, script: &str) -> String {
        let mut python = Command::new("python");
        python.args(["-c", script]).env("PATH", &self.path);
        output(python.env("DATABASE_URL", self.url()))
    }

    fn url(&self) -> String {
        let url = POSTGRES.url(&self.database);
        let (_, rest) = url.split_once(':').expect("a scheme");
        format!("{}:{rest}{}", self.tool.scheme, self.tool.options)
    }
}

/// A session that keeps every slow migration waiting where it counts its execution, until it is
/// dropped.
struct Held<'a> {
    database: &'a str,
    session: Child,
}

impl<'a> Held<'a> {
    fn new(database: &'a str) -> Self {
        let held = "BEGIN; ALTER SEQUENCE executions INCREMENT 1; SELECT pg_sleep(600)";
        let session = POSTGRES.psql(database, held).stdout(Stdio::null()).spawn();
        let session = session.expect("psql");
        let held = Self { database, session };
        until("the lock on the sequence", || {
            held.count("granted AND mode = 'ShareRowExclusiveLock'") > 0
        });
        held
    }

    /// How many tools wait, for this or for what another one holds.
    fn waiting(&self) -> u32 {
        self.count("NOT granted")
    }

    fn count(&self, which: &str) -> u32 {
        let locks = format!(
            "SELECT count(DISTINCT l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
             WHERE a.datname = current_database() AND {which}"
        );
        let count = POSTGRES.sql(self.database, &locks);
        count.parse().expect("a number")
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND query LIKE '%ALTER SEQUENCE executions%' \
            AND pid <> pg_backend_pid()";
        POSTGRES.sql(self.database, end);
        let _ = self.session.wait();
    }
}

/// Where `scripts/install-test-tools` puts the tools: in the build's folder.
fn installed() -> PathBuf {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    build.expect("the build's folder").join("test-tools")
}

/// The tools' `PATH`: what was installed for the tests first.
fn path() -> String {
    let tools = installed();
    let own = [
        "venv/bin",
        "node_modules/.bin",
        "node_modules/@dbmate/linux-x64/bin",
    ];
    let own = own.map(|folder| tools.join(folder)).into_iter();
    let rest = env::var_os("PATH").unwrap_or_default();
    let all = env::join_paths(own.chain([postgres_15()]).chain(env::split_paths(&rest)));
    all.ok()
        .and_then(|path| path.into_string().ok())
        .expect("a PATH")
}
