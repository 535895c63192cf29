//! What breaks around central: Redis wiped or gone, Postgres locked or gone, a second instance.

use std::time::Duration;

use central::central::Central;
use reqwest::StatusCode;
use sqlx::Connection as _;

use crate::client::{Batch, System};
use crate::servers::{Way, eventually};

/// Holds up everybody who wants to store events, until dropped.
async fn lock(system: &System) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut lock = system.pool.begin().await.expect("a transaction");
    sqlx::raw_sql("LOCK TABLE ergonomic_snapshots IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.expect("locked");
    lock
}

/// Frames that wait, and frames that a worker holds.
async fn waiting(system: &System) -> (u64, u64) {
    let stream = central::stream::Stream::open(&system.config.redis, &system.config.stream).expect("a URL");
    let samples = stream.sample().await.expect("a sample");
    (samples.iter().map(|s| s.unacknowledged).sum(), samples.iter().map(|s| s.pending).sum())
}

#[tokio::test]
async fn a_wiped_redis_loses_nothing_and_edges_hear_of_it_at_once() {
    let system = System::start_with(|config| config.workers.concurrency = 1).await;
    let edge = system.edge().await;
    let lock = lock(&system).await;
    let (first, second) = (Batch::of(&edge.records(1..=10)), Batch::of(&edge.records(11..=20)));
    let sending = tokio::spawn({
        let (edge, first) = (edge.clone(), first.clone());
        async move { edge.send(&first).await }
    });
    eventually("the worker holds the first", async || (waiting(&system).await == (1, 1)).then_some(())).await;
    let lost = tokio::spawn({
        let (edge, second) = (edge.clone(), second.clone());
        async move { edge.send(&second).await }
    });
    eventually("the second waits unread", async || (waiting(&system).await == (2, 1)).then_some(())).await;
    let _: () = system.redis.command(&["FLUSHALL"]).await;
    lock.rollback().await.expect("unlocked");
    assert_eq!(sending.await.expect("sent").receipt().committed, 10, "its worker had it");
    let lost = lost.await.expect("sent");
    assert_eq!((lost.status, lost.code()), (StatusCode::SERVICE_UNAVAILABLE, "batch_lost"));
    assert!(lost.headers.contains_key("retry-after"));
    assert_eq!(edge.deliver(&second).await.committed, 10);
    assert_eq!(system.rows().await, 20);
    system.assert_consistent().await;
}

#[tokio::test]
async fn without_redis_edges_are_told_to_keep_their_events_and_all_goes_on_when_it_is_back() {
    let mut system = System::start().await;
    let edge = system.edge().await;
    let batch = Batch::of(&edge.records(1..=10));
    system.redis.kill();
    let refused = edge.send(&batch).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "stream_unavailable"));
    assert!(refused.headers.contains_key("retry-after"));
    eventually("health says so", async || {
        let (_, health) = system.get("/streams/health").await;
        (health["status"] == "unhealthy" && health["reasons"].to_string().contains("Redis")).then_some(())
    })
    .await;
    let ready = system.http.get(format!("{}/readyz", system.url)).send().await.expect("an answer");
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    system.redis.start_again().await;
    assert_eq!(edge.deliver(&batch).await.committed, 10);
    eventually("health says so", async || {
        let (_, health) = system.get("/streams/health").await;
        (health["status"] == "healthy").then_some(())
    })
    .await;
}

/// What a monitor is told. Whatever else hangs, it is told at once; the limit is for a busy machine.
async fn probed(system: &System, path: &str) -> (StatusCode, String) {
    let request = system.http.get(format!("{}{path}", system.url)).timeout(Duration::from_secs(2));
    let answer = request.send().await.unwrap_or_else(|error| panic!("{path}: {error}"));
    (answer.status(), answer.text().await.expect("text"))
}

