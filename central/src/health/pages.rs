//! `/streams/health`, `/streams/stats`, `/readyz`: in the shape of the original system, extended with what it did not
//! say.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use common::clock;
use common::health::Status;
use serde_json::{Value, json};

use super::judge::{Facts, fresh, judge};
use super::sampler::Samples;
use crate::http::App;
use crate::stream::PartitionSample;

/// The name of all partitions together.
const STREAM: &str = "ergonomics:events";

fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `GET /streams/health`
pub async fn streams_health(State(app): State<Arc<App>>) -> Json<Value> {
    Json(page(&app, clock::now()))
}

/// `GET /streams/stats`: health, and the counts since the start.
pub async fn streams_stats(State(app): State<Arc<App>>) -> Json<Value> {
    let mut page = page(&app, clock::now());
    let m = &app.metrics;
    page["counts"] = json!({
        "batchesReceived": m.batches_received.get(),
        "batchesRefused": m.batches_refused.get(),
        "heartbeatsReceived": m.heartbeats_received.get(),
        "framesCommitted": m.frames_committed.get(),
        "framesLost": m.frames_lost.get(),
        "recordsReceived": m.records_received.get(),
        "recordsStored": m.records_stored.get(),
        "recordsDuplicate": m.records_duplicate.get(),
        "recordsDead": m.records_dead.get(),
        "transactionsFailed": m.transactions_failed.get(),
        "bisections": m.bisections.get(),
    });
    Json(page)
}

/// `GET /readyz`
///
/// # Errors
/// 503 with the reasons, if Postgres or Redis did not answer just now.
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

fn page(app: &App, now: DateTime<Utc>) -> Value {
    let samples = app.observed.samples();
    let seen = app.observed.progress();
    let health = judge(&Facts { now, samples: &samples, seen: &seen });
    let sum = |of: fn(&PartitionSample) -> u64| samples.partitions.iter().map(of).sum::<u64>();
    let workers: Vec<Value> = seen
        .workers
        .iter()
        .map(|(name, turned)| json!({ "consumerName": name, "lastTurnAt": timestamp(*turned) }))
        .collect();
    let (size, idle) = app.db.pool_size();
    json!({
        "status": health.status,
        "reasons": health.reasons,
        "stream": {
            "name": STREAM,
            // What waits. Acknowledged frames that are kept for other groups are in info.entries.
            "length": samples.load.waiting,
            "info": {
                "entries": sum(|p| p.length),
                "bytes": sum(|p| p.bytes),
                "oldestWaitingMs": u64::try_from(samples.load.oldest.as_millis()).unwrap_or(u64::MAX),
                "acknowledgedPerSecond": samples.load.rate,
                "redis": look(&samples, true),
            },
            "partitions": samples.partitions.iter().map(partition).collect::<Vec<_>>(),
        },
        "worker": {
            "status": worker_status(&health.status, seen.workers.is_empty()),
            "consumerGroup": app.stream.group(),
            "consumerName": seen.workers.keys().next(),
            "pendingMessages": sum(|p| p.pending),
            // The original counted its idempotency keys; here it is the records made durable since the start.
            "processedKeysCount": app.metrics.records_received.get(),
            "lastCommitAt": seen.last_commit.map(timestamp),
            "recentTransactions": seen.attempts,
            "recentFailures": seen.failures,
        },
        "workers": workers,
        "postgres": { "connections": size, "idleConnections": idle, "state": look(&samples, false) },
        "instance": app.instance,
        "startedAt": samples.started_at.map(timestamp),
        "timestamp": timestamp(now),
    })
}

const fn worker_status(status: &Status, none: bool) -> &'static str {
    match status {
        _ if none => "stopped",
        Status::Unhealthy => "waiting",
        Status::Healthy | Status::Degraded => "running",
    }
}

fn look(samples: &Samples, redis: bool) -> Value {
    let look = if redis { &samples.redis } else { &samples.postgres };
    json!({ "answeredAt": look.ok_at.map(timestamp), "error": look.error })
}

fn partition(sample: &PartitionSample) -> Value {
    json!({
        "partition": sample.partition,
        "name": sample.name,
        "entries": sample.length,
        "bytes": sample.bytes,
        "waiting": sample.unacknowledged,
        "pending": sample.pending,
        "oldestWaitingMs": sample.oldest_age_ms,
    })
}
