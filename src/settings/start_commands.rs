//! The start commands: what runs at every start of every replica, before and after the gate.

use super::sources::Sources;
use super::steps::{CommandStyle, StepValue};
use crate::cli::{SettingId, Shape, Verb};
use crate::exit::Failure;

/// What the start commands are.
#[derive(Debug, Clone)]
pub struct StartCommandSettings {
    /// What each setting gives, in the order of the table of settings.
    pub values: Vec<(SettingId, StepValue)>,
    /// How they are read and stopped.
    pub style: CommandStyle,
}

impl Sources<'_> {
    /// `None` where there are none; a command that starts no server has none.
    pub(super) fn start_commands(&self) -> Result<Option<StartCommandSettings>, Failure> {
        if !matches!(self.raw.verb, Verb::Run | Verb::Wait | Verb::Check) {
            return Ok(None);
        }
        let values = self.step_values(|shape| shape == Shape::StartCommands)?;
        if values.is_empty() {
            return Ok(None);
        }
        Ok(Some(StartCommandSettings {
            values,
            style: self.command_style()?,
        }))
    }
}
