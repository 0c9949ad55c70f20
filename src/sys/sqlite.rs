//! Calls of the `SQLite` library that the driver does not offer: its version, splitting
//! statements, and copying a database page by page
//! (<https://www.sqlite.org/c3ref/backup_finish.html>).
//!
//! `VACUUM INTO` would not make a true copy: it renumbers rows without a key, and fails if an
//! index needs a collation that only the application has.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use libsqlite3_sys as ffi;

/// How many pages are copied between two checks for a stop: 4 MiB of the usual pages.
const PAGES: c_int = 1024;

/// An error of `SQLite`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiteError {
    code: c_int,
    message: String,
}

impl LiteError {
    /// Another process holds a lock; worth a retry.
    pub fn is_busy(&self) -> bool {
        matches!(self.code & 0xff, ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED)
    }
}

impl fmt::Display for LiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LiteError {}

/// Whether a text ends with a complete statement, as `SQLite` itself splits them: semicolons in
/// quotes, comments and the bodies of triggers don't count (<https://www.sqlite.org/c3ref/complete.html>).
pub fn is_complete(sql: &str) -> bool {
    let Ok(sql) = CString::new(sql) else {
        return false;
    };
    // SAFETY: the text lives through the call.
    unsafe { ffi::sqlite3_complete(sql.as_ptr()) == 1 }
}

/// The version of the library.
pub fn version() -> String {
    // SAFETY: the text is a constant.
    let version = unsafe { CStr::from_ptr(ffi::sqlite3_libversion()) };
    version.to_string_lossy().into_owned()
}

/// An open database. To be used by one thread only.
#[derive(Debug)]
pub struct Database(*mut ffi::sqlite3);

impl Database {
    /// Opens an existing file, which may be empty. Does not wait for locks.
    pub fn open(path: &Path) -> Result<Self, LiteError> {
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| LiteError {
            code: ffi::SQLITE_CANTOPEN,
            message: "a NUL in the path".to_owned(),
        })?;
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_EXRESCODE;
        let mut raw = ptr::null_mut();
        // SAFETY: the name and the handle's location live through the call.
        let code = unsafe { ffi::sqlite3_open_v2(name.as_ptr(), &raw mut raw, flags, ptr::null()) };
        // A handle has to be closed even if opening failed.
        let database = Self(raw);
        database.result(code).map(|()| database)
    }

    fn result(&self, code: c_int) -> Result<(), LiteError> {
        if matches!(code, ffi::SQLITE_OK | ffi::SQLITE_ROW | ffi::SQLITE_DONE) {
            return Ok(());
        }
        // SAFETY: null is allowed; the text lives until the next call on this handle.
        let message = unsafe {
            CStr::from_ptr(ffi::sqlite3_errmsg(self.0))
                .to_string_lossy()
                .into_owned()
        };
        Err(LiteError { code, message })
    }

    /// Runs statements and returns the first column of every row. Stops when `keep_going` returns
    /// false.
    pub fn ask(&self, sql: &CStr, keep_going: &dyn Fn() -> bool) -> Result<Vec<String>, LiteError> {
        const INSTRUCTIONS: c_int = 20_000;
        let mut rows: Vec<String> = Vec::new();
        let context: *const &dyn Fn() -> bool = &raw const keep_going;
        // SAFETY: both contexts live through the calls, and the handler is removed afterwards.
        let code = unsafe {
            ffi::sqlite3_progress_handler(
                self.0,
                INSTRUCTIONS,
                Some(progress),
                context.cast_mut().cast(),
            );
            let into = (&raw mut rows).cast::<c_void>();
            let code = ffi::sqlite3_exec(self.0, sql.as_ptr(), Some(row), into, ptr::null_mut());
            ffi::sqlite3_progress_handler(self.0, 0, None, ptr::null_mut());
            code
        };
        self.result(code).map(|()| rows)
    }

    /// Copies this database to `to`, which nothing else may use meanwhile. If a transaction is open here,
    /// the whole copy is of one moment. Stops when `keep_going` returns false.
    pub fn copy_to(&self, to: &Self, keep_going: &dyn Fn() -> bool) -> Result<(), LiteError> {
        let main = c"main".as_ptr();
        // SAFETY: both handles are open throughout, and the copy until it is finished.
        let code = unsafe {
            let copy = ffi::sqlite3_backup_init(to.0, main, self.0, main);
            if copy.is_null() {
                // An error in any case.
                let code = ffi::sqlite3_extended_errcode(to.0);
                return to.result(code.max(ffi::SQLITE_ERROR));
            }
            let mut code = ffi::SQLITE_OK;
            while code == ffi::SQLITE_OK {
                code = if keep_going() {
                    ffi::sqlite3_backup_step(copy, PAGES)
                } else {
                    ffi::SQLITE_INTERRUPT
                };
            }
            // It repeats an error of a step, or undoes a copy that is not complete.
            ffi::sqlite3_backup_finish(copy);
            code
        };
        if code == ffi::SQLITE_DONE {
            return Ok(());
        }
        // The calls store no words of their own.
        // SAFETY: the text is a constant.
        let message = unsafe { CStr::from_ptr(ffi::sqlite3_errstr(code)) };
        let message = message.to_string_lossy().into_owned();
        Err(LiteError { code, message })
    }
}

unsafe extern "C" fn progress(context: *mut c_void) -> c_int {
    // SAFETY: it is what `ask` passed, which waits for this call.
    let keep_going = unsafe { &*context.cast::<&dyn Fn() -> bool>() };
    c_int::from(!keep_going())
}

unsafe extern "C" fn row(
    context: *mut c_void,
    columns: c_int,
    values: *mut *mut c_char,
    _names: *mut *mut c_char,
) -> c_int {
    // SAFETY: the context is `ask`'s list; there are as many values as columns, each null or text.
    unsafe {
        let rows = &mut *context.cast::<Vec<String>>();
        if columns > 0 && !(*values).is_null() {
            rows.push(CStr::from_ptr(*values).to_string_lossy().into_owned());
        }
    }
    0
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: the handle is ours.
        unsafe { ffi::sqlite3_close(self.0) };
    }
}
