//! The plan: turns settings into what will be done, as data.
//!
//! Every mistake in a setting is found here or in `settings`, before anything runs or connects.

pub mod coordination;
pub mod embedded;
pub mod every_start;
pub mod gate_plan;
pub mod ledger_reference;
mod planner;
pub mod release;
pub mod revision;
pub mod run_plan;
mod server;
mod step;
mod steps;

pub use planner::Steps;
pub use server::{ServerPlan, server};
pub use step::{STEPS, Stage, Step, StepDefinition, StepKind};
pub use steps::steps;
