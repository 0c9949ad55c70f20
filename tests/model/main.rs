//! Lock, lease, unique key, fences, attempts and launch as a model, of which a checker visits every
//! state that a few faults can lead to.
//!
//! Three replicas start two revisions on one database. Whether to run, wait, start or refuse is
//! [`launchgate::gate::decide`]'s decision, and when the right to run is lost is
//! [`launchgate::gate::lease`]'s. What is around them follows `gate.rs`, `gate/hold.rs` and
//! `gate/keep.rs`, a statement to the database at a time. Time passes in seconds, with a lease of
//! three.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod checking;
mod decision;
mod each_guard_is_needed;
mod effects;
mod faults;
mod gate;
mod keeps_the_rules;
mod moves;
mod promises_no_more;
mod recovery;
mod rules;
mod world;
