//! The official binary in real containers, under a real engine: an image `FROM scratch` that
//! holds nothing but launchgate and one static program, and an image with a Debian root. In
//! `containers/`: the Dockerfiles of this repository, and its Compose files.
//!
//! Nothing is pulled. Where no engine answers, a test starts its own `dockerd`, which takes
//! root, with everything it writes in a folder of the test's, and takes it down again.
//!
//! That a stop is obeyed at once is judged by exit codes, not by clocks: the engine's own
//! answer to a container that does not end is SIGKILL, and that shows as 137.

#[path = "common/mod.rs"]
mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

#[path = "containers/compose.rs"]
mod compose;
#[path = "containers/dockerfiles.rs"]
mod dockerfiles;

use common::docker::{Container, Engine, repository, static_binary};
use common::home::output;
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
                self.import_of("tests/containers/musl-root", &[])
            }
        };
        let file = context.join("Dockerfile");
        let text =
            format!("FROM {base}\nCOPY launchgate program /\nENTRYPOINT [\"/launchgate\"]\n");
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
    // Of musl-tools.
    let mut compiler = Command::new("musl-gcc");
    compiler.args([link, "-O1", "-Wall", "-Werror", "-o"]);
    let source = repository("tests/containers/program.c");
    output(compiler.arg(program).arg(source));
}
