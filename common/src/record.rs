//! The buffered form of one thing on its way to central: written once by the edge's appender, carried
//! unopened through Redis, SQLite, the forwarder and central's stream, opened once by a persist worker.
//!
//! ```text
//! 0      version  u8      = 2
//! 1      kind     u8      1 = event, 2 = alert, 3 = fact
//! 2..18  epoch    uuid
//! 18..26 seq      u64 LE  1, 2, 3 … in the epoch
//! 26..34 accepted i64 LE  by the edge's clock, milliseconds since 1970; never goes back in an epoch
//! 34..n  payload          MessagePack, by kind
//! n..    crc32c   u32 LE  over everything before it
//! ```
//!
//! What the ledger needs comes first at fixed places so that a record can be accounted for without decoding it. The
//! checksum covers all of it, so a bit that flips anywhere between intake and Postgres is found.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{Event, Hundredths, Source};
use crate::ids::{Epoch, EventId, WarehouseId, WorkerId, ZoneId};

const VERSION: u8 = 2;
const HEADER_BYTES: usize = 34;
const CRC_BYTES: usize = 4;

/// The largest record the system carries: the largest event and its texts, with room.
pub const RECORD_BYTES_MAX: usize = 40 * 1024;

/// What a record's payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    Event = 1,
    /// An [`AlertEvent`](crate::alert::AlertEvent).
    Alert = 2,
    /// A [`Fact`](crate::alert::Fact).
    Fact = 3,
}

/// Why bytes are not a record. The texts end up as the reason of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("record of {0} bytes is shorter than a header")]
    Short(usize),
    #[error("record of {0} bytes is larger than {RECORD_BYTES_MAX}")]
    Large(usize),
    #[error("record checksum does not match its bytes")]
    Checksum,
    #[error("record version {0} is not known")]
    Version(u8),
    #[error("record kind {0} is not known")]
    Kind(u8),
    #[error("record payload is not {0}: {1}")]
    Payload(&'static str, String),
}

/// A record whose checksum was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    pub kind: Kind,
    pub epoch: Epoch,
    pub seq: u64,
    /// When the edge accepted it, in milliseconds since 1970 by its clock.
    pub accepted_ms: i64,
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// Checks size, checksum, version and kind.
    ///
    /// # Errors
    /// What is wrong with the bytes; the payload is not looked at.
    pub fn open(bytes: &'a [u8]) -> Result<Self, RecordError> {
        if bytes.len() < HEADER_BYTES + CRC_BYTES {
            return Err(RecordError::Short(bytes.len()));
        }
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(RecordError::Large(bytes.len()));
        }
        let (body, crc) = bytes.split_at(bytes.len() - CRC_BYTES);
        if crc != crc32c::crc32c(body).to_le_bytes() {
            return Err(RecordError::Checksum);
        }
        if body[0] != VERSION {
            return Err(RecordError::Version(body[0]));
        }
        let kind = match body[1] {
            1 => Kind::Event,
            2 => Kind::Alert,
            3 => Kind::Fact,
            other => return Err(RecordError::Kind(other)),
        };
        let (epoch, seq) = place(bytes).ok_or(RecordError::Short(bytes.len()))?;
        let accepted_ms = accepted_ms(bytes).ok_or(RecordError::Short(bytes.len()))?;
        Ok(Self { kind, epoch, seq, accepted_ms, payload: &body[HEADER_BYTES..] })
    }

    /// Writes the record's bytes.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.payload.len() + CRC_BYTES);
        out.extend_from_slice(&[VERSION, self.kind as u8]);
        out.extend_from_slice(self.epoch.uuid().as_bytes());
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.accepted_ms.to_le_bytes());
        out.extend_from_slice(self.payload);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }
}

/// Epoch and seq of a record without checking the rest of it. `None` if there are too few bytes.
pub fn place(bytes: &[u8]) -> Option<(Epoch, u64)> {
    let epoch = Uuid::from_slice(bytes.get(2..18)?).ok()?;
    let seq = u64::from_le_bytes(bytes.get(18..26)?.try_into().ok()?);
    Some((Epoch::from_uuid(epoch), seq))
}

