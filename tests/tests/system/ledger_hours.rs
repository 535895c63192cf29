//! The ledger by hour across both sides: what a box lost is missing in the hour and the epoch in which it was accepted.

use anyhow::ensure;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use common::clock;
use serde::Deserialize;
use tests::events::simulated;
use tests::stack::{Options, Stack};
use tests::wait;
use uuid::Uuid;

use crate::options;

#[derive(Debug, Deserialize)]
struct Hours {
    hours: Vec<Hour>,
}

#[derive(Debug, Deserialize)]
struct Hour {
    hour: DateTime<Utc>,
    epoch: Uuid,
    accepted: i64,
    received: i64,
    missing: i64,
    approximate: bool,
}

async fn hours(stack: &Stack, epoch: Uuid) -> anyhow::Result<Vec<Hour>> {
    let path = format!("/api/v1/ledger/hours?warehouse_id={}", stack.edges[0].warehouse_id);
    let all: Hours = stack.centrals[0].get(&path).await?;
    Ok(all.hours.into_iter().filter(|hour| hour.epoch == epoch).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_edge_with_a_wiped_redis_lost_is_missing_in_its_hour_and_epoch() -> anyhow::Result<()> {
    const HERE: usize = 200;
    const LOST: usize = 300;
    // Alerts are records too, and would be lost and counted with the events.
    let alerts = Some("rules = []\nwan_down_after = \"1h\"".to_owned());
    let stack = Stack::start(Options { linked: true, alerts, ..options() }).await?;
    stack
        .explain(async {
            let hour = |time: DateTime<Utc>| time.duration_trunc(TimeDelta::hours(1));
            let (camera, edge) = (stack.camera(0)?, &stack.edges[0]);
            let began = clock::now();
            camera.deliver_all(&simulated(edge.warehouse_id, HERE, 1), 100).await?;
            wait::until("the first events to be sent", wait::SOON, || async {
                let buffered = edge.stats().await?.buffered;
                Ok((buffered.live + buffered.backlog == 0).then_some(()))
            })
            .await?;
            let epoch = edge.stats().await?.ledger.epoch;
            // Central is not told of what comes now, and nothing is left of it but what the box says of itself.
            stack.links[0].set(tests::link::Wire::Cut);
            camera.deliver_all(&simulated(edge.warehouse_id, LOST, 2), 100).await?;
            let ended = clock::now();
            edge.kill9().await?;
            stack.edge_redis[0].command::<String>(&["FLUSHALL"]).await?;
            stack.links[0].heal();
            edge.start_again().await?;
            camera.deliver_all(&simulated(edge.warehouse_id, 100, 3), 100).await?;

            let rows = wait::until("the loss to be told", wait::DRAIN, || async {
                let rows = hours(&stack, epoch).await?;
                // Before the box has looked into its Redis it believes all to be there.
                let missing: i64 = rows.iter().map(|row| row.missing).sum();
                Ok((missing > 0).then_some(rows))
            })
            .await?;
            ensure!(rows.iter().map(|row| row.accepted).sum::<i64>() == (HERE + LOST) as i64, "{rows:?}");
            ensure!(rows.iter().map(|row| row.received).sum::<i64>() == HERE as i64, "{rows:?}");
            ensure!(rows.iter().map(|row| row.missing).sum::<i64>() == LOST as i64, "{rows:?}");
            ensure!(rows.iter().all(|row| !row.approximate), "the box knew: {rows:?}");
            let (first, last) = (hour(began)?, hour(ended)?);
            ensure!(rows.iter().all(|row| row.accepted == 0 || (first..=last).contains(&row.hour)), "{rows:?}");
            let now = edge.stats().await?.ledger.epoch;
            let rows = wait::until("the next epoch to be told", wait::DRAIN, || async {
                let rows = hours(&stack, now).await?;
                Ok((rows.iter().map(|row| row.received).sum::<i64>() == 100).then_some(rows))
            })
            .await?;
            ensure!(rows.iter().all(|row| row.missing == 0), "{rows:?}");
            Ok(())
        })
        .await
}
