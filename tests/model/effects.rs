//! What each move of a replica changes in the world.

use launchgate::db::ledger::RowLease;
use launchgate::gate::decide::Decision;

use crate::faults::Fault;
use crate::gate::{Gate, Guard};
use crate::moves::{Commit, Move, is_overdue};
use crate::world::{
    Broken, Frozen, LEASE, Lock, Phase, REPLICAS, REVISIONS, Replica, Row, Session, World,
};

/// Does it; `false` where nothing changes.
pub(crate) fn apply(gate: &Gate, world: &mut World, replica: usize, step: Move) -> bool {
    match step {
        Move::Look => return look(gate, world, replica),
        Move::TryLock => try_lock(gate, world, replica),
        Move::ReadAgain => read_again(gate, world, replica),
        Move::Clear => return clear(gate, world, replica),
        Move::Insert => insert(gate, world, replica),
        Move::ReadWithRow => read_with_row(gate, world, replica),
        Move::Confirm => {
            let confirmed = !gate.has(Guard::Confirmation) || gate.holds_lock(world, replica);
            go_on_or_give_up(world, replica, confirmed, Phase::Confirmed);
        }
        Move::LookAgain => look_again(gate, world, replica),
        Move::StartStep => {
            if world.recorded[REVISIONS[replica]] {
                world.breaks(Broken::StepsAgain);
            }
            world.replicas[replica].phase = Phase::Stepping;
        }
        Move::GiveUp => go_on_or_give_up(world, replica, false, Phase::Looking),
        Move::Renew => return renew(gate, world, replica),
        Move::RenewRow => return renew_row(world, replica),
        Move::Stop => return stop(gate, world, replica),
        Move::StepGone(leaves_statement) => {
            world.statements += u8::from(leaves_statement);
            go_on_or_give_up(world, replica, false, Phase::Looking);
        }
        Move::StepEnds => world.replicas[replica].phase = Phase::Recording,
        Move::StepFails => {
            world.faults -= 1;
            if gate.holds_lock(world, replica) && world.ledger.row_of(replica).is_some() {
                world.ledger.failed[REVISIONS[replica]] += 1;
            }
            go_on_or_give_up(world, replica, false, Phase::Looking);
        }
        Move::Record => record(gate, world, replica),
        Move::RecordUnanswered(commit) => return record_unanswered(gate, world, replica, commit),
        Move::FindOut => find_out(world, replica),
        Move::Thaw => {
            let state = &mut world.replicas[replica];
            state.frozen = Frozen::Nothing;
            if state.session == Session::Idle {
                state.session = Session::Active;
            }
        }
        Move::StatementEnds => world.replicas[replica].session = Session::Idle,
        Move::Reconnect => world.replicas[replica].session = Session::Active,
    }
    true
}

fn look(gate: &Gate, world: &mut World, replica: usize) -> bool {
    match gate.decide(world, &world.ledger, replica) {
        Decision::Start => launch(world, replica),
        Decision::Run { .. } => world.replicas[replica].phase = Phase::Locking,
        Decision::Refuse(_) => world.replicas[replica].phase = Phase::Refused,
        // On a cluster, a node may not have the newest rows yet.
        _ if gate.permits(Fault::LocksPerNode) => world.replicas[replica].phase = Phase::Locking,
        _ => return false,
    }
    true
}

fn launch(world: &mut World, replica: usize) {
    if !world.recorded[REVISIONS[replica]] {
        world.breaks(Broken::ServerTooEarly);
    }
    world.start_over(replica);
    world.replicas[replica].phase = Phase::Launched;
}

fn try_lock(gate: &Gate, world: &mut World, replica: usize) {
    let lock = &mut world.locks[gate.node(replica)];
    if !gate.has(Guard::Lock) || *lock == Lock::Free {
        if gate.has(Guard::Lock) {
            *lock = Lock::Held(replica);
        }
        world.replicas[replica].phase = Phase::Locked;
    } else {
        world.start_over(replica);
    }
}

fn read_again(gate: &Gate, world: &mut World, replica: usize) {
    let decision = gate.decide(world, &world.ledger, replica);
    if !gate.has(Guard::SecondRead)
        || gate.permits(Fault::LocksPerNode)
        || matches!(decision, Decision::Run { .. })
    {
        world.replicas[replica].phase = Phase::Preparing;
    } else {
        world.start_over(replica);
    }
}

fn clear(gate: &Gate, world: &mut World, replica: usize) -> bool {
    if gate.has(Guard::OrphanWait) {
        let works = |state: &Replica| {
            state.has_step() && state.frozen == Frozen::Whole && state.session == Session::Active
        };
        if world.statements > 0 || world.replicas.iter().any(works) {
            return false;
        }
    }
    if gate.has(Guard::Fence) {
        for other in 0..REPLICAS {
            // A step that runs has its moments between two statements.
            if world.replicas[other].has_step() {
                world.replicas[other].session = Session::Ended;
            }
        }
    }
    world.replicas[replica].phase = Phase::Cleared;
    true
}

