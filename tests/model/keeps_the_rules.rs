//! "at most one replica runs steps; no server starts before its revision is recorded as succeeded; a
//! revision recorded as succeeded never runs its steps again […]; a holder that lost its lock stops its
//! step before another replica can have it, never records success, and never starts its server;
//! whatever is killed, at whatever moment, the next start goes on by itself." (contract, section 5)

use crate::checking::world;
use crate::faults::Fault::{
    AnswerLost, ClockBack, ClockForward, Cut, Kill, LocksPerNode, Pause, PauseLaunchgate,
    PowerLoss, ServerRestarts, StatementOutlivesClient, StepFails,
};

#[test]
fn any_two_faults_break_no_rule() {
    let faults = [
        Kill,
        PowerLoss,
        StatementOutlivesClient,
        Cut,
        Pause,
        AnswerLost,
        StepFails,
        ServerRestarts,
    ];
    world(2, &faults).keeps_all_rules();
}

#[test]
fn a_pause_of_launchgate_alone_that_the_lease_outlasts_breaks_no_rule() {
    world(2, &[PauseLaunchgate, Cut]).keeps_all_rules();
}

#[test]
fn locks_that_are_local_to_a_node_break_no_rule() {
    world(2, &[LocksPerNode, Kill, Cut]).keeps_all_rules();
}

#[test]
fn a_clock_that_jumps_ahead_breaks_no_rule_while_the_lock_is_held() {
    world(2, &[ClockForward, Pause, Kill]).keeps_all_rules();
}

#[test]
fn a_clock_that_jumps_back_breaks_no_rule_and_delays_nobody_for_long() {
    let faults = [ClockBack, Kill];
    world(2, &faults).recovering().keeps_all_rules();
}

#[test]
fn after_any_fault_every_replica_gets_to_its_server() {
    let faults = [
        Kill,
        PowerLoss,
        StatementOutlivesClient,
        Cut,
        Pause,
        AnswerLost,
        StepFails,
        ServerRestarts,
    ];
    world(1, &faults).recovering().keeps_all_rules();
}
