//! A folder of its own for every test, and what is started there.

use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::report::Report;
use super::start::{Given, Start};
use super::stub::CommandLine;
use super::{Mode, Run, processes, wait_until};

/// The only variable that a run has from the start.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A test's folder, with `./launchgate` and `./stub` in it.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// A new one.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("gate-").tempdir().unwrap();
        // Steps of other users have to get in.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        symlink(
            env!("CARGO_BIN_EXE_launchgate"),
            folder.path().join("launchgate"),
        )
        .unwrap();
        let own = std::env::current_exe().unwrap();
        symlink(own, folder.path().join("stub")).unwrap();
        Self { folder }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether a file is there.
    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// A file's text; nothing where there is no file.
    pub fn text(&self, name: &str) -> String {
        let bytes = fs::read(self.path(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A file's lines.
    pub fn lines(&self, name: &str) -> Vec<String> {
        self.text(name).lines().map(str::to_owned).collect()
    }

    /// What a stub reported of itself; the file is gone then.
    #[track_caller]
    pub fn report(&self, name: &str) -> Report {
        Report::take(&self.path(name))
    }

    /// Writes a file.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    /// Removes a file, if it is there.
    pub fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.path(name));
    }

    /// Writes an executable file.
    pub fn write_program(&self, name: &str, contents: &str) {
        self.write(name, contents);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Waits until a file has a line that contains `text`, and returns that line.
    #[track_caller]
    pub fn wait_for_line(&self, name: &str, text: &str) -> String {
        wait_until(&format!("a line with {text:?} in the file {name}"), || {
            let text_so_far = self.text(name);
            let end = text_so_far.rfind('\n')? + 1;
            let line = text_so_far[..end].lines().find(|l| l.contains(text))?;
            Some(line.to_owned())
        })
    }

    /// Waits for the process id that a stub appended to a file.
    #[track_caller]
    pub fn wait_for_pid(&self, name: &str) -> i32 {
        self.wait_for_line(name, "").parse().unwrap()
    }

    /// Something to run: its arguments, the program's name first.
    pub fn run(&self, mode: Mode, argv: impl CommandLine) -> Gate<'_> {
        Gate {
            place: self,
            mode,
            argv: c_strings(argv.command_line()),
            server: Vec::new(),
            environment: vec![c_string(OsStr::new(PATH))],
            streams: Vec::new(),
            closed: Vec::new(),
            given: Vec::new(),
            name: String::new(),
        }
    }

    /// `launchgate run`, or `launchgate job` where no server follows, with no database.
    pub fn gate<W: AsRef<OsStr>>(&self, mode: Mode, flags: &[W]) -> Gate<'_> {
        let mut gate = self.run(mode, &["./launchgate", "job", "--no-database"]);
        gate.argv
            .extend(flags.iter().map(|flag| c_string(flag.as_ref())));
        gate
    }
}

fn c_strings(words: Vec<OsString>) -> Vec<CString> {
    words.into_iter().map(|word| c_string(&word)).collect()
}

fn c_string(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).unwrap()
}

/// Something about to be started.
#[derive(Debug)]
pub struct Gate<'a> {
    place: &'a Place,
    mode: Mode,
    argv: Vec<CString>,
    server: Vec<CString>,
    environment: Vec<CString>,
    streams: Vec<(OwnedFd, RawFd)>,
    closed: Vec<RawFd>,
    given: Vec<Given>,
    name: String,
}

