//! Connecting to a target, and how long its calls may take.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    Error, Target,
    connection::{Connection, Pending},
    fault::{Fault, FaultKind, FaultPhase},
    ledger_sql::LedgerSql,
    migrator::dialect::MigrationConnection,
    purpose::ConnectionPurpose,
    target::{CALL, CONNECT},
    url::TlsMode,
};

impl Target {
    /// Whether the lock could be had, without touching the database: only where waiters watch a lock
    /// file, `None` elsewhere.
    pub fn lock_free(&self) -> Result<Option<bool>, Error> {
        let is_held = self.backend().driver().is_lock_file_held(self)?;
        Ok(is_held.map(|is_held| !is_held))
    }

    /// The statements for a ledger whose place is not known beyond what the URL says.
    pub(super) fn sql(&self) -> LedgerSql {
        LedgerSql::new(self.backend().driver().dialect(), self.url.schema())
    }

    /// The limit for one call of a holder: far less than a lease.
    pub(super) fn holder_call(&self) -> Duration {
        if self.backend().has_lease() {
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
        let driver = self.backend().driver();
        let connect = |mode| driver.connect(&self.url, purpose, mode);
        self.open_with(connect, bound).await
    }

    /// One attempt to connect for migrations.
    pub(super) async fn open_to_migrate(
        &self,
        name: &str,
        bound: Duration,
    ) -> Result<Box<dyn MigrationConnection>, Error> {
        let driver = self.backend().driver();
        let connect = |mode| driver.connect_to_migrate(&self.url, name, mode);
        self.open_with(connect, bound).await
    }

    async fn open_with<'a, T>(
        &self,
        connect: impl Fn(TlsMode) -> Pending<'a, Result<T, Fault>>,
        bound: Duration,
    ) -> Result<T, Error> {
        let codes = self.backend().driver().codes();
        let bound = bound.min(CONNECT);
        let attempt = async |mode| match timeout(bound, connect(mode)).await {
            Ok(answer) => answer,
            Err(_) => Err(Fault::timeout(codes, FaultPhase::Connect, bound)),
        };
        let mode = self.url.tls().mode;
        match attempt(mode).await {
            // as libpq: `prefer` goes on without TLS, `allow` goes on with it
            Err(fault) if fault.kind == FaultKind::Tls && mode == TlsMode::Prefer => {
                attempt(TlsMode::Disable).await
            }
            Err(fault) if fault.is_login_refused() && mode == TlsMode::Allow => {
                attempt(TlsMode::Require).await
            }
            answer => answer,
        }
        .map_err(|fault| self.unreadable_tls_file().unwrap_or_else(|| fault.into()))
    }

    /// The certificate file that cannot be read, which may be why a connection failed.
    fn unreadable_tls_file(&self) -> Option<Error> {
        let tls = self.url.tls();
        let files = [&tls.root_cert, &tls.client_cert, &tls.client_key];
        files.into_iter().flatten().find_map(|file| {
            let error = std::fs::File::open(file).err()?;
            Some(Error::refused(
                format!("cannot read {}: {error}", file.display()),
                "correct the certificate's path in the database URL; a relative path starts at the working directory",
            ))
        })
    }
}
