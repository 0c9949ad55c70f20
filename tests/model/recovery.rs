//! Rule 5: what happens once nothing goes wrong any more.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::decision::MAX_ATTEMPTS;
use crate::effects;
use crate::gate::{Action, Gate};
use crate::moves::{self, Move};
use crate::world::{Frozen, Phase, REPLICAS, REVISIONS, World};

/// More rounds than a lease has seconds, for each replica in turn.
const ROUNDS: usize = 40;

/// More moves than a replica makes from its start to its server.
const MOVES: usize = 20;

/// States that are known to recover. Most lead to the same ones.
#[derive(Debug, Default)]
pub(crate) struct Recovered(Mutex<HashSet<World>>);

impl Gate {
    pub(crate) fn recovering(mut self) -> Self {
        self.recovered = Some(Recovered::default());
        self
    }

    /// Whether every replica gets to its server, or is refused for its failures, by itself.
    pub(crate) fn recovers(&self, world: &World) -> bool {
        let known = &self.recovered.as_ref().expect("rule 5 is checked").0;
        let known = || known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut way = vec![world.clone()];
        let mut world = world.clone();
        for _ in 0..ROUNDS {
            if known().contains(&world) || (0..REPLICAS).all(|r| is_settled(&world, r)) {
                known().extend(way);
                return true;
            }
            self.calm_round(&mut world);
            way.push(world.clone());
        }
        false
    }

    /// Every replica goes on as far as it can, then a second passes.
    fn calm_round(&self, world: &mut World) {
        for replica in 0..REPLICAS {
            for _ in 0..MOVES {
                let goes_on = self.goes_on(world, replica);
                if !goes_on || world.replicas[replica].phase == Phase::Looking {
                    break;
                }
            }
        }
        self.apply(world, Action::CommitArrives);
        self.apply(world, Action::StatementEnds);
        self.apply(world, Action::Tick);
    }

    /// The replica's next move, if it has one that nothing has to go wrong for.
    fn goes_on(&self, world: &mut World, replica: usize) -> bool {
        let is_calm = |step: &Move| {
            !matches!(
                step,
                Move::StepFails
                    | Move::RenewRow
                    | Move::RecordUnanswered(_)
                    | Move::StepGone(true)
                    | Move::Reconnect
            )
        };
        let moves = moves::of(self, world, replica).into_iter().filter(is_calm);
        moves
            .into_iter()
            .any(|step| effects::apply(self, world, replica, step))
    }
}

fn is_settled(world: &World, replica: usize) -> bool {
    let state = &world.replicas[replica];
    match state.phase {
        Phase::Launched => state.frozen == Frozen::Nothing,
        Phase::Refused => u32::from(world.ledger.failed[REVISIONS[replica]]) >= MAX_ATTEMPTS,
        _ => false,
    }
}
