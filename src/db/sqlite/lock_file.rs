//! The lock file: its name, and opening it.
//!
//! Whoever can open it can lock it, and so keep every replica waiting: only those who may make files
//! in its folder can, since they could remove it anyway. A file that somebody else may have put there
//! is refused.

use std::{
    ffi::{OsStr, OsString},
    fs::{File, Metadata, OpenOptions, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    },
    path::{Path, PathBuf},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::path::resolve;
use crate::{
    db::{Error, fault::Fault, hex::hex},
    sys::{self, access},
};

/// The characters of an app's name that are kept in a file name.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// In bytes, on every file system in use: `NAME_MAX` of `pathconf(3)`.
const LONGEST_NAME: usize = 255;

/// Where the lock of an app in a database is.
pub(super) fn lock_path(database: &Path, app: &str) -> Result<PathBuf, Fault> {
    let database = resolve(database)?;
    let own = database.file_name().unwrap_or_default();
    let name = lock_name(own, app);
    Ok(database.with_file_name(name))
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

/// Opens the lock file, and makes it where it is missing.
pub(super) fn open(path: &Path) -> Result<File, Error> {
    if let Some(file) = open_existing(path)? {
        return Ok(file);
    }
    let mut options = options();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            give_to_owner(&file, path).map_err(|error| unusable(path, &error))?;
            Ok(file)
        }
        // Another replica was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            open_existing(path)?.ok_or_else(|| unusable(path, &error))
        }
        Err(error) => Err(unusable(path, &error)),
    }
}

/// Opens the lock file, if there is one.
pub(super) fn open_existing(path: &Path) -> Result<Option<File>, Error> {
    // A file of another user's may only be read, which is enough to lock it.
    let open = options().write(true).open(path);
    let file = match open.or_else(|_| options().open(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let meta = path.symlink_metadata();
            return Err(meta
                .ok()
                .and_then(|meta| trusted(&meta, path).err())
                .unwrap_or_else(|| unusable(path, &error)));
        }
    };
    let meta = file.metadata().map_err(|error| unusable(path, &error))?;
    trusted(&meta, path)?;
    if meta.uid() == access::user() {
        // One that an earlier version made may be readable by everyone.
        let _ = restrict(&file, &meta, path);
    }
    Ok(Some(file))
}

/// Follows no link, and does not wait for the other end of a pipe.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(sys::NONBLOCK | sys::NO_FOLLOW);
    options
}

/// Whether the lock file can be what launchgate made.
pub(super) fn trusted(meta: &Metadata, path: &Path) -> Result<(), Error> {
    let refused = |what: &str| {
        Err(Error::refused(
            format!("the lock file {} {what}", path.display()),
            "remove it while no replica is migrating, and let only launchgate's user make files in that folder",
        ))
    };
    if meta.is_symlink() {
        return refused("is a symbolic link");
    }
    if !meta.is_file() {
        return refused("is not a regular file");
    }
    let owner = meta.uid();
    let Some(folder) = path.parent().and_then(|folder| folder.metadata().ok()) else {
        return Ok(());
    };
    if folder.mode() & 0o002 != 0 && ![0, folder.uid(), access::user()].contains(&owner) {
        return refused(&format!(
            "belongs to another user ({owner}), in a folder that everyone can write to"
        ));
    }
    Ok(())
}

/// The lock file belongs to the folder's owner, also where root made it, as SQLite's own files do.
fn give_to_owner(file: &File, path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/")).metadata()?;
    if folder.uid() != access::user() {
        // Only root may.
        let _ = fchown(file, Some(folder.uid()), Some(folder.gid()));
    }
    restrict(file, &file.metadata()?, path)
}

/// Lets those open it who may make files in its folder.
fn restrict(file: &File, meta: &Metadata, path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/")).metadata()?;
    let group_may = folder.mode() & 0o030 == 0o030 && folder.gid() == meta.gid();
    let mode = if group_may { 0o660 } else { 0o600 };
    if meta.mode() & 0o777 == mode {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(mode))
}

pub(super) fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::refused(
        format!("cannot use the lock file {}: {error}", path.display()),
        "give this user write access to the database's folder, and use a file system that supports locks",
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
