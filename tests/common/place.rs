//! A folder of its own for every test, and what is started there.

use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::report::Report;
use super::start::{Given, Start};
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
    pub fn run(&self, mode: Mode, argv: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Gate<'_> {
        let start = Start {
            mode,
            argv: c_strings(argv),
            environment: c_strings([PATH]),
            folder: c_string(self.folder()),
            descriptors: Vec::new(),
            given: Vec::new(),
        };
        Gate {
            place: self,
            start,
            server: Vec::new(),
            closed: Vec::new(),
            name: String::new(),
        }
    }

    /// `launchgate run`, or `launchgate job` where no server follows, with no database.
    pub fn gate<W: AsRef<OsStr>>(&self, mode: Mode, flags: &[W]) -> Gate<'_> {
        let gate = self.run(mode, ["./launchgate", "job", "--no-database"]);
        gate.args(flags)
    }
}

fn c_strings(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Vec<CString> {
    words.into_iter().map(c_string).collect()
}

fn c_string(text: impl AsRef<OsStr>) -> CString {
    CString::new(text.as_ref().as_bytes()).unwrap()
}

/// Something about to be started.
#[derive(Debug)]
pub struct Gate<'a> {
    place: &'a Place,
    start: Start,
    server: Vec<CString>,
    closed: Vec<RawFd>,
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
        self.start.argv.extend(c_strings(words));
        self
    }

    /// Runs another program in its place, with the same arguments.
    pub fn program(mut self, path: &Path) -> Self {
        self.start.argv[0] = c_string(path);
        self
    }

    /// Runs it by way of another program, such as `ip netns exec NAME`.
    pub fn inside(mut self, words: &[&str]) -> Self {
        let argv = &mut self.start.argv;
        let program = self
            .place
            .folder()
            .join(OsStr::from_bytes(argv[0].as_bytes()));
        argv[0] = c_string(program);
        argv.splice(..0, c_strings(words));
        self
    }

    /// The server and its arguments: `job` becomes `run`, with `--init` where the mode has it.
    pub fn server(mut self, server: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.start.argv[1] = c"run".into();
        if self.start.mode.has_init() {
            self.start.argv.push(c"--init".into());
        }
        self.server = c_strings(server);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut entry = name.as_bytes().to_vec();
        entry.push(b'=');
        let environment = &mut self.start.environment;
        environment.retain(|earlier| !earlier.as_bytes().starts_with(&entry));
        entry.extend(value.as_ref().as_bytes());
        self.entry(&entry)
    }

    /// Adds an entry to the environment, whatever it holds.
    pub fn entry(mut self, entry: &[u8]) -> Self {
        self.start
            .environment
            .push(c_string(OsStr::from_bytes(entry)));
        self
    }

    /// Gives it a descriptor.
    pub fn descriptor(mut self, number: RawFd, fd: impl Into<OwnedFd>) -> Self {
        self.start.descriptors.push((fd.into(), number));
        self
    }

    /// Leaves a standard stream closed.
    pub fn closed(mut self, number: RawFd) -> Self {
        self.closed.push(number);
        self
    }

    /// Gives it something else.
    pub fn given(mut self, given: Given) -> Self {
        self.start.given.push(given);
        self
    }

    /// Starts it. Standard input is /dev/null, the other streams are files of the folder
    /// unless they were given.
    pub fn start(mut self) -> Run {
        for number in 0..3 {
            let mut given = self.start.descriptors.iter();
            if self.closed.contains(&number) || given.any(|(_, given)| *given == number) {
                continue;
            }
            let file = match number {
                0 => File::open("/dev/null").unwrap(),
                1 => self.place.output(&format!("{}stdout", self.name)),
                _ => self.place.output(&format!("{}stderr", self.name)),
            };
            self.start.descriptors.push((file.into(), number));
        }
        if !self.server.is_empty() {
            self.start.argv.push(c"--".into());
            self.start.argv.append(&mut self.server);
        }
        let mode = self.start.mode;
        Run::new(self.start.spawn(), mode, self.place.folder(), self.name)
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
