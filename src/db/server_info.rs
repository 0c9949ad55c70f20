//! What a database is and what its role may do: for `check`. Reads only.

use super::{
    Error, connection::Connection, fault::Meaning, ledger_sql::LedgerSql, rows::TextRow,
    target::CALL,
};

/// A database, as `check` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// `PostgreSQL`, `MariaDB`, `MySQL`, `SQLite`.
    pub product: &'static str,
    /// The server's own words.
    pub version: String,
    /// The pooler in between, where one can be noticed.
    pub pooler: Option<String>,
    /// The kind of cluster whose nodes each have locks of their own.
    pub cluster: Option<&'static str>,
    /// Whether the ledger exists, with its columns.
    pub ledger_exists: bool,
    /// The schema or database that it is in, or would be created in, where there are any.
    pub ledger_place: Option<String>,
    /// Who owns it, where the database has owners.
    pub ledger_owner: Option<String>,
    /// Whether this role may create it; `None` where that can't be found out.
    pub can_create: Option<bool>,
    /// Whether this role may read, append to and update it; `None` where it is missing, or where
    /// nobody may write.
    pub can_write_ledger: Option<bool>,
    /// A standby, or a session or a file that may not be written.
    pub read_only: bool,
    /// Why nothing can be recorded here, whatever the role may do.
    pub unfit: Option<Error>,
    /// How the lock works here.
    pub lock_mode: &'static str,
}

/// The last row of an answer that has one.
pub(super) async fn ask(connection: &mut dyn Connection, sql: String) -> Result<TextRow, Error> {
    let rows = connection.rows(sql, CALL).await?;
    let row = rows.into_iter().next_back();
    row.ok_or_else(|| Error::Broken("the server returned no row".to_owned()))
}

/// Whether this role may do with the ledger what a run does, where there is one and anybody may write it. By
/// statements that are a run's own except that they match no row: privileges are recorded in too many places,
/// some of which the role may not read.
pub(super) async fn can_write(
    connection: &mut dyn Connection,
    ledger: Option<&LedgerSql>,
    read_only: bool,
) -> Result<Option<bool>, Error> {
    let Some(sql) = ledger.filter(|_| !read_only) else {
        return Ok(None);
    };
    for statement in [sql.shape(), sql.may_append(), sql.may_finish()] {
        let statement = (sql.dialect.preamble)(CALL) + &statement;
        match connection.run(statement, CALL).await {
            Ok(_) => {}
            Err(fault) if fault.means(Meaning::Privilege) => return Ok(Some(false)),
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(Some(true))
}
