//! The settings of an embedded step's process, which launchgate starts with variables of its own.

use std::ffi::OsString;
use std::time::Duration;

use super::database::DatabaseChoice;
use super::parse::parse_limit;
use super::run_variable::RunVariable;
use super::sources::{RESULT_FD, Sources};
use crate::cli::{Operand, SettingId};
use crate::db::migrator::LayoutKind;
use crate::db::url::DatabaseUrl;
use crate::exit::Failure;

/// The settings of an embedded step's process.
#[derive(Debug)]
pub struct EmbeddedSettings {
    /// Which step.
    pub step: OsString,
    /// Its folder.
    pub folder: OsString,
    /// Which tool's folder it is, where the user says so.
    pub layout: Option<LayoutKind>,
    /// The database that it works on.
    pub url: DatabaseUrl,
    /// The app.
    pub app: String,
    /// How long to wait for the database; `None` is no limit.
    pub wait_timeout: Option<Duration>,
    /// The revision, from the environment of the step.
    pub revision: Option<String>,
    /// The name for its database sessions.
    pub session_name: Option<String>,
    /// The number of the descriptor to report its result on.
    pub result: Option<i32>,
}

impl Sources<'_> {
    pub(super) fn embedded(&self) -> Result<EmbeddedSettings, Failure> {
        let database = self.database()?;
        let DatabaseChoice::Url(url) = &database.choice else {
            return Err(Failure::usage(
                "this is how launchgate starts its own steps",
                "use `launchgate run`",
            ));
        };
        let variable = |name: &str| {
            let value = self.environment.get_filled(name);
            value.map(|value| value.to_string_lossy().into_owned())
        };
        let names = url.value.backend().driver().session_names;
        Ok(EmbeddedSettings {
            step: self.word(Operand::Step),
            folder: self.word(Operand::Folder),
            layout: self.sql_layout()?,
            url: url.value.clone(),
            revision: variable(RunVariable::Revision.as_str()),
            session_name: names.and_then(|names| variable(names.variable)),
            result: variable(RESULT_FD).and_then(|number| number.parse().ok()),
            app: database.app.value,
            wait_timeout: self.limit(SettingId::WaitTimeout, parse_limit)?,
        })
    }
}
