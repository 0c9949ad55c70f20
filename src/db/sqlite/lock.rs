//! The lock: `flock` on a file beside the database.
//!
//! The steps inherit the file, so the lock lasts until the last of them is gone, however launchgate
//! ended. That is why there is no lease here.

use std::{
    ffi::{OsStr, OsString},
    fs::{File, OpenOptions, TryLockError},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use super::{errors::WRITE_HINT, path::resolve};
use crate::{
    db::{
        Error, Target,
        connection::{Connection, Pending},
        error::RecordError,
        fault::Fault,
        hex::hex,
        ledger::{NewRun, RunOutcome},
        ledger_sql::LedgerSql,
        lock::{Exclusion, HeldLock, RowWriter, not_running},
    },
    sys::access,
};

/// The characters of an app's name that are kept in a file name.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// In bytes, on every file system in use: `NAME_MAX` of `pathconf(3)`.
const LONGEST_NAME: usize = 255;

/// How long the end of a run waits for a file that is busy or full: nobody else can run meanwhile.
const RECORDING: Duration = Duration::from_mins(1);

/// The lock file, held.
pub(super) struct LockFile {
    file: File,
    path: PathBuf,
    /// For the end of the run.
    database: Box<dyn Connection>,
}

impl LockFile {
    /// Takes the lock; returns the connection if another replica has it.
    pub(super) fn try_lock(
        path: PathBuf,
        database: Box<dyn Connection>,
    ) -> Result<Result<Self, Box<dyn Connection>>, Error> {
        let file = open_lock(&path)?;
        if !exclusive(&file, &path)? {
            return Ok(Err(database));
        }
        Ok(Ok(Self {
            file,
            path,
            database,
        }))
    }

    /// The kernel keeps the lock as long as the file is open, but other replicas lock whatever file
    /// has that name. After a step's `rm -f shop.db*`, that is a different file.
    fn is_named(&self) -> Result<(), Error> {
        let path = self.path.display();
        let own = self.file.metadata();
        match (own, std::fs::metadata(&self.path)) {
            (Ok(own), Ok(named)) if (own.dev(), own.ino()) == (named.dev(), named.ino()) => Ok(()),
            (_, Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::Broken(
                format!("cannot look at the lock file {path}: {error}"),
            )),
            (Err(error), _) => Err(Error::Broken(format!(
                "cannot look at the lock file {path}: {error}"
            ))),
            _ => Err(Error::Lost(format!(
                "the lock file {path} was removed or replaced: make the steps leave it alone"
            ))),
        }
    }
}

impl HeldLock for LockFile {
    fn confirm(&mut self, _bound: Duration) -> Pending<'_, Result<(), Error>> {
        Box::pin(std::future::ready(self.is_named()))
    }

    /// A second lock on the file of that name must fail.
    fn exclusion(&self) -> Result<Exclusion, Error> {
        let second = open_lock(&self.path)?;
        Ok(Exclusion::Known(!exclusive(&second, &self.path)?))
    }

    fn append(
        &mut self,
        sql: &LedgerSql,
        target: &Target,
        run: &NewRun,
        _bound: Duration,
    ) -> RowWriter<'_> {
        RowWriter::OnLedger(sql.append(&target.app, run, target.lease, None))
    }

    /// There is no hurry while the lock file is held: waits for a file that is busy or full.
    fn record<'a>(
        mut self: Box<Self>,
        sql: &'a LedgerSql,
        run_id: &'a str,
        outcome: &'a RunOutcome,
        bound: Duration,
    ) -> Pending<'a, Result<(), RecordError>> {
        Box::pin(async move {
            if let Err(lost @ Error::Lost(_)) = self.is_named() {
                return Err(RecordError::NotRecorded(lost));
            }
            let update = sql.finish(run_id, outcome, None);
            let since = Instant::now();
            let mut asked_before = false;
            loop {
                let answer = self.database.run(update.clone(), bound).await;
                match answer.map_err(Error::from) {
                    Ok(1) => return Ok(()),
                    Ok(_) if asked_before => return Err(RecordError::Unknown(not_running())),
                    Ok(_) => return Err(RecordError::NotRecorded(not_running())),
                    Err(Error::NotYet(_) | Error::Broken(_)) if since.elapsed() < RECORDING => {
                        asked_before = true;
                        sleep(Duration::from_millis(300)).await;
                    }
                    Err(error) => return Err(RecordError::NotRecorded(error)),
                }
            }
        })
    }

    fn release(self: Box<Self>, _bound: Duration) -> Pending<'static, ()> {
        drop(self);
        Box::pin(std::future::ready(()))
    }

    fn inheritable(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }

    fn orphans(&self, _sql: &LedgerSql, _lock_id: &str, _has_ledger: bool) -> Option<String> {
        None
    }

    fn end_idle_orphans(
        &self,
        _sql: &LedgerSql,
        _lock_id: &str,
        _run_ids: &[String],
    ) -> Option<String> {
        None
    }
}