/// What `/readyz` misses, and whether the metrics say that Redis and Postgres are up.
async fn told(system: &System) -> (String, [bool; 2]) {
    assert_eq!(probed(system, "/livez").await, (StatusCode::OK, "ok\n".to_owned()));
    let (status, ready) = probed(system, "/readyz").await;
    assert_eq!(status == StatusCode::OK, ready == "ready\n", "{status} {ready}");
    let (_, metrics) = probed(system, "/metrics").await;
    let up = |name: &str| metrics.lines().any(|line| line == format!("smartpick_central_{name}_up 1"));
    (ready, [up("redis"), up("database")])
}

#[tokio::test(flavor = "multi_thread")]
async fn monitors_are_told_at_once_and_truly_which_server_is_away() {
    let mut way = None;
    let mut system = System::start_with(|config| {
        let own = way.insert(Way::to(&config.database.url));
        config.database.url.clone_from(&own.url);
    })
    .await;
    let way = way.expect("made");
    let well = ("ready\n".to_owned(), [true, true]);
    assert_eq!(told(&system).await, well);
    way.hang(true);
    let no_postgres = ("Postgres does not answer\n".to_owned(), [true, false]);
    eventually("Postgres is missed, and only it", async || {
        let told = told(&system).await;
        assert!(!told.0.contains("Redis") && told.1[0], "{told:?}");
        (told == no_postgres).then_some(())
    })
    .await;
    way.hang(false);
    eventually("Postgres is back", async || (told(&system).await == well).then_some(())).await;
    system.redis.kill();
    let no_redis = ("Redis does not answer\n".to_owned(), [false, true]);
    eventually("Redis is missed", async || (told(&system).await == no_redis).then_some(())).await;
    system.redis.start_again().await;
    eventually("Redis is back", async || (told(&system).await == well).then_some(())).await;
}

#[tokio::test]
async fn no_receipt_comes_before_the_commit() {
    let system = System::start_with(|config| config.receive.timeout_seconds = 1).await;
    let edge = system.edge().await;
    let batch = Batch::of(&edge.records(1..=10));
    let lock = lock(&system).await;
    let late = edge.send(&batch).await;
    assert_eq!((late.status, late.code()), (StatusCode::SERVICE_UNAVAILABLE, "not_stored_in_time"));
    // A re-send waits for the first copy: there is only one frame.
    let late = edge.send(&batch).await;
    assert_eq!((late.status, late.code()), (StatusCode::SERVICE_UNAVAILABLE, "not_stored_in_time"));
    assert_eq!(waiting(&system).await.0, 1);
    lock.rollback().await.expect("unlocked");
    let receipt = edge.deliver(&batch).await;
    assert_eq!(receipt.committed + receipt.duplicates, 10);
    assert_eq!(system.rows().await, 10);
    system.assert_consistent().await;
}

#[tokio::test]
async fn when_nothing_moves_further_batches_are_refused_at_once() {
    let system = System::start_with(|config| config.receive.timeout_seconds = 2).await;
    let edge = system.edge().await;
    let lock = lock(&system).await;
    let send = async |n: u64| edge.send(&Batch::of(&edge.records(n..=n))).await;
    let late = futures_util::future::join_all((1..=12).map(send)).await;
    assert!(late.iter().all(|a| a.status == StatusCode::SERVICE_UNAVAILABLE));
    let started = std::time::Instant::now();
    let busy = send(20).await;
    assert_eq!((busy.status, busy.code()), (StatusCode::SERVICE_UNAVAILABLE, "busy"));
    assert!(started.elapsed() < Duration::from_secs(1));
    lock.rollback().await.expect("unlocked");
    eventually("it moves again", async || (system.rows().await == 12).then_some(())).await;
    let batch = Batch::of(&edge.records(20..=20));
    assert_eq!(edge.deliver(&batch).await.committed, 1);
}

