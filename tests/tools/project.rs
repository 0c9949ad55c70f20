//! A small project of each tool: three migrations, the second of them slow, and a server.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{
    common::{
        home::output,
        servers::{Postgres, postgres_15},
    },
    replicas::{Replica, Round},
};

static POSTGRES: LazyLock<Postgres> = LazyLock::new(Postgres::start);
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
    folder: tempfile::TempDir,
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
        let folder = tempfile::tempdir().expect("a temporary folder");
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
        let project = fixtures.join("projects").join(tool.project).join(".");
        let mut copy = Command::new("cp");
        copy.arg("-R").arg(project);
        for file in ["record", "server.py", "server.js"] {
            copy.arg(fixtures.join(file));
        }
        output(copy.arg(folder.path()));
        symlink(
            installed().join("node_modules"),
            folder.path().join("node_modules"),
        )
        .expect("a link");
        Self {
            tool,
            folder,
            database,
            path,
        }
    }

    /// `sh -c "migrate; serve"` in four replicas, whose tools begin together.
    pub fn chain(&self) -> Round {
        let script = format!("./record {}; exec {}", self.tool.migrate, self.tool.server);
        self.round(|| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", &script]);
            self.environment(&mut command);
            command.env("TOGETHER", REPLICAS.to_string());
            command
        })
    }

    /// The same through `launchgate run`, started together.
    pub fn gate(&self) -> Round {
        let migrate = format!("./record {}", self.tool.migrate);
        self.round(|| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_launchgate"));
            command
                .args(["run", "--expand-env", "--migrate", &migrate, "--"])
                .args(self.tool.server.split(' '));
            self.environment(&mut command);
            command.env("GIT_SHA", "4f2a91c");
            command
        })
    }

    fn environment(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C.UTF-8")
            .env("DATABASE_URL", self.url())
            .env("EVIDENCE", self.evidence())
            .current_dir(self.folder.path());
    }

    fn round(&self, replica: impl Fn() -> Command) -> Round {
        fs::write(self.evidence(), "").expect("an empty file");
        let replicas = (0..REPLICAS)
            .map(|number| {
                let log = self.folder.path().join(format!("replica-{number}.log"));
                Replica::start(replica(), &log)
            })
            .collect();
        let executions = || {
            let count = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM executions";
            let count = POSTGRES.sql(&self.database, count);
            count.parse().expect("a number")
        };
        Round::watch(replicas, &self.evidence(), executions)
    }

    /// How many runs, the state of the last, its attempt, its exit code.
    pub fn ledger(&self) -> String {
        let runs = "SELECT count(*), max(state), max(attempt), max(exit_code) FROM launchgate_runs";
        POSTGRES.sql(&self.database, runs)
    }

    fn url(&self) -> String {
        let url = POSTGRES.url(&self.database);
        let (_, rest) = url.split_once(':').expect("a scheme");
        format!("{}:{rest}{}", self.tool.scheme, self.tool.options)
    }

    fn evidence(&self) -> PathBuf {
        self.folder.path().join("evidence")
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
