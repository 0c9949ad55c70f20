//! `launchgate print-ddl`: the ledger's DDL, for an administrator.

use std::ffi::OsStr;

use crate::db::{self, Backend};
use crate::exit::Failure;
use crate::output::print;
use crate::sys::host::Host;

/// Prints the ledger's DDL.
///
/// # Errors
/// An unknown kind of database.
pub fn print_ddl(host: &Host, kind: &OsStr) -> Result<(), Failure> {
    let Some(backend) = kind.to_str().and_then(Backend::named) else {
        return Err(Failure::usage(
            format!(
                "--database: `{}` is not a supported database",
                kind.to_string_lossy()
            ),
            format!("write {}", Backend::ALL.map(Backend::as_str).join(", ")),
        ));
    };
    print::print(host, db::ddl(backend, None).as_bytes())
}
