//! Rules for every backend with a server: the two guards, the lock and the lease.
//!
//! "`lease_until` of the `running` row, which the holder renews every sixth of its lease on
//! another connection" (contract, section 5)

use std::time::Duration;

use launchgate::db::{
    Error, RecordError,
    ledger::{RowLease, RunState},
};

use super::{
    common::{
        backends::{Cut, Db},
        wire::Network,
    },
    connection::{is_busy, lock_once_free, target, until},
    rules::{hold, on_all, outcome, rows},
};

on_all!(
    each_server_version,
    [
        a_lease_counts_by_the_servers_clock_and_is_renewed,
        a_killed_lock_session_is_lost_and_its_run_not_recorded,
        a_killed_ledger_session_is_replaced_by_the_next_heartbeat,
        a_silent_holder_is_freed_by_the_server_after_its_lease,
        a_cut_network_is_noticed_in_time_and_a_mended_one_confirms,
        an_answer_to_the_commit_that_never_comes_is_unknown,
    ]
);

async fn a_lease_counts_by_the_servers_clock_and_is_renewed(db: Db) {
    let mut target = db.target();
    target.lease = Duration::from_secs(3);
    let mut locked = hold(&target, "r", "run1").await;
    let dead = ["run1".to_owned()];
    assert_eq!(
        locked.interrupt(&dead, "dead").await,
        Ok(0),
        "its lease is not over"
    );
    until("the lease is over", async || {
        rows(&target, "r").await[0].lease == RowLease::Over
    })
    .await;
    // the server may have freed the lock meanwhile; the row is not interrupted yet
    locked
        .renew("run1", None, || {})
        .await
        .lease
        .expect("a heartbeat");
    assert_eq!(rows(&target, "r").await[0].lease, RowLease::Live);
    until("the lease is over", async || {
        rows(&target, "r").await[0].lease == RowLease::Over
    })
    .await;
    assert_eq!(locked.interrupt(&dead, "dead").await, Ok(1));
    let seen = rows(&target, "r").await;
    assert_eq!(
        (seen[0].state, seen[0].note.as_deref()),
        (Some(RunState::Interrupted), Some("dead"))
    );
    assert!(matches!(
        locked.renew("run1", None, || {}).await.lease,
        Err(Error::Lost(_))
    ));
}

async fn a_killed_lock_session_is_lost_and_its_run_not_recorded(db: Db) {
    let target = db.target();
    let mut locked = hold(&target, "r", "run1").await;
    assert!(db.cut(Cut::Lock));
    let renewal = locked.renew("run1", None, || ()).await;
    assert!(matches!(renewal.lock, Err(Error::Lost(_))), "{renewal:?}");
    assert_eq!(renewal.lease, Ok(None));
    let second = lock_once_free(&target).await;
    assert!(matches!(locked.confirm().await, Err(Error::Lost(_))));
    locked
        .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect_err("the lock is gone");
    assert_eq!(target.run_state("run1").await, Ok(Some(RunState::Running)));
    second.release().await;
}

async fn a_killed_ledger_session_is_replaced_by_the_next_heartbeat(db: Db) {
    let target = db.target();
    let mut locked = hold(&target, "r", "run1").await;
    locked.read_ledger(None).await.expect("open");
    assert!(db.cut(Cut::Ledger));
    locked
        .renew("run1", None, || {})
        .await
        .lease
        .expect("a heartbeat");
    locked
        .confirm()
        .await
        .expect("the lock is on another connection");
    locked
        .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect("recorded");
}

async fn a_silent_holder_is_freed_by_the_server_after_its_lease(db: Db) {
    let mut target = db.target();
    target.lease = Duration::from_secs(2);
    let mut silent = hold(&target, "r", "run1").await;
    assert!(is_busy(&target).await);
    until("the lock is free", async || !is_busy(&target).await).await;
    assert!(matches!(silent.confirm().await, Err(Error::Lost(_))));
}

/// The database, seen through a network; its lease is six seconds, so a beat is one.
fn through_a_network(db: &Db) -> (Network, launchgate::db::Target) {
    let (network, url) = Network::to_server_of(&db.url());
    let mut target = target(&url, "default");
    target.lease = Duration::from_secs(6);
    (network, target)
}

async fn a_cut_network_is_noticed_in_time_and_a_mended_one_confirms(db: Db) {
    let (network, target) = through_a_network(&db);
    let mut locked = hold(&target, "r", "run1").await;
    locked
        .renew("run1", None, || {})
        .await
        .lease
        .expect("a heartbeat");
    network.cut();
    for _ in 0..2 {
        let since = std::time::Instant::now();
        let renewal = locked.renew("run1", None, || ()).await;
        assert!(matches!(renewal.lock, Err(Error::Broken(_))), "{renewal:?}");
        assert!(
            matches!(renewal.lease, Err(Error::Broken(_) | Error::NotYet(_))),
            "{renewal:?}"
        );
        assert!(
            since.elapsed() < Duration::from_millis(1500),
            "{:?}",
            since.elapsed()
        );
    }
    network.restore();
    let renewal = locked.renew("run1", None, || ()).await;
    assert_eq!((renewal.lock, renewal.lease), (Ok(()), Ok(None)));
    locked
        .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect("recorded");
}

async fn an_answer_to_the_commit_that_never_comes_is_unknown(db: Db) {
    let (network, target) = through_a_network(&db);
    let locked = hold(&target, "r", "run1").await;
    network.cut();
    let error = locked
        .record("run1", &outcome(RunState::Succeeded), &mut |_| {})
        .await
        .expect_err("no answer");
    let (RecordError::NotRecorded(error) | RecordError::Unknown(error)) = error;
    assert!(
        matches!(error, Error::Broken(_) | Error::Lost(_)),
        "{error:?}"
    );
    network.restore();
    target
        .run_state("run1")
        .await
        .expect("an answer")
        .expect("a row");
}
