//! What can happen to the box in the warehouse.

use std::time::Duration;

use anyhow::ensure;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tests::events::simulated;
use tests::link::Wire;
use tests::stack::{Options, Stack};
use tests::{checker, wait};
use tokio::time::Instant;

use crate::{flow, options, under_load};

const STREAM: &str = "ergonomics:events";

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_edge_loses_nothing_acknowledged() -> anyhow::Result<()> {
    under_load(options(), async |stack| {
        for _ in 0..3 {
            stack.edges[0].kill9().await?;
            stack.edges[0].start_again().await?;
            flow(stack).await?;
        }
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_edge_with_a_backlog_loses_nothing_acknowledged() -> anyhow::Result<()> {
    let options = Options { linked: true, stream_max_length: Some(100), ..options() };
    under_load(options, async |stack| {
        stack.links[0].set(Wire::Cut);
        flow(stack).await?;
        stack.edges[0].kill9().await?;
        stack.edges[0].start_again().await?;
        flow(stack).await?;
        stack.links[0].heal();
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_the_edge_in_ten_seconds_with_nothing_lost() -> anyhow::Result<()> {
    under_load(options(), async |stack| {
        let asked = Instant::now();
        let status = stack.edges[0].terminate().await?;
        let took = asked.elapsed();
        ensure!(took < Duration::from_secs(10), "the edge took {took:?} to stop");
        ensure!(status.success(), "the edge ended with {status}");
        stack.edges[0].start_again().await
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_its_redis_loses_nothing_and_cameras_go_on() -> anyhow::Result<()> {
    under_load(options(), async |stack| {
        stack.edge_redis[0].kill9().await?;
        // SQLite takes over.
        flow(stack).await?;
        stack.edge_redis[0].start_again().await?;
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_is_a_dead_redis() -> anyhow::Result<()> {
    under_load(options(), async |stack| {
        stack.edge_redis[0].freeze()?;
        let frozen = Instant::now();
        flow(stack).await?;
        let took = frozen.elapsed();
        stack.edge_redis[0].thaw()?;
        // 300 events at 400/s take 0.75 s; without the time budget the first would wait for Redis for ever.
        ensure!(took < Duration::from_secs(10), "events waited {took:?} for a frozen Redis");
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_redis_the_edge_runs_on_sqlite() -> anyhow::Result<()> {
    let options = Options { edge_redis: false, ..options() };
    under_load(options, async |stack| {
        stack.edges[0].kill9().await?;
        stack.edges[0].start_again().await
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_not_durable_is_not_used() -> anyhow::Result<()> {
    under_load(options(), async |stack| {
        let redis = &stack.edge_redis[0];
        redis.command::<String>(&["CONFIG", "SET", "appendfsync", "everysec"]).await?;
        // The edge looks at a Redis when it connects.
        let killed: i64 = redis.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await?;
        ensure!(killed > 0, "the edge was not connected");
        flow(stack).await?;
        let before: u64 = redis.command(&["XINFO", "STREAM", STREAM]).await.map(entries_added)?;
        flow(stack).await?;
        let after: u64 = redis.command(&["XINFO", "STREAM", STREAM]).await.map(entries_added)?;
        ensure!(after == before, "{} events went to a Redis that may lose them", after - before);
        // Repaired, it is used again, and what had stayed in it is sent.
        redis.command::<String>(&["CONFIG", "SET", "appendfsync", "always"]).await?;
        wait::until("Redis to be used again", wait::SOON, || async {
            let now: u64 = redis.command(&["XINFO", "STREAM", STREAM]).await.map(entries_added)?;
            Ok((now > after).then_some(()))
        })
        .await
    })
    .await?;
    Ok(())
}

/// How many entries the stream ever had.
fn entries_added(info: std::collections::HashMap<String, redis::Value>) -> u64 {
    match info.get("entries-added") {
        Some(redis::Value::Int(added)) => added.unsigned_abs(),
        other => panic!("XINFO STREAM says entries-added is {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_spills_and_is_never_trimmed() -> anyhow::Result<()> {
    const LENGTH_MAX: u64 = 200;
    let options = Options { linked: true, stream_max_length: Some(LENGTH_MAX), ..options() };
    under_load(options, async |stack| {
        stack.links[0].set(Wire::Cut);
        // One group may pass the limit that it was checked against before.
        let redis = &stack.edge_redis[0];
        redis.stream_len(STREAM, "the stream to be full", |length| length >= LENGTH_MAX).await?;
        let stats = wait::until("the spill to grow", wait::SOON, || async {
            let stats = stack.edges[0].stats().await?;
            Ok((stats.buffered.backlog > 1_000).then_some(stats))
        })
        .await?;
        ensure!(stats.buffered.live < LENGTH_MAX + 1_000, "{stats:?}");
        stack.links[0].heal();
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn wiping_its_redis_is_shown_as_exactly_so_many_missing() -> anyhow::Result<()> {
    // More than the forwarder can hold in memory (four batches of 500), so that some exist in Redis alone.
    const EVENTS: usize = 4_000;
    // Alerts are records too, and would be lost and counted with the events.
    let alerts = Some("rules = []\nwan_down_after = \"1h\"".to_owned());
    let stack = Stack::start(Options { linked: true, alerts, ..options() }).await?;
    stack
        .explain(async {
            let camera = stack.camera(0)?;
            camera.deliver_all(&simulated(stack.edges[0].warehouse_id, 500, 1), 100).await?;
            wait::until("the first events to be sent", wait::SOON, || async {
                let buffered = stack.edges[0].stats().await?.buffered;
                Ok((buffered.live + buffered.backlog == 0).then_some(()))
            })
            .await?;
            stack.links[0].set(Wire::Cut);
            camera.deliver_all(&simulated(stack.edges[0].warehouse_id, EVENTS, 2), 100).await?;
            stack.edge_redis[0].command::<String>(&["FLUSHALL"]).await?;
            stack.links[0].heal();
            camera.deliver_all(&simulated(stack.edges[0].warehouse_id, 500, 3), 100).await?;
            let lost = wait::until("the edge to have sent what it still has", wait::DRAIN, || async {
                let stats = stack.edges[0].stats().await?;
                ensure!(stats.buffered.live + stats.buffered.backlog + stats.lanes.in_flight == 0, "{stats:?}");
                // Just after the wipe the edge counts less than there is, until it has looked.
                let waiting: u64 = stack.edge_redis[0].command(&["XLEN", "ergonomics:events"]).await?;
                ensure!(waiting == 0, "{waiting} are in Redis");
                let mut connection = PgConnection::connect(&stack.database_url).await?;
                let rows: i64 =
                    sqlx::query_scalar("SELECT count(*) FROM ergonomic_snapshots").fetch_one(&mut connection).await?;
                connection.close().await?;
                Ok(Some(stack.ledger.acknowledged() - usize::try_from(rows)?))
            })
            .await?;
            ensure!((EVENTS - 2_000..=EVENTS).contains(&lost), "{lost} of {EVENTS} were lost with Redis");
            let report = checker::check_but(&stack, lost).await?;
            ensure!(report.missing == i64::try_from(lost)?, "{report:?}");
            Ok(())
        })
        .await
}
