//! The product's own decision, asked about the model's ledger.

use std::time::Duration;

use launchgate::db::ledger::{Ledger as ProductLedger, LedgerRow, RowLease, RunState};
use launchgate::gate::decide::{Attempts, Decision, decide};
use launchgate::gate::lease_watch::LeaseWatch;
use launchgate::sys::clock::Moment;

use crate::moves::seconds;
use crate::world::{ENDLESS, LEASE, Ledger, REVISIONS};

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

/// What the product's watch makes of a lease that never ends, once its row was unchanged for so many
/// ticks.
pub(crate) fn watched(unchanged: u8) -> RowLease {
    let endless = LedgerRow {
        lease: by_the_database(ENDLESS),
        ..row(0, 0, RunState::Running)
    };
    let mut ledger = ProductLedger::Rows(vec![endless]);
    let mut watch = LeaseWatch::new(seconds(LEASE));
    let start = Moment::now();
    watch.judge(&mut ledger, start);
    watch.judge(&mut ledger, start + seconds(unchanged));
    let ProductLedger::Rows(rows) = ledger else {
        unreachable!("it has a row");
    };
    rows[0].lease.clone()
}
