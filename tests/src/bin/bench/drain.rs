//! (d) Drain: after an outage a backlog goes out while the floor goes on. How fast is it gone, and does what happens
//! now wait for what happened then?

use std::time::{Duration, Instant};

use anyhow::Context as _;
use sqlx::postgres::PgPoolOptions;
use tests::link::Wire;
use tests::stack::{Options, Stack};

use crate::client::{bodies, fresh, post_all};
use crate::latency::{Feed, steady};
use crate::report::{Report, percentile};

const PART: &str = "(d) drain of a backlog beside live events";
const LIVE_RATE: usize = 500;
const TIMEOUT: Duration = Duration::from_secs(300);

pub async fn measure(report: &mut Report, events: usize) -> anyhow::Result<()> {
    let stack = Stack::start(Options { linked: true, ..Options::default() }).await?;
    let pool = PgPoolOptions::new().max_connections(16).connect(&stack.database_url).await.context("connect")?;
    let edge = &stack.edges[0];
    stack.links[0].set(Wire::Cut);
    let took = post_all(&edge.url, &edge.camera_token, bodies(&fresh(events), 100), 8).await?;
    report.add(PART, "accepted while central is gone (mostly SQLite)", events as f64 / took.as_secs_f64(), "events/s");
    let backlog = edge.stats().await?.buffered.backlog;

    stack.links[0].heal();
    // The outage is over for the edge with its next heartbeat; what follows is the drain itself.
    wait_until(&stack, |waiting| waiting.live + waiting.backlog < events as u64).await?;
    let started = Instant::now();
    let before = edge.stats().await?.buffered.backlog;
    let drain = async {
        wait_until(&stack, |waiting| waiting.backlog == 0).await?;
        anyhow::Ok(started.elapsed())
    };
    // About as long as the drain takes; what is watched after it would flatter the figure.
    let time = Duration::from_secs_f64(before as f64 / 30_000.0).max(Duration::from_secs(3));
    let mut feed = Feed::cameras(edge).await?;
    let (drained, latencies) = tokio::join!(drain, steady(&mut feed, &pool, LIVE_RATE, time));
    let (drained, latencies) = (drained?, latencies?);
    report.add_noted(
        PART,
        "backlog drained",
        before as f64 / drained.as_secs_f64(),
        "events/s",
        format!("{backlog} spilled, gone in {:.1} s, {LIVE_RATE} live events/s beside it", drained.as_secs_f64()),
    );
    report.add_noted(
        PART,
        "live latency meanwhile",
        percentile(&latencies, 0.5),
        "ms p50",
        format!(
            "p99 {:.0} ms, max {:.0} ms (aim p99 < 1,000 ms)",
            percentile(&latencies, 0.99),
            percentile(&latencies, 1.0)
        ),
    );
    Ok(())
}

async fn wait_until(stack: &Stack, fits: impl Fn(tests::edge::Buffered) -> bool) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        if fits(stack.edges[0].stats().await?.buffered) {
            return Ok(());
        }
        anyhow::ensure!(started.elapsed() < TIMEOUT, "not drained after {TIMEOUT:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
