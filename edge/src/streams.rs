//! How the edge shows itself to people and monitors: health and statistics in the shapes of the original system with
//! what is new beside them, metrics, and the probes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use common::clock;
use common::health::Status;
use common::problem::Problem;
use common::telemetry;
use serde_json::{Value, json};

use crate::buffer::{Lane, LiveState};
use crate::http::State;

/// Dead letters shown.
const DEAD_LETTERS_SHOWN: u32 = 100;

/// `GET /streams/health`. 503 only if cameras are turned away.
pub async fn health(Shared(state): Shared<Arc<State>>) -> Response {
    let now = clock::now();
    let health = state.health(now);
    let status = if health.status == Status::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let body = json!({
        "status": health.status,
        "reasons": health.reasons,
        "stream": stream(&state, now),
        "spill": spill(&state, now),
        "lanes": lanes(&state),
        "ledger": ledger(&state),
        "central": central(&state),
        "worker": worker(&state),
        "version": env!("CARGO_PKG_VERSION"),
        "startedAt": timestamp(state.started_at),
        "timestamp": timestamp(now),
    });
    (status, Json(body)).into_response()
}

/// `GET /streams/stats`: all figures.
pub async fn stats(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    let now = clock::now();
    let metrics = &state.metrics;
    let (contents, probe) = (state.buffer.contents(), state.buffer.last_probe());
    let (error_rate, _) = metrics.error_rate(std::time::Instant::now());
    Json(json!({
        "stream": stream(&state, now),
        "spill": spill(&state, now),
        "lanes": lanes(&state),
        "ledger": ledger(&state),
        "central": central(&state),
        "worker": worker(&state),
        "received": metrics.received.get(),
        "accepted": metrics.accepted_total(),
        "duplicates": metrics.duplicate_total(),
        "rejected": metrics.rejected_total(),
        "unstored": metrics.unstored_total(),
        "clockSuspect": metrics.clock_suspect.get(),
        "unknownFields": metrics.unknown_fields.get(),
        "errorRate": error_rate,
        "buffered": { "live": contents.live_records, "backlog": contents.backlog_records },
        "forwarded": {
            "live": metrics.forwarded_total(Lane::Live),
            "backlog": metrics.forwarded_total(Lane::Backlog),
            "duplicatesAtCentral": metrics.duplicates_at_central.get(),
            "deadLettersAtCentral": metrics.dead_letters_at_central.get(),
        },
        "deadLetters": probe.spill.dead_letters,
        "idempotency": {
            "keys": probe.live_keys.keys + probe.spill.keys,
            "full": probe.live_keys.full,
            "generationAgeSeconds": probe.live_keys.age_secs,
        },
        "cameras": state.cameras.reports(),
        "timestamp": timestamp(now),
    }))
}

/// `GET /api/v1/dead-letters`: records found damaged, latest first. They are personal data.
pub async fn dead_letters(Shared(state): Shared<Arc<State>>) -> Result<Response, Problem> {
    let letters = state
        .buffer
        .dead_letters(DEAD_LETTERS_SHOWN)
        .await
        .map_err(|error| Problem::unavailable("spill_gone", error.to_string(), 5))?;
    Ok(Json(json!({ "dead_letters": letters })).into_response())
}

/// `GET /metrics`
pub async fn metrics(Shared(state): Shared<Arc<State>>) -> Response {
    let contents = state.buffer.contents();
    state.metrics.buffered(Lane::Live, contents.live_records);
    state.metrics.buffered(Lane::Backlog, contents.backlog_records);
    let (content_type, text) = telemetry::render(&state.registry);
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

/// `GET /livez`: the process turns.
pub async fn livez() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: cameras' events can be stored.
pub async fn readyz(Shared(state): Shared<Arc<State>>) -> Response {
    let health = state.health(clock::now());
    match health.status {
        Status::Unhealthy => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", health.reasons.join("\n"))).into_response()
        }
        _ => "ready\n".into_response(),
    }
}

fn stream(state: &State, now: DateTime<Utc>) -> Value {
    let (contents, probe) = (state.buffer.contents(), state.buffer.last_probe());
    let (redis, durable) = match state.buffer.live_state() {
        LiveState::Absent => ("absent", None),
        LiveState::Ready { weak } => ("ready", Some(weak.is_none())),
        LiveState::Weak { .. } => ("weak", Some(false)),
        LiveState::Down { .. } => ("down", None),
    };
    let oldest = probe.live_oldest_ms.filter(|_| contents.live_records > 0);
    json!({
        "name": state.stream_name,
        "length": contents.live_records,
        "info": {
            "redis": redis,
            "durable": durable,
            "maxLength": state.stream_max_length,
            "bytes": contents.live_bytes,
            "oldestAgeMs": oldest.map(|ms| now.timestamp_millis().saturating_sub(ms.cast_signed()).max(0)),
        },
    })
}

fn spill(state: &State, now: DateTime<Utc>) -> Value {
    let (contents, spill) = (state.buffer.contents(), state.buffer.last_probe().spill);
    let oldest = spill.oldest_ms.filter(|_| contents.backlog_records > 0);
    json!({
        "length": contents.backlog_records,
        "bytes": spill.bytes_used,
        "bytesMax": spill.bytes_max,
        "bytesFree": spill.bytes_free,
        "diskBytesFree": spill.disk_bytes_free,
        "full": spill.full,
        "oldestAgeMs": oldest.map(|ms| now.timestamp_millis().saturating_sub(ms).max(0)),
    })
}

fn lanes(state: &State) -> Value {
    let contents = state.buffer.contents();
    let (in_flight, late) = state.in_flight.counts();
    json!({
        "live": { "waiting": contents.live_records },
        "backlog": { "waiting": contents.backlog_records },
        "inFlight": in_flight,
        "inFlightOver5s": late,
    })
}

fn ledger(state: &State) -> Value {
    let (epoch, head) = state.buffer.head();
    json!({ "epoch": epoch, "head": head })
}

fn central(state: &State) -> Value {
    if !state.has_central {
        return Value::Null;
    }
    let link = state.link.get();
    json!({
        "reached": link.failing.is_none() && link.confirmed_at.is_some(),
        "lastConfirmedAt": link.confirmed_at.map(timestamp),
        "lastReceiptAt": link.receipt_at.map(timestamp),
        "failingSince": link.failing.as_ref().map(|(since, _)| timestamp(*since)),
        "error": link.failing.as_ref().map(|(_, error)| error.to_string()),
    })
}

/// In the original a worker took messages from the stream; here it is the forwarder. Pending are the records sent long
/// enough ago that their receipt is overdue.
fn worker(state: &State) -> Value {
    let probe = state.buffer.last_probe();
    let (in_flight, late) = state.in_flight.counts();
    json!({
        "status": if state.has_central { "running" } else { "idle" },
        "consumerGroup": state.consumer_group,
        "consumerName": state.consumer,
        "pendingMessages": late,
        "inFlightMessages": in_flight,
        "processedKeysCount": probe.live_keys.keys + probe.spill.keys,
    })
}

fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
