//! The edge's entrance: a camera's request becomes valid events, each gets a verdict, and what was accepted is on disk
//! before the answer goes out.
//!
//! | answer | when |
//! |---|---|
//! | 202 | at least one event was accepted, or is a duplicate of one that was |
//! | 400 | the body cannot be read as events at all |
//! | 413, 415 | more than 4 MiB or 1,000 events; a content type we do not read |
//! | 422 | every event was refused; the body says which field and why |
//! | 429 | this camera sends faster than it may (`Retry-After`) |
//! | 503, 507 | nothing can be stored now (`Retry-After`); the buffer is full |

mod body;
mod check;
mod identity;
mod rate;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use common::clock;
use common::event::{Event, Source};
use common::ids::EventId;
use common::problem::Problem;
use common::record::{self, Kind};
use http_body_util::BodyExt as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::SemaphorePermit;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::alerts::Observation;
use crate::buffer::{AppendError, Candidate, Key, Verdict};
use crate::http::State;
use body::{BodyError, Format};
pub use body::{EVENTS_MAX, json_from_messagepack, read as read_body};
pub use check::Refusal;
pub use identity::{Identity, WorkerIdentity};
pub use rate::{Rates, Sender};

/// Bytes of a request body, at most.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A body must have arrived within this.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of a refused body is read for the sake of the answer.
const DISCARD_BYTES_MAX: usize = 8 * BODY_BYTES_MAX;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Characters of an `Idempotency-Key`, at most.
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// The zone of test events, so that they are in nobody's statistics, and nobody waits for more of them.
pub const TEST_ZONE: Uuid = Uuid::from_u128(0x7e57_7e57_7e57_4e57_9e57_7e57_7e57_7e57);

/// Where new ids come from.
pub type Random = fn() -> Uuid;

/// What became of one event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventVerdict)]
pub struct Outcome {
    /// Its position in the request.
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
    status: Verdicted,
    /// The field that was refused, or `event` for the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    /// Stable, for programs: why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "out_of_range")]
    code: Option<&'static str>,
    /// For people, with the bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// What was decided about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = EventVerdictStatus)]
pub enum Verdicted {
    /// It is on disk.
    Accepted,
    /// It was on disk already.
    Duplicate,
    /// It would be accepted; nothing was stored.
    Valid,
    Rejected,
}

impl Outcome {
    fn plain(index: usize, event_id: EventId, status: Verdicted) -> Self {
        Self { index, event_id: Some(event_id), status, field: None, code: None, message: None }
    }