#[tokio::test]
async fn connections_that_are_cut_are_made_anew_and_nothing_is_stored_twice() {
    let system = System::start().await;
    let edge = system.edge().await;
    let cutter = system.pool.acquire().await.expect("a connection");
    let mut cutter = cutter.detach();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = 'smartpick-central'";
    let cutting = async {
        for _ in 0..40 {
            sqlx::raw_sql(cut).execute(&mut cutter).await.expect("cut");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        cutter.close().await.expect("closed");
    };
    let sending = async {
        for n in 0..40u64 {
            edge.deliver(&Batch::of(&edge.records(n * 50 + 1..=n * 50 + 50))).await;
        }
    };
    tokio::join!(cutting, sending);
    assert_eq!(system.rows().await, 2_000);
    let account = system.account(&edge).await;
    assert_eq!((&account["received"], &account["stored"]), (&2_000.into(), &2_000.into()));
    system.assert_consistent().await;
    assert!(system.metric("smartpick_central_transactions_failed_total").await > 0.0, "nothing was cut");
}

#[tokio::test]
async fn two_instances_share_the_work_and_pass_receipts_on() {
    let mut system = System::start().await;
    let other = Central::start(system.config.clone()).await.expect("started");
    let mut edge = system.edge().await;
    let first_url = edge.url.clone();
    edge.url = format!("http://{}", other.address);
    // Only the first has workers busy enough to take the second's frames now and then; send until that has happened.
    let committed = async |url: &str| {
        let text = system.http.get(format!("{url}/streams/stats")).send().await.expect("an answer");
        let page: serde_json::Value = text.json().await.expect("JSON");
        page["counts"]["framesCommitted"].as_u64().expect("a number")
    };
    let mut sent = 0u64;
    eventually("the first instance stored frames of the second", async || {
        edge.deliver(&Batch::of(&edge.records(sent + 1..=sent + 5))).await;
        sent += 5;
        (committed(&first_url).await > 0).then_some(())
    })
    .await;
    assert_eq!(system.rows().await as u64, sent);
    other.stop().await.expect("stopped");
    system.central.take().expect("running").stop().await.expect("stopped");
    system.assert_consistent().await;
}

#[tokio::test]
async fn two_instances_can_start_on_an_empty_database_at_once() {
    let mut system = System::without_central(|_| {}).await;
    system.config.database.url = crate::servers::empty_database().await;
    let (a, b) = tokio::join!(Central::start(system.config.clone()), Central::start(system.config.clone()));
    for central in [a, b] {
        central.expect("started").stop().await.expect("stopped");
    }
}

#[tokio::test]
async fn a_stop_finishes_what_was_taken_in() {
    let mut system = System::start().await;
    let edge = system.edge().await;
    let central = system.central.take().expect("running");
    let sends: Vec<_> = (0..20u64)
        .map(|n| {
            let (edge, batch) = (edge.clone(), Batch::of(&edge.records(n * 100 + 1..=n * 100 + 100)));
            tokio::spawn(async move { edge.send(&batch).await.status })
        })
        .collect();
    eventually("some are on their way", async || (system.rows().await > 0).then_some(())).await;
    central.stop().await.expect("in time");
    let mut acknowledged = 0;
    for send in sends {
        // A connection that was refused was not acknowledged.
        acknowledged += i64::from(send.await.is_ok_and(|status| status == StatusCode::OK));
    }
    assert!(acknowledged > 0);
    assert!(system.rows().await >= acknowledged * 100);
    system.assert_consistent().await;
}

#[tokio::test]
async fn a_stop_ends_in_time_although_postgres_hangs_and_the_frame_is_stored_by_the_next() {
    let mut system = System::start_with(|config| config.stream.claim_idle_ms = 1_000).await;
    let edge = system.edge().await;
    let lock = lock(&system).await;
    let sending = tokio::spawn({
        let (edge, batch) = (edge.clone(), Batch::of(&edge.records(1..=10)));
        async move { edge.send(&batch).await.status.is_success() }
    });
    eventually("the worker holds it", async || (waiting(&system).await == (1, 1)).then_some(())).await;
    let started = std::time::Instant::now();
    system.central.take().expect("running").stop().await.expect("in time");
    assert!(started.elapsed() < Duration::from_secs(9));
    assert!(!sending.await.unwrap_or(false), "no receipt was given");
    lock.rollback().await.expect("unlocked");
    system.start_central().await;
    eventually("the next central stores it", async || (system.rows().await == 10).then_some(())).await;
    system.assert_consistent().await;
}
