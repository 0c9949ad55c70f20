//! `SQLite`: the lock is `flock` on a file beside the database, the ledger a table in it.
//!
//! The lock's file is inherited by the steps, so the lock lasts until the last of them is
//! gone, however launchgate went; that is why there is no lease here. The database is opened
//! by each call and closed after it: a step may change the journal mode, vacuum, or put
//! another file in its place, and never meets a lock of ours. Pragmas that stay are not touched.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    fs::{File, OpenOptions, TryLockError},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use tokio::time::timeout;

use super::{
    Backend, Error, codes,
    error::{Fault, FaultKind, FaultPhase},
    postgres::lock_id,
    sql::hex,
    wire::Wire,
};
use crate::{
    redact,
    sys::{access, sqlite_memory::use_own_memory},
};

/// How long a statement waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// How long something may take that is done early.
const AT_ONCE: Duration = Duration::from_millis(200);

/// What an app's name keeps of itself in a file's name.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// In bytes, on every file system in use: `NAME_MAX` of `pathconf(3)`.
const LONGEST_NAME: usize = 255;

/// A database file, opened anew by every call.
pub(super) struct Store {
    path: PathBuf,
    /// A missing file is created.
    pub(super) create: bool,
    /// Opened ahead of the next call.
    prepared: Option<Wire>,
}

fn no_file(message: String) -> Fault {
    Fault {
        backend: Backend::Sqlite,
        phase: FaultPhase::Connect,
        kind: FaultKind::NoFile,
        code: String::new(),
        message,
    }
}

impl Store {
    /// The file may be missing, its folder not.
    pub(super) fn new(path: &Path) -> Result<Self, Fault> {
        use_own_memory();
        let path = resolve(path)?;
        if path.is_dir() {
            return Err(no_file(format!("{} is a folder", path.display())));
        }
        Ok(Self {
            path,
            create: false,
            prepared: None,
        })
    }

    /// Why no run of this app can be recorded here, and what to do: a file or a folder that this
    /// user may not use. Makes and opens nothing.
    pub(super) fn unfit(&self, app: &str) -> Result<Option<(String, String)>, Error> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let lock = lock_path(&self.path, app)?;
        // Reading one that is there is enough to lock it.
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
        let why = why.and_then(|()| match access::may_write(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("cannot write {}: {error}", self.path.display()))
            }
            _ => Ok(()),
        });
        Ok(why.err().map(|what| (what, codes::FILE.to_owned())))
    }

    /// Opens the file for the next call and reads its schema, if that can be done at once; what
    /// is wrong the call itself finds out.
    pub(super) async fn prepare(&mut self) {
        let schema = "SELECT 1 FROM sqlite_master LIMIT 0".to_owned();
        if let Ok(mut wire) = self.open(AT_ONCE).await
            && wire.rows(schema, AT_ONCE).await.is_ok()
        {
            self.prepared = Some(wire);
        }
    }

    pub(super) async fn open(&mut self, bound: Duration) -> Result<Wire, Fault> {
        if let Some(wire) = self.prepared.take() {
            return Ok(wire);
        }
        if !self.create && !self.path.exists() {
            return Err(no_file(format!("{} is not there", self.path.display())));
        }
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(self.create)
            .busy_timeout(BUSY.min(bound / 2))
            .statement_cache_capacity(0)
            .disable_statement_logging();
        match timeout(bound, options.connect()).await {
            Ok(Ok(conn)) => Ok(Wire::Sqlite(conn)),
            Ok(Err(error)) => Err(Fault::new(Backend::Sqlite, FaultPhase::Connect, &error)),
            Err(_) => Err(Fault::timeout(Backend::Sqlite, FaultPhase::Connect, bound)),
        }
    }
}

/// The file itself, whatever links lead to it: lock and database must be the same for
/// everybody. A file that is missing is in its folder.
fn resolve(path: &Path) -> Result<PathBuf, Fault> {
    if let Ok(path) = path.canonicalize() {
        return Ok(path);
    }
    // a link to a file that is not there yet
    if let Ok(link) = path.read_link() {
        let folder = path.parent().unwrap_or(Path::new(""));
        return resolve(&folder.join(link));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path
        .file_name()
        .ok_or_else(|| no_file(format!("{} is no file", path.display())))?;
    let folder = folder.canonicalize().map_err(|error| {
        no_file(format!(
            "the folder {} cannot be used: {error}",
            folder.display()
        ))
    })?;
    Ok(folder.join(name))
}

fn lock_path(database: &Path, app: &str) -> Result<PathBuf, Fault> {
    let database = resolve(database)?;
    let own = database.file_name().unwrap_or_default();
    let name = lock_name(own, app);
    Ok(database.with_file_name(name))
}

/// `DATABASE.APP.launchgate.lock`. What is too long for a file's name is hashed: the app, and where
/// the rest is too long as well, both.
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

/// The lock file, held.
pub(super) struct Hold {
    file: File,
    path: PathBuf,
}

/// Takes the lock; `None` where somebody else has it.
pub(super) fn try_lock(database: &Path, app: &str) -> Result<Option<(Hold, String)>, Error> {
    let path = lock_path(database, app)?;
    let file = open_lock(&path)?;
    if !exclusive(&file, &path)? {
        return Ok(None);
    }
    let lock_id = lock_id(app, &path.to_string_lossy());
    Ok(Some((Hold { file, path }, lock_id)))
}

/// Whether nobody holds the lock. Touches the lock file only, and makes none.
pub(super) fn lock_free(database: &Path, app: &str) -> Result<bool, Error> {
    let path = lock_path(database, app)?;
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(unusable(&path, &error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
    }
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

/// For messages: the app's name in it may be a URL by mistake, which encoding makes no secret.
fn shown(lock: &Path) -> String {
    let file = lock.to_string_lossy();
    let meant = percent_decode_str(&file).decode_utf8_lossy();
    match redact::passwords(&meant) {
        Cow::Owned(hidden) if hidden != *meant => hidden,
        _ => file.into_owned(),
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::refused(
        format!("cannot use the lock file {}: {error}", shown(path)),
        "let this user create and write files in the database's folder, on a file system that can lock",
    )
}

impl Hold {
    /// The kernel keeps the lock as long as the file is open. But others lock the file that has its
    /// name, which after a step's `rm -f shop.db*` is none, or another.
    pub(super) fn confirm(&self) -> Result<(), Error> {
        let path = shown(&self.path);
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
                "the lock file {path} is gone or another one: let the steps leave it alone"
            ))),
        }
    }

    /// A second lock on the file must fail, and the file must still be the one under that name.
    pub(super) fn excludes(&self) -> Result<bool, Error> {
        let second = open_lock(&self.path)?;
        Ok(!exclusive(&second, &self.path)?)
    }

    /// For the step to inherit: the lock lasts until the last copy is closed.
    pub(super) fn inheritable(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
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
