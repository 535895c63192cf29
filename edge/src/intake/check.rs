//! The bounds of an event (design §8): a wire event goes in, a valid [`Event`] comes out, or the first field that
//! breaks a bound, with the bound.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use common::event::{CAMERA_ID_CHARS_MAX, Event, Hundredths, MODEL_VERSION_CHARS_MAX, Source, keypoints};
use common::ids::{EventId, WarehouseId, WorkerId, ZoneId};
use common::text::{has_hidden, hidden};
use serde::Serialize;
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::wire::WireEvent;

/// How far ahead of ours a camera's clock may be before it is not believed: NTP failures are minutes, time zones hours.
const AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);

/// How much of a refused value is quoted back.
const QUOTE_CHARS_MAX: usize = 60;

/// Why one event was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The field, or `event` for the whole.
    pub field: &'static str,
    /// Stable, for programs.
    pub code: &'static str,
    /// For people, with the bound.
    pub message: String,
}

impl Refusal {
    pub fn new(field: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { field, code, message: message.into() }
    }
}

/// Turns a wire event into a valid one.
///
/// # Errors
/// The first field that breaks a bound.
pub fn check<'a>(wire: WireEvent<'a>, now: DateTime<Utc>, age_max: Duration) -> Result<Event<'a>, Refusal> {
    let event_id = EventId::from_uuid(uuid("event_id", wire.event_id)?);
    let event_time = time("event_time", required("event_time", wire.event_time)?)?;
    let oldest = now - TimeDelta::from_std(age_max).unwrap_or(TimeDelta::MAX);
    let believable = |time: &DateTime<Utc>| (oldest..=now + AHEAD_MAX).contains(time);
    let ingest_time = wire.ingest_time.map(|text| time("ingest_time", text)).transpose()?;
    let keypoints = required("posture_keypoints", wire.posture_keypoints)?.get();
    let event = Event {
        event_id,
        event_time,
        // Ours if the camera gave none, or one that cannot be: a suspect event is stored under it.
        ingest_time: ingest_time.filter(believable).unwrap_or(now),
        warehouse_id: WarehouseId::from_uuid(uuid("warehouse_id", wire.warehouse_id)?),
        zone_id: ZoneId::from_uuid(uuid("zone_id", wire.zone_id)?),
        camera_id: text("camera_id", wire.camera_id, CAMERA_ID_CHARS_MAX)?,
        worker_id: wire.worker_id.map(|text| uuid("worker_id", Some(text)).map(WorkerId::from_uuid)).transpose()?,
        model_version: text("model_version", wire.model_version, MODEL_VERSION_CHARS_MAX)?,
        risk_score: number("risk_score", wire.risk_score, 100)?,
        confidence: number("confidence", wire.confidence, 1)?,
        source: source(wire.source)?,
        clock_suspect: !believable(&event_time),
        posture_keypoints: Cow::Borrowed(keypoints),
    };
    keypoints::check(keypoints).map_err(|unfit| Refusal::new("posture_keypoints", unfit.code, unfit.message))?;
    Ok(event)
}

/// Nobody but the site's own cameras speaks for it: what another one's would do here is a mistake in their configuration.
///
/// # Errors
/// If the event is of another warehouse than the edge, and the edge is of one.
pub fn belongs<'a>(event: Event<'a>, to: Option<WarehouseId>) -> Result<Event<'a>, Refusal> {
    match to {
        Some(own) if own != event.warehouse_id => Err(Refusal::new(
            "warehouse_id",
            "other_warehouse",
            format!("{} is another warehouse than this edge's; set the camera to {own}", event.warehouse_id),
        )),
        _ => Ok(event),
    }
}

/// A hash of what the camera said, for telling a retry from another event under the same key. `ingest_time` is left
/// out: it may be ours, and a retry may carry a new one.
pub fn body_hash(event: &Event<'_>) -> u64 {
    let mut hash = Xxh3::new();
    let text = |hash: &mut Xxh3, text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    for id in [event.event_id.uuid(), event.warehouse_id.uuid(), event.zone_id.uuid()] {
        hash.update(id.as_bytes());
    }
    hash.update(event.worker_id.map_or(Uuid::nil(), |id| id.uuid()).as_bytes());
    hash.update(&event.event_time.timestamp_micros().to_le_bytes());
    hash.update(&event.risk_score.raw().to_le_bytes());
    hash.update(&event.confidence.raw().to_le_bytes());
    text(&mut hash, event.source.as_str());
    text(&mut hash, &event.camera_id);
    text(&mut hash, &event.model_version);
    text(&mut hash, &event.posture_keypoints);
    hash.digest()
}

fn required<T>(field: &'static str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::new(field, "missing", "is required"))
}

fn uuid(field: &'static str, value: Option<Cow<'_, str>>) -> Result<Uuid, Refusal> {
    let value = required(field, value)?;
    Uuid::try_parse(&value).map_err(|_| Refusal::new(field, "invalid_uuid", format!("{} is not a UUID", quote(&value))))
}

fn time(field: &'static str, value: Cow<'_, str>) -> Result<DateTime<Utc>, Refusal> {
    match DateTime::parse_from_rfc3339(&value) {
        Ok(time) => Ok(time.to_utc().trunc_subsecs(6)),
        Err(_) => Err(Refusal::new(
            field,
            "invalid_time",
            format!("{} is not an RFC 3339 time such as 2026-11-02T06:00:00.125Z", quote(&value)),
        )),
    }
}

fn text<'a>(field: &'static str, value: Option<Cow<'a, str>>, chars_max: usize) -> Result<Cow<'a, str>, Refusal> {
    let value = required(field, value)?;
    if value.is_empty() {
        return Err(Refusal::new(field, "too_short", format!("is empty, 1 to {chars_max} characters are taken")));
    }
    // Bytes first: most texts are short, and a character is at least a byte.
    if value.len() > chars_max && value.chars().count() > chars_max {
        let chars = value.chars().count();
        return Err(Refusal::new(field, "too_long", format!("{chars} characters, 1 to {chars_max} are taken")));
    }
    // Nearly every text is of these alone.
    if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        legible(&value).map_err(|(code, problem)| Refusal::new(field, code, problem))?;
    }
    Ok(value)
}

/// Whether people see it, and all of it.
fn legible(value: &str) -> Result<(), (&'static str, String)> {
    match hidden(value) {
        Some('\0') => Err(("nul", "contains the character \\u0000, which cannot be stored".to_owned())),
        Some(c) => Err(("invalid_text", has_hidden(c))),
        None if value.chars().all(char::is_whitespace) => {
            Err(("invalid_text", "has only blanks, which nobody would see".to_owned()))
        }
        None => Ok(()),
    }
}

fn number(field: &'static str, value: Option<f64>, max: u16) -> Result<Hundredths, Refusal> {
    let value = required(field, value)?;
    Hundredths::round(value, max)
        .ok_or_else(|| Refusal::new(field, "out_of_range", format!("{value} is outside 0 to {max}")))
}

fn source(value: Option<Cow<'_, str>>) -> Result<Source, Refusal> {
    let value = required("source", value)?;
    Source::parse(&value).ok_or_else(|| {
        Refusal::new("source", "invalid_value", format!("{} is not one of {}", quote(&value), Source::NAMES))
    })
}

fn quote(value: &str) -> String {
    let short: String = value.chars().take(QUOTE_CHARS_MAX).collect();
    let dots = if short.len() < value.len() { "…" } else { "" };
    format!("{short:?}{dots}")
}

#[cfg(test)]
mod tests;
