//! The examples of `--sql` in an image, run as their READMEs say, on one Postgres. What can't be had here is
//! replaced: the base images are made of this machine's files, and what builds the app in the first stage, `npm ci`
//! or `go build`, runs on this machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::docker::{Engine, static_binary};
use crate::common::home::output;
use crate::common::servers::{PASSWORD, Postgres};
use crate::common::until;
use crate::reader::{Reader, free_port, repository};

const GO_WORKSPACE: &str =
    "go 1.19\n\nuse .\n\nreplace github.com/lib/pq => /usr/share/gocode/src/github.com/lib/pq\n";

struct Example {
    folder: &'static str,
    /// Of its containers, whose names end in their ports.
    name: &'static str,
    /// The folder of migrations, its tool as a judge of `tests/tools`, and the tool's table.
    migrations: &'static str,
    judge: &'static str,
    history: &'static str,
    /// What the judge prints if there is nothing to do.
    nothing: &'static str,
}

/// "`examples/`: Next.js-like Node app with a Prisma folder, one with Drizzle, a Go-like one with goose's or
/// dbmate's, each in an image FROM scratch or distroless with launchgate alone"
#[test]
fn images_without_a_tool_migrate_as_their_readmes_say() {
    let stage = Stage::new();
    stage.follow(&Example {
        folder: "node-prisma",
        name: "prisma",
        migrations: "prisma/migrations",
        judge: "prisma.mjs",
        history: "_prisma_migrations",
        nothing: "applied:",
    });
    stage.follow(&Example {
        folder: "node-drizzle",
        name: "drizzle",
        migrations: "drizzle",
        judge: "drizzle.mjs",
        history: "drizzle.__drizzle_migrations",
        nothing: "done",
    });
    stage.follow(&Example {
        folder: "go-dbmate",
        name: "go",
        migrations: "db/migrations",
        judge: "dbmate.mjs",
        history: "schema_migrations",
        nothing: "done",
    });
}

/// What the examples share.
struct Stage {
    engine: Engine,
    database: Postgres,
    /// The names of images in the Dockerfiles, and the ones that are used for them.
    images: Vec<(&'static str, String)>,
}

impl Stage {
    fn new() -> Self {
        let engine = Engine::answering();
        let builder = format!("{} AS build", builder(&engine));
        let images = vec![
            (
                "--from=launchgate ",
                format!("--from={} ", launchgate(&engine)),
            ),
            ("gcr.io/distroless/nodejs22-debian12", distroless(&engine)),
            ("node:22-bookworm-slim AS build", builder.clone()),
            ("golang:1.26 AS build", builder),
        ];
        let database = Postgres::start();
        // Go's driver refuses a password that is hashed in as few rounds as the fixture's.
        let password = PASSWORD.replace('\'', "''");
        database.sql(
            "postgres",
            &format!("ALTER ROLE postgres PASSWORD '{password}'"),
        );
        Self {
            engine,
            database,
            images,
        }
    }

    fn follow(&self, example: &Example) {
        let Example { folder, name, .. } = example;
        self.database.create_database(name);
        let url = self.database.url(name);
        // A README's port must not be a part of another one.
        let own = || {
            std::iter::repeat_with(|| free_port().to_string()).find(|port| !port.contains("808"))
        };
        let ports = ["8081", "8082", "8083", "8084"].map(|port| (port, own().expect("a port")));
        let containers = ports.each_ref().map(|(_, port)| format!("{name}-{port}"));
        let mut reader = Reader::of(folder).with("docker build ", "docker build --network none ");
        for (shown, own) in &ports {
            reader = reader.with(shown, own);
        }
        for (name, value) in self.engine.variables() {
            reader = reader.with("export ", &format!("export {name}={value} "));
        }
        let reader = reader.with_database(&url);
        self.prepare(reader.folder());
        let migrations = reader.folder().join(example.migrations);
        let _removed = Removed(&self.engine, &containers);
        reader.follow(folder);

        let [restarted, .., next] = &containers;
        until("a restart that skips", || {
            self.logs(restarted).contains("skipping the steps")
        });
        let health = self.inspect(next, "{{json .Config.Healthcheck.Test}}");
        let health: Vec<String> = serde_json::from_str(&health).expect("words behind CMD");
        let words = health[1..].iter().map(String::as_str);
        let words: Vec<&str> = ["exec", next].into_iter().chain(words).collect();
        self.engine.succeed(&words);
        let words = [
            &["stop", "--time", "60"][..],
            &containers.each_ref().map(String::as_str),
        ]
        .concat();
        self.engine.succeed(&words);
        for container in &containers {
            let logs = self.logs(container);
            assert_eq!(
                self.inspect(container, "{{.State.ExitCode}}"),
                "0",
                "{logs}"
            );
            assert!(!logs.contains("warning"), "{logs}");
        }
        let applied: usize = containers
            .iter()
            .map(|it| self.logs(it).matches("launchgate: applied ").count())
            .sum();
        assert_eq!(applied, 3);

        let count = format!("SELECT count(*) FROM {}", example.history);
        assert_eq!(self.database.sql(name, &count), "3");
        let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
        let tools = build.expect("the build's folder").join("test-tools");
        let mut judge = Command::new("node");
        judge.arg(repository("tests/tools/judges").join(example.judge));
        let said = output(judge.arg(tools).arg(&url).arg(migrations));
        assert_eq!(said, example.nothing);
        assert_eq!(self.database.sql(name, &count), "3");
    }

