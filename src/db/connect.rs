//! Connecting to a target, and how long its calls may take.

use std::{borrow::Cow, fmt::Display, io, time::Duration};

use tokio::{
    select,
    time::{sleep, timeout},
};

use super::{
    Error, Target,
    connection::{Connection, Pending},
    fault::{Fault, FaultKind, FaultPhase, Meaning},
    migrator::send::MigrationConnection,
    purpose::ConnectionPurpose,
    target::{CALL, CONNECT},
    unreachable,
    url::{DatabaseUrl, TlsMode, password_of_file},
};
use crate::sys::files;

/// How long a server is silent before something else may be at its address.
const SILENCE: Duration = Duration::from_millis(250);

/// More than this is not a file with a password: 1 MiB.
const PASSWORD_FILE: u64 = 1024 * 1024;

impl Target {
    /// Whether the lock looks free, without touching the database. `None` unless the backend uses a
    /// lock file.
    pub fn lock_free(&self) -> Result<Option<bool>, Error> {
        let is_held = (self.backend().driver().is_lock_file_held)(self)?;
        Ok(is_held.map(|is_held| !is_held))
    }

    /// The limit for one call of a holder: far less than a lease.
    pub(super) fn holder_call(&self) -> Duration {
        if self.backend().driver().has_lease {
            (self.lease / 3).clamp(Duration::from_secs(1), CALL)
        } else {
            CALL
        }
    }

    /// The limit for one heartbeat or one confirmation of the lock.
    pub(super) fn beat(&self) -> Duration {
        (self.lease / 6).clamp(Duration::from_millis(300), CALL)
    }

    /// One attempt to connect.
    pub(super) async fn open(
        &self,
        purpose: ConnectionPurpose,
        bound: Duration,
    ) -> Result<Box<dyn Connection>, Error> {
        let (_, connection) = self.reach(purpose, bound).await?;
        Ok(connection)
    }

    /// One attempt to connect for migrations.
    pub(super) async fn open_to_migrate(
        &self,
        name: &str,
        bound: Duration,
    ) -> Result<Box<dyn MigrationConnection>, Error> {
        let target = if self.url.count() == 1 {
            self.with_current_password()?
        } else {
            let (target, connection) = self.reach(ConnectionPurpose::Read, bound).await?;
            connection.close().await;
            Cow::Owned(target)
        };
        let driver = self.backend().driver();
        target
            .open_one(bound, |url, mode| {
                (driver.connect_to_migrate)(url, name.to_owned(), mode)
            })
            .await
    }

    /// Connects to the first of the URL's servers that takes writes, else to the first that answers.
    ///
    /// The target that comes back has that one server only, so that whatever belongs to a session, such
    /// as its heartbeat, stays with the server that has its lock.
    pub(super) async fn reach(
        &self,
        purpose: ConnectionPurpose,
        bound: Duration,
    ) -> Result<(Self, Box<dyn Connection>), Error> {
        if self.url.count() == 1 {
            let target = self.with_current_password()?.into_owned();
            let connection = target.open_for(purpose, bound).await?;
            return Ok((target, connection));
        }
        // A server that drops packets leaves time for the others.
        let bound = bound.min(CONNECT) / u32::try_from(self.url.count()).unwrap_or(u32::MAX);
        let (mut reader, mut last) = (None, None);
        for url in self.url.each() {
            let one = Self {
                url,
                ..self.clone()
            };
            let one = one.with_current_password()?.into_owned();
            match one.open_writable(purpose, bound).await {
                Ok((connection, true)) => {
                    if let Some((_, reader)) = reader {
                        Connection::close(reader).await;
                    }
                    return Ok((one, connection));
                }
                Ok((connection, false)) => reader = reader.or(Some((one, connection))),
                Err(error) => last = Some(lasting(last, error)),
            }
        }
        let none = || Error::NotYet("the database URL names no server".to_owned());
        reader.ok_or_else(|| last.unwrap_or_else(none))
    }

    async fn open_for(
        &self,
        purpose: ConnectionPurpose,
        bound: Duration,
    ) -> Result<Box<dyn Connection>, Error> {
        let driver = self.backend().driver();
        self.open_one(bound, |url, mode| (driver.connect)(url, purpose, mode))
            .await
    }

    /// The same, and whether the server takes writes: a standby does not.
    async fn open_writable(
        &self,
        purpose: ConnectionPurpose,
        bound: Duration,
    ) -> Result<(Box<dyn Connection>, bool), Error> {
        let mut connection = self.open_for(purpose, bound).await?;
        let ask = self.dialect().takes_writes.to_owned();
        let rows = connection.rows(ask, bound).await?;
        Ok((connection, rows.last().is_some_and(|row| row.flag(0))))
    }

