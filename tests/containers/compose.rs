//! `examples/compose`, run as its page says: Compose v2, a network, Postgres in a container.
//!
//! The files are used as they stand. What can't be pulled is built from this machine's files under the
//! names that they use: Debian's Postgres as `postgres:17`, and an app that writes down what it does as
//! `web`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::common::docker::{Engine, repository, static_binary};
use crate::common::home::{output, tool};
use crate::common::wait_until;

const MIGRATION: &str = "console.log('migrated');\n";
const SERVER: &str = "\
const server = require('node:http').createServer((_, answer) => answer.end('ok'));
server.listen(8080, () => console.log('listening'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
";
/// What the official image's entrypoint does.
const POSTGRES: &str = r#"#!/bin/sh
set -e
data=/var/lib/postgresql/data
bin=/usr/lib/postgresql/15/bin
as="setpriv --reuid=999 --regid=999 --clear-groups"
mkdir -p $data /var/run/postgresql
chown 999 $data /var/run/postgresql
if [ ! -e $data/PG_VERSION ]; then
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    $as $bin/initdb -D $data -U postgres --pwfile=/tmp/password -N -E UTF8 --locale=C \
        --auth-local=trust --auth-host=scram-sha-256
    echo "host all all all scram-sha-256" >>$data/pg_hba.conf
fi
exec $as $bin/postgres -D $data -c "listen_addresses=*" -c fsync=off
"#;

#[test]
fn compose_files_run_as_their_page_says() {
    let engine = Engine::with_networks();
    build_postgres(&engine);
    let project = Project::new(&engine);
    replicas_migrate_once(&project.file("compose.yaml"));
    a_job_migrates_before_the_server(&project.file("compose.job.yaml"));
}

fn replicas_migrate_once(web: &File<'_>) {
    let nameless = web.compose("", &["up", "--detach"]).output();
    let nameless = nameless.expect("Compose");
    assert!(!nameless.status.success());
    let said = String::from_utf8_lossy(&nameless.stderr).into_owned();
    assert!(
        said.contains("the commit that the image was built from"),
        "{said}"
    );

    let up = ["up", "--build", "--detach", "--scale", "web=3"];
    web.succeed("4f2a91c", &up);
    web.wait_for("listening", 3);
    assert_eq!(web.count("web", "migrated"), 1);
    web.succeed("4f2a91c", &["restart", "web"]);
    web.wait_for("listening", 6);
    assert_eq!(
        web.count("web", "migrated"),
        1,
        "a restart migrates nothing"
    );
    // In new containers, with logs of their own.
    web.succeed("9b3d07e", &up);
    web.wait_for("listening", 3);
    assert_eq!(
        web.count("web", "migrated"),
        1,
        "the next release migrates once"
    );
    web.succeed("9b3d07e", &["stop", "web"]);
    assert_eq!(web.exit_codes("web"), ["0", "0", "0"]);
    web.succeed("9b3d07e", &["down", "--volumes"]);
}

fn a_job_migrates_before_the_server(web: &File<'_>) {
    let up = ["up", "--build", "--detach"];
    web.succeed("4f2a91c", &up);
    web.wait_for("listening", 1);
    assert_eq!(web.exit_codes("migrate"), ["0"]);
    assert_eq!(web.count("migrate", "migrated"), 1);
    // The same container of the job starts again.
    web.succeed("4f2a91c", &up);
    assert_eq!(web.count("migrate", "migrated"), 1);
    web.succeed("9b3d07e", &up);
    assert_eq!(web.count("migrate", "migrated"), 1, "in a new container");
    web.succeed("9b3d07e", &["stop", "web"]);
    assert_eq!(web.exit_codes("web"), ["0"]);
    web.succeed("9b3d07e", &["down", "--volumes"]);
}

fn build_postgres(engine: &Engine) {
    let base = engine.import(&[
        "sh",
        "mkdir",
        "chown",
        "setpriv",
        "/usr/lib/postgresql/15/bin/postgres",
        "/usr/lib/postgresql/15/bin/initdb",
        "/usr/lib/postgresql/15/lib",
        "/usr/share/postgresql/15",
        "/usr/share/zoneinfo/UTC",
    ]);
    let context = engine.context();
    fs::write(context.join("start"), POSTGRES).expect("the entrypoint");
    let users = "root:x:0:0::/root:/bin/sh\npostgres:x:999:999::/:/bin/sh\n";
    fs::write(context.join("passwd"), users).expect("the users");
    let text = format!(
        "FROM {base}\nCOPY passwd /etc/\nCOPY start /\nENTRYPOINT [\"/bin/sh\", \"/start\"]\n"
    );
    let file = context.join("Dockerfile");
    fs::write(&file, text).expect("a Dockerfile");
    let image = engine.build_file(&file, &context, &[]);
    engine.succeed(&["tag", &image, "postgres:17"]);
}

/// A folder with the example's files and an app.
struct Project<'a> {
    engine: &'a Engine,
    folder: PathBuf,
}

impl<'a> Project<'a> {
    fn new(engine: &'a Engine) -> Self {
        let folder = engine.context();
        for name in ["compose.yaml", "compose.job.yaml"] {
            let file = repository("examples/compose").join(name);
            fs::copy(file, folder.join(name)).expect("the example's file");
        }
        fs::copy(static_binary(), folder.join("launchgate")).expect("the binary");
        let base = engine.import(&["sh", "cat", "node"]);
        let dockerfile = format!(
            "FROM {base}\nWORKDIR /app\nCOPY launchgate /usr/bin/\nCOPY migrate migrate\nCOPY built built\n"
        );
        for (name, text) in [
            ("migrate/migration-code.js", MIGRATION),
            ("built/server.js", SERVER),
            ("Dockerfile", &dockerfile),
        ] {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file of the app");
        }
        Self { engine, folder }
    }

    fn file(&self, name: &'static str) -> File<'_> {
        File {
            project: self,
            name,
        }
    }
}

/// A project as one of the files describes it.
struct File<'a> {
    project: &'a Project<'a>,
    name: &'static str,
}

impl File<'_> {
    /// `docker compose` for a release.
    fn compose(&self, release: &str, words: &[&str]) -> Command {
        let mut command = Command::new(plugin());
        command.envs(self.project.engine.variables());
        command.args(["--file", self.name]).args(words);
        command
            .env("GIT_SHA", release)
            .current_dir(&self.project.folder);
        command
    }

    fn succeed(&self, release: &str, words: &[&str]) -> String {
        output(&mut self.compose(release, words))
    }

    /// How often a service's containers have written a line.
    fn count(&self, service: &str, line: &str) -> usize {
        let logs = self.succeed("any", &["logs", "--no-log-prefix", service]);
        logs.lines().filter(|found| *found == line).count()
    }

    fn wait_for(&self, line: &str, times: usize) {
        wait_until(&format!("{line:?} {times} times"), || {
            (self.count("web", line) == times).then_some(())
        });
    }

    fn exit_codes(&self, service: &str) -> Vec<String> {
        let ids = self.succeed("any", &["ps", "--all", "--quiet", service]);
        let format = ["inspect", "--format", "{{.State.ExitCode}}"];
        let ids: Vec<&str> = ids.lines().collect();
        let codes = self
            .project
            .engine
            .succeed(&[&format[..], &ids[..]].concat());
        codes.lines().map(str::to_owned).collect()
    }
}

/// Compose v2, where `need_compose` of scripts/lib.sh puts it.
fn plugin() -> PathBuf {
    let program = "usr/libexec/docker/cli-plugins/docker-compose";
    tool("LAUNCHGATE_TEST_COMPOSE", "compose").join(program)
}
