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
use common::ids::{Epoch, WarehouseId};
use common::problem::Problem;
use common::protocol::{CameraReport, EpochReport, RedisReport};
use common::reload::ConfigView;
use common::telemetry;
use serde::Serialize;
use utoipa::ToSchema;

use crate::archive::Replay;
use crate::buffer::{DeadLetter, Lane, LiveState};
use crate::http::State;

/// Dead letters shown.
const DEAD_LETTERS_SHOWN: u32 = 100;

/// How the edge is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StreamsHealth)]
pub struct HealthView {
    status: Status,
    /// In words a site technician understands, most severe first.
    reasons: Vec<String>,
    /// The code of each reason; the runbook has a section for each.
    codes: Vec<String>,
    #[serde(flatten)]
    parts: Parts,
    rules: RulesView,
    config: ConfigView,
    /// Whose events are taken; null for a box that has none yet, which takes all.
    warehouse_id: Option<WarehouseId>,
    version: &'static str,
    #[schema(format = DateTime)]
    started_at: String,
    #[schema(format = DateTime)]
    timestamp: String,
}

/// Whose alert rules are in force.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamsRules)]
struct RulesView {
    /// In words.
    from: String,
    /// Of headquarters' set; null if the rules are this edge's own.
    version: Option<u64>,
    count: usize,
}

/// All figures since the start.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StreamsStats)]
pub struct Stats {
    #[serde(flatten)]
    parts: Parts,
    /// Events.
    received: u64,
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    /// Valid, but there was no place to store them; their cameras were told.
    unstored: u64,
    clock_suspect: u64,
    unknown_fields: u64,
    /// Share of the last five minutes' events that were not taken, 0 to 1.
    error_rate: f64,
    buffered: Buffered,
    forwarded: Forwarded,
    /// Records found damaged in the buffer.
    dead_letters: u64,
    idempotency: Idempotency,
    cameras: Vec<CameraReport>,
    /// What of each run of this edge is still here.
    epochs: Vec<EpochView>,
    /// Alerts that are going on.
    alerts_open: i64,
    #[schema(format = DateTime)]
    timestamp: String,
}

/// A run of this edge, as the ledger has it.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamsEpoch)]
struct EpochView {
    epoch: Epoch,
    current: bool,
    head: u64,
    /// How many of its records wait here.
    waiting: u64,
}

/// Records that wait for headquarters.
#[derive(Serialize, ToSchema)]
struct Buffered {
    live: u64,
    backlog: u64,
}

/// Records that headquarters has.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Forwarded {
    live: u64,
    backlog: u64,
    duplicates_at_central: u64,
    dead_letters_at_central: u64,
}

/// How well retries are recognised.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Idempotency {
    keys: u64,
    /// Keys are remembered for less than the configured time.
    full: bool,
    generation_age_seconds: u64,
}

/// What health and figures have in common.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamsParts)]
struct Parts {
    stream: StreamView,
    spill: SpillView,
    lanes: Lanes,
    outlook: OutlookView,
    ledger: LedgerView,
    /// What headquarters has confirmed, to be sent again; null if none is kept.
    archive: Option<ArchiveView>,
    /// Null if none is configured.
    central: Option<CentralView>,
    worker: WorkerView,
}

impl Parts {
    fn of(state: &State, now: DateTime<Utc>) -> Self {
        Self {
            stream: stream(state, now),
            spill: spill(state, now),
            lanes: lanes(state),
            outlook: outlook(state),
            ledger: ledger(state),
            archive: archive(state),
            central: central(state),
            worker: worker(state),
        }
    }
}

/// What waits in Redis.
#[derive(Serialize, ToSchema)]
struct StreamView {
    name: String,
    length: u64,
    info: StreamInfo,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StreamInfo {
    redis: RedisReport,
    /// Null if there is none to ask.
    durable: Option<bool>,
    max_length: u64,
    bytes: u64,
    oldest_age_ms: Option<i64>,
}

/// What waits in SQLite.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SpillView {
    length: u64,
    bytes: u64,
    bytes_max: u64,
    /// What it may still grow by.
    bytes_free: u64,
    disk_bytes_free: u64,
    full: bool,
    oldest_age_ms: Option<i64>,
}

/// What headquarters has confirmed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ArchiveView {
    batches: u64,
    records: u64,
    /// In use in its file.
    bytes: u64,
    #[schema(format = DateTime)]
    oldest_at: Option<String>,
    /// Confirmed records of this run that were not kept.
    skipped: u64,
    /// What is being sent again, or was last.
    replay: Option<Replay>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Lanes {
    live: LaneView,
    backlog: LaneView,
    in_flight: u64,
    /// Sent more than 5 s ago, without a receipt yet.
    #[serde(rename = "inFlightOver5s")]
    in_flight_over_5s: u64,
}

#[derive(Serialize, ToSchema)]
struct LaneView {
    waiting: u64,
}