    fn rejected(index: usize, event_id: Option<EventId>, refusal: Refusal) -> Self {
        let Refusal { field, code, message } = refusal;
        Self {
            index,
            event_id,
            status: Verdicted::Rejected,
            field: Some(field),
            code: Some(code),
            message: Some(message),
        }
    }
}

/// The answer to a request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IntakeAnswer)]
pub struct Answer {
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    results: Vec<Outcome>,
}

/// What would become of the events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IntakeTrial)]
pub struct Tried {
    /// Always false.
    stored: bool,
    valid: u64,
    rejected: u64,
    results: Vec<Outcome>,
}

/// One `ErgonomicSnapshotEvent`, as a camera sends it. Unknown fields are ignored and counted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used: events are read without a copy, by `wire`")]
struct CameraEvent {
    event_id: Uuid,
    /// A time that cannot be believed is kept; the event is then stored under the ingest time.
    event_time: DateTime<Utc>,
    /// Ours if there is none.
    ingest_time: Option<DateTime<Utc>>,
    /// The edge's own, once it has one.
    warehouse_id: Uuid,
    zone_id: Uuid,
    /// Printable characters, none of them invisible, and not blanks alone.
    #[schema(min_length = 1, max_length = 255, example = "cam-07")]
    camera_id: String,
    /// Personal data.
    worker_id: Option<Uuid>,
    #[schema(min_length = 1, max_length = 50, example = "pose-1.4")]
    model_version: String,
    /// Rounded to two decimals.
    #[schema(minimum = 0, maximum = 100)]
    risk_score: f64,
    #[schema(minimum = 0, maximum = 1)]
    confidence: f64,
    source: Source,
    /// At most 32 KiB and 8 levels; numbers within 1e±308 with at most 16,383 decimals.
    #[schema(value_type = Object)]
    posture_keypoints: serde_json::Value,
}

/// `POST /ingestion/ergonomics`: takes events from a camera; what it accepts is on disk when it answers.
///
/// A camera that got no answer sends the same again: the `event_id`, or `Idempotency-Key` if there is one, names an event,
/// and the second is a `duplicate`.
#[utoipa::path(
    post,
    path = "/ingestion/ergonomics",
    params(("idempotency-key" = Option<String>, Header, description = "Names the request; its events are then named by it and \
        their position.", min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    request_body(
        content(
            (Vec<CameraEvent> = "application/json"),
            (String = "application/x-ndjson"),
            (Vec<CameraEvent> = "application/msgpack"),
        ),
        description = "Up to 1,000 events in up to 4 MiB: one, an array of them, or one a line. MessagePack says the same."
    ),
    responses(
        (status = 202, description = "At least one event was accepted, or is a duplicate of one that was.", body = Answer),
        (status = 400, description = "`empty`: there is no event in the body. `unreadable`: the body is no JSON or MessagePack. \
                                      `body_cut`: it broke off. `invalid_idempotency_key`: the header is too long or not \
                                      visible ASCII."),
        (status = 408, description = "`body_timeout`: the body did not arrive in time."),
        (status = 413, description = "`body_too_large`: at most 4 MiB are taken. `too_many_events`: at most 1,000 are."),
        (status = 415, description = "`unsupported_media_type`: the message says what is read."),
        (status = 422, description = "Every event was refused; the verdicts say which field and why.", body = Answer),
        (status = 429, description = "`camera_too_fast`: this camera sends more than `intake.camera_events_per_second_max`; \
                                      Retry-After says when to send it again."),
        (status = 503, description = "`busy`: too much comes in at once. `stopping`: the edge is about to stop."),
        (status = 507, description = "`buffer_full`: there is no room; keep the events and send them again later."),
    )
)]
pub async fn ingest(
    Shared(state): Shared<Arc<State>>,
    Extension(sender): Extension<Sender>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let header_key = idempotency_key(&headers)?;
    let (_room, json) = read(&state, &headers, body).await?;
    take(&state, &json, header_key, sender).await
}

/// `POST /ingestion/ergonomics/test`: with a body, says what `ingest` would say of it, and stores nothing; without one,
/// sends an event of a camera called `smartpick-test` all the way to headquarters.
#[utoipa::path(
    post,
    path = "/ingestion/ergonomics/test",
    request_body(
        content(
            (Vec<CameraEvent> = "application/json"),
            (String = "application/x-ndjson"),
            (Vec<CameraEvent> = "application/msgpack"),
        ),
        description = "Up to 1,000 events in up to 4 MiB: one, an array of them, or one a line. MessagePack says the same."
    ),
    responses(
        (status = 200, description = "At least one event is valid; nothing was stored.", body = Tried),
        (status = 202, description = "There was no body; the test event is on its way.", body = Answer),
        (status = 400, description = "`empty`: there is no event in the body. `unreadable`: the body is no JSON or MessagePack. \
                                      `body_cut`: it broke off. `invalid_idempotency_key`: the header is too long or not \
                                      visible ASCII."),
        (status = 408, description = "`body_timeout`: the body did not arrive in time."),
        (status = 413, description = "`body_too_large`: at most 4 MiB are taken. `too_many_events`: at most 1,000 are."),
        (status = 415, description = "`unsupported_media_type`: the message says what is read."),
        (status = 422, description = "Every event was refused; the verdicts say which field and why.", body = Tried),
        (status = 429, description = "`camera_too_fast`: this camera sends more than `intake.camera_events_per_second_max`; \
                                      Retry-After says when to send it again."),
        (status = 503, description = "`busy`: too much comes in at once. `stopping`: the edge is about to stop."),
        (status = 507, description = "`buffer_full`: there is no room; keep the events and send them again later."),
    )
)]
pub async fn test(
    Shared(state): Shared<Arc<State>>,
    Extension(random): Extension<Random>,
    Extension(sender): Extension<Sender>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (_room, json) = read(&state, &headers, body).await?;
    if json.trim_ascii().is_empty() {
        let event = test_event(&state, random());
        return take(&state, event.to_string().as_bytes(), None, sender).await;
    }
    let parsed = parse(&state, &json, None)?;
    let mut outcomes = parsed.refused;
    outcomes.extend(parsed.events.iter().map(|event| Outcome::plain(event.index, event.event_id, Verdicted::Valid)));
    outcomes.sort_by_key(|outcome| outcome.index);
    let rejected = outcomes.iter().filter(|outcome| outcome.status == Verdicted::Rejected).count() as u64;
    let valid = outcomes.len() as u64 - rejected;
    let status = if valid > 0 { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Json(Tried { stored: false, valid, rejected, results: outcomes })).into_response())
}

