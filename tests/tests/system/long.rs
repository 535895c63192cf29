//! Heavier runs, only with `SMARTPICK_LONG=1`: many faults at random, one after the other, under more load.

use std::time::Duration;

use anyhow::ensure;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tests::checker;
use tests::events::simulated;
use tests::link::Wire;
use tests::stack::{Options, Stack};

use crate::{flow, is_long, skip};

/// Faults in the random run.
const ROUNDS: usize = 40;
/// Events per second and edge; two edges.
const RATE: u32 = 1_500;
/// A backlog as of a night without a link.
const BACKLOG: usize = 200_000;

/// A seed that `SMARTPICK_SEED` can repeat.
fn seed() -> u64 {
    std::env::var("SMARTPICK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random)
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_at_random_lose_nothing() -> anyhow::Result<()> {
    if !is_long() {
        return skip("faults at random: only with SMARTPICK_LONG=1");
    }
    let seed = seed();
    let options = Options { edges: 2, centrals: 2, linked: true, stream_max_length: Some(2_000), ..Options::default() };
    let stack = Stack::start(options).await?;
    let outcome = stack.explain(random_faults(&stack, seed)).await;
    outcome.map_err(|error| error.context(format!("SMARTPICK_SEED={seed}")))
}

async fn random_faults(stack: &Stack, seed: u64) -> anyhow::Result<()> {
    let mut rng = StdRng::seed_from_u64(seed);
    let loads = [stack.camera(0)?.load(RATE, 25), stack.camera(1)?.load(RATE, 25)];
    for _ in 0..ROUNDS {
        flow(stack).await?;
        let which = rng.random_range(0..2);
        let pause = Duration::from_millis(rng.random_range(0..3_000));
        match rng.random_range(0..8) {
            0 => {
                stack.edges[which].kill9().await?;
                tokio::time::sleep(pause).await;
                stack.edges[which].start_again().await?;
            }
            1 => {
                stack.centrals[which].kill9().await?;
                tokio::time::sleep(pause).await;
                stack.centrals[which].start_again().await?;
            }
            2 => {
                stack.edge_redis[which].kill9().await?;
                tokio::time::sleep(pause).await;
                stack.edge_redis[which].start_again().await?;
            }
            3 => {
                stack.edge_redis[which].freeze()?;
                tokio::time::sleep(pause).await;
                stack.edge_redis[which].thaw()?;
            }
            4 => drop(stack.central_redis.command::<String>(&["FLUSHALL"]).await?),
            5 => stack.postgres.as_ref().expect("own").restart_immediate().await?,
            6 => {
                stack.central_redis.kill9().await?;
                tokio::time::sleep(pause).await;
                stack.central_redis.start_again().await?;
            }
            _ => {
                let wire = [Wire::Cut, Wire::HalfOpen, Wire::LoseAnswers][rng.random_range(0..3)];
                stack.links[which].set(wire);
                tokio::time::sleep(pause).await;
                stack.links[which].heal();
            }
        }
    }
    for load in loads {
        load.stop().await?;
    }
    checker::check(stack).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_backlog_drains_beside_live_events() -> anyhow::Result<()> {
    if !is_long() {
        return skip("a large backlog: only with SMARTPICK_LONG=1");
    }
    let stack = Stack::start(Options { linked: true, ..Options::default() }).await?;
    stack
        .explain(async {
            let camera = stack.camera(0)?;
            stack.links[0].set(Wire::Cut);
            for (seed, events) in (0..).zip([BACKLOG / 10; 10]) {
                camera.deliver_all(&simulated(stack.edges[0].warehouse_id, events, seed), 500).await?;
            }
            stack.links[0].heal();
            let load = camera.load(500, 10);
            flow(&stack).await?;
            load.stop().await?;
            let report = checker::check(&stack).await?;
            ensure!(report.rows > BACKLOG, "{report:?}");
            Ok(())
        })
        .await
}
