//! What a replica may do next, in the order of `gate.rs`, `gate/hold.rs` and `gate/keep.rs`.

use std::time::Duration;

use launchgate::gate::lease::{is_silent_too_long, longest_silence};

use crate::faults::{self, Fault};
use crate::gate::{Gate, Guard};
use crate::world::{Frozen, LEASE, Phase, REPLICAS, Replica, Session, World};

/// How a COMMIT without an answer fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    Done,
    Lost,
    /// It is still on its way.
    Late,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    /// Reads the ledger.
    Look,
    TryLock,
    ReadAgain,
    /// Waits for what earlier runs left working, and ends what they left idle.
    Clear,
    /// Closes dead rows and appends its own.
    Insert,
    ReadWithRow,
    Confirm,
    /// Looks whether a client of a dead run came back since it cleared.
    LookAgain,
    StartStep,
    /// Gives up before its step started.
    GiveUp,
    Renew,
    /// Renews its row while its step is being stopped.
    RenewRow,
    /// Finds that the right to run is lost, and sends TERM.
    Stop,
    /// The stopped step is gone, killed at the latest; whether the server goes on with its statement.
    StepGone(bool),
    StepEnds,
    StepFails,
    Record,
    /// The answer to the record does not come.
    RecordUnanswered(Commit),
    /// Asks what became of the record.
    FindOut,
    Thaw,
    /// The statement of a frozen step ends.
    StatementEnds,
    /// A step whose session was ended opens another.
    Reconnect,
}

/// How long so many ticks are.
pub(crate) fn seconds(ticks: u8) -> Duration {
    Duration::from_secs(u64::from(ticks))
}

/// The product's rule of when the right to run is lost.
pub(crate) fn is_overdue(silence: u8) -> bool {
    is_silent_too_long(seconds(silence), seconds(LEASE))
}

/// Whether a stopped step gets KILL now.
pub(crate) fn must_be_killed(gate: &Gate, replica: Replica) -> bool {
    let grace = if gate.has(Guard::ShortGrace) {
        1
    } else {
        LEASE
    };
    let Phase::Stopping(ticks) = replica.phase else {
        return false;
    };
    let silence = seconds(replica.silence);
    ticks >= grace || gate.has(Guard::KillInLease) && silence >= longest_silence(seconds(LEASE))
}

/// What a replica can do next; not everything changes something.
pub(crate) fn of(gate: &Gate, world: &World, replica: usize) -> Vec<Move> {
    let state = &world.replicas[replica];
    let mut moves = Vec::new();
    if state.frozen != Frozen::Nothing {
        moves.push(Move::Thaw);
    }
    if state.has_step() {
        match state.session {
            Session::Active if state.frozen == Frozen::Whole => moves.push(Move::StatementEnds),
            Session::Ended if may_reconnect(gate, world) && state.is_stepping() => {
                moves.push(Move::Reconnect);
            }
            _ => {}
        }
    }
    if state.frozen == Frozen::Nothing {
        moves.extend(going_on(gate, world, replica));
    }
    moves
}

fn may_reconnect(gate: &Gate, world: &World) -> bool {
    let has_looked = |replica: usize| {
        let state = &world.replicas[replica];
        state.phase == Phase::Ready || state.has_step() && world.ledger.row_of(replica).is_some()
    };
    gate.permits(Fault::Reconnect)
        || gate.permits(Fault::ReconnectBeforeStep) && !(0..REPLICAS).any(has_looked)
}

fn going_on(gate: &Gate, world: &World, replica: usize) -> Vec<Move> {
    let state = &world.replicas[replica];
    match state.phase {
        Phase::Looking => vec![Move::Look],
        Phase::Locking => vec![Move::TryLock],
        Phase::Locked => vec![Move::ReadAgain],
        Phase::Preparing => vec![Move::Clear],
        Phase::Cleared => vec![Move::Insert],
        Phase::Inserted => vec![Move::ReadWithRow],
        Phase::Checked => vec![Move::Confirm],
        Phase::Confirmed => vec![Move::LookAgain],
        Phase::Ready if is_overdue(state.silence) => vec![Move::GiveUp],
        Phase::Ready => vec![Move::StartStep],
        Phase::Stepping => {
            let mut moves = vec![Move::Renew, Move::Stop];
            if !is_overdue(state.silence) {
                moves.push(Move::StepEnds);
                if gate.permits(Fault::StepFails) && world.faults > 0 {
                    moves.push(Move::StepFails);
                }
            }
            moves
        }
        Phase::Stopping(_) => {
            let mut moves = vec![Move::StepGone(false), Move::RenewRow];
            if faults::leaves_statement(gate, world, replica) {
                moves.push(Move::StepGone(true));
            }
            moves
        }
        Phase::Recording => {
            let mut moves = vec![Move::Record];
            if gate.permits(Fault::AnswerLost) && world.faults > 0 {
                moves.push(Move::RecordUnanswered(Commit::Done));
                moves.push(Move::RecordUnanswered(Commit::Lost));
                moves.push(Move::RecordUnanswered(Commit::Late));
            }
            moves
        }
        Phase::Asking => vec![Move::FindOut],
        Phase::Launched | Phase::Refused => vec![],
    }
}
