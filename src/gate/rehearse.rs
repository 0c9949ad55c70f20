//! What `check` does with the lock: takes it as a run would, proves that it excludes, and gives it
//! back. Changes nothing.

use super::Gate;
use crate::db::{Proof, Session};
use crate::exit::Failure;
use crate::gate::error::HoldError;
use crate::gate::retry::ConnectRetry;
use crate::gate::runtime::GateLink;

impl Gate {
    /// Does it, for as long as a run would try. `None`: another replica holds the lock.
    ///
    /// # Errors
    /// What a run would fail with before its first step.
    pub async fn rehearse(&self, link: &mut GateLink) -> Result<Option<Proof>, Failure> {
        let mut retry = ConnectRetry::under_lock(&self.limits, &self.reference);
        loop {
            let (session, _) = self.open(link).await?;
            match self.try_to_hold(session, link).await {
                Ok(proof) => return Ok(proof),
                Err(HoldError::Final(failure)) => return Err(failure),
                Err(HoldError::StartOver(error)) => self.wait_out(link, &mut retry, &error).await?,
            }
        }
    }

    async fn try_to_hold(
        &self,
        session: Session,
        link: &mut GateLink,
    ) -> Result<Option<Proof>, HoldError> {
        let locking = link.unless_stopped("waiting for the lock", session.try_lock());
        let Some(mut locked) = locking.await?? else {
            return Ok(None);
        };
        let excludes = async {
            let revision = self.revision.revision.as_deref();
            locked.read_ledger(revision).await?;
            locked.prove().await
        };
        let excludes = excludes.await;
        locked.release().await;
        Ok(Some(excludes?))
    }
}