/// At the last minute's rates.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OutlookView {
    accepted_per_second: f64,
    /// How long the spill has room; null while nothing comes in.
    room_hours: Option<f64>,
    /// How long the backlog takes; null if there is none, or it does not shrink.
    drain_seconds: Option<f64>,
}

/// The edge's half of the ledger.
#[derive(Serialize, ToSchema)]
struct LedgerView {
    epoch: Epoch,
    /// The highest seq given out; 0 = none yet.
    head: u64,
}

/// The way to headquarters.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CentralView {
    reached: bool,
    #[schema(format = DateTime)]
    last_confirmed_at: Option<String>,
    #[schema(format = DateTime)]
    last_receipt_at: Option<String>,
    #[schema(format = DateTime)]
    failing_since: Option<String>,
    error: Option<String>,
}

/// In the original a worker took messages from the stream; here it is the forwarder.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WorkerView {
    status: WorkerStatus,
    consumer_group: String,
    consumer_name: String,
    /// Sent long enough ago that their receipt is overdue.
    pending_messages: u64,
    in_flight_messages: u64,
    processed_keys_count: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum WorkerStatus {
    Running,
    /// No headquarters is configured.
    Idle,
}

/// `GET /streams/health`: how the edge is, in one word and in words. 503 only if cameras are turned away.
#[utoipa::path(get, path = "/streams/health", responses(
    (status = 200, description = "Cameras' events are stored.", body = HealthView),
    (status = 503, description = "They cannot be.", body = HealthView),
))]
pub async fn health(Shared(state): Shared<Arc<State>>) -> Response {
    let now = clock::now();
    let (health, rules) = (state.health(now), state.rules.get());
    let status = if health.status == Status::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let body = HealthView {
        status: health.status,
        reasons: health.reasons,
        codes: health.codes,
        parts: Parts::of(&state, now),
        rules: RulesView { from: rules.to_string(), version: rules.version(), count: rules.rules.len() },
        config: state.reloaded.view(),
        warehouse_id: state.warehouse_id,
        version: env!("CARGO_PKG_VERSION"),
        started_at: timestamp(state.started_at),
        timestamp: timestamp(now),
    };
    (status, Json(body)).into_response()
}

/// `GET /streams/stats`: all figures.
#[utoipa::path(get, path = "/streams/stats", responses((status = 200, description = "The figures.", body = Stats)))]
pub async fn stats(Shared(state): Shared<Arc<State>>) -> Json<Stats> {
    let now = clock::now();
    let metrics = &state.metrics;
    let (contents, probe) = (state.buffer.contents(), state.buffer.last_probe());
    let (error_rate, _) = metrics.error_rate(std::time::Instant::now());
    Json(Stats {
        parts: Parts::of(&state, now),
        received: metrics.received.get(),
        accepted: metrics.accepted_total(),
        duplicates: metrics.duplicate_total(),
        rejected: metrics.rejected_total(),
        unstored: metrics.unstored_total(),
        clock_suspect: metrics.clock_suspect.get(),
        unknown_fields: metrics.unknown_fields.get(),
        error_rate,
        buffered: Buffered { live: contents.live_records, backlog: contents.backlog_records },
        forwarded: Forwarded {
            live: metrics.forwarded_total(Lane::Live),
            backlog: metrics.forwarded_total(Lane::Backlog),
            duplicates_at_central: metrics.duplicates_at_central.get(),
            dead_letters_at_central: metrics.dead_letters_at_central.get(),
        },
        dead_letters: probe.spill.dead_letters,
        idempotency: Idempotency {
            keys: probe.live_keys.keys + probe.spill.keys,
            full: probe.live_keys.full,
            generation_age_seconds: probe.live_keys.age_secs,
        },
        cameras: state.cameras.reports(),
        epochs: epochs(&state),
        alerts_open: state.alert_metrics.open.get(),
        timestamp: timestamp(now),
    })
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterList)]
pub struct DeadLetters {
    /// Latest first, at most 100.
    dead_letters: Vec<DeadLetter>,
}

/// `GET /api/v1/dead-letters`: records found damaged, latest first. They are personal data.
#[utoipa::path(get, path = "/api/v1/dead-letters", responses(
    (status = 200, description = "The records.", body = DeadLetters),
    (status = 503, description = "`spill_gone`: the buffer's SQLite part cannot be used now."),
))]
pub async fn dead_letters(Shared(state): Shared<Arc<State>>) -> Result<Json<DeadLetters>, Problem> {
    let dead_letters = state
        .buffer
        .dead_letters(DEAD_LETTERS_SHOWN)
        .await
        .map_err(|error| Problem::unavailable("spill_gone", error.to_string(), 5))?;
    Ok(Json(DeadLetters { dead_letters }))
}

