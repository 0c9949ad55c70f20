//! The product's own decision, asked about the model's ledger.

use std::time::Duration;

use launchgate::db::ledger::{Ledger as ProductLedger, LedgerRow, RowLease, RunState};
use launchgate::gate::decide::{Attempts, Decision, decide};

use crate::world::{ENDLESS, Ledger, REVISIONS};

/// After so many failures a revision is refused.
pub(crate) const MAX_ATTEMPTS: u32 = 2;

fn name(revision: usize) -> String {
    format!("v{revision}")
}

fn row(id: i64, revision: usize, state: RunState) -> LedgerRow {
    LedgerRow {
        id,
        revision: name(revision),
        run_id: format!("run{id}"),
        state: Some(state),
        lease: RowLease::Over,
        holder: String::new(),
        age_ms: 0,
        ended_ms: None,
        note: None,
    }
}

/// What the product decides for `replica`. `lease` says what a row's lease is to this replica.
pub(crate) fn decision(
    ledger: &Ledger,
    replica: usize,
    lease: impl Fn(u8) -> RowLease,
) -> Decision {
    let revision = REVISIONS[replica];
    let mut rows = Vec::new();
    let mut add = |revision, state, lease| {
        let id = i64::try_from(rows.len()).unwrap();
        rows.push(LedgerRow {
            lease,
            ..row(id, revision, state)
        });
    };
    for _ in 0..ledger.failed[revision] {
        add(revision, RunState::Failed, RowLease::Over);
    }
    if ledger.succeeded[revision] {
        add(revision, RunState::Succeeded, RowLease::Over);
    }
    for row in ledger.rows() {
        add(row.revision, RunState::Running, lease(row.lease));
    }
    rows.reverse();
    let attempts = Attempts {
        max: Some(MAX_ATTEMPTS),
        delay: Duration::ZERO,
    };
    let ledger = ProductLedger::Rows(rows);
    decide(&ledger, Some(&name(revision)), attempts)
}

/// What the database says about a lease that lasts so many ticks more.
pub(crate) fn by_the_database(lease: u8) -> RowLease {
    match lease {
        0 => RowLease::Over,
        ENDLESS => RowLease::TooLong(String::new()),
        _ => RowLease::Live,
    }
}
