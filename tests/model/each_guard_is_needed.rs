//! Each guard, switched off in a world where nothing else does its work, breaks a rule. The way there is
//! printed: `cargo test --test model each_guard -- --nocapture`.

use crate::checking::world;
use crate::faults::Fault::{
    self, ClockForward, Cut, CutBeforeStep, Kill, LocksPerNode, Pause, PausePastLease,
    ReconnectBeforeStep, StatementOutlivesClient,
};
use crate::gate::Guard::{self, *};
use crate::rules::{LOST_IS_LOST, NEVER_AGAIN, ONE_REPLICA, ONE_WRITER};

/// With all guards the rule holds in a world with these faults, without `guards` it does not.
#[track_caller]
fn is_needed(guards: &[Guard], faults: u8, permits: &[Fault], rule: &'static str) {
    world(faults, permits).keeps_all_rules();
    world(faults, permits).without(guards).breaks(rule);
}

#[test]
fn without_the_lock_a_clock_that_jumps_ahead_lets_two_replicas_run() {
    is_needed(&[Lock], 1, &[ClockForward], ONE_REPLICA);
}

#[test]
fn without_the_lease_a_cut_connection_lets_two_replicas_run() {
    is_needed(&[LeaseCheck], 1, &[Cut], ONE_REPLICA);
}

#[test]
fn without_the_unique_key_locks_per_node_let_two_replicas_run() {
    // The read that follows the row finds the other's row, too.
    let nodes = || world(0, &[LocksPerNode]);
    nodes()
        .without(&[ReadWithRow])
        .keeps_all_rules_but(&[NEVER_AGAIN]);
    nodes()
        .without(&[ReadWithRow, UniqueKey])
        .breaks(ONE_REPLICA);
}

#[test]
fn without_the_wait_for_orphans_the_next_step_runs_beside_a_dead_ones_statement() {
    let faults = [Kill, StatementOutlivesClient];
    is_needed(&[OrphanWait], 1, &faults, ONE_REPLICA);
}

#[test]
fn without_the_fence_a_step_that_thaws_works_beside_the_next_one() {
    let faults = [Pause, PausePastLease];
    world(1, &faults).keeps_all_rules_but(&[ONE_REPLICA]);
    world(1, &faults).without(&[Fence]).breaks(ONE_WRITER);
}

#[test]
fn without_a_last_look_a_step_that_connects_again_works_beside_the_next_one() {
    let faults = [Pause, PausePastLease, ReconnectBeforeStep];
    world(1, &faults).keeps_all_rules_but(&[ONE_REPLICA]);
    world(1, &faults).without(&[SecondFence]).breaks(ONE_WRITER);
}

#[test]
fn without_reading_the_ledger_again_what_succeeded_meanwhile_runs_again() {
    is_needed(&[SecondRead, ReadWithRow], 0, &[], NEVER_AGAIN);
}

#[test]
fn without_the_read_after_the_row_what_succeeded_on_another_node_runs_again() {
    is_needed(&[ReadWithRow], 0, &[LocksPerNode], NEVER_AGAIN);
}

#[test]
fn without_the_confirmation_a_lock_lost_on_the_way_and_a_jumping_clock_let_two_replicas_run() {
    let faults = [CutBeforeStep, ClockForward];
    is_needed(&[Confirmation], 2, &faults, ONE_REPLICA);
}

#[test]
fn without_a_stop_within_two_thirds_of_the_lease_two_replicas_run() {
    is_needed(&[ShortGrace, KillInLease], 1, &[Cut], ONE_REPLICA);
}

#[test]
fn without_the_kill_before_the_lease_ends_a_pause_within_it_lets_two_replicas_run() {
    is_needed(&[KillInLease], 1, &[Pause], ONE_REPLICA);
}

#[test]
fn without_the_lock_around_the_record_a_holder_that_lost_it_records_success() {
    is_needed(&[RecordUnderLock], 1, &[Cut], LOST_IS_LOST);
}
