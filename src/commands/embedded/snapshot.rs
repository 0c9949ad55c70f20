//! `--snapshot`: a copy of a `SQLite` database as of one moment, checked and synced to disk.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::db::Error;
use crate::exit::{Failure, FailureKind};
use crate::gate::retry::ConnectRetry;
use crate::output::log::{Event, Log};
use crate::plan::gate_plan::Limits;
use crate::plan::ledger_reference::LedgerReference;
use crate::settings::EmbeddedSettings;
use crate::steps;
use crate::sys::access::may_make_files;
use crate::sys::clock::Moment;
use crate::sys::host::{Host, Wake};
use crate::sys::signals::Stop;
use crate::sys::sqlite::{Database, LiteError};

/// The characters of a revision that are kept in a file name.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The longest part of a revision in a file's name.
const REVISION: usize = 80;

/// The longest name of a file (limits.h, `NAME_MAX`).
const LONGEST: usize = 255;

enum SnapshotError {
    Stopped(Stop),
    /// Another process keeps the database locked.
    Busy(String),
    /// What went wrong, and what to do.
    Failed(String, &'static str),
}

impl SnapshotError {
    fn failed(doing: &str, path: &Path, error: &dyn Display) -> Self {
        let error = error.to_string();
        let what = format!("failed to {doing} {}: {error}", path.display());
        Self::Failed(what, hint(&error))
    }
}

/// A snapshot that was taken.
struct Snapshot {
    database: PathBuf,
    copy: PathBuf,
    bytes: u64,
}

impl Snapshot {
    /// The command that restores it; `None` if a path can't be quoted for a shell.
    fn restore_hint(&self) -> Option<String> {
        let quoted = |text: &str| shlex::try_quote(text).map(std::borrow::Cow::into_owned);
        let database = self.database.to_str()?;
        let (copy, file) = (quoted(self.copy.to_str()?).ok()?, quoted(database).ok()?);
        let beside = ["-wal", "-shm", "-journal"];
        let beside = beside.map(|end| quoted(&format!("{database}{end}")).unwrap_or_default());
        Some(format!(
            "to restore the snapshot, stop everything that uses the database, then run `rm -f {} && \
             cp {copy} {file}`",
            beside.join(" ")
        ))
    }
}

/// Takes one; returns the command that restores it. Takes none if there is nothing to copy yet.
pub(super) fn make(
    host: &Host,
    log: &Log,
    limits: &Limits,
    settings: &EmbeddedSettings,
) -> Result<Option<String>, Failure> {
    let started = Moment::now();
    let revision = settings.revision.as_deref().unwrap_or("unnamed");
    let file = settings
        .url
        .sqlite_path()
        .ok_or_else(|| Failure::bug("a snapshot of a database that is not a file"))?;
    let found = file.canonicalize();
    let mut retry = ConnectRetry::new(limits, &LedgerReference::default());
    let taken = loop {
        let Ok(file) = &found else {
            break None;
        };
        let error = match attempt(host, file, revision, Path::new(&settings.folder)) {
            Ok(taken) => break taken,
            Err(SnapshotError::Busy(error)) => error,
            Err(SnapshotError::Stopped(stop)) => return Err(stopped(stop)),
            Err(SnapshotError::Failed(what, hint)) => {
                let what = format!("could not take the snapshot, so nothing was migrated: {what}");
                return Err(Failure::because(FailureKind::Snapshot, what, hint));
            }
        };
        let pause = retry.next(log, &Error::NotYet(error));
        let pause = pause
            .map_err(|failure| Failure::new(FailureKind::Snapshot, failure.problem().clone()))?;
        if let Wake::Stop(stop) = host.wait(None, Some(Moment::now() + pause)) {
            return Err(stopped(stop));
        }
    };
    let Some(snapshot) = taken else {
        log.say(
            Event::SnapshotNeedless,
            "the database is empty, taking no snapshot",
            &[("database", &found.as_deref().unwrap_or(file).display())],
        );
        return Ok(None);
    };
    let seconds = format!("{:.3}", Moment::now().since(started).as_secs_f64());
    log.say(
        Event::SnapshotMade,
        "took the snapshot",
        &[
            ("file", &snapshot.copy.display()),
            ("database", &snapshot.database.display()),
            ("bytes", &snapshot.bytes),
            ("seconds", &seconds),
        ],
    );
    Ok(snapshot.restore_hint())
}

fn stopped(stop: Stop) -> Failure {
    steps::stopped(stop, "taking the snapshot")
}

/// Whether a file could be created in the folder, or the folder itself. Creates neither.
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
    may_make_files(there).map_err(|error| {
        let what = format!("can't take a snapshot in {}: {error}", folder.display());
        Failure::because(FailureKind::Snapshot, what, hint(""))
    })
}

