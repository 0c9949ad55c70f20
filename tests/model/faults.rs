//! What goes wrong, and how often.

use crate::gate::{Action, Gate};
use crate::world::{ENDLESS, Frozen, LEASE, Lock, Phase, REPLICAS, Session, World};

/// A kind of fault that a world permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// launchgate and its step are killed.
    Kill,
    /// The machine is gone; the database server keeps its session for a lease.
    PowerLoss,
    /// A statement of a step that is killed or stopped goes on in the server.
    StatementOutlivesClient,
    /// The server frees the lock of a connection that was cut, while the process lives.
    Cut,
    /// The same, but not while a step runs.
    CutBeforeStep,
    /// A process, or the machine, is paused. A step, and what has to stop it, goes on before the lease
    /// ends; a replica without a step may be paused for any time.
    Pause,
    /// A pause of a step that lasts longer than the lease.
    PausePastLease,
    /// launchgate alone is paused.
    PauseLaunchgate,
    /// A step whose session was ended connects again.
    Reconnect,
    /// The same, but before the new holder has looked a last time.
    ReconnectBeforeStep,
    /// The answer to a COMMIT is lost, or the COMMIT is lost or late.
    AnswerLost,
    /// A step fails.
    StepFails,
    /// A server ends and is started again.
    ServerRestarts,
    /// Each node of a cluster has its own lock, and may be behind with rows that others wrote.
    LocksPerNode,
    /// Another database server takes over, without the newest row.
    RowsLost,
    /// The database's clock jumps past every lease.
    ClockForward,
    /// The database's clock jumps back.
    ClockBack,
}

/// A fault that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hit {
    /// Whether the server goes on with the step's statement.
    Killed(usize, bool),
    PowerLost(usize),
    Cut(usize),
    Paused(usize, Frozen),
    ServerRestarted(usize),
    RunningRowLost,
    SuccessLost(usize),
    ClockForward,
    ClockBack,
}

/// Whether the server may go on with a statement of this replica's step.
pub(crate) fn leaves_statement(gate: &Gate, world: &World, replica: usize) -> bool {
    let state = &world.replicas[replica];
    gate.permits(Fault::StatementOutlivesClient)
        && world.statements == 0
        && state.has_step()
        && state.session == Session::Active
}

/// The faults that are possible now.
pub(crate) fn list(gate: &Gate, world: &World, actions: &mut Vec<Action>) {
    if world.faults == 0 {
        return;
    }
    let mut hit = |hit| actions.push(Action::Fault(hit));
    for replica in 0..REPLICAS {
        of_replica(gate, world, replica, &mut hit);
    }
    if gate.permits(Fault::RowsLost) {
        hit(Hit::RunningRowLost);
        hit(Hit::SuccessLost(0));
        hit(Hit::SuccessLost(1));
    }
    if gate.permits(Fault::ClockForward) {
        hit(Hit::ClockForward);
    }
    if gate.permits(Fault::ClockBack) {
        hit(Hit::ClockBack);
    }
}

fn of_replica(gate: &Gate, world: &World, replica: usize, hit: &mut impl FnMut(Hit)) {
    let state = &world.replicas[replica];
    let holds = world.locks.contains(&Lock::Held(replica));
    if gate.permits(Fault::ServerRestarts) && state.phase == Phase::Launched {
        hit(Hit::ServerRestarted(replica));
    }
    if holds && gate.permits(Fault::Cut)
        || holds && gate.permits(Fault::CutBeforeStep) && state.phase <= Phase::Cleared
    {
        hit(Hit::Cut(replica));
    }
    if !state.is_holder() {
        return;
    }
    if gate.permits(Fault::Kill) {
        hit(Hit::Killed(replica, false));
        if leaves_statement(gate, world, replica) {
            hit(Hit::Killed(replica, true));
        }
    }
    if gate.permits(Fault::PowerLoss) && holds {
        hit(Hit::PowerLost(replica));
    }
    if state.frozen == Frozen::Nothing {
        if gate.permits(Fault::Pause) {
            hit(Hit::Paused(replica, Frozen::Whole));
        }
        if gate.permits(Fault::PauseLaunchgate) && state.has_step() {
            hit(Hit::Paused(replica, Frozen::Launchgate));
        }
    }
}

/// Lets it happen; `false` where nothing changes.
pub(crate) fn apply(world: &mut World, hit: Hit) -> bool {
    let before = world.clone();
    match hit {
        Hit::Killed(replica, statement) => {
            world.statements += u8::from(statement);
            die(world, replica);
        }
        Hit::PowerLost(replica) => {
            for lock in &mut world.locks {
                if *lock == Lock::Held(replica) {
                    *lock = Lock::Orphaned(LEASE);
                }
            }
            die(world, replica);
        }
        Hit::Cut(replica) => world.free_lock_of(replica),
        Hit::Paused(replica, part) => world.replicas[replica].frozen = part,
        Hit::ServerRestarted(replica) => world.start_over(replica),
        Hit::RunningRowLost => {
            world.ledger.change(|_| None);
            world.locks = [Lock::Free; 2];
        }
        Hit::SuccessLost(revision) => {
            world.ledger.succeeded[revision] = false;
            if *world != before {
                world.locks = [Lock::Free; 2];
            }
        }
        Hit::ClockForward => set_leases(world, 0),
        Hit::ClockBack => set_leases(world, ENDLESS),
    }
    if *world == before {
        return false;
    }
    world.faults -= 1;
    true
}

fn set_leases(world: &mut World, lease: u8) {
    world.unchanged = 0;
    world.ledger.change(|mut row| {
        row.lease = lease;
        Some(row)
    });
}

/// The process ends, and the platform starts it again.
fn die(world: &mut World, replica: usize) {
    world.ledger.change(|mut row| {
        row.owner = row.owner.filter(|owner| *owner != replica);
        Some(row)
    });
    world.start_over(replica);
}