/// Where the lock of an app in a database is.
pub(super) fn lock_path(database: &Path, app: &str) -> Result<PathBuf, Fault> {
    let database = resolve(database)?;
    let own = database.file_name().unwrap_or_default();
    let name = lock_name(own, app);
    Ok(database.with_file_name(name))
}

/// Whether anybody holds the lock. Touches the lock file only, and creates none.
pub(super) fn is_held(database: &Path, app: &str) -> Result<bool, Error> {
    let path = lock_path(database, app)?;
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(unusable(&path, &error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
    }
}

/// Why no run of this app can be recorded here, and what to do: a file or a folder that this user may
/// not use. Creates and opens nothing.
pub(super) fn unfit(database: &Path, app: &str) -> Result<Option<(String, String)>, Error> {
    let database = resolve(database)?;
    let folder = database.parent().unwrap_or(Path::new("/"));
    let lock = lock_path(&database, app)?;
    // Reading one that exists is enough to lock it.
    let locks = match lock.symlink_metadata() {
        Ok(_) => access::may_read(&lock),
        Err(_) => access::may_make_files(folder),
    };
    if let Err(error) = locks {
        return Ok(match unusable(&lock, &error) {
            Error::Refused { what, hint } => Some((what, hint)),
            _ => None,
        });
    }
    // A transaction makes a journal beside the database.
    let why = access::may_make_files(folder)
        .map_err(|error| format!("cannot make files in {}: {error}", folder.display()));
    let why = why.and_then(|()| match access::may_write(&database) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot write {}: {error}", database.display()))
        }
        _ => Ok(()),
    });
    Ok(why.err().map(|what| (what, WRITE_HINT.to_owned())))
}

/// `DATABASE.APP.launchgate.lock`. Where that is too long for a file's name, the app is
/// hashed, and where the rest is still too long, both are.
fn lock_name(database: &OsStr, app: &str) -> OsString {
    let named = |own: &OsStr, app: &str| {
        let mut name = own.to_owned();
        name.push(format!(".{app}.launchgate.lock"));
        name
    };
    let hashed = |text: &[u8]| hex(&Sha256::digest(text)[..16]);
    let app = utf8_percent_encode(app, FILE_NAME).to_string();
    let name = named(database, &app);
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let app = hashed(app.as_bytes());
    let name = named(database, &app);
    if name.len() <= LONGEST_NAME {
        return name;
    }
    named(OsStr::new(&hashed(database.as_bytes())), &app)
}

fn open_lock(path: &Path) -> Result<File, Error> {
    match OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
    {
        Ok(file) => Ok(file),
        // made by another user: reading is enough to lock it
        Err(error) => File::open(path).map_err(|_| unusable(path, &error)),
    }
}

fn exclusive(file: &File, path: &Path) -> Result<bool, Error> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(unusable(path, &error)),
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::refused(
        format!("cannot use the lock file {}: {error}", path.display()),
        "let this user create and write files in the database's folder, on a file system that can lock",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_s_name_fits_and_is_the_app_s_alone() {
        let name = |database: &str, app: &str| lock_name(OsStr::new(database), app);
        assert_eq!(name("a.db", "shop"), "a.db.shop.launchgate.lock");
        assert_eq!(name("a.db", "ä/b"), "a.db.%C3%A4%2Fb.launchgate.lock");
        let (long, longer) = ("a".repeat(300), "a".repeat(301));
        let fits = "a".repeat(255 - "a.db..launchgate.lock".len());
        assert_eq!(name("a.db", &fits).len(), 255);
        let mut names: Vec<_> = [
            ("a.db", long.as_str()),
            ("a.db", &longer),
            ("a.db", &fits),
            ("b.db", &long),
            (&long[..240], "shop"),
            (&long[..241], "shop"),
            (&long[..241], &long),
        ]
        .map(|(database, app)| name(database, app))
        .into();
        assert!(names.iter().all(|name| name.len() <= 255), "{names:?}");
        assert!(
            names[0].as_bytes().starts_with(b"a.db."),
            "{}",
            names[0].display()
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 7);
    }
}
