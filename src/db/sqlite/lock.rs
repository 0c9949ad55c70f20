//! The lock: `flock` on a file beside the database.
//!
//! The steps inherit the file, so the lock lasts until the last of them is gone, however launchgate
//! ended. That is why there is no lease here.

use std::{
    fs::{File, TryLockError},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{
    errors::WRITE_HINT,
    file::DatabaseFile,
    lock_file::{self, lock_path, unusable},
    path::{database_path, resolve},
};
use crate::{
    db::{
        Error, Target,
        connection::{Connection, Pending},
        error::RecordError,
        fault::Fault,
        ledger_connection::LedgerConnection,
        lock::{HeldLock, RunEnd, TakenLock, not_running},
        lock_id::lock_id,
    },
    sys::{access, files},
};

/// How long the end of a run waits for a file that is busy or full: nobody else can run meanwhile.
const RECORDING: Duration = Duration::from_mins(1);

/// The lock file, held.
struct LockFile {
    file: File,
    path: PathBuf,
    /// For the end of the run.
    database: PathBuf,
}

/// Takes the lock, unless another replica has it. Never waits for it.
pub(super) fn try_lock(target: &Target) -> Result<Option<TakenLock>, Error> {
    let database = resolve(database_path(&target.url))?;
    let path = lock_path(&database, &target.app)?;
    has_one_lock(&database)?;
    let file = lock_file::open(&path)?;
    if !exclusive(&file, &path)? {
        return Ok(None);
    }
    Ok(Some(TakenLock {
        lock_id: lock_id(&target.app, &path.to_string_lossy()),
        is_unicode: true,
        cluster: None,
        began_us: None,
        lock: Box::new(LockFile {
            file,
            path,
            database,
        }),
    }))
}

impl LockFile {
    /// The kernel keeps the lock as long as the file is open, but other replicas lock whatever file
    /// has that name. After a step's `rm -f shop.db*`, that is a different file.
    fn is_named(&self) -> Result<(), Error> {
        let path = self.path.display();
        let own = self.file.metadata();
        match (own, self.path.symlink_metadata()) {
            (Ok(own), Ok(named)) if (own.dev(), own.ino()) == (named.dev(), named.ino()) => Ok(()),
            (_, Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::Broken(
                format!("cannot stat the lock file {path}: {error}"),
            )),
            (Err(error), _) => Err(Error::Broken(format!(
                "cannot stat the lock file {path}: {error}"
            ))),
            _ => Err(Error::Lost(format!(
                "the lock file {path} was removed or replaced: make sure that no step deletes it"
            ))),
        }
    }
}

impl HeldLock for LockFile {
    fn confirm(&mut self, _bound: Duration) -> Pending<'_, Result<(), Error>> {
        Box::pin(std::future::ready(self.is_named()))
    }

    /// A second lock on the file of that name must fail.
    fn excludes<'a>(&self, _: &'a mut LedgerConnection) -> Pending<'a, Result<bool, Error>> {
        let second = lock_file::open(&self.path);
        let is_ours = second.and_then(|second| exclusive(&second, &self.path));
        Box::pin(std::future::ready(is_ours.map(|is_ours| !is_ours)))
    }

    fn append<'a>(
        &'a mut self,
        ledger: &'a mut LedgerConnection,
        row: &dyn Fn(Option<&str>) -> String,
    ) -> Pending<'a, Result<u64, Fault>> {
        Box::pin(ledger.run(row(None)))
    }

    /// There is no hurry while the lock file is held: waits for a file that is busy or full.
    fn record(
        self: Box<Self>,
        end: RunEnd<'_>,
        bound: Duration,
    ) -> Pending<'_, Result<(), RecordError>> {
        Box::pin(async move {
            if let Err(lost @ Error::Lost(_)) = self.is_named() {
                return Err(RecordError::NotRecorded(lost));
            }
            let mut update = end.statement(None);
            let database = DatabaseFile::new(&self.database);
            let mut database =
                database.map_err(|fault| RecordError::NotRecorded(Error::from(fault)))?;
            if end.recreate.is_some() {
                database.create = true;
                update = format!("BEGIN IMMEDIATE; {update}; COMMIT");
            }
            let since = Instant::now();
            let mut asked_before = false;
            loop {
                let answer = database.run(update.clone(), bound).await;
                match answer.map_err(Error::from) {
                    Ok(1) => return Ok(()),
                    // With the whole row come other statements, whose count says nothing.
                    Ok(_) if end.recreate.is_some() => return Ok(()),
                    Ok(_) if asked_before => return Err(RecordError::Unknown(not_running())),
                    Ok(_) => return Err(RecordError::NotRecorded(not_running())),
                    Err(error @ (Error::NotYet(_) | Error::Broken(_)))
                        if since.elapsed() < RECORDING =>
                    {
                        (end.on_wait)(&error);
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
}

/// Whether anybody holds the lock. Touches the lock file only, and creates none.
pub(super) fn is_held(database: &Path, app: &str) -> Result<bool, Error> {
    let path = lock_path(database, app)?;
    let Some(file) = lock_file::open_existing(&path)? else {
        return Ok(false);
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
    }
}

/// Fails where no run of this app can be recorded: a file or a folder that this user may not use. Creates and
/// opens nothing.
pub(super) fn fits(database: &Path, app: &str) -> Result<(), Error> {
    let database = resolve(database)?;
    has_one_lock(&database)?;
    let folder = database.parent().unwrap_or(Path::new("/"));
    let lock = lock_path(&database, app)?;
    // Reading one that exists is enough to lock it.
    let may_lock = match lock.symlink_metadata() {
        Ok(meta) => {
            lock_file::trusted(&meta, &lock)?;
            access::may_read(&lock)
        }
        Err(_) => access::may_make_files(folder),
    };
    may_lock.map_err(|error| unusable(&lock, &error))?;
    let refused = |what: String| Err(Error::refused(what, WRITE_HINT));
    // A transaction makes a journal beside the database.
    if let Err(error) = access::may_make_files(folder) {
        return refused(format!(
            "cannot create files in {}: {error}",
            folder.display()
        ));
    }
    match access::may_write(&database) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            refused(format!("cannot write {}: {error}", database.display()))
        }
        _ => Ok(()),
    }
}

/// The lock is beside the file's name. A file with another name, or one that is mounted by itself, can
/// be reached in another folder, with a lock of its own.
fn has_one_lock(database: &Path) -> Result<(), Error> {
    let Ok(meta) = database.metadata() else {
        return Ok(());
    };
    let (shown, names) = (database.display(), meta.nlink());
    if meta.is_file() && names > 1 {
        return Err(Error::refused(
            format!("{shown} has {names} names (hard links), each with a lock file of its own"),
            "remove the other names; to share the database, mount its folder",
        ));
    }
    if files::is_mount_point(database) {
        return Err(Error::refused(
            format!("{shown} is a mount point, so it may be elsewhere too, with another lock"),
            "mount the folder that contains the database, not the file",
        ));
    }
    Ok(())
}

fn exclusive(file: &File, path: &Path) -> Result<bool, Error> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(unusable(path, &error)),
    }
}
