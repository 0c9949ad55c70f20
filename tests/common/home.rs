//! A test server's folder and process, gone when the test is, whichever way it goes.

use std::{
    collections::hash_map::RandomState,
    fs::{self, File},
    hash::{BuildHasher, Hasher},
    iter,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

use super::{lock, until};

/// A folder of a server's own. A shell waits for this process to end, however it ends, then
/// kills the server and removes the folder.
pub struct Home {
    pub path: PathBuf,
    janitor: Child,
}

impl Home {
    /// `owner`: the user who must own it, where this process is root.
    pub fn new(name: &str, owner: Option<&str>) -> Self {
        let path = tempfile::Builder::new()
            .prefix(&format!("launchgate-{name}-"))
            .tempdir_in(fast_folder())
            .expect("a temporary folder")
            .keep();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
        if let Some(owner) = owner {
            give(&path, owner);
        }
        let janitor = Command::new("sh")
            .arg("-c")
            .arg(
                "read -r line; if [ -s server.pid ]; then pid=$(cat server.pid); kill -QUIT $pid; n=0; \
                 while [ $n -lt 50 ] && kill -0 $pid; do n=$((n+1)); sleep 0.02; done; kill -KILL -- -$pid; fi; \
                 cd /; n=0; until rm -rf \"$0\" || [ $n -gt 50 ]; do n=$((n+1)); sleep 0.1; done",
            )
            .arg(&path)
            .current_dir(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        Self { path, janitor }
    }

    /// One with a copy of a template's `data`.
    pub fn with_data(name: &str, owner: &str, template: &Path) -> Self {
        let home = Self::new(name, Some(owner));
        let mut copy = Command::new("cp");
        output(copy.arg("-a").arg(template.join("data")).arg(&home.path));
        home
    }

    /// What the janitor is to end: the server with this process id, or none.
    fn remember(&self, pid: &str) {
        fs::write(self.path.join("server.pid"), pid).expect("server.pid");
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        let _ = self.janitor.wait();
    }
}

/// In memory where there is room for the data of many servers. On a disk, creating and removing
/// a thousand files for each server costs more than everything that a test does with them.
pub fn fast_folder() -> PathBuf {
    const ROOM: u64 = 4 << 30;
    let memory = Path::new("/dev/shm");
    match nix::sys::statvfs::statvfs(memory) {
        Ok(found) if found.blocks_available() * found.fragment_size() > ROOM => memory.to_owned(),
        _ => std::env::temp_dir(),
    }
}

/// Where scripts/test has put a server: what the variable says, else `folder` of target/tools.
pub fn tool(variable: &str, folder: &str) -> PathBuf {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
    std::env::var_os(variable).map_or_else(|| tools.join(folder), PathBuf::from)
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Gives a folder and what is in it to a server's user.
pub fn give(folder: &Path, user: &str) {
    if is_root() {
        let mut chown = Command::new("chown");
        output(chown.args(["-R", &format!("{user}:")]).arg(folder));
    }
}

/// `program`, as `user` where this process is root and the server would refuse to run.
pub fn command_as(user: &str, program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let ids = ["--reuid", "--regid"].map(|id| format!("{id}={user}"));
    command
        .args(ids)
        .args(["--clear-groups", "--"])
        .arg(program);
    command
}

/// A port on which nobody listens. The kernel gives ports above these to clients, so that one that is free now
/// may be taken when the server starts.
pub fn free_port() -> u16 {
    let random = || RandomState::new().build_hasher().finish();
    let mut ports =
        iter::repeat_with(|| 10_000 + u16::try_from(random() % 20_000).expect("a port"));
    ports
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// A server in its folder. It ends with the test.
pub struct Server {
    pub home: Home,
    pub port: u16,
    command: Mutex<Box<Command>>,
    ready: &'static str,
    deadly: Signal,
    child: Mutex<Option<Child>>,
}

impl Server {
    /// Starts it and waits until it logs `ready`. `deadly` is the signal that ends it, and every
    /// session, at once.
    pub fn start(
        home: Home,
        port: u16,
        command: Command,
        ready: &'static str,
        deadly: Signal,
    ) -> Self {
        let server = Self {
            home,
            port,
            command: Mutex::new(Box::new(command)),
            ready,
            deadly,
            child: Mutex::new(None),
        };
        server.restart();
        server
    }

    /// Restarts it by what this makes of its command.
    pub fn restart_as(&self, change: impl FnOnce(&Command) -> Command) {
        let mut command = lock(&self.command);
        **command = change(&command);
        drop(command);
        self.restart();
    }

    /// Returns once nobody restarts it any more.
    pub fn settle(&self) {
        drop(lock(&self.child));
    }

    /// Ends it, where it runs.
    pub fn stop(&self) {
        self.end(&mut lock(&self.child));
    }

    fn end(&self, child: &mut Option<Child>) {
        if let Some(mut child) = child.take() {
            let pid = Pid::from_raw(child.id().cast_signed());
            let _ = kill(pid, self.deadly);
            let _ = child.wait();
            // Pgpool's processes outlive the first one.
            let _ = killpg(pid, Signal::SIGKILL);
            self.home.remember("");
        }
    }

    /// Starts it again. Where it still runs it is ended first.
    pub fn restart(&self) {
        let mut running = lock(&self.child);
        self.end(&mut running);
        let log = File::create(self.home.path.join("log")).expect("a log");
        let mut command = lock(&self.command);
        let mut child = command
            .env("LC_ALL", "C")
            .current_dir(&self.home.path)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        self.home.remember(&child.id().to_string());
        until("a server that is ready", || {
            let (log, ended) = (self.log(), child.try_wait().expect("its state"));
            assert!(ended.is_none(), "{command:?} ended: {ended:?}\n{log}");
            log.contains(self.ready)
        });
        *running = Some(child);
    }

    /// What it has logged since its last start.
    pub fn log(&self) -> String {
        let log = fs::read(self.home.path.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a command prints; the test fails with its error output where it fails.
pub fn output(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

/// A folder made once and copied by every server that starts: `make` fills the folder it is
/// given. Kept beside the build, under a name that says which version of the program made it.
pub fn template(program: &mut Command, make: impl Fn(&Path)) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = lock(&ONE_AT_A_TIME);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let version = output(program.arg("--version")).replace(|c| !is_plain(c), "-");
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("template-{version}"));
    if !kept.exists() {
        let fresh = Home::new("template", None);
        make(&fresh.path);
        let beside = kept.with_extension(std::process::id().to_string());
        output(Command::new("cp").arg("-a").arg(&fresh.path).arg(&beside));
        // another test binary may have been faster: its folder is as good
        if fs::rename(&beside, &kept).is_err() {
            let _ = fs::remove_dir_all(&beside);
        }
    }
    kept
}
