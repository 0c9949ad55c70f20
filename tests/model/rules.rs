//! The rules of the contract's section 5, as properties.

use stateright::Property;

use crate::gate::Gate;
use crate::world::{Broken, Frozen, Session, World};

pub(crate) const ONE_REPLICA: &str = "1: at most one replica runs steps";
pub(crate) const ONE_WRITER: &str = "1: at most one step's sessions work in the database";
pub(crate) const RECORDED_FIRST: &str =
    "2: no server starts before its revision is recorded as succeeded";
pub(crate) const NEVER_AGAIN: &str =
    "3: a revision recorded as succeeded never runs its steps again";
pub(crate) const LOST_IS_LOST: &str = "4: a holder that lost its lock never records success";

pub(crate) const GOES_ON: &str = "5: whatever is killed, the next start goes on by itself";

pub(crate) fn all(gate: &Gate) -> Vec<Property<Gate>> {
    let always = Property::always;
    let mut rules = vec![
        always(ONE_REPLICA, |_, world: &World| steps(world) <= 1),
        always(ONE_WRITER, |_, world: &World| writers(world) <= 1),
        always(RECORDED_FIRST, |_, world: &World| {
            !world.has_broken(Broken::ServerTooEarly)
        }),
        always(NEVER_AGAIN, |_, world: &World| {
            !world.has_broken(Broken::StepsAgain)
        }),
        always(LOST_IS_LOST, |_, world: &World| {
            !world.has_broken(Broken::SuccessWithoutLock)
        }),
    ];
    if gate.recovered.is_some() {
        rules.push(always(GOES_ON, Gate::recovers));
    }
    rules
}

/// Steps that run, and statements that go on without their clients.
fn steps(world: &World) -> usize {
    let running = world.replicas.iter().filter(|r| r.is_stepping()).count();
    running + usize::from(world.statements)
}

/// Sessions of steps that do something in the database, or that their clients can go on with.
fn writers(world: &World) -> usize {
    let works = |session, frozen| match session {
        Session::Active => true,
        Session::Idle => frozen != Frozen::Whole,
        Session::Ended => false,
    };
    let replicas = world.replicas.iter();
    let working = replicas
        .filter(|r| r.has_step() && works(r.session, r.frozen))
        .count();
    working + usize::from(world.statements)
}