fn test_event(state: &State, event_id: Uuid) -> serde_json::Value {
    let now = clock::now();
    serde_json::json!({
        "event_id": event_id,
        "event_time": now,
        "ingest_time": now,
        "warehouse_id": state.warehouse_id.map_or(Uuid::nil(), |id| id.uuid()),
        "zone_id": TEST_ZONE,
        "camera_id": "smartpick-test",
        "worker_id": null,
        "model_version": "test",
        "risk_score": 0,
        "confidence": 1,
        "source": "manual",
        "posture_keypoints": {},
    })
}

fn too_large() -> Problem {
    let mib = BODY_BYTES_MAX / (1024 * 1024);
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("at most {mib} MiB are taken in one request; send the events in several"),
    )
}

fn too_fast(wait: Duration) -> Problem {
    let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let text = format!("this camera sends more than it may; keep the events and send them again in {secs} s");
    Problem { retry_after_secs: Some(secs), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "camera_too_fast", text) }
}

/// `None` without the header.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(text) if !text.is_empty() && text.len() <= IDEMPOTENCY_KEY_CHARS_MAX => Ok(Some(text.to_owned())),
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_idempotency_key",
            format!("Idempotency-Key: 1 to {IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters are taken"),
        )),
    }
}

/// The body as JSON text, and the memory reserved for it.
async fn read<'s>(state: &'s State, headers: &HeaderMap, body: Body) -> Result<(SemaphorePermit<'s>, Bytes), Problem> {
    let length: Option<usize> = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let admitted = format(headers).and_then(|format| match length {
        Some(length) if length > BODY_BYTES_MAX => Err(too_large()),
        length => Ok((format, state.room_for_body(length)?)),
    });
    let (format, room) = match admitted {
        Ok(admitted) => admitted,
        Err(problem) => {
            // A client that is still sending would see a broken pipe, not our answer.
            discard(body).await;
            return Err(problem);
        }
    };
    let bytes = match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) if is_length_limit(&error) => return Err(too_large()),
        Ok(Err(error)) => {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "body_cut", format!("the body broke off: {error}")));
        }
        Err(_) => {
            let text = format!("the body did not arrive within {BODY_TIMEOUT:?}");
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", text));
        }
    };
    match format {
        Format::MessagePack if !bytes.is_empty() => {
            Ok((room, json_from_messagepack(&bytes).map_err(|e| unreadable(&e))?.into()))
        }
        _ => Ok((room, bytes)),
    }
}

fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    if let Some(coding) = headers.get(header::CONTENT_ENCODING).filter(|coding| *coding != "identity") {
        let coding = coding.to_str().unwrap_or("?");
        let text = format!("Content-Encoding {coding} is not read; send the body as it is, without that header");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", text));
    }
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    Format::from_content_type(content_type).ok_or_else(|| {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!(
                "Content-Type {} is not read; send application/json, application/x-ndjson or application/msgpack \
                 (curl: -H 'Content-Type: application/json')",
                content_type.unwrap_or_default()
            ),
        )
    })
}

