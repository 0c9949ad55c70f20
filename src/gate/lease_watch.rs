//! Leases that end later than any lease can, or never: the database's clock was set back, or someone
//! wrote the row by hand. Pure.
//!
//! A holder that is alive renews its lease, which changes the row. So such a lease is over once its
//! row has stayed the same for one lease, by this replica's own clock.

use std::time::Duration;

use crate::db::ledger::{Ledger, RowLease};
use crate::sys::clock::Moment;

/// What one replica has seen of such rows.
#[derive(Debug)]
pub struct LeaseWatch {
    lease: Duration,
    seen: Vec<SeenLease>,
}

#[derive(Debug)]
struct SeenLease {
    run_id: String,
    until: String,
    since: Moment,
}

impl LeaseWatch {
    /// For replicas whose lease is this long.
    pub fn new(lease: Duration) -> Self {
        Self {
            lease,
            seen: Vec::new(),
        }
    }

    /// Judges the leases in a ledger that was read at `now`: a lease that is over is marked so.
    pub fn judge(&mut self, ledger: &mut Ledger, now: Moment) {
        let Ledger::Rows(rows) = ledger else {
            return self.seen.clear();
        };
        let mut seen = Vec::new();
        for row in rows {
            let RowLease::TooLong(until) = &row.lease else {
                continue;
            };
            let is_same = |seen: &&SeenLease| seen.run_id == row.run_id && seen.until == *until;
            let since = self
                .seen
                .iter()
                .find(is_same)
                .map_or(now, |seen| seen.since);
            seen.push(SeenLease {
                run_id: row.run_id.clone(),
                until: until.clone(),
                since,
            });
            if now.since(since) >= self.lease {
                row.lease = RowLease::Over;
            }
        }
        self.seen = seen;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::ledger::{LedgerRow, RunState};

    const LEASE: Duration = Duration::from_secs(30);

    fn read(run_id: &str, until: &str) -> Ledger {
        Ledger::Rows(vec![LedgerRow {
            id: 1,
            revision: "r".to_owned(),
            run_id: run_id.to_owned(),
            state: Some(RunState::Running),
            lease: RowLease::TooLong(until.to_owned()),
            holder: String::new(),
            age_ms: 0,
            ended_ms: None,
            note: None,
        }])
    }

    /// Whether the lease is over, in ledgers that are read after so many seconds.
    fn judged(reads: &[(u64, Ledger)]) -> Vec<bool> {
        let (mut watch, start) = (LeaseWatch::new(LEASE), Moment::now());
        let judge = |(seconds, ledger): &(u64, Ledger)| {
            let mut ledger = ledger.clone();
            watch.judge(&mut ledger, start + Duration::from_secs(*seconds));
            matches!(ledger, Ledger::Rows(rows) if rows[0].lease == RowLease::Over)
        };
        reads.iter().map(judge).collect()
    }

    /// "A lease that ends later than the longest lease from now, or does not end, is over once a waiter
    /// has seen the row unchanged for one lease by its own clock." (contract, section 5)
    #[test]
    fn a_row_that_stays_the_same_for_one_lease_is_over() {
        let infinite = || read("a", "infinity");
        let reads = [(0, infinite()), (29, infinite()), (30, infinite())];
        assert_eq!(judged(&reads), [false, false, true]);
    }

    #[test]
    fn a_row_that_is_renewed_or_another_ones_is_live() {
        let reads = [
            (0, read("a", "2100")),
            (29, read("a", "2100")),
            (31, read("a", "2101")),
            (60, read("a", "2101")),
            (61, read("b", "2101")),
            (90, read("b", "2101")),
            (91, read("b", "2101")),
        ];
        let over = [false, false, false, false, false, false, true];
        assert_eq!(judged(&reads), over);
    }

    #[test]
    fn a_lease_that_can_be_true_is_left_alone() {
        let mut ledger = read("a", "");
        let Ledger::Rows(rows) = &mut ledger else {
            unreachable!("just made");
        };
        rows[0].lease = RowLease::Live;
        let before = ledger.clone();
        let (mut watch, start) = (LeaseWatch::new(LEASE), Moment::now());
        for seconds in [0, 100] {
            watch.judge(&mut ledger, start + Duration::from_secs(seconds));
            assert_eq!(ledger, before);
        }
    }
}
