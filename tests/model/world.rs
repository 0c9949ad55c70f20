//! One state of the model: replicas, lock, ledger, and what the database still works on.

use stateright::Representative;

pub(crate) const REPLICAS: usize = 3;

/// What each replica wants to start: an old image beside two of the next release.
pub(crate) const REVISIONS: [usize; REPLICAS] = [0, 1, 1];

/// The lease in ticks, as `--lease 3s` with ticks of a second.
pub(crate) const LEASE: u8 = 3;

/// What is left of a lease that a clock set back made endless.
pub(crate) const ENDLESS: u8 = u8::MAX;

/// Where a replica is between its start and its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It polls the ledger.
    Looking,
    /// The ledger says run: it is about to try the lock.
    Locking,
    /// It took the lock.
    Locked,
    /// It read the ledger again: there is still something to do.
    Preparing,
    /// Nothing of an earlier run is at work any more.
    Cleared,
    /// Its `running` row is there.
    Inserted,
    /// It read the ledger once more, with its row there.
    Checked,
    /// It confirmed the lock.
    Confirmed,
    /// No client of a dead run came back.
    Ready,
    /// Its step runs.
    Stepping,
    /// It lost the right to run: the step got TERM so many ticks ago.
    Stopping(u8),
    /// The step ended well.
    Recording,
    /// The answer to the record did not come.
    Asking,
    /// Its server runs.
    Launched,
    /// Its revision failed too often.
    Refused,
}

/// Which part of a replica does not get to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Frozen {
    Nothing,
    /// launchgate, but not its step.
    Launchgate,
    /// Both, as on a machine that is suspended.
    Whole,
}

/// The database session of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Session {
    /// A statement runs.
    Active,
    /// Its client has to send the next one.
    Idle,
    /// Another holder had the server end it.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Replica {
    pub(crate) phase: Phase,
    pub(crate) frozen: Frozen,
    /// Ticks since the lock was last confirmed, at most [`LEASE`].
    pub(crate) silence: u8,
    pub(crate) session: Session,
}

impl Replica {
    pub(crate) const NEW: Self = Self {
        phase: Phase::Looking,
        frozen: Frozen::Nothing,
        silence: 0,
        session: Session::Active,
    };

    pub(crate) fn has_step(self) -> bool {
        matches!(self.phase, Phase::Stepping | Phase::Stopping(_))
    }

    /// Whether its step gets to run.
    pub(crate) fn is_stepping(self) -> bool {
        self.has_step() && self.frozen != Frozen::Whole
    }

    /// Whether launchgate holds the lock as far as it knows.
    pub(crate) fn is_holder(self) -> bool {
        use Phase::{Asking, Launched, Locking, Looking, Refused};
        !matches!(self.phase, Looking | Locking | Asking | Launched | Refused)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Lock {
    Free,
    Held(usize),
    /// Its holder's machine is gone; the server finds out in so many ticks.
    Orphaned(u8),
    /// Its holder sent the COMMIT that records the success of this revision, and it has not arrived.
    Committing(usize),
}

/// A `running` row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) revision: usize,
    /// Whose it is, while that process lives.
    pub(crate) owner: Option<usize>,
    /// Ticks until the lease is over, or [`ENDLESS`].
    pub(crate) lease: u8,
}

/// Rows, as far as they decide anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ledger {
    /// Sorted, so that equal ledgers are equal.
    pub(crate) running: [Option<Row>; REPLICAS],
    pub(crate) succeeded: [bool; 2],
    pub(crate) failed: [u8; 2],
}

impl Ledger {
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.running.iter().flatten()
    }

    pub(crate) fn row_of(&self, owner: usize) -> Option<&Row> {
        self.rows().find(|row| row.owner == Some(owner))
    }

    pub(crate) fn insert(&mut self, row: Row) {
        let free = self.running.iter_mut().find(|slot| slot.is_none());
        *free.expect("no more rows than replicas") = Some(row);
        self.running.sort_unstable();
    }

    pub(crate) fn change(&mut self, mut change: impl FnMut(Row) -> Option<Row>) {
        for slot in &mut self.running {
            *slot = slot.and_then(&mut change);
        }
        self.running.sort_unstable();
    }

    pub(crate) fn remove_own(&mut self, owner: usize) {
        self.change(|row| (row.owner != Some(owner)).then_some(row));
    }
}

/// A rule that was broken on the way here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    ServerTooEarly = 1,
    StepsAgain = 2,
    SuccessWithoutLock = 4,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct World {
    pub(crate) replicas: [Replica; REPLICAS],
    /// One for each node of a cluster; a single server uses the first.
    pub(crate) locks: [Lock; 2],
    pub(crate) ledger: Ledger,
    /// Statements whose clients are gone, and which the server goes on with.
    pub(crate) statements: u8,
    /// For how many ticks a row with an [`ENDLESS`] lease did not change, at most [`LEASE`].
    pub(crate) unchanged: u8,
    /// How many faults may still happen.
    pub(crate) faults: u8,
    /// Which revisions were ever recorded as succeeded, whatever the ledger says now.
    pub(crate) recorded: [bool; 2],
    /// The [`Broken`] rules.
    pub(crate) broken: u8,
}

impl World {
    pub(crate) fn new(faults: u8) -> Self {
        Self {
            replicas: [Replica::NEW; REPLICAS],
            locks: [Lock::Free; 2],
            ledger: Ledger {
                running: [None; REPLICAS],
                succeeded: [false; 2],
                failed: [0; 2],
            },
            statements: 0,
            unchanged: 0,
            faults,
            recorded: [false; 2],
            broken: 0,
        }
    }

    pub(crate) fn breaks(&mut self, rule: Broken) {
        self.broken |= rule as u8;
    }

    pub(crate) fn has_broken(&self, rule: Broken) -> bool {
        self.broken & rule as u8 != 0
    }

    /// The server gives back what this replica's connection holds.
    pub(crate) fn free_lock_of(&mut self, replica: usize) {
        for lock in &mut self.locks {
            if *lock == Lock::Held(replica) {
                *lock = Lock::Free;
            }
        }
    }

    /// The replica polls again, or its process was started again.
    pub(crate) fn start_over(&mut self, replica: usize) {
        self.free_lock_of(replica);
        self.replicas[replica] = Replica::NEW;
    }

    fn swapped(&self, one: usize, other: usize) -> Self {
        let swap = |replica: usize| match replica {
            r if r == one => other,
            r if r == other => one,
            r => r,
        };
        let mut swapped = self.clone();
        swapped.replicas.swap(one, other);
        for lock in &mut swapped.locks {
            if let Lock::Held(replica) = lock {
                *replica = swap(*replica);
            }
        }
        swapped.ledger.change(|row| {
            Some(Row {
                owner: row.owner.map(swap),
                ..row
            })
        });
        swapped
    }
}

/// The two replicas of the next release are alike.
impl Representative for World {
    fn representative(&self) -> Self {
        let swapped = self.swapped(1, 2);
        swapped.min(self.clone())
    }
}