impl<'a> Gate<'a> {
    /// Puts a name in front of its `stdout` and `stderr`, where several run at once.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Appends arguments.
    pub fn args<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        let words = words.into_iter();
        self.argv.extend(words.map(|word| c_string(word.as_ref())));
        self
    }

    /// Runs another program in its place, with the same arguments.
    pub fn program(mut self, path: &Path) -> Self {
        self.argv[0] = c_string(path.as_os_str());
        self
    }

    /// Runs it by way of another program, such as `ip netns exec NAME`.
    pub fn inside(mut self, words: &[&str]) -> Self {
        let program = self
            .place
            .folder()
            .join(OsStr::from_bytes(self.argv[0].as_bytes()));
        self.argv[0] = c_string(program.as_os_str());
        let outer = words.iter().map(|word| c_string(OsStr::new(word)));
        self.argv.splice(..0, outer);
        self
    }

    /// The server and its arguments: `job` becomes `run`, with `--init` where the mode has it.
    pub fn server(mut self, server: impl CommandLine) -> Self {
        self.argv[1] = c"run".into();
        if self.mode.has_init() {
            self.argv.push(c"--init".into());
        }
        self.server = c_strings(server.command_line());
        self
    }

    /// Runs no server after all.
    pub fn without_server(mut self) -> Self {
        self.server.clear();
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut entry = name.as_bytes().to_vec();
        entry.push(b'=');
        self.environment
            .retain(|earlier| !earlier.as_bytes().starts_with(&entry));
        entry.extend(value.as_ref().as_bytes());
        self.entry(&entry)
    }

    /// Adds an entry to the environment, whatever it holds.
    pub fn entry(mut self, entry: &[u8]) -> Self {
        self.environment.push(CString::new(entry).unwrap());
        self
    }

    /// Gives it a descriptor.
    pub fn descriptor(mut self, number: RawFd, fd: impl Into<OwnedFd>) -> Self {
        self.streams.push((fd.into(), number));
        self
    }

    /// Leaves a standard stream closed.
    pub fn closed(mut self, number: RawFd) -> Self {
        self.closed.push(number);
        self
    }

    /// Gives it something else.
    pub fn given(mut self, given: Given) -> Self {
        self.given.push(given);
        self
    }

    /// Starts it. Standard input is /dev/null, the other streams are files of the folder
    /// unless they were given.
    pub fn start(mut self) -> Run {
        for number in 0..3 {
            if self.closed.contains(&number) || self.streams.iter().any(|(_, n)| *n == number) {
                continue;
            }
            let file = match number {
                0 => File::open("/dev/null").unwrap(),
                1 => self.place.output(&format!("{}stdout", self.name)),
                _ => self.place.output(&format!("{}stderr", self.name)),
            };
            self.streams.push((file.into(), number));
        }
        if !self.server.is_empty() {
            self.argv.push(c"--".into());
            self.argv.append(&mut self.server);
        }
        let start = Start {
            mode: self.mode,
            path: program(self.place, &self.argv[0]),
            argv: self.argv,
            environment: self.environment,
            folder: c_string(self.place.folder().as_os_str()),
            descriptors: self.streams,
            given: self.given,
        };
        let pid = start.spawn();
        Run::new(pid, self.mode, self.place.folder(), self.name)
    }

    /// Starts it and waits for its end; what it wrote can be read for as long as it is kept.
    #[track_caller]
    pub fn finish(self) -> Run {
        let mut run = self.start();
        run.wait();
        run
    }

    /// Where it runs.
    pub fn place(&self) -> &'a Place {
        self.place
    }

    /// Starts it and waits for its end.
    #[track_caller]
    pub fn end(self) -> super::Finished {
        self.start().end()
    }
}

/// The tests run programs of the folder and of the system.
fn program(place: &Place, name: &CString) -> CString {
    let name = Path::new(OsStr::from_bytes(name.as_bytes()));
    let in_system =
        ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(|folder| Path::new(folder).join(name));
    let here = place.folder().join(name);
    let found = std::iter::once(here).chain(in_system).find(|p| p.exists());
    c_string(found.expect("a program that is there").as_os_str())
}

/// Whatever was started here ends here. After a failure the folder stays, to be looked at.
impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- kept: {}", self.folder().display());
            self.folder.disable_cleanup(true);
        }
        wait_until("the end of everything that was started", || {
            let left = processes::in_folder(self.folder());
            for seen in &left {
                processes::signal(seen.pid, libc::SIGKILL);
            }
            left.is_empty().then_some(())
        });
    }
}

impl Place {
    /// An empty file for a stream. Appended to, as both ends of a shared one must be.
    fn output(&self, name: &str) -> File {
        self.write(name, "");
        OpenOptions::new()
            .append(true)
            .open(self.path(name))
            .unwrap()
    }
}
