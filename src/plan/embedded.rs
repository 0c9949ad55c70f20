//! The plan of the steps that launchgate does itself, `--snapshot` and `--sql`: what their process
//! is given. Data only; `commands::embedded` is that process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::step::StepKind;
use crate::cli::SettingId;
use crate::db::DatabaseUrl;
use crate::db::migrator::{LayoutKind, MigrationFolder};
use crate::exit::Failure;
use crate::output::log::Log;
use crate::output::options::{Format, Verbosity};
use crate::plan::gate_plan::GatePlan;
use crate::settings::{Setting, StepSettings};

/// What the embedded steps of a run work on.
#[derive(Debug, Clone)]
pub struct EmbeddedPlan {
    /// Their database.
    pub url: DatabaseUrl,
    /// Where a snapshot goes.
    pub snapshot: Option<PathBuf>,
    /// The folder of migrations.
    pub sql: Option<PathBuf>,
    /// Which tool's folder that is, where the user says so.
    pub layout: Option<LayoutKind>,
    wait_timeout: Option<Duration>,
    verbosity: Verbosity,
    format: Format,
}

impl EmbeddedPlan {
    /// Plans them; `None` where there are none. They work on the database that steps see: that of
    /// `DATABASE_URL` where `--step-env` or `--step-env-from` sets it, else the one with lock and
    /// ledger.
    ///
    /// # Errors
    /// There is no database, or it is not SQLite and a snapshot is wanted; no such folder, or one
    /// with migrations for another kind of database.
    pub fn new(
        settings: &StepSettings,
        log: &Log,
        gate: Option<&GatePlan>,
    ) -> Result<Option<Self>, Failure> {
        let snapshot = settings.folder(SettingId::Snapshot);
        let sql = settings.folder(SettingId::Sql);
        let Some(named) = snapshot.or(sql) else {
            return Ok(None);
        };
        let Some(gate) = gate else {
            return Err(Failure::usage(
                format!("{} needs a database, but none is configured", named.origin),
                "set DATABASE_URL or --database-url, and remove --no-database",
            ));
        };
        let own = settings.own_url.as_ref();
        let url = own.unwrap_or(&gate.target.url).clone();
        snapshot.map_or(Ok(()), |setting| check_snapshot(setting, &url))?;
        sql.map_or(Ok(()), |setting| check_migrations(setting, &url))?;
        let folder = |setting: Option<&Setting<_>>| setting.map(|s| PathBuf::from(&s.value));
        Ok(Some(Self {
            url,
            snapshot: folder(snapshot),
            sql: folder(sql),
            layout: settings.sql_layout,
            wait_timeout: gate.limits.wait_timeout,
            verbosity: log.verbosity,
            format: log.format,
        }))
    }

    /// What one step's process is given, in variables that no other process gets: everybody can
    /// read the words of a command line, and the URL may hold a password.
    pub fn variables(&self, kind: StepKind) -> Vec<(&'static str, String)> {
        // In two units: the longest timeout in milliseconds alone could not be parsed again.
        let wait = self.wait_timeout.unwrap_or_default();
        let wait = format!("{}s{}ms", wait.as_secs(), wait.subsec_millis());
        let mut variables = vec![
            (
                "LAUNCHGATE_DATABASE_URL",
                self.url.handed_on().expose().to_owned(),
            ),
            ("LAUNCHGATE_WAIT_TIMEOUT", wait),
            ("LAUNCHGATE_LOG_FORMAT", self.format.as_str().to_owned()),
        ];
        if let Some(layout) = self.layout {
            variables.push(("LAUNCHGATE_SQL_LAYOUT", layout.as_str().to_owned()));
        }
        match self.verbosity {
            // The snapshot's path is the only way back, so it is logged in any case.
            Verbosity::Quiet if kind == StepKind::Snapshot => {}
            Verbosity::Quiet => variables.push(("LAUNCHGATE_QUIET", "on".to_owned())),
            Verbosity::Verbose => variables.push(("LAUNCHGATE_VERBOSE", "on".to_owned())),
            Verbosity::Normal => {}
        }
        variables
    }
}

fn check_snapshot(setting: &Setting<OsString>, url: &DatabaseUrl) -> Result<(), Failure> {
    let (origin, backend) = (&setting.origin, url.backend());
    if url.backend().driver().is_file {
        let folder = Path::new(&setting.value);
        let file = folder.ancestors().find(|path| path.exists());
        return match file.filter(|path| !path.is_dir()) {
            None => Ok(()),
            Some(file) => Err(Failure::usage(
                format!("{origin}: {} is not a folder", file.display()),
                "use a folder: launchgate creates it if it does not exist",
            )),
        };
    }
    Err(Failure::usage(
        format!("{origin}: only a SQLite database can be snapshotted, but this one is {backend}"),
        "use --backup with the database's own tool, such as pg_dump",
    ))
}

/// What a folder's migrations themselves say is compared with the database only in the step.
fn check_migrations(setting: &Setting<OsString>, url: &DatabaseUrl) -> Result<(), Failure> {
    let (origin, folder) = (&setting.origin, Path::new(&setting.value));
    if !folder.is_dir() {
        return Err(Failure::usage(
            format!("{origin}: {} is not a folder", folder.display()),
            "copy the migrations into the image, or fix the path; relative paths are resolved against the \
             working directory",
        ));
    }
    MigrationFolder::check_backend(folder, url.backend())
        .map_err(|failure| Failure::of_setting(origin, failure.problem().clone()))
}
