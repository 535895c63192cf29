//! `/streams/health`, `/streams/stats`, `/readyz`: in the shape of the original system, extended with what it did not
//! say.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use common::clock;
use common::health::Status;
use common::reload::ConfigView;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::judge::{Facts, fresh, judge};
use super::sampler::Look;
use crate::http::App;
use crate::stream::PartitionSample;

/// The name of all partitions together.
const STREAM: &str = "ergonomics:events";

fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// How central is doing.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StreamsHealth)]
pub struct Page {
    status: Status,
    /// In words, most severe first.
    reasons: Vec<String>,
    /// The code of each reason; the runbook has a section for each.
    codes: Vec<String>,
    config: ConfigView,
    stream: StreamView,
    worker: WorkerView,
    /// The persist workers of this instance.
    workers: Vec<Worker>,
    postgres: PostgresView,
    /// This process among its peers.
    instance: Uuid,
    #[schema(format = DateTime)]
    started_at: Option<String>,
    #[schema(format = DateTime)]
    timestamp: String,
}

/// The consolidated stream, all partitions together.
#[derive(Serialize, ToSchema)]
struct StreamView {
    name: &'static str,
    /// Frames that wait. Acknowledged ones that are kept for other groups are in `info.entries`.
    length: u64,
    info: StreamInfo,
    partitions: Vec<PartitionView>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StreamInfo {
    entries: u64,
    bytes: u64,
    oldest_waiting_ms: u64,
    /// Of all instances together.
    acknowledged_per_second: f64,
    redis: LookView,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PartitionView {
    partition: u16,
    /// Its key in Redis.
    name: String,
    entries: u64,
    bytes: u64,
    waiting: u64,
    pending: u64,
    oldest_waiting_ms: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WorkerView {
    status: WorkerStatus,
    consumer_group: String,
    /// Of one of them; all are in `workers`.
    consumer_name: Option<String>,
    pending_messages: u64,
    /// The original counted its idempotency keys; here it is the records made durable since the start.
    processed_keys_count: u64,
    #[schema(format = DateTime)]
    last_commit_at: Option<String>,
    /// Of the last minute.
    recent_transactions: usize,
    recent_failures: usize,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum WorkerStatus {
    Running,
    /// For Postgres or Redis.
    Waiting,
    /// There is none.
    Stopped,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Worker {
    consumer_name: String,
    #[schema(format = DateTime)]
    last_turn_at: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PostgresView {
    connections: u32,
    idle_connections: usize,
    state: LookView,
}

/// When something last answered, and what was wrong if it does not.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LookView {
    #[schema(format = DateTime)]
    answered_at: Option<String>,
    error: Option<String>,
}

/// How central is doing, and what it has done since it started.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamsStats)]
pub struct Stats {
    #[serde(flatten)]
    page: Page,
    counts: Counts,
}

/// Of this instance, since it started.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Counts {
    batches_received: u64,
    batches_refused: u64,
    heartbeats_received: u64,
    frames_committed: u64,
    frames_lost: u64,
    records_received: u64,
    records_stored: u64,
    records_duplicate: u64,
    records_dead: u64,
    transactions_failed: u64,
    bisections: u64,
}

/// `GET /streams/health`: how central is doing, in one word and in words.
#[utoipa::path(get, path = "/streams/health", responses((status = 200, description = "How it is.", body = Page)))]
pub async fn streams_health(State(app): State<Arc<App>>) -> Json<Page> {
    Json(page(&app, clock::now()))
}

/// `GET /streams/stats`: health, and the counts since the start.
#[utoipa::path(get, path = "/streams/stats", responses((status = 200, description = "The figures.", body = Stats)))]
pub async fn streams_stats(State(app): State<Arc<App>>) -> Json<Stats> {
    let m = &app.metrics;
    let counts = Counts {
        batches_received: m.batches_received.get(),
        batches_refused: m.batches_refused.get(),
        heartbeats_received: m.heartbeats_received.get(),
        frames_committed: m.frames_committed.get(),
        frames_lost: m.frames_lost.get(),
        records_received: m.records_received.get(),
        records_stored: m.records_stored.get(),
        records_duplicate: m.records_duplicate.get(),
        records_dead: m.records_dead.get(),
        transactions_failed: m.transactions_failed.get(),
        bisections: m.bisections.get(),
    };
    Json(Stats { page: page(&app, clock::now()), counts })
}

/// `GET /readyz`: whether batches can be taken and questions answered.
///
/// # Errors
/// 503 with the reasons, if Postgres or Redis did not answer just now.
#[utoipa::path(get, path = "/readyz", responses(
    (status = 200, description = "They can.", body = str, content_type = "text/plain"),
    (status = 503, description = "What does not answer, a line each.", body = str, content_type = "text/plain"),
))]
pub async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, (StatusCode, String)> {
    let samples = app.observed.samples();
    let now = clock::now();
    let mut missing = String::new();
    for (name, look) in [("Redis", &samples.redis), ("Postgres", &samples.postgres)] {
        if !fresh(look, now) {
            missing.push_str(&format!("{name} does not answer\n"));
        }
    }
    if missing.is_empty() { Ok("ready\n") } else { Err((StatusCode::SERVICE_UNAVAILABLE, missing)) }
}

fn page(app: &App, now: DateTime<Utc>) -> Page {
    let samples = app.observed.samples();
    let seen = app.observed.progress();
    let config = app.reloaded.view();
    let trouble = app.reloaded.trouble();
    let health = judge(&Facts { now, samples: &samples, seen: &seen, config: trouble.as_deref() });
    let sum = |of: fn(&PartitionSample) -> u64| samples.partitions.iter().map(of).sum::<u64>();
    let worker = |(name, turned): (&String, &DateTime<Utc>)| Worker {
        consumer_name: name.clone(),
        last_turn_at: timestamp(*turned),
    };
    let (connections, idle_connections) = app.db.pool_size();
    Page {
        stream: StreamView {
            name: STREAM,
            length: samples.load.waiting,
            info: StreamInfo {
                entries: sum(|p| p.length),
                bytes: sum(|p| p.bytes),
                oldest_waiting_ms: u64::try_from(samples.load.oldest.as_millis()).unwrap_or(u64::MAX),
                acknowledged_per_second: samples.load.rate,
                redis: look(&samples.redis),
            },
            partitions: samples.partitions.iter().map(partition).collect(),
        },
        worker: WorkerView {
            status: worker_status(health.status, seen.workers.is_empty()),
            consumer_group: app.stream.group().to_owned(),
            consumer_name: seen.workers.keys().next().cloned(),
            pending_messages: sum(|p| p.pending),
            processed_keys_count: app.metrics.records_received.get(),
            last_commit_at: seen.last_commit.map(timestamp),
            recent_transactions: seen.attempts,
            recent_failures: seen.failures,
        },
        workers: seen.workers.iter().map(worker).collect(),
        postgres: PostgresView { connections, idle_connections, state: look(&samples.postgres) },
        instance: app.instance,
        started_at: samples.started_at.map(timestamp),
        timestamp: timestamp(now),
        status: health.status,
        reasons: health.reasons,
        codes: health.codes,
        config,
    }
}

const fn worker_status(status: Status, none: bool) -> WorkerStatus {
    match status {
        _ if none => WorkerStatus::Stopped,
        Status::Unhealthy => WorkerStatus::Waiting,
        Status::Healthy | Status::Degraded => WorkerStatus::Running,
    }
}

fn look(look: &Look) -> LookView {
    LookView { answered_at: look.ok_at.map(timestamp), error: look.error.clone() }
}

fn partition(sample: &PartitionSample) -> PartitionView {
    PartitionView {
        partition: sample.partition,
        name: sample.name.clone(),
        entries: sample.length,
        bytes: sample.bytes,
        waiting: sample.unacknowledged,
        pending: sample.pending,
        oldest_waiting_ms: sample.oldest_age_ms,
    }
}
