//! `launchgate print-ddl`: the ledger's DDL, for an administrator.

use crate::db::{self, Backend};
use crate::exit::Failure;
use crate::output::print;
use crate::settings::PrintDdlSettings;
use crate::sys::host::Host;

/// Prints the ledger's DDL.
///
/// # Errors
/// An unknown kind of database, or one that lacks what a flag asks for.
pub fn print_ddl(host: &Host, settings: &PrintDdlSettings) -> Result<(), Failure> {
    let PrintDdlSettings {
        database,
        role,
        ledger,
    } = settings;
    let Some(backend) = database.to_str().and_then(Backend::named) else {
        return Err(Failure::usage(
            format!(
                "--database: `{}` is not a supported database",
                database.to_string_lossy()
            ),
            format!("write {}", Backend::ALL.map(Backend::as_str).join(", ")),
        ));
    };
    let flag = match (role, ledger) {
        (_, Some(_)) if backend.driver().is_file => Some("--ledger"),
        (Some(_), _) if backend.driver().is_file => Some("--role"),
        _ => None,
    };
    if let Some(flag) = flag {
        return Err(Failure::usage(
            format!(
                "{flag} makes no sense for {}: the ledger is in the file, which has no roles",
                backend.as_str()
            ),
            format!("leave out {flag}"),
        ));
    }
    let ddl = db::ddl(backend, ledger.as_deref(), role.as_deref());
    print::print(host, ddl)
}
