//! The end of a run without its lock: what is done on a fresh connection.

use super::{
    Error, Target,
    ledger::{RunOutcome, RunState},
    ledger_connection::LedgerConnection,
    target::CALL,
};

impl Target {
    /// What the ledger says became of a run; `None` where it has no such row. For a holder that got no
    /// answer to its commit.
    pub async fn run_state(&self, run_id: &str) -> Result<Option<RunState>, Error> {
        let mut ledger = LedgerConnection::new(self.clone(), CALL);
        ledger.find().await?;
        ledger.existing()?;
        let rows = ledger.ask(|sql| sql.state_of(run_id)).await?;
        ledger.close().await;
        Ok(rows.first().and_then(|row| RunState::named(&row.text(0))))
    }

    /// Ends the row of a run whose holder lost its lock and has reaped its step. Returns false where
    /// the row was not `running` any more.
    ///
    /// # Errors
    /// A run that lost its lock never counts as succeeded: that state is refused.
    pub async fn interrupt_own(&self, run_id: &str, outcome: &RunOutcome) -> Result<bool, Error> {
        if outcome.state == RunState::Succeeded {
            return Err(Error::Lost(
                "a run that lost its lock can't be recorded as succeeded".to_owned(),
            ));
        }
        let mut ledger = LedgerConnection::new(self.clone(), CALL);
        ledger.find().await?;
        let ended = ledger
            .run_text(|sql| sql.finish(run_id, outcome, None))
            .await?;
        ledger.close().await;
        Ok(ended == 1)
    }
}