    /// Runs the first stage's command here, and puts what it made where the image's own `npm` or `go` takes it
    /// from.
    fn prepare(&self, folder: &Path) {
        let file = folder.join("Dockerfile");
        let mut text = fs::read_to_string(&file).expect("a Dockerfile");
        let build = text.lines().find_map(|line| line.strip_prefix("RUN "));
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
        let mut command = Command::new("sh");
        command.args(["-ec", build.expect("a command")]);
        // The server's driver is Debian's package: Go's own proxy may be out of reach.
        let workspace = folder.join("go.work");
        fs::write(&workspace, GO_WORKSPACE).expect("Go's workspace");
        command.env("GOCACHE", cache).env("GOPROXY", "off");
        // Of npm, golang-go and golang-github-lib-pq-dev.
        output(command.env("GOWORK", workspace).current_dir(folder));
        let made = ["node_modules", "server"].map(|name| folder.join(name));
        let made = made
            .iter()
            .find(|path| path.exists())
            .expect("what it made");
        fs::rename(made, folder.join("made")).expect("a folder for the image");
        for (name, own) in &self.images {
            text = text.replace(name, own);
        }
        fs::write(file, text.replacen("COPY ", "COPY made made\nCOPY ", 1))
            .expect("the Dockerfile");
    }

    fn logs(&self, container: &str) -> String {
        let output = self.engine.docker(&["logs", container]);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    fn inspect(&self, container: &str, format: &str) -> String {
        let words = ["inspect", "--format", format, container];
        self.engine.succeed(&words)
    }
}

/// Containers that a README starts are gone after it, also where the test fails.
struct Removed<'a>(&'a Engine, &'a [String]);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        for container in self.1 {
            self.0.docker(&["rm", "--force", container]);
        }
    }
}

fn launchgate(engine: &Engine) -> String {
    let context = engine.context();
    fs::copy(static_binary(), context.join("launchgate")).expect("the binary");
    build(engine, &context, "FROM scratch\nCOPY launchgate /\n")
}

/// As the real one: no shell, node as the entry point, outside of the usual folders.
fn distroless(engine: &Engine) -> String {
    let context = engine.context();
    let folder = context.join("nodejs/bin");
    fs::create_dir_all(&folder).expect("a folder");
    std::os::unix::fs::symlink("/usr/bin/node", folder.join("node")).expect("a link");
    let base = engine.import(&["node"]);
    build(
        engine,
        &context,
        &format!("FROM {base}\nCOPY nodejs /nodejs\nENTRYPOINT [\"/nodejs/bin/node\"]\n"),
    )
}

/// For the first stages: `npm` and `go` take the result that `prepare` put there.
fn builder(engine: &Engine) -> String {
    let context = engine.context();
    let npm = "test \"$*\" = 'ci --omit=dev'\nmv made node_modules\n";
    let go = "test \"$CGO_ENABLED $*\" = '0 build -ldflags=-s -o server .'\nmv made server\n";
    for (program, script) in [("npm", npm), ("go", go)] {
        let file = context.join(program);
        fs::write(&file, format!("#!/bin/sh\nset -e\n{script}")).expect("a program");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(file, mode).expect("its mode");
    }
    let base = engine.import(&["sh", "mv"]);
    build(
        engine,
        &context,
        &format!("FROM {base}\nCOPY npm go /usr/bin/\n"),
    )
}

fn build(engine: &Engine, context: &Path, dockerfile: &str) -> String {
    let file = context.join("Dockerfile");
    fs::write(&file, dockerfile).expect("a Dockerfile");
    engine.build_file(&file, context, &[])
}
