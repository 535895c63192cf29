//! A Redis that may lose what it acknowledged is not used, unless the operator says so; one that becomes weak while in
//! use is left.

use std::time::{Duration, Instant};

use common::clock;
use common::lifecycle::Lifecycle;
use common::record::Kind;
use edge::buffer::{Buffer, Candidate, LiveState};
use edge::config::Config;

use crate::redis_server::RedisServer;

async fn state_when(buffer: &Buffer, what: &str, condition: impl Fn(&LiveState) -> bool) -> LiveState {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let state = buffer.live_state();
        if condition(&state) {
            return state;
        }
        assert!(Instant::now() < deadline, "timed out waiting for {what}; it is {state:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn weak_settings_are_named_and_not_trusted() {
    for (args, reason) in [
        (&["--appendonly", "no"][..], "appendonly is not yes"),
        (&["--appendonly", "yes", "--appendfsync", "everysec"], "appendfsync is not always"),
        (&["--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "yes"], "rewrite"),
        (
            &[
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--maxmemory",
                "100mb",
                "--maxmemory-policy",
                "allkeys-lru",
            ],
            "noeviction",
        ),
    ] {
        let dir = tempfile::tempdir().expect("a temp dir");
        let redis = RedisServer::start_with(dir.path(), args);
        let mut config = Config::default();
        config.redis.url = Some(redis.url());
        let mut life = Lifecycle::new();
        let buffer = Buffer::start(&config, dir.path(), "weak", clock::now(), &mut life).expect("starts");
        let state = state_when(&buffer, reason, |state| matches!(state, LiveState::Weak { .. })).await;
        assert!(format!("{state:?}").contains(reason), "{state:?}");
        buffer
            .append(vec![Candidate { kind: Kind::Event, key: [1; 17], hash: 1, payload: vec![1] }])
            .await
            .expect("room");
        assert_eq!((buffer.contents().live_records, buffer.contents().backlog_records), (0, 1), "{reason}");
        drop(buffer);
        life.stop().await.expect("stops");
    }
}

#[tokio::test]
async fn the_operator_may_accept_it_and_a_redis_that_turns_weak_is_left() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let redis = RedisServer::start_with(dir.path(), &["--appendonly", "yes", "--appendfsync", "everysec"]);
    let mut config = Config::default();
    config.redis.url = Some(redis.url());
    config.redis.accept_weak_durability = true;
    let mut life = Lifecycle::new();
    let buffer = Buffer::start(&config, dir.path(), "weak", clock::now(), &mut life).expect("starts");
    state_when(&buffer, "it to be used", |state| matches!(state, LiveState::Ready { weak: Some(_) })).await;
    drop(buffer);
    life.stop().await.expect("stops");

    redis.query::<()>(redis::cmd("CONFIG").arg("SET").arg("appendfsync").arg("always"));
    config.redis.accept_weak_durability = false;
    let mut life = Lifecycle::new();
    let buffer = Buffer::start(&config, dir.path(), "weak", clock::now(), &mut life).expect("starts");
    state_when(&buffer, "it to be ready", |state| *state == LiveState::Ready { weak: None }).await;
    redis.query::<()>(redis::cmd("CONFIG").arg("SET").arg("appendfsync").arg("everysec"));
    buffer.probe().await;
    state_when(&buffer, "it to be left", |state| matches!(state, LiveState::Weak { .. })).await;
    drop(buffer);
    life.stop().await.expect("stops");
}
