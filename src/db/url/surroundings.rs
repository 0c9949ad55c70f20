//! What counts beside a URL: variables, files, and who this is.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// Where to look up what a URL leaves out.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The user, where a variable beside the URL's names one.
    pub user: Option<&'a OsStr>,
    /// The password, likewise.
    pub password: Option<&'a OsStr>,
    /// The value of a variable; `None` where it is unset or empty.
    pub variable: &'a dyn Fn(&str) -> Option<&'a OsStr>,
    /// The contents of a file.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// Whether a path exists.
    pub exists: &'a dyn Fn(&Path) -> bool,
    /// Whether a regular file is closed to its owner's group and to others.
    pub is_private: &'a dyn Fn(&Path) -> bool,
    /// The name of the user that this process runs as.
    pub own_user: &'a dyn Fn() -> Option<String>,
}