fn insert(gate: &Gate, world: &mut World, replica: usize) {
    let unchanged = world.unchanged;
    world
        .ledger
        .change(|row| (gate.lease(row.lease, unchanged) != RowLease::Over).then_some(row));
    if gate.has(Guard::UniqueKey) && world.ledger.rows().next().is_some() {
        world.start_over(replica);
        return;
    }
    world.ledger.insert(Row {
        revision: REVISIONS[replica],
        owner: Some(replica),
        lease: LEASE,
    });
    world.replicas[replica].phase = Phase::Inserted;
    world.replicas[replica].silence = 0;
}

fn read_with_row(gate: &Gate, world: &mut World, replica: usize) {
    let mut others = world.ledger;
    others.remove_own(replica);
    let may_run = matches!(gate.decide(world, &others, replica), Decision::Run { .. });
    let goes_on = !gate.has(Guard::ReadWithRow) || may_run;
    go_on_or_give_up(world, replica, goes_on, Phase::Checked);
}

fn look_again(gate: &Gate, world: &mut World, replica: usize) {
    let dead =
        |other: usize| world.replicas[other].has_step() && world.ledger.row_of(other).is_none();
    let is_back =
        (0..REPLICAS).any(|other| dead(other) && world.replicas[other].session == Session::Active);
    let goes_on = !gate.has(Guard::SecondFence) || !is_back;
    go_on_or_give_up(world, replica, goes_on, Phase::Ready);
}

/// Goes on, or closes its row, gives the lock back and starts over.
fn go_on_or_give_up(world: &mut World, replica: usize, goes_on: bool, phase: Phase) {
    if goes_on {
        world.replicas[replica].phase = phase;
    } else {
        world.ledger.remove_own(replica);
        world.start_over(replica);
    }
}

fn renew(gate: &Gate, world: &mut World, replica: usize) -> bool {
    let has_row = world.ledger.row_of(replica).is_some();
    if !has_row || !gate.holds_lock(world, replica) || world.replicas[replica].silence == 0 {
        return false;
    }
    world.replicas[replica].silence = 0;
    renew_row(world, replica);
    true
}

fn renew_row(world: &mut World, replica: usize) -> bool {
    let before = world.ledger;
    world.ledger.change(|mut row| {
        if row.owner == Some(replica) {
            row.lease = LEASE;
        }
        Some(row)
    });
    world.unchanged = 0;
    world.ledger != before
}

fn stop(gate: &Gate, world: &mut World, replica: usize) -> bool {
    let state = &mut world.replicas[replica];
    let is_lost = is_overdue(state.silence)
        || world.ledger.row_of(replica).is_none()
        || !gate.holds_lock(world, replica);
    if is_lost {
        world.replicas[replica].phase = Phase::Stopping(0);
    }
    is_lost
}

/// The rows that `is_own` finds end as a success of `revision`.
pub(crate) fn succeed(world: &mut World, is_own: impl Fn(&Row) -> bool, revision: usize) {
    if !world.ledger.rows().any(&is_own) {
        return;
    }
    world.ledger.change(|row| (!is_own(&row)).then_some(row));
    world.ledger.succeeded[revision] = true;
    world.recorded[revision] = true;
}

fn record(gate: &Gate, world: &mut World, replica: usize) {
    let has_lock = gate.holds_lock(world, replica);
    let may_record = has_lock || !gate.has(Guard::RecordUnderLock);
    let is_lost = is_overdue(world.replicas[replica].silence) && gate.has(Guard::RecordUnderLock);
    if is_lost || !may_record || world.ledger.row_of(replica).is_none() {
        return go_on_or_give_up(world, replica, false, Phase::Looking);
    }
    if !has_lock {
        world.breaks(Broken::SuccessWithoutLock);
    }
    succeed(world, |row| row.owner == Some(replica), REVISIONS[replica]);
    launch(world, replica);
}

fn record_unanswered(gate: &Gate, world: &mut World, replica: usize, commit: Commit) -> bool {
    let revision = REVISIONS[replica];
    let can_commit = world.ledger.row_of(replica).is_some()
        && world.locks[gate.node(replica)] == Lock::Held(replica)
        && !is_overdue(world.replicas[replica].silence);
    if !can_commit {
        return false;
    }
    world.faults -= 1;
    world.locks[gate.node(replica)] = match commit {
        Commit::Late => Lock::Committing(revision),
        Commit::Done | Commit::Lost => Lock::Free,
    };
    if commit == Commit::Done {
        succeed(world, |row| row.owner == Some(replica), revision);
    }
    world.start_over(replica);
    world.replicas[replica].phase = Phase::Asking;
    true
}

/// Launches where its success is there. Where it is not, its row stays for the next holder to close: a
/// COMMIT that is still on its way keeps it locked.
fn find_out(world: &mut World, replica: usize) {
    if world.ledger.succeeded[REVISIONS[replica]] {
        return launch(world, replica);
    }
    world.ledger.change(|mut row| {
        row.owner = row.owner.filter(|owner| *owner != replica);
        Some(row)
    });
    world.start_over(replica);
}
