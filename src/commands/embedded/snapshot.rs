//! `--snapshot`: a copy of a `SQLite` database, of one moment, checked, and on the disk.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::db::Error;
use crate::exit::{Failure, FailureKind, Problem};
use crate::gate::retry::ConnectRetry;
use crate::output::log::{Event, Log};
use crate::plan::gate_plan::Limits;
use crate::steps;
use crate::sys::access::may_make_files;
use crate::sys::clock::Moment;
use crate::sys::host::{Host, Wake};
use crate::sys::sqlite::{Copy, Database, LiteError};

/// How the line begins that says it is made: [`super::restore_hint`] reads it.
pub(super) const MADE: &str = "the snapshot is made";

/// How many pages are copied between two looks at the signals: 4 MiB of the usual pages.
const PAGES: i32 = 1024;

/// What a revision keeps of itself in a file's name.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The longest part of a revision in a file's name.
const REVISION: usize = 80;

/// The longest name of a file (limits.h, `NAME_MAX`).
const LONGEST: usize = 255;

enum Trouble {
    Lite(&'static str, LiteError),
    Io(String, io::Error),
    Damaged(String),
    Stopped(i32),
    /// The database holds no more than the ledger.
    Nothing,
}

/// Makes it.
pub(super) fn make(
    host: &Host,
    log: &Log,
    limits: &Limits,
    file: &Path,
    revision: &str,
    folder: &Path,
) -> Result<(), Failure> {
    let needless = || {
        log.say(
            Event::SnapshotNeedless,
            "nothing is in the database yet, so no snapshot is made",
            &[("database", &file.display())],
        );
        Ok(())
    };
    let Ok(file) = file.canonicalize() else {
        return needless();
    };
    let started = Moment::now();
    let mut retry = ConnectRetry::new(limits);
    loop {
        let error = match attempt(host, &file, revision, folder) {
            Ok((copy, bytes)) => {
                let seconds = format!("{:.3}", Moment::now().since(started).as_secs_f64());
                log.say(
                    Event::SnapshotMade,
                    MADE,
                    &[
                        ("file", &copy.display()),
                        ("database", &file.display()),
                        ("bytes", &bytes),
                        ("seconds", &seconds),
                    ],
                );
                return Ok(());
            }
            Err(Trouble::Nothing) => return needless(),
            Err(Trouble::Lite(_, error)) if error.is_busy() => error,
            Err(trouble) => return Err(failure(trouble, &file)),
        };
        let pause = retry.next(log, &Error::NotYet(error.to_string()));
        let pause = pause
            .map_err(|failure| Failure::new(FailureKind::Snapshot, failure.problem().clone()))?;
        if let Wake::Stop(number) = host.wait(None, Some(Moment::now() + pause)) {
            return Err(steps::stopped(number, "snapshot"));
        }
    }
}

/// Whether a file could be made in the folder, or the folder where it is missing. Makes neither.
pub(super) fn check(folder: &Path) -> Result<(), Failure> {
    let there = folder.ancestors().map(|path| {
        if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        }
    });
    let Some(there) = there.into_iter().find(|path| path.exists()) else {
        return Ok(());
    };
    let refused = |why: &dyn std::fmt::Display| {
        let what = format!("no snapshot can be made in {}: {why}", folder.display());
        Err(Failure::new(
            FailureKind::Snapshot,
            Problem::new(what, hint("")),
        ))
    };
    if !there.is_dir() {
        return refused(&format!("{} is no folder", there.display()));
    }
    may_make_files(there).or_else(|error| refused(&error))
}

fn failure(trouble: Trouble, file: &Path) -> Failure {
    let file = file.display();
    let (what, hint) = match trouble {
        Trouble::Stopped(number) => return steps::stopped(number, "snapshot"),
        Trouble::Lite(doing, error) => (
            format!("failed to {doing} {file}: {error}"),
            hint(&error.to_string()),
        ),
        Trouble::Io(doing, error) => (
            format!("failed to {doing}: {error}"),
            hint(&error.to_string()),
        ),
        Trouble::Nothing => (format!("{file} is empty"), "report it"),
        Trouble::Damaged(what) => (
            format!("the copy of {file} is not sound: {what}"),
            "the database itself is damaged: see `PRAGMA integrity_check`, and restore it from a backup",
        ),
    };
    Failure::new(
        FailureKind::Snapshot,
        Problem::new(format!("no snapshot, so nothing is migrated: {what}"), hint),
    )
}

fn hint(error: &str) -> &'static str {
    let error = error.to_ascii_lowercase();
    if error.contains("full") || error.contains("no space") || error.contains("quota") {
        "make room there: remove snapshots that nobody needs, or give --snapshot a larger disk"
    } else if error.contains("no such collation") || error.contains("no such function") {
        "an index needs what only the application knows, so a copy can't be checked: leave --snapshot out, and have --backup run a command of the application's"
    } else {
        "let this user read the database and write to the folder of --snapshot, and see that its disk is sound"
    }
}

