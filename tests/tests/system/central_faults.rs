//! What can happen at headquarters.

use anyhow::ensure;
use rustix::process::Signal;
use std::time::Duration;
use tests::stack::Options;
use tests::{checker, wait};
use tokio::time::Instant;

use crate::{flow, options, under_load};

#[tokio::test(flavor = "multi_thread")]
async fn killing_central_loses_nothing() -> anyhow::Result<()> {
    under_load(options(), async |stack| {
        for _ in 0..2 {
            stack.centrals[0].kill9().await?;
            flow(stack).await?;
            stack.centrals[0].start_again().await?;
            flow(stack).await?;
        }
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_central_in_ten_seconds() -> anyhow::Result<()> {
    under_load(options(), async |stack| {
        let asked = Instant::now();
        let status = stack.centrals[0].service().stop(Signal::TERM, Duration::from_secs(11)).await?;
        let took = asked.elapsed();
        ensure!(took < Duration::from_secs(10), "central took {took:?} to stop");
        ensure!(status.success(), "central ended with {status}");
        stack.centrals[0].start_again().await
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn wiping_and_restarting_its_redis_loses_nothing() -> anyhow::Result<()> {
    under_load(options(), async |stack| {
        stack.central_redis.command::<String>(&["FLUSHALL"]).await?;
        flow(stack).await?;
        stack.central_redis.kill9().await?;
        flow(stack).await?;
        stack.central_redis.start_again().await
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn restarting_postgres_immediately_loses_nothing() -> anyhow::Result<()> {
    let options = Options { shared_postgres: false, ..options() };
    under_load(options, async |stack| {
        let postgres = stack.postgres.as_ref().expect("asked for");
        postgres.restart_immediate().await?;
        flow(stack).await?;
        // And down for a while.
        postgres.stop_immediate().await?;
        flow(stack).await?;
        postgres.start_again().await
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_its_redis_has_is_not_yet_acknowledged() -> anyhow::Result<()> {
    let options = Options { shared_postgres: false, ..options() };
    under_load(options, async |stack| {
        let postgres = stack.postgres.as_ref().expect("asked for");
        postgres.stop_immediate().await?;
        flow(stack).await?;
        // Frames wait in the stream by now; an edge that had been answered for them would have forgotten them.
        let keys: Vec<String> = stack.central_redis.command(&["KEYS", "ergonomics:events:*"]).await?;
        ensure!(!keys.is_empty(), "no frame came as far as central's Redis");
        stack.central_redis.command::<String>(&["FLUSHALL"]).await?;
        postgres.start_again().await
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_centrals_share_the_work_and_one_may_die() -> anyhow::Result<()> {
    let options = Options { edges: 2, centrals: 2, ..options() };
    under_load(options, async |stack| {
        stack.centrals[1].kill9().await?;
        flow(stack).await?;
        let accounts = wait::until("the first site's events to arrive", wait::SOON, || async {
            let accounts = stack.centrals[0].ledger().await?;
            let first = accounts.iter().filter(|account| account.edge_id == stack.edges[0].edge_id);
            Ok((first.map(|account| account.stored).sum::<i64>() > 0).then_some(accounts))
        })
        .await?;
        ensure!(!accounts.is_empty());
        stack.centrals[1].start_again().await
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stack_settles_and_says_so() -> anyhow::Result<()> {
    let report = under_load(options(), async |_| Ok(())).await?;
    ensure!(report.missing == 0 && report.dead == 0 && report.rows == report.acknowledged, "{report:?}");
    // The checker must be able to fail: an event that nobody sent is one too many.
    let stack = tests::stack::Stack::start(options()).await?;
    let camera = stack.camera(0)?;
    camera.deliver_all(&tests::events::simulated(stack.edges[0].warehouse_id, 10, 1), 10).await?;
    let mut strange = tests::events::simulated(stack.edges[0].warehouse_id, 1, 2);
    let body = strange.remove(0).to_json();
    ensure!(camera.post("application/json", None, body).await?.status == 202);
    wait::until("the eleventh event to be stored", wait::SOON, || async {
        let stored: i64 = stack.centrals[0].ledger().await?.iter().map(|account| account.stored).sum();
        Ok((stored == 11).then_some(()))
    })
    .await?;
    let error = checker::check(&stack).await.expect_err("there is an event that no camera's ledger knows");
    ensure!(format!("{error:#}").contains("never sent"), "{error:#}");
    Ok(())
}