/// `GET /metrics`: what Prometheus scrapes.
#[utoipa::path(get, path = "/metrics", responses(
    (status = 200, description = "OpenMetrics text", body = str, content_type = "application/openmetrics-text"),
))]
pub async fn metrics(Shared(state): Shared<Arc<State>>) -> Response {
    let contents = state.buffer.contents();
    state.metrics.buffered(Lane::Live, contents.live_records);
    state.metrics.buffered(Lane::Backlog, contents.backlog_records);
    let (content_type, text) = telemetry::render(&state.registry);
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

/// `GET /livez`: the process turns.
#[utoipa::path(get, path = "/livez", responses(
    (status = 200, description = "It does.", body = str, content_type = "text/plain"),
))]
pub async fn livez() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: whether cameras' events can be stored.
#[utoipa::path(get, path = "/readyz", responses(
    (status = 200, description = "They can.", body = str, content_type = "text/plain"),
    (status = 503, description = "Why they cannot, a line each.", body = str, content_type = "text/plain"),
))]
pub async fn readyz(Shared(state): Shared<Arc<State>>) -> Response {
    let health = state.health(clock::now());
    match health.status {
        Status::Unhealthy => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", health.reasons.join("\n"))).into_response()
        }
        _ => "ready\n".into_response(),
    }
}

fn stream(state: &State, now: DateTime<Utc>) -> StreamView {
    let (contents, probe) = (state.buffer.contents(), state.buffer.last_probe());
    let (redis, durable) = match state.buffer.live_state() {
        LiveState::Absent => (RedisReport::Absent, None),
        LiveState::Ready { weak } => (RedisReport::Ready, Some(weak.is_none())),
        LiveState::Weak { .. } => (RedisReport::Weak, Some(false)),
        LiveState::Down { .. } => (RedisReport::Down, None),
    };
    let oldest = probe.live_oldest_ms.filter(|_| contents.live_records > 0);
    StreamView {
        name: state.stream_name.clone(),
        length: contents.live_records,
        info: StreamInfo {
            redis,
            durable,
            max_length: state.stream_max_length,
            bytes: contents.live_bytes,
            oldest_age_ms: oldest.map(|ms| now.timestamp_millis().saturating_sub(ms.cast_signed()).max(0)),
        },
    }
}

fn spill(state: &State, now: DateTime<Utc>) -> SpillView {
    let (contents, spill) = (state.buffer.contents(), state.buffer.last_probe().spill);
    let oldest = spill.oldest_ms.filter(|_| contents.backlog_records > 0);
    SpillView {
        length: contents.backlog_records,
        bytes: spill.bytes_used,
        bytes_max: spill.bytes_max,
        bytes_free: spill.bytes_free,
        disk_bytes_free: spill.disk_bytes_free,
        full: spill.full,
        oldest_age_ms: oldest.map(|ms| now.timestamp_millis().saturating_sub(ms).max(0)),
    }
}

fn lanes(state: &State) -> Lanes {
    let contents = state.buffer.contents();
    let (in_flight, late) = state.in_flight.counts();
    Lanes {
        live: LaneView { waiting: contents.live_records },
        backlog: LaneView { waiting: contents.backlog_records },
        in_flight,
        in_flight_over_5s: late,
    }
}

fn outlook(state: &State) -> OutlookView {
    let outlook = state.outlook();
    OutlookView {
        accepted_per_second: outlook.accepted_per_second,
        room_hours: outlook.room_hours,
        drain_seconds: outlook.drain_seconds,
    }
}

fn ledger(state: &State) -> LedgerView {
    let (epoch, head) = state.buffer.head();
    LedgerView { epoch, head }
}

fn epochs(state: &State) -> Vec<EpochView> {
    let view = |report: EpochReport| EpochView {
        epoch: report.epoch,
        current: report.current,
        head: report.head,
        waiting: report.buffered.iter().map(|(first, last)| last + 1 - first).sum(),
    };
    state.buffer.epoch_reports().into_iter().map(view).collect()
}

fn central(state: &State) -> Option<CentralView> {
    if !state.has_central {
        return None;
    }
    let link = state.link.get();
    Some(CentralView {
        reached: link.failing.is_none() && link.confirmed_at.is_some(),
        last_confirmed_at: link.confirmed_at.map(timestamp),
        last_receipt_at: link.receipt_at.map(timestamp),
        failing_since: link.trouble().map(|(since, _)| timestamp(*since)),
        error: link.trouble().map(|(_, error)| error.to_string()),
    })
}

fn archive(state: &State) -> Option<ArchiveView> {
    state.archive.status().map(|status| ArchiveView {
        batches: status.figures.batches,
        records: status.figures.records,
        bytes: status.figures.bytes,
        oldest_at: status.figures.oldest_ms.and_then(DateTime::from_timestamp_millis).map(timestamp),
        skipped: status.skipped,
        replay: status.replay,
    })
}

fn worker(state: &State) -> WorkerView {
    let probe = state.buffer.last_probe();
    let (in_flight, late) = state.in_flight.counts();
    WorkerView {
        status: if state.has_central { WorkerStatus::Running } else { WorkerStatus::Idle },
        consumer_group: state.consumer_group.clone(),
        consumer_name: state.consumer.clone(),
        pending_messages: late,
        in_flight_messages: in_flight,
        processed_keys_count: probe.live_keys.keys + probe.spill.keys,
    }
}

fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
