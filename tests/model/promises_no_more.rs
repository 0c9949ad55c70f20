//! "What no lock can promise […] The documentation says so." (contract, section 5)
//!
//! What the documentation says there happens in the model, where such a fault is permitted.

use crate::checking::world;
use crate::faults::Fault::{
    ClockForward, Cut, Kill, Pause, PauseLaunchgate, PausePastLease, Reconnect, RowsLost,
    StatementOutlivesClient,
};
use crate::gate::Guard::{Fence, OrphanWait};
use crate::rules::{NEVER_AGAIN, ONE_REPLICA, ONE_WRITER};

/// Asserts that the documentation has these sentences.
#[track_caller]
fn documented(sentences: &str) {
    let page = include_str!("../../docs/when-x-dies.md");
    let section = page.split("## What no lock can promise").nth(1);
    let words: Vec<&str> = section.unwrap().split_whitespace().collect();
    let expected: Vec<&str> = sentences.split_whitespace().collect();
    assert!(words.join(" ").contains(&expected.join(" ")), "{sentences}");
}

#[test]
fn a_machine_that_is_suspended_past_the_lease() {
    documented(
        "If a machine is suspended for longer than the lease, its step keeps running after resume until \
         launchgate stops it, which is the first thing it does. In that moment two steps can run.",
    );
    let faults = [Pause, PausePastLease];
    world(1, &faults).breaks(ONE_REPLICA);
    documented(
        "On Postgres, the new holder has waited for that step's statements and ended its idle sessions, so \
         database work doesn't overlap unless the step connects again in that moment; work that it does \
         elsewhere (files, other services) can.",
    );
    world(2, &faults).keeps_all_rules_but(&[ONE_REPLICA]);
    world(1, &[Pause, PausePastLease, Reconnect]).breaks(ONE_WRITER);
}

#[test]
fn launchgate_alone_is_stopped_past_the_lease() {
    documented("The same is true if launchgate was stopped and its step was not.");
    world(1, &[PauseLaunchgate, PausePastLease]).breaks(ONE_REPLICA);
}

#[test]
fn a_statement_that_the_server_does_not_show() {
    documented(
        "On MySQL and MariaDB, a statement whose client was killed continues in the server, where \
         launchgate can't see it, and the next run starts while it is still executing.",
    );
    let faults = [Kill, StatementOutlivesClient];
    let unseen = [OrphanWait, Fence];
    world(1, &faults).without(&unseen).breaks(ONE_REPLICA);
}

#[test]
fn a_database_that_comes_back_without_the_newest_rows() {
    documented(
        "If a standby is promoted without the last commits, or a backup is restored, ledger and schema \
         go back together, and the missing steps run again.",
    );
    world(1, &[RowsLost]).breaks(NEVER_AGAIN);
    documented(
        "If the row of a run that is going on is missing too, another replica runs the steps while \
         launchgate is still stopping that run, which takes no longer than the lease.",
    );
    world(1, &[RowsLost]).breaks(ONE_REPLICA);
}

#[test]
fn a_clock_that_jumps_ahead_while_the_connection_is_cut() {
    documented(
        "If the database's clock jumps ahead by more than the lease just when the holder's connection is \
         cut, as in a failover to a server whose clock is wrong, another replica runs the steps while \
         launchgate is still stopping that run.",
    );
    world(2, &[ClockForward, Cut]).breaks(ONE_REPLICA);
}
