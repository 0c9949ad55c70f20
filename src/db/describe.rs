//! What a database is and what its role may do: for `check`. Reads only.

use super::{
    Backend, Error, Session, codes,
    error::FaultKind,
    grants,
    ledger_connection::Link,
    mysql, postgres,
    sql::{TABLE, quoted},
    target::CALL,
    wire::Row,
};

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
    /// Whether this role may read, append to and update it; `None` where it is missing, or where
    /// nobody may write.
    pub can_write_ledger: Option<bool>,
    /// A standby, or a session or a file that may not be written.
    pub read_only: bool,
    /// Why nothing can be recorded here, whatever the role may do, and what to do about it.
    pub unfit: Option<(String, String)>,
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
            Backend::Sqlite => self.sqlite(ledger_exists),
        }
    }

    async fn postgres(&mut self, ledger_exists: bool) -> Result<ServerInfo, Error> {
        let sql = &self.sql;
        let named = sql.schema.clone();
        let schema = match &named {
            Some(schema) => sql.text(schema),
            None => "current_schema()::text".to_owned(),
        };
        let ask = format!(
            "SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('transaction_read_only'), \
             (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = {schema})"
        );
        let row = self.row(ask).await?;
        let read_only = row.flag(1) || row.flag(2);
        let unfit = if read_only {
            Some(postgres::read_only(row.flag(1)))
        } else if row.opt(3).is_none() && !ledger_exists {
            Some(match &named {
                Some(schema) => no_schema(schema),
                None => postgres::no_schema(),
            })
        } else {
            None
        };
        Ok(ServerInfo {
            product: "PostgreSQL",
            version: row.text(0),
            pooler: postgres::pooler(&self.target).await,
            ledger_exists,
            can_create: Some(row.flag(3)),
            can_write_ledger: self.can_write(ledger_exists && !read_only).await?,
            read_only,
            unfit,
            lock_mode: "pg_try_advisory_xact_lock in an open transaction",
        })
    }

    async fn mysql(&mut self, ledger_exists: bool) -> Result<ServerInfo, Error> {
        let ask =
            "SELECT VERSION(), @@GLOBAL.read_only, DATABASE(), @@GLOBAL.lower_case_table_names";
        let row = self.row(ask.to_owned()).await?;
        let version = row.text(0);
        let read_only = row.flag(1);
        let can_create = match self.link.rows("SHOW GRANTS".to_owned(), CALL).await {
            Ok(lines) => {
                let lines: Vec<String> = lines.iter().map(|line| line.text(0)).collect();
                let database = row.text(2);
                let name = grants::Name {
                    database: &database,
                    table: TABLE,
                    any_case: row.text(3) != "0",
                };
                grants::give(&lines, "CREATE", name)
            }
            Err(fault) if fault.kind == FaultKind::Server => None,
            Err(fault) => return Err(fault.into()),
        };
        Ok(ServerInfo {
            product: if version.contains("MariaDB") {
                "MariaDB"
            } else {
                "MySQL"
            },
            version,
            pooler: None,
            ledger_exists,
            can_create,
            can_write_ledger: self.can_write(ledger_exists && !read_only).await?,
            read_only,
            unfit: read_only.then(mysql::read_only),
            lock_mode: "GET_LOCK on a session",
        })
    }

    fn sqlite(&mut self, ledger_exists: bool) -> Result<ServerInfo, Error> {
        let Link::File(store) = &self.link else {
            return Err(Error::Broken("no file".to_owned()));
        };
        let unfit = store.unfit(&self.target.app)?;
        let writable = unfit.is_none();
        Ok(ServerInfo {
            product: "SQLite",
            version: crate::sys::sqlite::version(),
            pooler: None,
            ledger_exists,
            can_create: Some(writable),
            can_write_ledger: ledger_exists.then_some(writable),
            read_only: !writable,
            unfit,
            lock_mode: "flock on a file beside the database",
        })
    }

    async fn row(&mut self, ask: String) -> Result<Row, Error> {
        let rows = self.link.rows(ask, CALL).await?;
        let row = rows.into_iter().next_back();
        row.ok_or_else(|| Error::Broken("the server told nothing".to_owned()))
    }

    /// Asked by statements that are a run's own but for the rows: what a role may do with a table
    /// is written down in too many places, some of which it may not read.
    async fn can_write(&mut self, is_there: bool) -> Result<Option<bool>, Error> {
        if !is_there {
            return Ok(None);
        }
        let sql = &self.sql;
        for statement in [sql.shape(), sql.may_append(), sql.may_finish()] {
            match self.link.run(statement, CALL).await {
                Ok(_) => {}
                Err(fault) if fault.is_privilege() => return Ok(Some(false)),
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(Some(true))
    }
}

/// As the server has it when the ledger is to be made there.
fn no_schema(schema: &str) -> (String, String) {
    let what = format!("schema {} does not exist", quoted(schema));
    (what, codes::SCHEMA.to_owned())
}
