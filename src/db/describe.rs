//! What a database is and what its role may do: for `check`. Reads only.

use super::{Backend, Error, Session, book::Link, sql::TABLE, target::CALL};

/// A database, as `check` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// `PostgreSQL`, `MariaDB`, `MySQL`, `SQLite`.
    pub product: &'static str,
    /// The server's own words.
    pub version: String,
    /// What stands between, where that can be told.
    pub pooler: Option<String>,
    /// Whether the ledger is there, with its columns.
    pub ledger_exists: bool,
    /// Whether this role may create it; `None` where the server does not tell.
    pub can_create: Option<bool>,
    /// Whether this role may read, append to and update it; `None` where the server does not
    /// tell, or where it is missing.
    pub can_write_ledger: Option<bool>,
    /// A standby, or a session that may not write.
    pub read_only: bool,
    /// How the lock works here.
    pub lock_mode: &'static str,
}

impl Session {
    /// Asks the database about itself. Changes nothing.
    pub async fn describe(&mut self) -> Result<ServerInfo, Error> {
        let shape = self.link.rows(self.sql.shape(), CALL).await;
        let ledger_exists = match shape {
            Ok(_) => true,
            Err(fault) if fault.is_missing_table() => false,
            // there, and not readable: that is what `can_write_ledger` says
            Err(fault) if fault.is_privilege() => true,
            Err(fault) => return Err(fault.into()),
        };
        match self.target.backend() {
            Backend::Postgres => self.postgres(ledger_exists).await,
            Backend::Mysql => self.mysql(ledger_exists).await,
            Backend::Sqlite => self.sqlite(ledger_exists).await,
        }
    }

    async fn postgres(&mut self, ledger_exists: bool) -> Result<ServerInfo, Error> {
        let sql = &self.sql;
        let schema = match &sql.schema {
            Some(schema) => sql.text(schema),
            None => "current_schema()::text".to_owned(),
        };
        let table = sql.text(&sql.table);
        let ask = format!(
            "SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('transaction_read_only'), \
             (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = {schema}), \
             (SELECT has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') \
             AND has_table_privilege(oid, 'UPDATE') FROM pg_class WHERE oid = to_regclass({table}))"
        );
        let rows = self.link.rows(ask, CALL).await?;
        let Some(row) = rows.last() else {
            return Err(Error::Broken("the server told nothing".to_owned()));
        };
        Ok(ServerInfo {
            product: "PostgreSQL",
            version: row.text(0),
            pooler: super::postgres::pooler(&self.target).await,
            ledger_exists,
            can_create: Some(row.flag(3)),
            can_write_ledger: row.opt(4).map(|_| row.flag(4)),
            read_only: row.flag(1) || row.flag(2),
            lock_mode: "pg_try_advisory_xact_lock in an open transaction",
        })
    }

    async fn mysql(&mut self, ledger_exists: bool) -> Result<ServerInfo, Error> {
        // grants at the database or above; roles are not seen here, so a no is a don't know
        let grantee = "CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')";
        let allowed = |privilege: &str| {
            format!(
                "(SELECT COUNT(*) FROM (SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES \
                 UNION ALL SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES \
                 WHERE DATABASE() LIKE TABLE_SCHEMA UNION ALL SELECT GRANTEE, PRIVILEGE_TYPE \
                 FROM information_schema.TABLE_PRIVILEGES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{TABLE}') p \
                 WHERE p.GRANTEE = {grantee} AND p.PRIVILEGE_TYPE = '{privilege}') > 0"
            )
        };
        let ask = format!(
            "SELECT VERSION(), @@GLOBAL.read_only, {}, {} AND {} AND {}",
            allowed("CREATE"),
            allowed("SELECT"),
            allowed("INSERT"),
            allowed("UPDATE")
        );
        let rows = self.link.rows(ask, CALL).await?;
        let Some(row) = rows.last() else {
            return Err(Error::Broken("the server told nothing".to_owned()));
        };
        let version = row.text(0);
        Ok(ServerInfo {
            product: if version.contains("MariaDB") {
                "MariaDB"
            } else {
                "MySQL"
            },
            version,
            pooler: None,
            ledger_exists,
            can_create: row.flag(2).then_some(true),
            can_write_ledger: (ledger_exists && row.flag(3)).then_some(true),
            read_only: row.flag(1),
            lock_mode: "GET_LOCK on a session",
        })
    }

    async fn sqlite(&mut self, ledger_exists: bool) -> Result<ServerInfo, Error> {
        let Link::File(store) = &self.link else {
            return Err(Error::Broken("no file".to_owned()));
        };
        let writable = store.is_writable();
        let version = match self
            .link
            .rows("SELECT sqlite_version()".to_owned(), CALL)
            .await
        {
            Ok(rows) => rows.last().map(|row| row.text(0)).unwrap_or_default(),
            // the file comes with the first run
            Err(fault) if fault.is_missing_table() => String::new(),
            Err(fault) => return Err(fault.into()),
        };
        Ok(ServerInfo {
            product: "SQLite",
            version,
            pooler: None,
            ledger_exists,
            can_create: Some(writable),
            can_write_ledger: ledger_exists.then_some(writable),
            read_only: !writable,
            lock_mode: "flock on a file beside the database",
        })
    }
}
