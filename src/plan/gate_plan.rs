//! What the gate is to do: where lock and ledger live, which revision, how long to wait. Data
//! only; the engine is `gate::Gate`.

use crate::db::Target;
use crate::exit::Failure;
use crate::output::log::Log;
use crate::plan::ledger_reference::LedgerReference;
use crate::plan::revision::{RevisionFiles, RevisionInfo};
pub use crate::settings::Limits;

/// Everything the gate needs to know.
#[derive(Debug, Clone)]
pub struct GatePlan {
    /// Where lock and ledger live.
    pub target: Target,
    /// How messages name the database.
    pub reference: LedgerReference,
    /// Which revision and release.
    pub revision: RevisionInfo,
    /// The files that are the revision, until they have been read.
    pub unread: Option<RevisionFiles>,
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
        if let Some(files) = self.unread.take() {
            self.revision.revision = Some(files.read(log)?);
        }
        Ok(&self.revision)
    }

    /// Whether a revision is named at all. Without one the steps run at every start.
    pub fn names_revision(&self) -> bool {
        self.revision.revision.is_some() || self.unread.is_some()
    }
}