    /// The same with what the URL's password file holds now.
    fn with_current_password(&self) -> Result<Cow<'_, Self>, Error> {
        let Some(file) = self.url.password_file() else {
            return Ok(Cow::Borrowed(self));
        };
        // A secret that is being replaced may be missing or empty for a moment.
        let unusable = |problem: &dyn Display| {
            Error::NotYet(format!("the password file {}: {problem}", file.display()))
        };
        let contents =
            files::read_regular(file, PASSWORD_FILE).map_err(|error| unusable(&error))?;
        let password = password_of_file(&contents).map_err(|error| unusable(&error))?;
        Ok(Cow::Owned(Self {
            url: self.url.clone().with_password(&password),
            ..self.clone()
        }))
    }

    /// The URL, which also hides the password that its password file holds now: it may have been replaced
    /// since the start.
    pub fn url_with_current_secrets(&self) -> Cow<'_, DatabaseUrl> {
        let current = self.url.password_file().and_then(|file| {
            let contents = files::read_regular(file, PASSWORD_FILE).ok()?;
            let url = self.url.clone();
            url.with_password_file(file.to_owned(), &contents).ok()
        });
        current.map_or(Cow::Borrowed(&self.url), Cow::Owned)
    }

    /// Connects by the host's name, or by an address where the system's resolver fails that name.
    async fn open_one<T>(
        &self,
        bound: Duration,
        connect: impl Fn(&DatabaseUrl, TlsMode) -> Pending<'_, Result<T, Fault>>,
    ) -> Result<T, Error> {
        let target = select! {
            answer = self.attempt(bound, &connect) => match answer {
                Err(fault) if unreachable::is_unresolved(&fault) => match self.at_address().await {
                    Some(target) => target,
                    None => return Err(self.explain(fault)),
                },
                answer => return answer.map_err(|fault| self.explain(fault)),
            },
            Some(target) = self.at_address_if_slow() => target,
        };
        let answer = target.attempt(bound, &connect).await;
        answer.map_err(|fault| target.explain(fault))
    }

    async fn attempt<T>(
        &self,
        bound: Duration,
        connect: &impl Fn(&DatabaseUrl, TlsMode) -> Pending<'_, Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let driver = self.backend().driver();
        let codes = driver.codes;
        // The driver would wait for the writer of a pipe, and nothing could stop it.
        if let Some(problem) = self.unusable_tls_file(is_no_file) {
            return Err(Fault::unopened(codes, problem));
        }
        let bound = bound.min(CONNECT);
        let attempt = async |mode| match timeout(bound, connect(&self.url, mode)).await {
            Ok(answer) => answer,
            Err(_) => Err(Fault::timeout(codes, FaultPhase::Connect, bound)),
        };
        let mode = self.url.tls().mode;
        let attempts = async {
            match attempt(mode).await {
                // as in libpq: `prefer` falls back to plain text, `allow` to TLS; but a certificate
                // that can't be read is no reason to send the password in plain text
                Err(fault)
                    if fault.kind == FaultKind::Tls
                        && mode == TlsMode::Prefer
                        && !fault.message.contains("certificate") =>
                {
                    attempt(TlsMode::Disable).await
                }
                Err(fault) if fault.means(Meaning::LoginRefused) && mode == TlsMode::Allow => {
                    attempt(TlsMode::Require).await
                }
                answer => answer,
            }
        };
        let who_listens = async {
            sleep(SILENCE).await;
            (driver.who_listens)(&self.url).await
        };
        select! {
            answer = attempts => answer,
            Some(what) = who_listens => {
                Err(Fault::connecting(codes, FaultKind::Foreign, what.to_owned()))
            }
        }
    }

    fn explain(&self, fault: Fault) -> Error {
        let unreadable = self.unusable_tls_file(|_| true);
        unreadable.unwrap_or_else(|| unreachable::explain(fault, &self.url))
    }

    /// The first certificate file that can't be read for one of these reasons.
    fn unusable_tls_file(&self, is_reason: impl Fn(&io::Error) -> bool) -> Option<Error> {
        let tls = self.url.tls();
        let named = [&tls.root_cert, &tls.client_cert, &tls.client_key];
        named.into_iter().flatten().find_map(|file| {
            let error = files::check_regular(file).err().filter(&is_reason)?;
            Some(Error::refused(
                format!("cannot read {}: {error}", file.display()),
                "fix the certificate path in the database URL; relative paths are resolved against \
                 the working directory",
            ))
        })
    }
}

/// Whether something is there that is not a regular file.
fn is_no_file(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory
    )
}

/// Of the reasons why no server could be used, one that somebody has to do something about.
fn lasting(before: Option<Error>, now: Error) -> Error {
    match before {
        Some(before @ Error::Refused { .. }) => before,
        _ => now,
    }
}