fn attempt(
    host: &Host,
    file: &Path,
    revision: &str,
    folder: &Path,
) -> Result<(PathBuf, u64), Trouble> {
    let io = |doing: &str, path: &Path| {
        let doing = format!("{doing} {}", path.display());
        move |error| Trouble::Io(doing, error)
    };
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let made = folder.ancestors().take_while(is_missing).count();
    fs::create_dir_all(folder).map_err(io("make the folder", folder))?;
    let folder = folder.canonicalize().map_err(io("find", folder))?;
    may_make_files(&folder).map_err(io("write to", &folder))?;
    let (name, partial) = names(file, revision);
    let (copy, partial) = (folder.join(name), Partial(folder.join(partial)));
    // A run that was killed may have left one.
    partial.remove();
    partial.fill(host, file)?;
    let meta = fs::metadata(file).map_err(io("look at", file))?;
    let bytes = fs::metadata(&partial.0)
        .map_err(io("look at", &partial.0))?
        .len();
    fs::set_permissions(&partial.0, meta.permissions())
        .map_err(io("set the mode of", &partial.0))?;
    File::open(&partial.0)
        .and_then(|file| file.sync_all())
        .map_err(io("write to the disk", &partial.0))?;
    fs::rename(&partial.0, &copy).map_err(io("name", &copy))?;
    // A folder that was just made is on the disk when the one that it is in is.
    for folder in folder.ancestors().take(made + 1) {
        sync(folder).map_err(io("write to the disk", folder))?;
    }
    Ok((copy, bytes))
}

/// Writes a folder's entries to the disk. One that may be written to but not read can't be
/// opened for that.
fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// The names of the copy and of what is to become it.
fn names(file: &Path, revision: &str) -> (String, String) {
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let time = time.replace(['-', ':'], "");
    let room = LONGEST.saturating_sub(name.len() + time.len() + 2);
    let revision = utf8_percent_encode(revision, FILE_NAME).to_string();
    let revision: String = revision.chars().take(REVISION.min(room)).collect();
    // One at a time is made of a database; another of the same name may be its neighbour.
    let whose = Sha256::digest(file.as_os_str().as_encoded_bytes());
    let whose = u32::from_be_bytes([whose[0], whose[1], whose[2], whose[3]]);
    (
        format!("{name}.{time}.{revision}"),
        format!(".{name}.{whose:08x}.partial"),
    )
}

/// A copy that is not whole yet: removed unless it was given its name.
struct Partial(PathBuf);

impl Partial {
    fn fill(&self, host: &Host, file: &Path) -> Result<(), Trouble> {
        let stop = Cell::new(None);
        let keep_going = || {
            if stop.get().is_none()
                && let Wake::Stop(number) = host.wait(None, Some(Moment::now()))
            {
                stop.set(Some(number));
            }
            stop.get().is_none()
        };
        let lite = |doing| {
            let stop = &stop;
            move |error| {
                stop.get()
                    .map_or(Trouble::Lite(doing, error), Trouble::Stopped)
            }
        };
        let from = Database::open(file).map_err(lite("open"))?;
        // From here on all that is read is of one moment, whoever writes.
        let tables = c"BEGIN; SELECT name FROM sqlite_schema \
              WHERE tbl_name <> 'launchgate_runs' AND tbl_name NOT LIKE 'sqlite@_%' ESCAPE '@' LIMIT 1";
        let tables = from.ask(tables, &keep_going).map_err(lite("read"))?;
        if tables.is_empty() {
            return Err(Trouble::Nothing);
        }
        // Nobody else may read what the database's own mode may hide.
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.0)
            .map_err(|error| Trouble::Io(format!("make {}", self.0.display()), error))?;
        let to = Database::open(&self.0).map_err(lite("make a copy of"))?;
        // It is nothing until it has its name, and is synced as a whole before that.
        to.ask(
            c"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF",
            &keep_going,
        )
        .map_err(lite("make a copy of"))?;
        let mut copy = Copy::begin(&from, &to).map_err(lite("copy"))?;
        while !copy.step(PAGES).map_err(lite("copy"))? {
            if !keep_going() {
                return Err(Trouble::Stopped(stop.get().unwrap_or_default()));
            }
        }
        copy.finish().map_err(lite("copy"))?;
        drop((from, to));
        let copy = Database::open(&self.0).map_err(lite("open the copy of"))?;
        let found = copy
            .ask(c"PRAGMA integrity_check", &keep_going)
            .map_err(lite("check the copy of"))?;
        if found == ["ok"] {
            return Ok(());
        }
        Err(Trouble::Damaged(
            found.join("; ").chars().take(300).collect(),
        ))
    }

    fn remove(&self) {
        for end in ["", "-journal", "-wal", "-shm"] {
            let mut path = self.0.clone().into_os_string();
            path.push(end);
            // It is not there, as a rule.
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.remove();
    }
}
