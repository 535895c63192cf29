//! (c) Latency: from a POST to the moment another connection sees the row, at a steady load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tests::edge::Edge;
use tests::events::{NORTH, Scene, Snapshot};
use tests::stack::{Options, Stack};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::report::{Report, percentile};

const PART: &str = "(c) latency, POST to visible row";
/// Offered a second.
const RATES: [usize; 3] = [500, 1_000, 5_000];
/// Posts a second; each carries its share of the rate, as gateways of several cameras do.
const POSTS_PER_SEC: usize = 100;
/// Every so many posts one of its events is watched.
const WATCH_EVERY: usize = 2;
/// How exactly we know when a row became visible.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);
const CONNECTIONS: usize = 8;

pub async fn measure(report: &mut Report, scale: f64) -> anyhow::Result<()> {
    let stack = Stack::start(Options::default()).await?;
    let pool = PgPoolOptions::new().max_connections(16).connect(&stack.database_url).await.context("connect")?;
    let time = Duration::from_secs_f64((15.0 * scale).max(3.0));
    // Connections, caches, plans.
    steady(&stack.edges[0], &pool, 500, Duration::from_secs(2)).await?;
    for rate in RATES {
        let latencies = steady(&stack.edges[0], &pool, rate, time).await?;
        let aim = if rate == 5_000 { " (aim p99 < 50 ms)" } else { "" };
        report.add_noted(
            PART,
            format!("{rate} events/s offered"),
            percentile(&latencies, 0.5),
            "ms p50",
            format!(
                "p99 {:.1} ms, max {:.1} ms, {} watched{aim}",
                percentile(&latencies, 0.99),
                percentile(&latencies, 1.0),
                latencies.len()
            ),
        );
    }
    Ok(())
}

/// Offers `rate` events a second for a while; the watched ones' milliseconds, sorted.
pub async fn steady(edge: &Edge, pool: &PgPool, rate: usize, time: Duration) -> anyhow::Result<Vec<f64>> {
    let mut scene = Scene::new(NORTH, 16, rand::random());
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Arc::new(Mutex::new(Connection::open(&edge.url, &edge.camera_token).await?)));
    }
    let mut tasks = JoinSet::new();
    let mut clock = tokio::time::interval(Duration::from_secs(1) / POSTS_PER_SEC as u32);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let posts = (time.as_secs_f64() * POSTS_PER_SEC as f64) as usize;
    for post in 0..posts {
        clock.tick().await;
        let now = common::clock::now();
        let events: Vec<Snapshot> = (0..rate / POSTS_PER_SEC).map(|_| scene.snapshot(now)).collect();
        let body = format!("[{}]", events.iter().map(Snapshot::to_json).collect::<Vec<_>>().join(","));
        let watched = post.is_multiple_of(WATCH_EVERY).then(|| events[0].clone());
        let (connection, pool) = (Arc::clone(&connections[post % CONNECTIONS]), pool.clone());
        // From here: a post that waits for its connection is late, and that counts.
        let started = Instant::now();
        tasks.spawn(async move {
            connection.lock().await.post(Bytes::from(body)).await?;
            match watched {
                Some(event) => visible(&pool, &event, started).await.map(Some),
                None => anyhow::Ok(None),
            }
        });
    }
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done??);
    }
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}

async fn visible(pool: &PgPool, event: &Snapshot, started: Instant) -> anyhow::Result<f64> {
    let find = "SELECT true FROM ergonomic_snapshots WHERE warehouse_id = $1 AND event_time = $2 AND event_id = $3";
    loop {
        let found: Option<bool> = sqlx::query_scalar(find)
            .bind(event.warehouse_id)
            .bind(event.event_time)
            .bind(event.event_id)
            .fetch_optional(pool)
            .await
            .context("look for the row")?;
        if found.is_some() {
            return Ok(started.elapsed().as_secs_f64() * 1_000.0);
        }
        anyhow::ensure!(started.elapsed() < Duration::from_secs(120), "a row never became visible");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}
