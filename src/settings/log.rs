//! The log, and what a platform sees of a closed gate.

use std::cmp::Ordering;
use std::ffi::OsString;

use super::origin::{Origin, Setting};
use super::parse::{parse_format, parse_health};
use super::rows::Rows;
use super::sources::Sources;
use crate::cli::SettingId;
use crate::exit::Failure;
use crate::output::options::{Format, HealthAddress, Verbosity};
use crate::output::termination;

/// What the log contains and how it looks.
#[derive(Debug, Clone)]
pub struct LogSettings {
    verbose: Setting<bool>,
    quiet: Setting<bool>,
    /// How much is logged.
    pub verbosity: Verbosity,
    /// How a log line looks.
    pub format: Setting<Format>,
}

/// What a platform sees while the gate is closed, and when it fails.
#[derive(Debug, Clone)]
pub struct ExternalSettings {
    /// The file that a failure is written to. Resolved only to report a mistake in it at every
    /// start: a failure may be a mistake in the settings, so whoever writes the file reads this
    /// setting by other means.
    termination_log: Option<Setting<OsString>>,
    /// Where health checks are answered, if that is wanted.
    pub health: Option<HealthAddress>,
}

impl Sources<'_> {
    /// What the log contains and how it looks.
    ///
    /// # Errors
    /// A value that does not parse, or `--verbose` and `--quiet` together.
    pub fn log(&self) -> Result<LogSettings, Failure> {
        let verbose = self.switch(SettingId::Verbose)?;
        let quiet = self.switch(SettingId::Quiet)?;
        Ok(LogSettings {
            verbosity: verbosity(&verbose, &quiet)?,
            verbose,
            quiet,
            format: self.parsed(SettingId::LogFormat, parse_format)?,
        })
    }

    pub(super) fn external(&self) -> Result<ExternalSettings, Failure> {
        Ok(ExternalSettings {
            termination_log: self.one(SettingId::TerminationLog)?,
            health: self.health()?,
        })
    }

    fn health(&self) -> Result<Option<HealthAddress>, Failure> {
        let setting = self.parsed_if_set(SettingId::HealthListen, parse_health)?;
        Ok(setting.map(|Setting { value, origin }| HealthAddress {
            source: origin.to_string(),
            ..value
        }))
    }
}

/// Of two switches that are on, the one from the source with higher precedence wins.
fn verbosity(verbose: &Setting<bool>, quiet: &Setting<bool>) -> Result<Verbosity, Failure> {
    Ok(match (verbose.value, quiet.value) {
        (true, true) => match verbose.origin.rank().cmp(&quiet.origin.rank()) {
            Ordering::Greater => Verbosity::Verbose,
            Ordering::Less => Verbosity::Quiet,
            Ordering::Equal => {
                return Err(Failure::usage(
                    format!("both {} and {}", verbose.origin, quiet.origin),
                    "remove one",
                ));
            }
        },
        (false, true) => Verbosity::Quiet,
        (true, false) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    })
}

impl LogSettings {
    pub(super) fn rows(&self, rows: &mut Rows) {
        rows.switch(SettingId::Verbose, &self.verbose);
        rows.switch(SettingId::Quiet, &self.quiet);
        let Setting { value, origin } = &self.format;
        rows.push(SettingId::LogFormat, value.as_str(), origin);
    }
}

impl ExternalSettings {
    pub(super) fn health_rows(&self, rows: &mut Rows) {
        if let Some(health) = &self.health {
            rows.push(SettingId::HealthListen, &*health.text, &health.source);
        }
    }

    pub(super) fn termination_rows(&self, rows: &mut Rows) {
        let id = SettingId::TerminationLog;
        match &self.termination_log {
            Some(file) => rows.text(id, file),
            None => rows.push(
                id,
                format!("{} if it exists", termination::DEFAULT),
                &Origin::Default,
            ),
        }
    }
}
