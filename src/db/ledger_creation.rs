//! Creating the ledger, and bringing an older one up to date.

use super::{
    Error,
    fault::{Fault, Meaning},
    ledger_connection::LedgerConnection,
    ledger_sql::LedgerSql,
    place::Home,
};

/// What creating the ledger came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerCreation {
    /// It was missing.
    Created {
        /// Its name, with that of its schema.
        table: String,
        /// Why it is beside the app's tables instead of in a place of its own, and what to do about that.
        in_the_way: Option<(String, String)>,
    },
    /// It was there.
    Existed,
    /// It is missing, and is created after the steps.
    AfterSteps,
    /// It was there, from an older launchgate, and got the unique key or the index.
    Upgraded,
    /// It was there, from an older launchgate, and could not get them.
    Outdated {
        /// The database's words.
        why: String,
        /// The statements that add them, for an administrator.
        add: String,
    },
}

/// When a missing ledger is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CreationTime {
    /// Not where the steps come first.
    BeforeSteps,
    /// Only in a place of its own: a step may be about to need an empty schema.
    DuringStep,
    /// Wherever it can be.
    Anytime,
}

impl LedgerConnection {
    /// Creates the ledger where it is missing. An existing ledger is used as is, if it has the
    /// columns, whatever the role may create. The unique key and the index are added if missing.
    pub(super) async fn create(&mut self, time: CreationTime) -> Result<LedgerCreation, Error> {
        self.find().await?;
        if let Some(sql) = self.sql().cloned() {
            return self.upgrade(&sql).await;
        }
        if time == CreationTime::BeforeSteps && self.target.backend().driver().is_file {
            return Ok(LedgerCreation::AfterSteps);
        }
        for home in self.homes().await? {
            if time == CreationTime::DuringStep && home.in_the_way.is_some() {
                return Ok(LedgerCreation::AfterSteps);
            }
            match self.create_at(&home).await {
                Ok(_) => return self.created(&home).await,
                // another app's holder was faster
                Err(fault) if fault.means(Meaning::CreatedMeanwhile) => {
                    self.find().await?;
                    self.existing()?;
                    return Ok(LedgerCreation::Existed);
                }
                Err(fault)
                    if fault.means(Meaning::Privilege) || fault.means(Meaning::MissingSchema) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(Error::refused(
            "the ledger is missing and this role may not create it",
            self.create_hint(),
        ))
    }

    fn create_hint(&self) -> String {
        (self.target.backend().driver().create_hint)(&self.target)
    }

    async fn homes(&mut self) -> Result<Vec<Home>, Error> {
        let bound = self.bound;
        let (target, connection) = self.opened().await?;
        (target.backend().driver().homes)(connection, target, bound).await
    }

    async fn create_at(&mut self, home: &Home) -> Result<u64, Fault> {
        let dialect = self.dialect();
        let mut statements = dialect.for_table(dialect.create, home.sql.schema.as_deref());
        if let Some(before) = &home.before {
            statements.insert(0, before.clone());
        }
        self.run(statements.join("; ")).await
    }

    /// Makes sure that what was created is what will be found: a table of that name may have existed,
    /// or its schema, with another owner.
    async fn created(&mut self, home: &Home) -> Result<LedgerCreation, Error> {
        self.find().await?;
        let is_here = |sql: &LedgerSql| sql.table == home.sql.table;
        if !self.ledgers().iter().any(is_here) {
            return Err(Error::refused(
                format!(
                    "the table {} was there already and is not trusted",
                    home.sql.table
                ),
                "find out who owns it, then drop it or name another place with --ledger",
            ));
        }
        let in_the_way = home.in_the_way.clone().map(|why| {
            let schema = home.sql.schema.as_deref().unwrap_or_default();
            let hint = format!(
                "to keep it there, pass --ledger {schema}; otherwise {}",
                self.create_hint()
            );
            (why, hint)
        });
        Ok(LedgerCreation::Created {
            table: home.sql.table.clone(),
            in_the_way,
        })
    }

    /// Adds the unique key and the index that an older launchgate's ledger lacks. Where that is not
    /// possible now the ledger is used without them: the lock and the lease remain, and the next run tries
    /// again.
    async fn upgrade(&mut self, sql: &LedgerSql) -> Result<LedgerCreation, Error> {
        let (dialect, schema) = (self.dialect(), sql.schema.as_deref());
        let check = format!("{}; {}", sql.shape(), (dialect.is_current)(schema));
        let rows = self.rows(check).await?;
        if rows.last().is_some_and(|row| row.flag(0)) {
            return Ok(LedgerCreation::Existed);
        }
        let upgrade = dialect.for_table(dialect.upgrade, schema);
        for add in &upgrade {
            if let Err(fault) = self.add(sql, add).await {
                return Ok(LedgerCreation::Outdated {
                    why: fault.message,
                    add: upgrade.join("; "),
                });
            }
        }
        Ok(LedgerCreation::Upgraded)
    }

    async fn add(&mut self, sql: &LedgerSql, add: &str) -> Result<(), Fault> {
        let mut answer = self.run(add.to_owned()).await;
        if answer
            .as_ref()
            .is_err_and(|fault| fault.means(Meaning::Duplicate))
        {
            self.run(sql.interrupt_duplicates()).await?;
            answer = self.run(add.to_owned()).await;
        }
        match answer {
            Err(fault)
                if fault.means(Meaning::CreatedMeanwhile) && !fault.means(Meaning::Duplicate) =>
            {
                Ok(())
            }
            answer => answer.map(drop),
        }
    }
}
