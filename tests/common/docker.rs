//! Containers under a real engine: the one that answers, or a `dockerd` of the test's own. Nothing is pulled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::home::output;
use super::wait_until;

/// What a machine must have for these tests.
const ENGINE: &str = "these tests need a Docker engine that answers, or root and docker.io to start one, \
    with cgroups mounted and the right to mount, which a plain chroot lacks";
/// Seconds between `docker stop`'s TERM and KILL: more than any test takes.
const STOP_GRACE: &str = "100";

/// A docker engine, and the folder of what the test makes for it.
pub struct Engine {
    host: Option<String>,
    own: Option<Child>,
    folder: TempDir,
}

impl Engine {
    /// The one that answers already, or one of the test's own.
    pub fn answering() -> Self {
        let mut engine = Self::new();
        if !engine.answers() {
            engine.start_own(&[]);
        }
        engine
    }

    /// One of the test's own, whose containers can have networks. Its bridges, and the ports that it
    /// publishes, are in a network namespace.
    pub fn with_networks() -> Self {
        let mut engine = Self::new();
        let up = "ip link set lo up && exec \"$@\"";
        engine.start_own(&["unshare", "--net", "sh", "-c", up, "sh"]);
        engine
    }

    fn new() -> Self {
        Self {
            host: None,
            own: None,
            folder: TempDir::with_prefix("launchgate-docker-").expect("a folder"),
        }
    }

    fn answers(&self) -> bool {
        self.docker(&["version", "--format", "{{.Server.Version}}"])
            .status
            .success()
    }

    /// Without a bridge or firewall rules: hardly a test needs a network, and they take rights and
    /// kernel modules that a machine for tests may not have. `by`: what starts it.
    fn start_own(&mut self, by: &[&str]) {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let socket = format!("unix://{}", at("sock"));
        let log = fs::File::create(at("log")).expect("a log file");
        // The engine gets TERM, and ends its containers, also when the test's thread dies.
        let engine = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .args(by)
            .arg("dockerd")
            .args(["--data-root", &at("data"), "--exec-root", &at("exec")])
            .args(["--pidfile", &at("pid"), "--host", &socket])
            .args(["--bridge", "none", "--iptables=false", "--ip6tables=false"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("setpriv and dockerd: install util-linux and docker.io");
        self.own = Some(engine);
        self.host = Some(socket);
        let log = at("log");
        wait_until("dockerd to answer", || {
            let ended = self
                .own
                .as_mut()
                .is_some_and(|own| own.try_wait().is_ok_and(|s| s.is_some()));
            let said = fs::read_to_string(&log).unwrap_or_default();
            assert!(
                !ended,
                "no engine answers and dockerd ends: {ENGINE}\n{said}"
            );
            self.answers().then_some(())
        });
    }

    /// What leads a client to this engine.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        let host = self.host.clone().map(|host| ("DOCKER_HOST", host));
        // A client may lack the plug-in that the newer builder needs. The older one is enough
        // for these files, and takes base images from the engine without asking a registry.
        host.into_iter()
            .chain([("DOCKER_BUILDKIT", "0".to_owned())])
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new("docker");
        command.envs(self.variables()).stdin(Stdio::null());
        command
    }

    pub fn docker(&self, args: &[&str]) -> Output {
        self.command()
            .args(args)
            .output()
            .expect("docker: install docker.io")
    }

    pub fn succeed(&self, args: &[&str]) -> String {
        output(self.command().args(args))
    }

    pub fn build_file(&self, file: &Path, context: &Path, args: &[(&str, &str)]) -> String {
        let mut command = self.command();
        command
            .args(["build", "--network", "none", "--quiet", "--file"])
            .arg(file);
        for (name, value) in args {
            command.arg("--build-arg").arg(format!("{name}={value}"));
        }
        last_line(&output(command.arg(context)))
    }

    /// A Debian root with these programs, made of this machine's files.
    pub fn import(&self, programs: &[&str]) -> String {
        self.import_of("tests/containers/debian-root", programs)
    }

    /// The root that a script of the repository makes.
    pub fn import_of(&self, script: &str, words: &[&str]) -> String {
        let mut pipe = Command::new("bash");
        pipe.args(["-o", "pipefail", "-c", "\"$@\" | docker import -", "bash"]);
        last_line(&output(
            pipe.envs(self.variables())
                .arg(repository(script))
                .args(words),
        ))
    }

    pub fn context(&self) -> PathBuf {
        TempDir::with_prefix_in("context-", self.folder.path())
            .expect("a folder")
            .keep()
    }

    pub fn start_words(&self, image: &str, words: &[&str], options: &[&str]) -> Container<'_> {
        self.start_on(&self.data(), image, words, options)
    }

    /// A folder that every user of a container may write to.
    pub fn data(&self) -> PathBuf {
        let data = self.context();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(&data, open).expect("an open folder");
        data
    }

    /// Starts a container that has this folder as `/data`.
    pub fn start_on(
        &self,
        data: &Path,
        image: &str,
        words: &[&str],
        options: &[&str],
    ) -> Container<'_> {
        let volume = format!("{}:/data", data.display());
        let mut args = vec!["run", "--detach", "--network", "none", "--volume", &volume];
        args.extend(options);
        args.push(image);
        args.extend(words);
        let id = self.succeed(&args);
        Container {
            engine: self,
            id,
            data: data.to_owned(),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(own) = &mut self.own else { return };
        // TERM has the engine end what it started and unmount what it mounted, but for the network namespace
        // that containers without a network of their own share: its mount would keep the folder from being removed.
        let _ = Command::new("kill").arg(own.id().to_string()).status();
        let _ = own.wait();
        let shared = self.folder.path().join("exec/netns/default");
        let _ = Command::new("umount").arg("--lazy").arg(shared).status();
    }
}

pub struct Container<'a> {
    engine: &'a Engine,
    pub id: String,
    pub data: PathBuf,
}

impl Container<'_> {
    /// Both streams, so far.
    pub fn logs(&self) -> String {
        let output = self.engine.docker(&["logs", &self.id]);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    pub fn wait_for(&self, text: &str) -> String {
        wait_until(&format!("{text:?} in the container's output"), || {
            let logs = self.logs();
            let state = self.inspect("{{.State.Running}}");
            assert!(
                state == "true" || self.logs().contains(text),
                "it ended:\n{logs}"
            );
            logs.contains(text).then_some(logs)
        })
    }

    /// Its exit code, once it ended by itself.
    pub fn wait(&self) -> i32 {
        let code = self.engine.succeed(&["wait", &self.id]);
        code.parse().expect("an exit code")
    }

    /// `docker stop`, and the exit code.
    pub fn stop(&self) -> i32 {
        self.engine
            .succeed(&["stop", "--time", STOP_GRACE, &self.id]);
        self.inspect("{{.State.ExitCode}}")
            .parse()
            .expect("an exit code")
    }

    pub fn inspect(&self, format: &str) -> String {
        let words = ["inspect", "--format", format, &self.id];
        self.engine.succeed(&words)
    }

    pub fn exec(&self, words: &[&str]) -> String {
        self.engine.succeed(&[&["exec", &self.id], words].concat())
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        self.engine
            .docker(&["rm", "--force", "--volumes", &self.id]);
    }
}

/// The official binary: `LAUNCHGATE_STATIC`, else what `scripts/build-static` makes.
pub fn static_binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(path) = std::env::var_os("LAUNCHGATE_STATIC") {
            return path.into();
        }
        last_line(&output(&mut Command::new(repository(
            "scripts/build-static",
        ))))
        .into()
    })
}

pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim().to_owned()
}