/// Reads a refused body to its end, within reason, and keeps nothing of it.
async fn discard(body: Body) {
    let read = async {
        let (mut body, mut bytes) = (body, 0);
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DISCARD_BYTES_MAX {
                break;
            }
        }
    };
    // Who sends slower than that gets the broken pipe.
    tokio::time::timeout(DISCARD_TIMEOUT, read).await.ok();
}

fn is_length_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}

fn unreadable(error: &BodyError) -> Problem {
    let (status, code) = match error {
        BodyError::Empty => (StatusCode::BAD_REQUEST, "empty"),
        BodyError::Unreadable(_) => (StatusCode::BAD_REQUEST, "unreadable"),
        BodyError::TooMany(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_many_events"),
    };
    Problem::new(status, code, error.to_string())
}

/// A valid event, reduced to what is needed after it has become a candidate.
struct Parsed {
    index: usize,
    event_id: EventId,
    clock_suspect: bool,
    /// What the alert rules will see of it.
    observation: Observation,
    candidate: Candidate,
}

struct ParsedBody {
    events: Vec<Parsed>,
    refused: Vec<Outcome>,
}

fn parse(state: &State, json: &[u8], header_key: Option<&str>) -> Result<ParsedBody, Problem> {
    let now = clock::now();
    let items = read_body(json).map_err(|e| unreadable(&e))?;
    let mut parsed = ParsedBody { events: Vec::with_capacity(items.len()), refused: Vec::new() };
    for (index, item) in items.into_iter().enumerate() {
        let event_id = item.as_ref().ok().and_then(|wire| wire.event_id.as_ref()?.parse().ok());
        let checked = item.and_then(|wire| {
            state.metrics.unknown_fields.inc_by(wire.unknown_fields);
            check::belongs(check::check(wire, now, state.event_age_max)?, state.warehouse_id)
        });
        match checked {
            Ok(mut event) => {
                // Before anything else sees it.
                state.identity.apply(&mut event);
                parsed.events.push(Parsed {
                    index,
                    event_id: event.event_id,
                    clock_suspect: event.clock_suspect,
                    observation: observation(state, &event, now),
                    candidate: candidate(&event, header_key, index),
                });
            }
            Err(refusal) => {
                state.metrics.rejected_with(refusal.code);
                parsed.refused.push(Outcome::rejected(index, event_id, refusal));
            }
        }
    }
    Ok(parsed)
}

/// One recorded event, judged as it was at the time: by its own `ingest_time`, or where it has none, `event_time`.
///
/// # Errors
/// The first field that breaks a bound.
pub fn read_recorded(json: &str, event_age_max: Duration) -> Result<Event<'_>, Refusal> {
    let wire = wire::read_event(json)?;
    let said = wire.ingest_time.as_deref().or(wire.event_time.as_deref());
    let then = said.and_then(|text| DateTime::parse_from_rfc3339(text).ok()).unwrap_or_default();
    check::check(wire, then.to_utc(), event_age_max)
}

fn observation(state: &State, event: &Event<'_>, now: DateTime<Utc>) -> Observation {
    Observation {
        event_time: event.stored_time(),
        arrived_at: now,
        zone_id: event.zone_id,
        camera_id: Arc::from(&*event.camera_id),
        worker_id: event.worker_id,
        risk_score: event.risk_score,
        confidence: event.confidence,
        source: event.source,
        keypoints: state.entrance.wants_keypoints(event.risk_score).then(|| Arc::from(&*event.posture_keypoints)),
    }
}

fn candidate(event: &Event<'_>, header_key: Option<&str>, index: usize) -> Candidate {
    Candidate {
        kind: Kind::Event,
        key: key(event.event_id, header_key, index),
        hash: check::body_hash(event),
        payload: record::event_payload(event),
    }
}

