//! What the gate is to do: where lock and ledger live, which revision, how long to wait. Data
//! only; the engine is `gate::Gate`.

use crate::db::Target;
use crate::exit::Failure;
use crate::output::log::Log;
use crate::plan::ledger_reference::LedgerReference;
use crate::plan::revision::{PlannedRevision, RevisionInfo};
pub use crate::settings::Limits;

/// Everything the gate needs to know.
#[derive(Debug, Clone)]
pub struct GatePlan {
    /// Where lock and ledger live.
    pub target: Target,
    /// How messages name the database.
    pub reference: LedgerReference,
    /// Which revision; some are known only once their files have been read.
    pub revision: PlannedRevision,
    /// Limits.
    pub limits: Limits,
    /// Host name and process id, for the ledger.
    pub holder: String,
}

impl GatePlan {
    /// Reads the files that are the revision, if they have not been read yet.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn read_revision(&mut self, log: &Log) -> Result<&RevisionInfo, Failure> {
        if let PlannedRevision::Unread(reading) = &self.revision {
            self.revision = PlannedRevision::Known(reading.clone().read(log)?);
        }
        match &self.revision {
            PlannedRevision::Known(info) => Ok(info),
            PlannedRevision::Unread(_) => unreachable!("just read"),
        }
    }

    /// The revision, where it is known already.
    pub fn known_revision(&self) -> Option<&str> {
        match &self.revision {
            PlannedRevision::Known(info) => info.revision.as_deref(),
            PlannedRevision::Unread(_) => None,
        }
    }

    /// Whether a revision is named at all. Without one the steps run at every start.
    pub fn names_revision(&self) -> bool {
        match &self.revision {
            PlannedRevision::Known(info) => info.revision.is_some(),
            PlannedRevision::Unread(_) => true,
        }
    }
}
