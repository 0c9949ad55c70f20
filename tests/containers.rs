//! The official binary in real containers, under a real engine: an image `FROM scratch` that
//! holds nothing but launchgate and one static program, an image with a Debian root, and the
//! two Dockerfiles of this repository.
//!
//! Nothing is pulled. Where no engine answers, a test starts its own `dockerd`, which takes
//! root, with everything it writes in a folder of the test's, and takes it down again.
//!
//! That a stop is obeyed at once is judged by exit codes, not by clocks: the engine's own
//! answer to a container that does not end is SIGKILL, and that shows as 137.

#[path = "common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

#[path = "containers/compose.rs"]
mod compose;

use common::docker::{Container, Engine, repository, static_binary, succeeded};
use common::wait_until as until;

/// The roots that launchgate has to work in.
#[derive(Clone, Copy)]
enum Root {
    Scratch,
    Debian,
    /// Like Alpine's.
    Musl,
}

macro_rules! in_all_roots {
    ($($name:ident),* $(,)?) => {
        mod scratch { $(#[test] fn $name() { super::$name(super::Root::Scratch); })* }
        mod debian { $(#[test] fn $name() { super::$name(super::Root::Debian); })* }
        mod musl { $(#[test] fn $name() { super::$name(super::Root::Musl); })* }
    };
}

in_all_roots!(
    server_is_process_one_and_has_no_children,
    stop_reaches_the_server_at_once,
    failing_migration_never_starts_the_server,
    stop_in_a_migration_waits_for_its_rollback,
    runs_without_root_rights_or_a_writable_root,
    an_init_stays_process_one_and_passes_a_stop_on,
    a_server_runs_as_a_user_that_is_a_number,
);

fn server_is_process_one_and_has_no_children(root: Root) {
    let engine = Engine::answering();
    let image = engine.image(root);
    let container = engine.start(&image, &["migrate"], &[]);
    let said = container.wait_for("serving");
    let server = root.program().join(" ");
    assert!(
        said.contains(&format!(
            "serving pid=1 command=[{server} serve] children=[]"
        )),
        "{said}"
    );
    assert!(
        said.find("migrated") < said.find("serving"),
        "the migration comes first:\n{said}"
    );
    assert_eq!(container.schema(), "1");
}

fn stop_reaches_the_server_at_once(root: Root) {
    let engine = Engine::answering();
    let image = engine.image(root);
    let container = engine.start(&image, &["migrate"], &[]);
    container.wait_for("serving");
    assert_eq!(
        container.stop(),
        7,
        "the server's own code\n{}",
        container.logs()
    );
    assert!(container.logs().contains("served"), "{}", container.logs());
}

fn failing_migration_never_starts_the_server(root: Root) {
    let engine = Engine::answering();
    let image = engine.image(root);
    let container = engine.start(&image, &["migrate", "fail", "migrate"], &[]);
    assert_eq!(container.wait(), 3, "the migration's own code");
    let said = container.logs();
    assert!(said.contains("this migration fails"), "{said}");
    assert!(!said.contains("serving"), "{said}");
}

fn stop_in_a_migration_waits_for_its_rollback(root: Root) {
    let engine = Engine::answering();
    let image = engine.image(root);
    let container = engine.start(&image, &["slow", "migrate"], &[]);
    container.wait_for("half way");
    assert_eq!(container.schema(), "half");
    assert_eq!(container.stop(), 143, "{}", container.logs());
    let said = container.logs();
    assert_eq!(container.schema(), "rolled back", "{said}");
    assert!(said.contains("rolled back"), "{said}");
    assert!(
        !said.contains("migrated"),
        "no further step is run:\n{said}"
    );
    assert!(!said.contains("serving"), "{said}");
}

fn runs_without_root_rights_or_a_writable_root(root: Root) {
    let engine = Engine::answering();
    let image = engine.image(root);
    let bounds = ["--read-only", "--user", "65534:65534", "--cap-drop", "ALL"];
    let container = engine.start(&image, &["migrate"], &bounds);
    container.wait_for("serving pid=1");
    assert_eq!(container.schema(), "1");
    assert_eq!(container.stop(), 7);
}

fn an_init_stays_process_one_and_passes_a_stop_on(root: Root) {
    let engine = Engine::answering();
    let image = engine.image(root);
    let words = ["run", "--no-database", "--init", "--", "/program", "serve"];
    let container = engine.start_words(&image, &words, &[]);
    let said = container.wait_for("serving pid=");
    assert!(!said.contains("serving pid=1 "), "{said}");
    assert_eq!(container.stop(), 7, "{}", container.logs());
    let said = container.logs();
    assert!(said.contains("served"), "{said}");
}

fn a_server_runs_as_a_user_that_is_a_number(root: Root) {
    let engine = Engine::answering();
    let image = engine.image(root);
    for init in ["--init=no", "--init"] {
        let words = ["run", "--no-database", init, "--user", "54321:54321"];
        let words = [&words[..], &["--", "/program", "serve"]].concat();
        let container = engine.start_words(&image, &words, &[]);
        container.wait_for("serving pid=");
        let id = container.inspect("{{.State.Pid}}");
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let server = children.unwrap_or_default();
        let server = if init == "--init" {
            server.trim()
        } else {
            &*id
        };
        let status = fs::read_to_string(format!("/proc/{server}/status"));
        let status = status.expect("the server's status");
        assert!(status.contains("Uid:\t54321\t54321\t54321\t54321\n"));
        assert!(status.contains("Gid:\t54321\t54321\t54321\t54321\n"));
        assert!(status.contains("CapEff:\t0000000000000000\n"), "{status}");
        assert_eq!(container.stop(), 7);
    }
    // No name is known here, not even root's.
    let words = ["run", "--no-database", "--user", "node", "--", "/program"];
    let container = engine.start_words(&image, &words, &[]);
    assert_eq!(container.wait(), 64);
    let said = container.logs();
    assert!(
        said.contains("/etc/passwd") && said.contains("numeric"),
        "{said}"
    );
}

/// `docker run -it` with a shell as the server: keys, job control and the shell's own code.
#[test]
fn a_shell_behind_an_init_has_the_terminal() {
    let engine = Engine::answering();
    let context = engine.context();
    fs::copy(static_binary(), context.join("launchgate")).expect("the binary");
    let base = engine.import(&["bash", "sleep", "stty"]);
    let file = context.join("Dockerfile");
    let text = format!("FROM {base}\nCOPY launchgate /\nENTRYPOINT [\"/launchgate\"]\n");
    fs::write(&file, text).expect("a Dockerfile");
    let image = engine.build_file(&file, &context, &[]);
    let words = "run -q --no-database --init -- bash --norc --noprofile -i";
    let options = "-it --rm --network none --env PS1='> ' --env TERM=dumb";
    let mut shell = AtTerminal::start(&engine, &format!("docker run {options} {image} {words}"));
    shell.wait_for("> ", 1);
    shell.press("echo pid=$$. one=$(</proc/1/comm).\n");
    shell.wait_for("one=", 2);
    shell.press("sleep 1000\n");
    shell.wait_for("sleep 1000", 1);
    // The key may come before sleep is in the foreground; then it is only a line's end.
    shell.press_until("\x1a", "Stopped");
    shell.press("fg\n");
    shell.wait_for("sleep 1000", 3);
    // A shell that is interrupted forgets the next key.
    shell.press_until("\x03 \necho jobs=$(jobs -p).\n", "jobs=.");
    shell.press("exit 3\n");
    let shown = shell.shown();
    assert!(!shown.contains("no job control"), "{shown}");
    assert!(!shown.contains("pid=1."), "{shown}");
    assert_eq!(shell.end(), 3, "{shown}");
}

/// A command at a terminal, which `script` makes.
struct AtTerminal {
    script: Child,
    shown: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

impl AtTerminal {
    fn start(engine: &Engine, command: &str) -> Self {
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--command", command]);
        script.envs(engine.variables());
        let mut script = script
            .arg("/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script: install bsdutils");
        let shown = std::sync::Arc::<std::sync::Mutex<Vec<u8>>>::default();
        let (mut stream, target) = (script.stdout.take().expect("its output"), shown.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = std::io::Read::read(&mut stream, &mut buffer) {
                target.lock().expect("text").extend(&buffer[..len]);
            }
        });
        Self { script, shown }
    }

    fn press(&mut self, keys: &str) {
        let keyboard = self.script.stdin.as_mut().expect("a keyboard");
        std::io::Write::write_all(keyboard, keys.as_bytes()).expect("a key");
    }

    fn press_until(&mut self, key: &str, text: &str) {
        let mut tries = 0;
        until(&format!("{text:?} on the terminal"), || {
            if self.shown().contains(text) {
                return Some(());
            }
            if tries % 50 == 0 {
                self.press(key);
            }
            tries += 1;
            None
        });
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("text")).into_owned()
    }

    fn wait_for(&self, text: &str, times: usize) {
        until(&format!("{text:?} on the terminal"), || {
            (self.shown().matches(text).count() >= times).then_some(())
        });
    }

    fn end(mut self) -> i32 {
        let status = self.script.wait().expect("its end");
        status.code().expect("an exit code")
    }
}

#[test]
fn dockerfile_makes_an_image_of_one_file() {
    let engine = Engine::answering();
    let image = engine.launchgate_image();
    let container = engine.start_words(&image, &["--version"], &[]);
    assert_eq!(container.wait(), 0);
    assert_eq!(
        container.logs().trim(),
        format!("launchgate {}", env!("CARGO_PKG_VERSION"))
    );
}

/// The image that `scripts/dist` packed, used by a Dockerfile with `COPY --from`.
#[test]
fn packaged_image_is_one_to_copy_from() {
    let engine = Engine::answering();
    let version = env!("CARGO_PKG_VERSION");
    let dist = std::env::var_os("LAUNCHGATE_DIST");
    let dist = PathBuf::from(dist.expect("LAUNCHGATE_DIST: what `scripts/dist` printed"));
    let archive = dist.join(format!("launchgate-{version}-image.tar"));
    let archive = archive.to_str().expect("a path in UTF-8");
    engine.succeed(&["load", "--quiet", "--input", archive]);
    let context = engine.context();
    let file = context.join("Dockerfile");
    let text = format!(
        "FROM scratch\nCOPY --from=launchgate:{version}-amd64 /launchgate /bin/launchgate\n\
         ENTRYPOINT [\"/bin/launchgate\"]\n"
    );
    fs::write(&file, text).expect("a Dockerfile");
    let image = engine.build_file(&file, &context, &[]);
    let container = engine.start_words(&image, &["--version"], &[]);
    assert_eq!(container.wait(), 0, "{}", container.logs());
    assert_eq!(container.logs().trim(), format!("launchgate {version}"));
}

/// `Dockerfile.example` with `examples/node` as the app, on this machine's own node.
#[test]
fn dockerfile_example_migrates_once_per_release() {
    let engine = Engine::answering();
    let launchgate = engine.launchgate_image();
    let node = engine.import(&["sh", "cat", "node"]);
    let build = |release: &str| {
        engine.build_file(
            &repository("Dockerfile.example"),
            &repository("examples/node"),
            &[
                ("LAUNCHGATE_IMAGE", &launchgate),
                ("APP_IMAGE", &node),
                ("GIT_SHA", release),
            ],
        )
    };
    walk(&engine, &build, |replica| {
        until("a healthy container", || {
            (replica.inspect("{{.State.Health.Status}}") == "healthy").then_some(())
        });
    });
}

/// README's first example is the CMD of README's Dockerfile, which is built here as it stands, but for the
/// names of the two images that can't be pulled.
#[test]
fn readmes_dockerfile_migrates_once_per_release() {
    let readme = fs::read_to_string(repository("README.md")).expect("README.md");
    let block = |opening: &str, part: &str| {
        let mut blocks = readme.split("```").skip(1).step_by(2);
        let found = blocks.find(|block| block.starts_with(opening) && block.contains(part));
        let found = found.unwrap_or_else(|| panic!("no {opening} block with {part}"));
        found[opening.len()..].trim().to_owned()
    };
    let dockerfile = block("dockerfile", "COPY --from=launchgate");
    let first = shlex::split(&block("text", "launchgate run")).expect("words");
    let array = dockerfile.split("CMD ").nth(1).expect("a CMD");
    let words: Vec<String> = serde_json::from_str(array).expect("the exec form");
    assert_eq!(words, first, "README's first example and its Dockerfile");

    let engine = Engine::answering();
    let launchgate = engine.launchgate_image();
    let node = engine.image_with_user("node", &engine.import(&["sh", "cat", "node"]));
    let text = dockerfile
        .replace("FROM node:22-bookworm-slim", &format!("FROM {node}"))
        .replace("--from=launchgate ", &format!("--from={launchgate} "));
    let file = engine.context().join("Dockerfile");
    fs::write(&file, text).expect("a Dockerfile");
    let build = |release: &str| {
        let app = repository("examples/node");
        engine.build_file(&file, &app, &[("GIT_SHA", release)])
    };
    walk(&engine, &build, |_| ());
}

/// Safe in every replica, at a restart and in the next release, with the operator's commands at hand, in a
/// container that runs and in a new one.
#[allow(
    clippy::print_stderr,
    reason = "how long a stop took is worth a line, and no test's condition"
)]
fn walk(engine: &Engine, build: &dyn Fn(&str) -> String, look: impl Fn(&Container<'_>)) {
    let data = engine.data();
    let options = [
        "--env=DATA_DIR=/data",
        "--env=DATABASE_URL=sqlite:/data/app.db",
        "--health-interval=1s",
    ];
    let start = |image: &str| engine.start_on(&data, image, &[], &options);
    let migrations = |containers: &[Container<'_>]| {
        let logs = containers.iter().map(Container::logs);
        logs.map(|logs| logs.matches("schema is 2").count())
            .sum::<usize>()
    };

    let first = build("4f2a91c");
    let replicas: Vec<_> = (0..5).map(|_| start(&first)).collect();
    for replica in &replicas {
        replica.wait_for("listening");
    }
    assert_eq!(migrations(&replicas), 1);
    let replica = &replicas[0];
    look(replica);
    let fetch = "fetch('http://127.0.0.1:8080/').then(r => r.text()).then(t => console.log(t))";
    let answer = replica.exec(&["node", "-e", fetch]);
    assert!(answer.contains("\"schema\":2"), "{answer}");

    let stopping = Instant::now();
    assert_eq!(replica.stop(), 0, "it was not killed\n{}", replica.logs());
    eprintln!("docker stop took {} ms", stopping.elapsed().as_millis());
    engine.succeed(&["start", &replica.id]);
    until("the restarted server", || {
        (replica.logs().matches("listening").count() == 2).then_some(())
    });
    assert_eq!(migrations(&replicas), 1, "a restart migrates nothing");

    let next = [start(&build("9b3d07e"))];
    next[0].wait_for("listening");
    assert_eq!(migrations(&next), 1, "the next release migrates");

    // In a container that runs.
    let status = next[0].exec(&["launchgate", "status"]);
    assert!(
        status.contains("4f2a91c") && status.contains("9b3d07e"),
        "{status}"
    );
    let resolve = ["launchgate", "resolve", "9b3d07e", "--as", "succeeded"];
    let said = next[0].exec(&resolve);
    assert!(
        said.contains("the next start will not run its steps"),
        "{said}"
    );
    // Where it does not run, a new one of the same image does it.
    assert_eq!(next[0].stop(), 0, "it was not killed\n{}", next[0].logs());
    let operator = |words: &[&str]| {
        let operator = engine.start_on(&data, &first, words, &options);
        assert_eq!(operator.wait(), 0, "{}", operator.logs());
        operator.logs()
    };
    let status = operator(&["launchgate", "status"]);
    assert!(status.contains("9b3d07e"), "{status}");
    operator(&["launchgate", "resolve", "9b3d07e", "--as", "blocked"]);
    engine.succeed(&["start", &next[0].id]);
    assert_eq!(next[0].wait(), 77, "{}", next[0].logs());
}

/// "A host is reached by its A record whatever its AAAA query gets (no such name, failure, no answer)."
/// (contract, section 3)
///
/// With the official binary, whose musl fails such a name.
#[test]
fn a_host_is_reached_whatever_its_aaaa_query_gets() {
    let launchgate =
        std::env::var("LAUNCHGATE_STATIC").expect("LAUNCHGATE_STATIC: a static binary");
    let place = TempDir::new().expect("a folder");
    let resolver = place.path().join("resolv.conf");
    fs::write(&resolver, "nameserver 127.0.0.1\n").expect("a file");
    let script = "ip link set lo up && mount --bind \"$1\" /etc/resolv.conf || exit 99; \
                  mkfifo \"$1.ready\"; python3 \"$2\" \"$3\" >\"$1.ready\" & read -r _ <\"$1.ready\"; \
                  exec \"$4\" run --release v1 --wait-timeout 20s --migrate true -- true";
    for what in ["servfail", "silence"] {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--net", "--pid", "--fork", "--kill-child"]);
        command.args(["sh", "-c", script, "sh"]).arg(&resolver);
        command
            .arg(repository("tests/containers/names.py"))
            .arg(what);
        command
            .arg(&launchgate)
            .env("DATABASE_URL", "postgres://u:p@db.example/d");
        let output = command.output().expect("unshare");
        let said = String::from_utf8_lossy(&output.stderr);
        // So it was reached.
        assert!(
            said.contains("answers, but is not Postgres"),
            "{what}: {said}"
        );
        let _ = fs::remove_file(resolver.with_extension("conf.ready"));
    }
}

impl Engine {
    /// An image with launchgate and the test's program.
    fn image(&self, root: Root) -> String {
        let context = self.context();
        fs::copy(static_binary(), context.join("launchgate")).expect("the binary");
        let base = match root {
            Root::Scratch => {
                compile("-static", &context.join("program"));
                "scratch".to_owned()
            }
            Root::Debian => {
                let program = repository("tests/containers/program.sh");
                fs::copy(program, context.join("program")).expect("the program");
                self.import(&["sh", "cat", "tr", "sleep"])
            }
            Root::Musl => {
                compile("-no-pie", &context.join("program"));
                self.import_tar(&mut Command::new(repository("tests/containers/musl-root")))
            }
        };
        let file = context.join("Dockerfile");
        let text =
            format!("FROM {base}\nCOPY launchgate program /\nENTRYPOINT [\"/launchgate\"]\n");
        fs::write(&file, text).expect("a Dockerfile");
        self.build_file(&file, &context, &[])
    }

    /// The image that the repository's `Dockerfile` makes. Its compiler is replaced by one
    /// that has the result at hand: a toolchain's image can't be pulled, and the build itself
    /// is what made the binary of all these tests.
    fn launchgate_image(&self) -> String {
        let stub = self.context();
        fs::copy(static_binary(), stub.join("launchgate")).expect("the binary");
        let cargo = "#!/bin/sh\nset -e\nfor last; do :; done\n\
                     test \"$*\" = \"build --release --locked --target $last\"\n\
                     test -f Cargo.lock -a -f .cargo/config.toml -a -f src/main.rs\n\
                     mkdir -p target/$last/release\ncp /launchgate target/$last/release/\n";
        fs::write(stub.join("cargo"), cargo).expect("a stub");
        let base = self.import(&["sh", "chmod", "cp", "mkdir", "mv", "uname"]);
        let file = stub.join("Dockerfile");
        let text = format!(
            "FROM {base}\nCOPY launchgate /\nCOPY cargo /usr/bin/\n\
             RUN chmod 755 /usr/bin/cargo\n"
        );
        fs::write(&file, text).expect("a Dockerfile");
        let rust = self.build_file(&file, &stub, &[]);
        self.build_file(
            &repository("Dockerfile"),
            &repository(""),
            &[("RUST_IMAGE", &rust)],
        )
    }

    /// The same image with a user 1000 of this name, as the official images of a language have one.
    fn image_with_user(&self, name: &str, image: &str) -> String {
        let context = self.context();
        let users = format!("root:x:0:0::/root:/bin/sh\n{name}:x:1000:1000::/app:/bin/sh\n");
        fs::write(context.join("passwd"), users).expect("the users");
        let groups = format!("root:x:0:\n{name}:x:1000:\n");
        fs::write(context.join("group"), groups).expect("the groups");
        let file = context.join("Dockerfile");
        let text = format!("FROM {image}\nCOPY passwd group /etc/\n");
        fs::write(&file, text).expect("a Dockerfile");
        self.build_file(&file, &context, &[])
    }

    /// The test's image with one migrate step per mode, then `serve`.
    fn start(&self, image: &str, modes: &[&str], options: &[&str]) -> Container<'_> {
        let steps: Vec<String> = modes
            .iter()
            .map(|mode| format!("/program {mode}"))
            .collect();
        let mut words = vec!["run", "--no-database"];
        for step in &steps {
            words.extend(["--migrate", step]);
        }
        words.extend(["--", "/program", "serve"]);
        self.start_words(image, &words, options)
    }
}

impl Container<'_> {
    fn schema(&self) -> String {
        fs::read_to_string(self.data.join("schema")).unwrap_or_default()
    }
}

impl Root {
    /// What the kernel shows as the server's words: a script's come after its interpreter.
    fn program(self) -> &'static [&'static str] {
        match self {
            Self::Scratch | Self::Musl => &["/program"],
            Self::Debian => &["/bin/sh", "/program"],
        }
    }
}

fn compile(link: &str, program: &Path) {
    let output = Command::new("musl-gcc")
        .args([link, "-O1", "-Wall", "-Werror", "-o"])
        .arg(program)
        .arg(repository("tests/containers/program.c"))
        .output()
        .expect("musl-gcc: install musl-tools");
    succeeded(&["musl-gcc"], &output);
}