/// The header names the request, so each event in it is named by header and position; without it an event names itself.
fn key(event_id: EventId, header_key: Option<&str>, index: usize) -> Key {
    let mut key = [0; 17];
    match header_key {
        None => key[1..].copy_from_slice(event_id.uuid().as_bytes()),
        Some(text) => {
            let digest =
                Sha256::new().chain_update(text).chain_update([0]).chain_update(index.to_le_bytes()).finalize();
            key[0] = 1;
            key[1..].copy_from_slice(&digest[..16]);
        }
    }
    key
}

/// Stores what is valid and answers.
async fn take(state: &State, json: &[u8], header_key: Option<String>, sender: Sender) -> Result<Response, Problem> {
    let ParsedBody { events, refused: mut outcomes } = parse(state, json, header_key.as_deref())?;
    let mut events = events;
    let all = (events.len() + outcomes.len()) as u64;
    state.metrics.received.inc_by(all);
    state.rates.take(sender, events.len() + outcomes.len(), Instant::now()).map_err(|wait| {
        state.metrics.unstored(Instant::now(), all);
        too_fast(wait)
    })?;
    let candidates: Vec<Candidate> = events
        .iter_mut()
        .map(|parsed| Candidate { payload: std::mem::take(&mut parsed.candidate.payload), ..parsed.candidate })
        .collect();
    let (mut accepted, mut duplicates) = (0, 0);
    if !candidates.is_empty() {
        let started = Instant::now();
        let verdicts = state.buffer.append(candidates).await.map_err(|error| {
            state.metrics.unstored(Instant::now(), all);
            cannot_store(&error)
        })?;
        state.metrics.append_seconds.observe(started.elapsed().as_secs_f64());
        let now = clock::now();
        let mut observations = Vec::with_capacity(verdicts.len());
        for (parsed, verdict) in events.into_iter().zip(verdicts) {
            outcomes.push(match verdict {
                Verdict::Accepted => {
                    accepted += 1;
                    state.metrics.clock_suspect.inc_by(u64::from(parsed.clock_suspect));
                    let seen = parsed.observation;
                    if seen.zone_id.uuid() != TEST_ZONE {
                        state.cameras.note(&seen.camera_id, seen.zone_id, parsed.clock_suspect, now);
                        observations.push(Observation { arrived_at: now, ..seen });
                    }
                    Outcome::plain(parsed.index, parsed.event_id, Verdicted::Accepted)
                }
                Verdict::Duplicate => {
                    duplicates += 1;
                    Outcome::plain(parsed.index, parsed.event_id, Verdicted::Duplicate)
                }
                Verdict::Conflict => {
                    state.metrics.rejected_with("idempotency_conflict");
                    Outcome::rejected(parsed.index, Some(parsed.event_id), conflict(header_key.is_some()))
                }
            });
        }
        state.entrance.offer(observations, now);
        outcomes.sort_unstable_by_key(|outcome| outcome.index);
    }
    let rejected = all - accepted - duplicates;
    state.metrics.intake(Instant::now(), accepted, duplicates, rejected);
    let status = if accepted + duplicates > 0 { StatusCode::ACCEPTED } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Json(Answer { accepted, duplicates, rejected, results: outcomes })).into_response())
}

fn conflict(by_header: bool) -> Refusal {
    let (field, what) = if by_header { ("Idempotency-Key", "this key") } else { ("event_id", "this event_id") };
    Refusal::new(
        field,
        "idempotency_conflict",
        format!("another event came under {what} before; give each event a key of its own"),
    )
}

fn cannot_store(error: &AppendError) -> Problem {
    match error {
        AppendError::Full(_) => Problem {
            retry_after_secs: Some(30),
            ..Problem::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "buffer_full",
                format!("{error}; keep the events and send them again later"),
            )
        },
        AppendError::Busy => Problem::unavailable("busy", error.to_string(), 1),
        AppendError::Stopping => Problem::unavailable("stopping", error.to_string(), 5),
    }
}
