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
    database: Box<dyn Connection>,
}

/// Takes the lock, unless another replica has it. Never waits for it.
pub(super) fn try_lock(
    database: Box<dyn Connection>,
    target: &Target,
) -> Result<Option<TakenLock>, Error> {
    let resolved = resolve(database_path(&target.url))?;
    let path = lock_path(&resolved, &target.app)?;
    if let Some((what, hint)) = has_several_locks(&resolved) {
        return Err(Error::refused(what, hint));
    }
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
        mut self: Box<Self>,
        end: RunEnd<'_>,
        bound: Duration,
    ) -> Pending<'_, Result<(), RecordError>> {
        Box::pin(async move {
            if let Err(lost @ Error::Lost(_)) = self.is_named() {
                return Err(RecordError::NotRecorded(lost));
            }
            let mut update = end.statement(None);
            if end.recreate.is_some() {
                self.database.allow_create();
                update = format!("BEGIN IMMEDIATE; {update}; COMMIT");
            }
            let since = Instant::now();
            let mut asked_before = false;
            loop {
                let answer = self.database.run(update.clone(), bound).await;
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

/// Why no run of this app can be recorded here, and what to do: a file or a folder that this user may
/// not use. Creates and opens nothing.
pub(super) fn unfit(database: &Path, app: &str) -> Result<Option<(String, String)>, Error> {
    let database = resolve(database)?;
    if let Some(several) = has_several_locks(&database) {
        return Ok(Some(several));
    }
    let folder = database.parent().unwrap_or(Path::new("/"));
    let lock = lock_path(&database, app)?;
    // Reading one that exists is enough to lock it.
    let locks = match lock.symlink_metadata() {
        Ok(meta) => lock_file::trusted(&meta, &lock)
            .and_then(|()| access::may_read(&lock).map_err(|error| unusable(&lock, &error))),
        Err(_) => access::may_make_files(folder).map_err(|error| unusable(&lock, &error)),
    };
    if let Err(error) = locks {
        return Ok(match error {
            Error::Refused { what, hint } => Some((what, hint)),
            _ => None,
        });
    }
    // A transaction makes a journal beside the database.
    let why = access::may_make_files(folder)
        .map_err(|error| format!("cannot create files in {}: {error}", folder.display()));
    let why = why.and_then(|()| match access::may_write(&database) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot write {}: {error}", database.display()))
        }
        _ => Ok(()),
    });
    Ok(why.err().map(|what| (what, WRITE_HINT.to_owned())))
}

/// The lock is beside the file's name. A file with another name, or one that is mounted by itself, can
/// be reached in another folder, with a lock of its own.
fn has_several_locks(database: &Path) -> Option<(String, String)> {
    let meta = database.metadata().ok()?;
    let shown = database.display();
    if meta.is_file() && meta.nlink() > 1 {
        return Some((
            format!(
                "{shown} has {} names (hard links), each with a lock file of its own",
                meta.nlink()
            ),
            "remove the other names; to share the database, mount its folder".to_owned(),
        ));
    }
    files::is_mount_point(database).then(|| {
        (
            format!("{shown} is a mount point, so it may be elsewhere too, with another lock"),
            "mount the folder that contains the database, not the file".to_owned(),
        )
    })
}

fn exclusive(file: &File, path: &Path) -> Result<bool, Error> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(unusable(path, &error)),
    }
}
