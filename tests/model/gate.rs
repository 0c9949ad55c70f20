//! The model: which moves there are in a state, and what each does.

use launchgate::db::ledger::RowLease;
use launchgate::gate::decide::Decision;
use stateright::{Model, Property};

use crate::decision::{self, decision};
use crate::effects;
use crate::faults::{self, Fault, Hit};
use crate::moves::{self, Move};
use crate::recovery::Recovered;
use crate::rules;
use crate::world::{ENDLESS, Frozen, LEASE, Ledger, Lock, Phase, REPLICAS, World};

/// What keeps the rules. Each can be switched off, to see what it is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// One replica at a time holds the lock.
    Lock,
    /// Whoever finds a `running` row whose lease is not over waits.
    LeaseCheck,
    /// A second `running` row of an app can't be inserted.
    UniqueKey,
    /// A new holder waits for statements that an earlier run left.
    OrphanWait,
    /// A new holder ends the idle sessions of an earlier run.
    Fence,
    /// The ledger is read again under the lock.
    SecondRead,
    /// The ledger is read once more when the `running` row is there.
    ReadWithRow,
    /// The lock is confirmed before the first step.
    Confirmation,
    /// Right before the first step, a client of a dead run that came back is noticed.
    SecondFence,
    /// A step gets a third of the lease at most between TERM and KILL.
    ShortGrace,
    /// However late the TERM came, the KILL comes before the lease ends.
    KillInLease,
    /// A success is recorded by what holds the lock.
    RecordUnderLock,
}

/// How the world is.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) off: Vec<Guard>,
    pub(crate) permits: Vec<Fault>,
    /// How many faults there may be on one path.
    pub(crate) faults: u8,
    /// Where rule 5 is checked too.
    pub(crate) recovered: Option<Recovered>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A replica goes on.
    Replica(usize, Move),
    /// A second passes.
    Tick,
    /// The server comes to the end of a statement without a client.
    StatementEnds,
    /// A COMMIT arrives late.
    CommitArrives,
    /// The connection on which a COMMIT was sent is gone before it arrived.
    CommitDropped,
    Fault(Hit),
}

impl Gate {
    pub(crate) fn has(&self, guard: Guard) -> bool {
        !self.off.contains(&guard)
    }

    pub(crate) fn permits(&self, fault: Fault) -> bool {
        self.permits.contains(&fault)
    }

    /// The node that a replica is connected to.
    pub(crate) fn node(&self, replica: usize) -> usize {
        if self.permits(Fault::LocksPerNode) {
            replica % 2
        } else {
            0
        }
    }

    pub(crate) fn holds_lock(&self, world: &World, replica: usize) -> bool {
        !self.has(Guard::Lock) || world.locks[self.node(replica)] == Lock::Held(replica)
    }

    /// What the product decides when `replica` reads this ledger.
    pub(crate) fn decide(&self, world: &World, ledger: &Ledger, replica: usize) -> Decision {
        decision(ledger, replica, |lease| self.lease(lease, world.unchanged))
    }

    /// What a lease is to a replica that saw its row unchanged for so many ticks.
    pub(crate) fn lease(&self, lease: u8, unchanged: u8) -> RowLease {
        match decision::by_the_database(lease) {
            _ if !self.has(Guard::LeaseCheck) => RowLease::Over,
            RowLease::TooLong(_) => decision::watched(unchanged),
            lease => lease,
        }
    }

    /// What must not be put off to the next tick, by a process that gets to run.
    fn is_urgent(&self, world: &World, replica: usize) -> bool {
        let state = world.replicas[replica];
        match (state.frozen, state.phase) {
            // Only with the fault that is named after it does a pause outlast the lease.
            (Frozen::Launchgate | Frozen::Whole, Phase::Stepping | Phase::Stopping(_)) => {
                !self.permits(Fault::PausePastLease) && state.silence + 1 >= LEASE
            }
            (Frozen::Nothing, Phase::Stepping) => moves::is_overdue(state.silence),
            (Frozen::Nothing, Phase::Stopping(_)) => moves::must_be_killed(self, state),
            _ => false,
        }
    }

    fn tick(&self, world: &mut World) -> bool {
        if (0..REPLICAS).any(|replica| self.is_urgent(world, replica)) {
            return false;
        }
        let before = world.clone();
        if world.ledger.rows().any(|row| row.lease == ENDLESS) {
            world.unchanged = (world.unchanged + 1).min(LEASE);
        }
        for state in &mut world.replicas {
            if state.is_holder() {
                state.silence = (state.silence + 1).min(LEASE);
            }
            if let Phase::Stopping(ticks) = &mut state.phase {
                *ticks = (*ticks + 1).min(LEASE);
            }
        }
        world.ledger.change(|mut row| {
            if row.lease <= LEASE {
                row.lease = row.lease.saturating_sub(1);
            }
            Some(row)
        });
        for node in 0..world.locks.len() {
            world.locks[node] = match world.locks[node] {
                // The server ends a session that was idle for a lease.
                Lock::Held(replica) if world.replicas[replica].silence == LEASE => Lock::Free,
                Lock::Orphaned(0 | 1) => Lock::Free,
                Lock::Orphaned(ticks) => Lock::Orphaned(ticks - 1),
                lock => lock,
            };
        }
        *world != before
    }

    fn commit_ends(world: &mut World, arrives: bool) -> bool {
        for node in 0..world.locks.len() {
            let Lock::Committing(revision) = world.locks[node] else {
                continue;
            };
            world.locks[node] = Lock::Free;
            if arrives {
                effects::succeed(world, |row| row.revision == revision, revision);
            }
            return true;
        }
        false
    }

    pub(crate) fn apply(&self, world: &mut World, action: Action) -> bool {
        match action {
            Action::Replica(replica, step) => effects::apply(self, world, replica, step),
            Action::Tick => self.tick(world),
            Action::StatementEnds => {
                let some = world.statements > 0;
                world.statements = world.statements.saturating_sub(1);
                some
            }
            Action::CommitArrives => Self::commit_ends(world, true),
            Action::CommitDropped => Self::commit_ends(world, false),
            Action::Fault(hit) => faults::apply(world, hit),
        }
    }
}

impl Model for Gate {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.faults)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for replica in 0..REPLICAS {
            let moves = moves::of(self, world, replica);
            actions.extend(moves.iter().map(|step| Action::Replica(replica, *step)));
        }
        if world.statements > 0 {
            actions.push(Action::StatementEnds);
        }
        if world.locks.iter().any(|l| matches!(l, Lock::Committing(_))) {
            actions.extend([Action::CommitArrives, Action::CommitDropped]);
        }
        actions.push(Action::Tick);
        faults::list(self, world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        self.apply(&mut next, action).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        rules::all(self)
    }
}