/// When a record was accepted, without checking the rest of it. `None` if there are too few bytes, or if it is of the
/// first version, which did not say.
pub fn accepted_ms(bytes: &[u8]) -> Option<i64> {
    let version = *bytes.first()?;
    let ms = i64::from_le_bytes(bytes.get(26..34)?.try_into().ok()?);
    (version >= VERSION).then_some(ms)
}

/// An event's payload as a MessagePack array, fields by position: 0.35 µs to read, against 2 µs for JSON.
#[derive(Serialize, Deserialize)]
struct EventPayload<'a> {
    event_id: Uuid,
    event_time_us: i64,
    ingest_time_us: i64,
    warehouse_id: Uuid,
    zone_id: Uuid,
    #[serde(borrow)]
    camera_id: Cow<'a, str>,
    worker_id: Option<Uuid>,
    #[serde(borrow)]
    model_version: Cow<'a, str>,
    risk_score: u16,
    confidence: u16,
    source: u8,
    clock_suspect: bool,
    #[serde(borrow)]
    posture_keypoints: Cow<'a, str>,
}

/// The payload of an event record.
pub fn event_payload(event: &Event<'_>) -> Vec<u8> {
    let payload = EventPayload {
        event_id: event.event_id.uuid(),
        event_time_us: event.event_time.timestamp_micros(),
        ingest_time_us: event.ingest_time.timestamp_micros(),
        warehouse_id: event.warehouse_id.uuid(),
        zone_id: event.zone_id.uuid(),
        camera_id: Cow::Borrowed(&event.camera_id),
        worker_id: event.worker_id.map(WorkerId::uuid),
        model_version: Cow::Borrowed(&event.model_version),
        risk_score: event.risk_score.raw(),
        confidence: event.confidence.raw(),
        source: match event.source {
            Source::Camera => 0,
            Source::Wearable => 1,
            Source::Manual => 2,
        },
        clock_suspect: event.clock_suspect,
        posture_keypoints: Cow::Borrowed(&event.posture_keypoints),
    };
    let mut out = Vec::with_capacity(160 + event.posture_keypoints.len());
    rmp_serde::encode::write(&mut out, &payload).expect("plain fields written to memory cannot fail");
    out
}

/// Reads what [`event_payload`] wrote, borrowing its texts.
///
/// # Errors
/// [`RecordError::Payload`] saying what did not fit.
pub fn read_event(payload: &[u8]) -> Result<Event<'_>, RecordError> {
    let bad = |what: &str| RecordError::Payload("an event", what.to_owned());
    let mut reader = rmp_serde::Deserializer::from_read_ref(payload);
    let p = EventPayload::deserialize(&mut reader).map_err(|e| RecordError::Payload("an event", e.to_string()))?;
    let time = |micros, what| DateTime::<Utc>::from_timestamp_micros(micros).ok_or_else(|| bad(what));
    Ok(Event {
        event_id: EventId::from_uuid(p.event_id),
        event_time: time(p.event_time_us, "event_time is out of range")?,
        ingest_time: time(p.ingest_time_us, "ingest_time is out of range")?,
        warehouse_id: WarehouseId::from_uuid(p.warehouse_id),
        zone_id: ZoneId::from_uuid(p.zone_id),
        camera_id: p.camera_id,
        worker_id: p.worker_id.map(WorkerId::from_uuid),
        model_version: p.model_version,
        risk_score: Hundredths::from_raw(p.risk_score),
        confidence: Hundredths::from_raw(p.confidence),
        source: match p.source {
            0 => Source::Camera,
            1 => Source::Wearable,
            2 => Source::Manual,
            _ => return Err(bad("source is not known")),
        },
        clock_suspect: p.clock_suspect,
        posture_keypoints: p.posture_keypoints,
    })
}

#[cfg(test)]
mod tests;