fn hint(error: &str) -> &'static str {
    let error = error.to_ascii_lowercase();
    if error.contains("full") || error.contains("no space") || error.contains("quota") {
        "free space there: delete snapshots you no longer need, or point --snapshot at a larger disk"
    } else if error.contains("no such collation") || error.contains("no such function") {
        "an index uses a collation or function that only the application defines, so the copy can't \
         be checked: remove --snapshot, and use --backup with a command that your application \
         provides"
    } else {
        "give this user read access to the database and write access to the --snapshot folder, and check the disk"
    }
}

/// `None` if the database holds nothing but the ledger.
fn attempt(
    host: &Host,
    file: &Path,
    revision: &str,
    folder: &Path,
) -> Result<Option<Snapshot>, SnapshotError> {
    let io = |doing: &'static str, path: &Path| {
        let path = path.to_owned();
        move |error| SnapshotError::failed(doing, &path, &error)
    };
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let made = folder.ancestors().take_while(is_missing).count();
    fs::create_dir_all(folder).map_err(io("create the folder", folder))?;
    let folder = folder.canonicalize().map_err(io("find", folder))?;
    may_make_files(&folder).map_err(io("write to", &folder))?;
    let (name, partial) = names(file, revision);
    let (copy, partial) = (folder.join(name), Partial(folder.join(partial)));
    // A killed run may have left one behind.
    partial.remove();
    if !partial.fill(host, file)? {
        return Ok(None);
    }
    let meta = fs::metadata(file).map_err(io("stat", file))?;
    let bytes = fs::metadata(&partial.0)
        .map_err(io("stat", &partial.0))?
        .len();
    fs::set_permissions(&partial.0, meta.permissions())
        .map_err(io("set the mode of", &partial.0))?;
    File::open(&partial.0)
        .and_then(|file| file.sync_all())
        .map_err(io("write to the disk", &partial.0))?;
    fs::rename(&partial.0, &copy).map_err(io("name", &copy))?;
    // A new folder is durable only once its parent has been synced.
    for folder in folder.ancestors().take(made + 1) {
        sync(folder).map_err(io("write to the disk", folder))?;
    }
    Ok(Some(Snapshot {
        database: file.to_owned(),
        copy,
        bytes,
    }))
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

/// The names of the copy, and of the file that will become it.
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
    // A database has one at a time; a second database of the same name may use this folder too.
    let whose = Sha256::digest(file.as_os_str().as_encoded_bytes());
    let whose = u32::from_be_bytes([whose[0], whose[1], whose[2], whose[3]]);
    (
        format!("{name}.{time}.{revision}"),
        format!(".{name}.{whose:08x}.partial"),
    )
}

/// An incomplete copy, removed on drop unless it was renamed to its final name.
struct Partial(PathBuf);

impl Partial {
    /// Copies the database; returns whether there is anything in it but the ledger.
    fn fill(&self, host: &Host, file: &Path) -> Result<bool, SnapshotError> {
        let keep_going = || {
            let _ = host.wait(None, Some(Moment::now()));
            host.signals.stopped().is_none()
        };
        let lite = |doing| {
            move |error: LiteError| match host.signals.stopped() {
                Some(stop) => SnapshotError::Stopped(stop),
                None if error.is_busy() => SnapshotError::Busy(error.to_string()),
                None => SnapshotError::failed(doing, file, &error),
            }
        };
        let from = Database::open(file).map_err(lite("open"))?;
        // From here on, everything is read as of one moment, even while others write.
        let tables = c"BEGIN; SELECT name FROM sqlite_schema \
              WHERE tbl_name <> 'launchgate_runs' AND tbl_name NOT LIKE 'sqlite@_%' ESCAPE '@' LIMIT 1";
        let tables = from.ask(tables, &keep_going).map_err(lite("read"))?;
        if tables.is_empty() {
            return Ok(false);
        }
        // The database's own mode may hide it from other users, so this one does too.
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.0)
            .map_err(|error| SnapshotError::failed("make", &self.0, &error))?;
        let to = Database::open(&self.0).map_err(lite("copy"))?;
        // The copy is valid only once it has its final name, so sync it before renaming.
        to.ask(
            c"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF",
            &keep_going,
        )
        .map_err(lite("copy"))?;
        from.copy_to(&to, &keep_going).map_err(lite("copy"))?;
        drop((from, to));
        let copy = Database::open(&self.0).map_err(lite("open the copy of"))?;
        let found = copy
            .ask(c"PRAGMA integrity_check", &keep_going)
            .map_err(lite("check the copy of"))?;
        if found == ["ok"] {
            return Ok(true);
        }
        let found: String = found.join("; ").chars().take(300).collect();
        Err(SnapshotError::Failed(
            format!("the copy of {} is corrupt: {found}", file.display()),
            "the database itself is corrupt: see `PRAGMA integrity_check`, and restore it from a backup",
        ))
    }

    fn remove(&self) {
        for end in ["", "-journal", "-wal", "-shm"] {
            let mut path = self.0.clone().into_os_string();
            path.push(end);
            // Usually it does not exist.
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.remove();
    }
}
