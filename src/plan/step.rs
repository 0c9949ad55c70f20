//! The steps as data: which kinds there are, in which order they run, and what follows from that.

use std::ffi::OsStr;
use std::time::Duration;

use crate::cli::{SettingId, Shape};
use crate::settings::Origin;
use crate::shell_words::Argv;
use crate::sys::environment::Environment;
use crate::sys::identity::Identity;

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// At every start, before everything else.
    Prepare,
    /// Before the first migrate step.
    Backup,
    /// A copy of the database that launchgate makes itself.
    Snapshot,
    /// The migration.
    Migrate,
    /// Migrations that launchgate applies itself.
    Sql,
    /// After the migrate steps.
    Verify,
    /// At every start, right before the server.
    WarmUp,
}

/// When a step runs, and what that means for it. Its failure always ends the start. The users are those of
/// steps that name none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// At every start of every replica, before anything connects, as the user who started launchgate. No
    /// lock, no record, no time limit.
    BeforeGate,
    /// Once per revision, under the lock, as the steps' user. The ledger records each attempt.
    InGate,
    /// At every start of every replica, once the gate is open, as the server's user. No lock, no record, no
    /// time limit.
    AfterGate,
}

/// A row of the table of steps.
#[derive(Debug, Clone, Copy)]
pub struct StepDefinition {
    /// Which kind.
    pub kind: StepKind,
    /// The setting that gives it. Its name is the kind's word in the log, the ledger and
    /// `LAUNCHGATE_STEP`; its shape says whether there can be several, and whether launchgate itself is
    /// the program.
    pub setting: SettingId,
    /// When it runs.
    pub stage: Stage,
}

/// Every kind of step, in the order they run. A new kind is a row here and its setting's row in
/// `cli::table`.
#[rustfmt::skip]
pub static STEPS: [StepDefinition; 7] = [
    row(StepKind::Prepare,  SettingId::Prepare,  Stage::BeforeGate),
    row(StepKind::Backup,   SettingId::Backup,   Stage::InGate),
    row(StepKind::Snapshot, SettingId::Snapshot, Stage::InGate),
    row(StepKind::Migrate,  SettingId::Migrate,  Stage::InGate),
    row(StepKind::Sql,      SettingId::Sql,      Stage::InGate),
    row(StepKind::Verify,   SettingId::Verify,   Stage::InGate),
    row(StepKind::WarmUp,   SettingId::WarmUp,   Stage::AfterGate),
];

const fn row(kind: StepKind, setting: SettingId, stage: Stage) -> StepDefinition {
    StepDefinition {
        kind,
        setting,
        stage,
    }
}

impl StepKind {
    /// Its row.
    pub fn definition(self) -> &'static StepDefinition {
        &STEPS[self as usize]
    }

    /// The word in the log, the ledger and `LAUNCHGATE_STEP`.
    pub fn as_str(self) -> &'static str {
        self.definition().setting.name()
    }

    /// The kind that this word stands for.
    pub fn named(word: &OsStr) -> Option<Self> {
        let row = STEPS.iter().find(|row| word == row.setting.name())?;
        Some(row.kind)
    }

    /// Whether launchgate itself is the program.
    pub fn is_embedded(self) -> bool {
        self.definition().setting.definition().shape == Shape::StepFolder
    }
}

/// One command to run before the server.
#[derive(Debug, Clone)]
pub struct Step {
    /// What it is for.
    pub kind: StepKind,
    /// Its name in the log, the ledger and `LAUNCHGATE_STEP`: its kind, unless it was given one.
    pub name: String,
    /// Its words.
    pub argv: Argv,
    /// The command as it was written, for people, without passwords of URLs.
    pub text: String,
    /// The setting that it comes from.
    pub origin: Origin,
    /// `None`: no limit.
    pub timeout: Option<Duration>,
    /// The user who runs it; `None`: launchgate's own.
    pub identity: Option<Identity>,
    /// Its environment without what launchgate adds per run, if it differs from that of all steps.
    pub environment: Option<Environment>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_at_the_place_of_its_kind_and_stages_follow_each_other() {
        for (at, row) in STEPS.iter().enumerate() {
            assert_eq!(row.kind as usize, at, "{row:?}");
        }
        let stages = STEPS.map(|row| row.stage as usize);
        assert!(stages.is_sorted(), "{stages:?}");
    }
}
