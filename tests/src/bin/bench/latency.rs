//! (c) Latency: from a POST to the moment another connection sees the row, at a steady load of cameras; or, for what is asked
//! of headquarters alone, of edges.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use common::ids::BatchId;
use common::record::event_payload;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tests::edge::Edge;
use tests::events::{NORTH, Scene, Snapshot};
use tests::sender::{Sender, event};
use tests::stack::{Options, Stack};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::client::Connection;
use crate::report::{Report, percentile};

const PART: &str = "(c) latency, POST to visible row";
/// Offered a second.
const RATES: [usize; 3] = [500, 1_000, 5_000];
/// Posts a second; each carries its share of the rate, as gateways of several cameras do.
const POSTS_PER_SEC: usize = 100;
/// Every so many posts one of its events is watched.
const WATCH_EVERY: usize = 2;
/// How exactly we know when a row became visible: so much later at most. All that are watched are looked for at once: looking for
/// each by itself took half a core of Postgres as soon as there was something to wait for, and every 2 ms a fifth of one, ours
/// included, from what is measured.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
const CONNECTIONS: usize = 8;

pub async fn measure(report: &mut Report, scale: f64) -> anyhow::Result<()> {
    let stack = Stack::start(Options::default()).await?;
    let pool = looker(&stack.database_url).await?;
    let time = Duration::from_secs_f64((15.0 * scale).max(3.0));
    // Connections, caches, plans.
    let mut feed = Feed::cameras(&stack.edges[0]).await?;
    steady(&mut feed, &pool, 500, Duration::from_secs(2)).await?;
    for rate in RATES {
        let latencies = steady(&mut feed, &pool, rate, time).await?;
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

/// For [`steady`]. To find out which partitions a question is about costs Postgres more than the answer, so the question is
/// planned once: planned each time it took a fifth of a core from what is measured.
pub async fn looker(database_url: &str) -> anyhow::Result<PgPool> {
    let options = PgConnectOptions::from_str(database_url).context("read the database's address")?;
    let options = options.options([("plan_cache_mode", "force_generic_plan")]);
    PgPoolOptions::new().max_connections(16).connect_with(options).await.context("connect")
}

/// Who posts.
pub enum Feed {
    /// Gateways of several cameras each, to an edge.
    Cameras { scene: Box<Scene>, connections: Vec<Arc<Mutex<Connection>>> },
    /// Edges, to headquarters, in turn; each with the next seq.
    Edges(Vec<(Scene, Arc<Sender>, u64)>),
}

impl Feed {
    pub async fn cameras(edge: &Edge) -> anyhow::Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Arc::new(Mutex::new(Connection::open(&edge.url, &edge.camera_token).await?)));
        }
        Ok(Self::Cameras { scene: Box::new(scene(NORTH)), connections })
    }

    /// One edge more at each of these sites.
    pub async fn edges(stack: &Stack, sites: &[Uuid]) -> anyhow::Result<Self> {
        let mut edges = Vec::new();
        for site in sites {
            edges.push((scene(*site), Arc::new(Sender::new(stack, *site).await?), 1));
        }
        Ok(Self::Edges(edges))
    }

    /// The next post, which has yet to be awaited, and the first of its events.
    fn post(&mut self, post: usize, events: usize) -> (Snapshot, BoxFuture<'static, anyhow::Result<()>>) {
        let now = common::clock::now();
        let some = |scene: &mut Scene| (0..events).map(|_| scene.snapshot(now)).collect::<Vec<_>>();
        match self {
            Self::Cameras { scene, connections } => {
                let mut events = some(scene);
                let body = format!("[{}]", events.iter().map(Snapshot::to_json).collect::<Vec<_>>().join(","));
                let connection = Arc::clone(&connections[post % CONNECTIONS]);
                let posted = async move {
                    connection.lock().await.post(Bytes::from(body)).await?;
                    Ok(())
                };
                (events.swap_remove(0), posted.boxed())
            }
            Self::Edges(edges) => {
                let turn = post % edges.len();
                let (scene, sender, next) = &mut edges[turn];
                let mut events = some(scene);
                let records: Vec<Vec<u8>> =
                    events.iter().zip(*next..).map(|(e, seq)| sender.record(seq, &event_payload(&event(e)))).collect();
                *next += events.len() as u64;
                let sender = Arc::clone(sender);
                let posted = async move {
                    sender.send(BatchId::random(), &records).await?;
                    Ok(())
                };
                (events.swap_remove(0), posted.boxed())
            }
        }
    }
}

fn scene(site: Uuid) -> Scene {
    Scene::new(site, 16, rand::random())
}

/// Offers `rate` events a second for a while; the watched ones' milliseconds, sorted.
pub async fn steady(feed: &mut Feed, pool: &PgPool, rate: usize, time: Duration) -> anyhow::Result<Vec<f64>> {
    let mut tasks = JoinSet::new();
    let mut clock = tokio::time::interval(Duration::from_secs(1) / POSTS_PER_SEC as u32);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let posts = (time.as_secs_f64() * POSTS_PER_SEC as f64) as usize;
    // Room for all: the pace must not hang on who looks.
    let (watch, watched) = mpsc::channel(posts.max(1));
    let latencies = tokio::spawn(visible(pool.clone(), watched));
    for post in 0..posts {
        clock.tick().await;
        let (event, posted) = feed.post(post, rate / POSTS_PER_SEC);
        // From here: a post that waits for its connection is late, and that counts.
        let started = Instant::now();
        if post.is_multiple_of(WATCH_EVERY) {
            watch.try_send(Watched { event, started }).context("nobody looks any more")?;
        }
        tasks.spawn(posted);
    }
    drop(watch);
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let mut latencies = latencies.await.context("the looker panicked")??;
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}

/// An event whose row is waited for.
struct Watched {
    event: Snapshot,
    started: Instant,
}

/// How many milliseconds each took until another connection saw its row.
async fn visible(pool: PgPool, mut watched: mpsc::Receiver<Watched>) -> anyhow::Result<Vec<f64>> {
    const FIND: &str = "\
SELECT w.event_id FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) AS w (warehouse_id, event_time, event_id)
CROSS JOIN LATERAL (
    SELECT FROM ergonomic_snapshots s
    WHERE s.warehouse_id = w.warehouse_id AND s.event_time = w.event_time AND s.event_id = w.event_id OFFSET 0
) found";
    let (mut waiting, mut latencies): (HashMap<Uuid, Watched>, Vec<f64>) = (HashMap::new(), Vec::new());
    loop {
        if waiting.is_empty() {
            let Some(next) = watched.recv().await else { return Ok(latencies) };
            waiting.insert(next.event.event_id, next);
        }
        while let Ok(next) = watched.try_recv() {
            waiting.insert(next.event.event_id, next);
        }
        let events = || waiting.values().map(|one| &one.event);
        let found: Vec<Uuid> = sqlx::query_scalar(FIND)
            .bind(events().map(|event| event.warehouse_id).collect::<Vec<_>>())
            .bind(events().map(|event| event.event_time).collect::<Vec<_>>())
            .bind(events().map(|event| event.event_id).collect::<Vec<_>>())
            .fetch_all(&pool)
            .await
            .context("look for the rows")?;
        latencies.extend(
            found.iter().filter_map(|id| waiting.remove(id)).map(|seen| seen.started.elapsed().as_secs_f64() * 1_000.0),
        );
        let late = waiting.values().any(|one| one.started.elapsed() > Duration::from_secs(120));
        anyhow::ensure!(!late, "a row never became visible");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}
