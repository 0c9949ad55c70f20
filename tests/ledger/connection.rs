//! Connections, locks and waits of the library, as these tests use them.

use std::time::Duration;

use launchgate::db::{Locked, Session, Target};

use crate::common::DEADLINE;
pub use crate::common::backends::target;

pub async fn connect(target: &Target) -> Session {
    target.connect().await.expect("a connection")
}

pub async fn attempt(target: &Target) -> Option<Locked> {
    connect(target)
        .await
        .try_lock()
        .await
        .expect("an attempt to lock")
}

pub async fn lock(target: &Target) -> Locked {
    attempt(target).await.expect("the lock, which is free")
}

/// A server frees the lock of a session that it ends a moment after the client knows.
pub async fn lock_once_free(target: &Target) -> Locked {
    let mut locked = None;
    until("the lock is free", async || {
        locked = attempt(target).await;
        locked.is_some()
    })
    .await;
    locked.expect("the lock")
}

pub async fn is_busy(target: &Target) -> bool {
    attempt(target).await.is_none()
}

/// Asks again and again until it is so.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !so().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited {DEADLINE:?} for: {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Runs a test's future as launchgate does: on one thread.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test)
}
