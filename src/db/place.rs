//! Where the ledger is: which tables count as the ledger, and where a missing one is created.
//!
//! Several can exist: one that launchgate 0.1 made beside the app's tables, one in a place of its own.
//! All that are trusted are asked before a step runs; the first of them is written.

use std::time::Duration;

use super::{
    Error, Target,
    connection::Connection,
    dialect::SqlDialect,
    fault::{Fault, Meaning},
    ledger::{ForeignLedger, Ledger, LedgerRow, RunState},
    ledger_read::Question,
    ledger_sql::LedgerSql,
    rows::{self, TextRow},
};

/// The ledgers that count, and what they say.
#[derive(Default)]
pub(super) struct Found {
    /// The first one is written, all of them are asked.
    pub(super) ledgers: Vec<LedgerSql>,
    /// Who owns the first one, where the database has owners.
    pub(super) owner: Option<String>,
    /// What each one answered.
    pub(super) answers: Vec<Vec<TextRow>>,
    /// Tables of that name which are not believed.
    pub(super) passed_over: Vec<ForeignLedger>,
    /// Why no step may run, whatever the ledgers say.
    refusal: Option<Error>,
}

impl Found {
    pub(super) fn add(&mut self, sql: LedgerSql, answer: Vec<TextRow>) {
        self.ledgers.push(sql);
        self.answers.push(answer);
    }

    /// Notes a reason why no step may run; the first one counts.
    pub(super) fn refuse(&mut self, error: Error) {
        self.refusal.get_or_insert(error);
    }

    /// What they say together. A success stands whatever else is the matter, since it starts the server
    /// without running a step.
    pub(super) fn ledger(&self) -> Result<Ledger, Error> {
        let decoded = self.answers.iter().map(|rows| rows::ledger_rows(rows));
        let rows = merged(decoded.collect::<Result<Vec<_>, _>>()?);
        let has_succeeded = |row: &LedgerRow| row.state == Some(RunState::Succeeded);
        match &self.refusal {
            Some(error) if !rows.iter().any(has_succeeded) => Err(error.clone()),
            _ if self.ledgers.is_empty() => Ok(Ledger::Missing),
            _ => Ok(Ledger::Rows(rows)),
        }
    }

    /// Fails where no step may run.
    pub(super) fn allow_steps(&self) -> Result<(), Error> {
        self.refusal.clone().map_or(Ok(()), Err)
    }
}

/// The rows of several ledgers as of one, newest first. Each ledger numbers its own rows, so the times
/// decide, which are the database's in all of them.
fn merged(mut ledgers: Vec<Vec<LedgerRow>>) -> Vec<LedgerRow> {
    if ledgers.len() == 1 {
        return ledgers.remove(0);
    }
    let mut rows: Vec<LedgerRow> = ledgers.into_iter().flatten().collect();
    rows.sort_by_key(|row| row.age_ms);
    for (row, id) in rows.iter_mut().rev().zip(1..) {
        row.id = id;
    }
    rows
}

/// A place where a missing ledger can be created.
#[derive(Clone)]
pub(super) struct Home {
    pub(super) sql: LedgerSql,
    /// Creates the schema or database that holds it.
    pub(super) before: Option<String>,
    /// Why it is not in a place of its own, where it isn't. Tools that want an empty schema find it there.
    pub(super) in_the_way: Option<String>,
}

/// A ledger that may be at a known place.
pub(super) struct Candidate {
    pub(super) sql: LedgerSql,
    /// Whether it counts as missing where this role may not look.
    pub(super) is_optional: bool,
}

/// Asks each candidate in turn, up to a success. `None` as a question only finds out which exist.
pub(super) async fn probe(
    connection: &mut dyn Connection,
    target: &Target,
    candidates: Vec<Candidate>,
    question: Option<Question<'_>>,
    bound: Duration,
) -> Result<Found, Fault> {
    let mut found = Found::default();
    let mut unreadable = None;
    for Candidate { sql, is_optional } in candidates {
        let ask = match question {
            Some(question) => sql.read(&target.app, question),
            None => sql.shape(),
        };
        match connection.rows(ask, bound).await {
            Ok(rows) => {
                let has_succeeded = rows.iter().any(|row| row.text(3) == "succeeded");
                found.add(sql, rows);
                if has_succeeded {
                    break;
                }
            }
            Err(fault) if fault.means(Meaning::MissingTable) => {}
            Err(fault)
                if is_optional
                    && (fault.means(Meaning::Privilege) || fault.means(Meaning::MissingSchema)) => {
            }
            Err(fault) if fault.means(Meaning::Privilege) => unreadable = Some(fault),
            Err(fault) => return Err(fault),
        }
    }
    match unreadable {
        Some(fault) if found.ledgers.is_empty() => Err(fault),
        _ => Ok(found),
    }
}

impl Target {
    /// The statements for a ledger that needs no schema to be found.
    pub(super) fn plain_sql(&self) -> LedgerSql {
        LedgerSql::new(self.dialect(), None, None)
    }

    pub(super) fn dialect(&self) -> &'static SqlDialect {
        self.backend().driver().dialect
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::ledger::RowLease;

    fn row(id: i64, state: RunState, age_ms: i64) -> LedgerRow {
        LedgerRow {
            id,
            revision: "r".to_owned(),
            run_id: format!("run{id}"),
            state: Some(state),
            lease: RowLease::Over,
            ended_ms: None,
            holder: String::new(),
            age_ms,
            note: None,
        }
    }

    #[test]
    fn the_rows_of_two_ledgers_are_ordered_by_time_not_by_number() {
        let old = vec![
            row(9, RunState::Succeeded, 5000),
            row(8, RunState::Failed, 9000),
        ];
        let new = vec![
            row(2, RunState::Blocked, 1000),
            row(1, RunState::Failed, 7000),
        ];
        let rows = merged(vec![old, new]);
        let seen: Vec<_> = rows.iter().map(|row| (row.id, row.age_ms)).collect();
        assert_eq!(seen, [(4, 1000), (3, 5000), (2, 7000), (1, 9000)]);
    }

    #[test]
    fn the_rows_of_one_ledger_stay_as_they_are() {
        let rows = vec![
            row(7, RunState::Failed, 1000),
            row(3, RunState::Failed, 9000),
        ];
        assert_eq!(merged(vec![rows.clone()]), rows);
    }
}
