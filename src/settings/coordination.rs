//! The revision, and how replicas agree on who migrates.

use std::ffi::OsString;
use std::time::Duration;

use super::origin::{Origin, Setting};
use super::parse::{parse_count, parse_duration, parse_lease, parse_limit, parse_times};
use super::sources::Sources;
use super::values::{a_path, into_text};
use crate::cli::{SettingId, Verb};
use crate::db::migrator::LayoutKind;
use crate::exit::Failure;

/// The revision, and how replicas agree on who migrates.
#[derive(Debug, Clone)]
pub struct CoordinationSettings {
    /// The name of the release, if one is given.
    pub release: Option<Setting<OsString>>,
    /// Globs of the files whose hash is the revision.
    pub fingerprint: Vec<Setting<String>>,
    /// The folder of `--sql`, if its fingerprint is the revision: neither a release nor a
    /// fingerprint is given, and there is no `--migrate`.
    pub sql: Option<Setting<OsString>>,
    /// Which tool's folder that is, where the user says so.
    pub sql_layout: Option<LayoutKind>,
    /// How long a silent holder still counts as alive.
    pub lease: Setting<Duration>,
    /// The time between TERM and KILL, which must fit into the lease. `None` if the command runs no
    /// steps, and so has no flag for it, and no other source sets it.
    pub stop_grace: Option<Setting<Duration>>,
    /// How long after a failed attempt the next one may begin, as in the limits.
    pub retry_delay: Setting<Duration>,
    /// How long to wait, and how often to try.
    pub limits: Limits,
}

/// The limits of waiting and trying. `None` is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// How long the database may take to accept a connection.
    pub wait_timeout: Option<Duration>,
    /// How long to wait for another replica.
    pub lock_timeout: Option<Duration>,
    /// Failed attempts of one revision.
    pub max_attempts: Option<u32>,
    /// How long after a failed attempt the next one may begin; zero is at once.
    pub retry_delay: Duration,
    /// How often this replica tries its failed steps again by itself.
    pub retries: u32,
    /// How long to wait for sessions that an earlier run left.
    pub orphan_timeout: Option<Duration>,
}

impl Sources<'_> {
    pub(super) fn coordination(&self) -> Result<CoordinationSettings, Failure> {
        let lease = self.parsed(SettingId::Lease, parse_lease)?;
        let retry_delay = self.parsed(SettingId::RetryDelay, parse_duration)?;
        let release = self.one(SettingId::Release)?;
        let fingerprint = self
            .many(SettingId::Fingerprint)?
            .into_iter()
            .map(|setting| a_path(setting).and_then(into_text))
            .collect::<Result<Vec<_>, _>>()?;
        let sql = if release.is_none() && fingerprint.is_empty() {
            self.sql_alone()?
        } else {
            None
        };
        Ok(CoordinationSettings {
            release,
            fingerprint,
            sql_layout: match sql {
                Some(_) => self.sql_layout()?,
                None => None,
            },
            sql,
            lease,
            stop_grace: self.grace_of_steps()?,
            limits: Limits {
                wait_timeout: self.limit(SettingId::WaitTimeout, parse_limit)?,
                lock_timeout: self.limit(SettingId::LockTimeout, parse_limit)?,
                max_attempts: self.limit(SettingId::MaxAttempts, parse_count)?,
                retry_delay: retry_delay.value,
                retries: self.parsed(SettingId::Retries, parse_times)?.value,
                orphan_timeout: self.limit(SettingId::OrphanTimeout, parse_limit)?,
            },
            retry_delay,
        })
    }

    fn sql_alone(&self) -> Result<Option<Setting<OsString>>, Failure> {
        // These have no revision of their own.
        if matches!(self.raw.verb, Verb::Status | Verb::Resolve) {
            return Ok(None);
        }
        let Some(sql) = self.folder(SettingId::Sql)? else {
            return Ok(None);
        };
        let migrate = self.step_commands(SettingId::Migrate);
        Ok(Some(sql).filter(|_| migrate.is_ok_and(|all| all.is_empty())))
    }

    fn grace_of_steps(&self) -> Result<Option<Setting<Duration>>, Failure> {
        let grace = self.stop_grace()?;
        let runs_no_step = matches!(self.raw.verb, Verb::Wait | Verb::Status | Verb::Resolve);
        Ok(Some(grace).filter(|grace| !runs_no_step || grace.origin != Origin::Default))
    }

    /// The time between TERM and KILL.
    pub(super) fn stop_grace(&self) -> Result<Setting<Duration>, Failure> {
        self.parsed(SettingId::StopGrace, parse_duration)
    }
}
