//! The log, and what a platform sees of a closed gate.

use super::origin::{Origin, Setting};
use super::parse::{parse_format, parse_health};
use super::sources::Sources;
use crate::cli::SettingId;
use crate::exit::Failure;
use crate::output::options::{Format, HealthAddress, Verbosity};
use crate::output::termination;

impl Sources<'_> {
    /// How much is logged, and how a log line looks.
    ///
    /// # Errors
    /// A value that does not parse, or `--verbose` and `--quiet` together.
    pub fn log(&self) -> Result<(Verbosity, Format), Failure> {
        let verbosity = self.verbosity()?;
        Ok((
            verbosity,
            self.parsed(SettingId::LogFormat, parse_format)?.value,
        ))
    }

    /// Of two switches that are on, the one from the source with higher precedence wins.
    fn verbosity(&self) -> Result<Verbosity, Failure> {
        let verbose = self.switch(SettingId::Verbose)?;
        let quiet = self.switch(SettingId::Quiet)?;
        let rank = |switch: &Setting<bool>| switch.value.then(|| switch.origin.rank());
        match (rank(&verbose), rank(&quiet)) {
            (None, None) => Ok(Verbosity::Normal),
            (verbose, quiet) if verbose > quiet => Ok(Verbosity::Verbose),
            (verbose, quiet) if verbose < quiet => Ok(Verbosity::Quiet),
            _ => Err(Failure::usage(
                format!("both {} and {}", verbose.origin, quiet.origin),
                "remove one",
            )),
        }
    }

    /// Where health checks are answered, if that is wanted.
    pub(super) fn health(&self) -> Result<Option<HealthAddress>, Failure> {
        let setting = self.parsed_if_set(SettingId::HealthListen, parse_health)?;
        Ok(setting.map(|setting| HealthAddress {
            source: setting.origin.to_string(),
            ..setting.value
        }))
    }

    /// Every start reports a mistake in the setting of the file that a failure is written to. The
    /// failure may be a mistake in the settings, so whoever writes the file reads it by other means.
    pub(super) fn check_termination_log(&self) -> Result<(), Failure> {
        let id = SettingId::TerminationLog;
        if self.one(id)?.is_none() {
            let default = format_args!("{} if it exists", termination::DEFAULT);
            self.show(id, &default, &Origin::Default);
        }
        Ok(())
    }
}
