//! A test server's folder and process, gone when the test is, whichever way it goes.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

use super::clock::Clock;

/// No server takes this long to start, not even on a busy machine.
const START: Duration = Duration::from_mins(1);

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

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a free port")
        .port()
}

/// A server in its folder. It ends with the test.
pub struct Server {
    pub home: Home,
    command: Box<Command>,
    ready: &'static str,
    child: Option<Child>,
}

impl Server {
    /// Starts it and waits until it says `ready` on its standard error.
    pub fn start(home: Home, command: Command, ready: &'static str) -> Self {
        let mut server = Self {
            home,
            command: Box::new(command),
            ready,
            child: None,
        };
        server.restart();
        server
    }

    /// From its next start on it runs on this clock.
    pub fn on_clock(&mut self, clock: &Clock) {
        *self.command = clock.command(&self.command);
    }

    /// Stops it by a signal, where it runs.
    pub fn stop(&mut self, by: Signal) {
        if let Some(mut child) = self.child.take() {
            let pid = Pid::from_raw(child.id().cast_signed());
            let _ = kill(pid, by);
            let _ = child.wait();
            // Pgpool's processes outlive the first one.
            let _ = killpg(pid, Signal::SIGKILL);
            self.home.remember("");
        }
    }

    /// Starts it again. Where it still runs it is killed first.
    pub fn restart(&mut self) {
        self.stop(Signal::SIGKILL);
        self.child = Some(spawn(&self.home, &mut self.command, self.ready));
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Signal::SIGKILL);
    }
}

fn spawn(home: &Home, command: &mut Command, ready: &str) -> Child {
    let mut child = command
        .env("LC_ALL", "C")
        .current_dir(&home.path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    home.remember(&child.id().to_string());
    let (tell, told) = mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().expect("piped"));
    let log = home.path.join("log");
    std::thread::spawn(move || {
        let mut lines = Vec::new();
        for line in stderr.lines().map_while(Result::ok) {
            lines.push(line.clone());
            let _ = fs::write(&log, lines.join("\n"));
            let _ = tell.send(line);
        }
    });
    let deadline = Instant::now() + START;
    let mut seen = Vec::new();
    loop {
        match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) if line.contains(ready) => return child,
            Ok(line) => seen.push(line),
            Err(error) => panic!(
                "{command:?} did not get ready ({error}):\n{}",
                seen.join("\n")
            ),
        }
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
/// given. Kept beside the build, under a name that carries what it was made from.
pub fn template(name: &str, make: impl Fn(&Path)) -> PathBuf {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("template-{name}"));
    if !kept.exists() {
        let fresh = Home::new(name, None);
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
