//! One batch on central's own way: as it lies in the consolidated stream, and what becomes of each of its records.

use std::borrow::Cow;

use common::alert::{AlertEvent, Fact};
use common::event::Event;
use common::ids::{BatchId, EdgeId, Epoch, WarehouseId};
use common::quarter::Quarter;
use uuid::Uuid;

/// One entry of the consolidated stream: a batch as the edge sent it, unopened, with what is needed to account for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub batch_id: BatchId,
    pub edge_id: EdgeId,
    /// The edge's warehouse, by its credential.
    pub warehouse_id: WarehouseId,
    /// The instance that waits for the receipt.
    pub reply_to: Uuid,
    /// How many records the edge says there are.
    pub records: u32,
    /// CRC32C of `body`, checked against the edge's on receipt; checked again when the frame comes back from Redis.
    pub crc32c: u32,
    pub body: bytes::Bytes,
}

/// One thing to be made durable: a record, or a whole frame that could not be opened.
#[derive(Debug, Clone)]
pub struct Item<'a> {
    /// Index of its frame among those read together.
    pub frame: usize,
    pub edge_id: EdgeId,
    pub warehouse_id: WarehouseId,
    pub batch_id: BatchId,
    /// Its place in the ledger, where that can be believed.
    pub place: Option<(Epoch, i64)>,
    /// When the edge accepted it.
    pub quarter: Quarter,
    pub raw: &'a [u8],
    pub content: Content<'a>,
}

#[derive(Debug, Clone)]
pub enum Content<'a> {
    Event(Event<'a>),
    Alert(AlertEvent),
    Fact(Fact),
    Dead { kind: DeadKind, reason: Cow<'static, str> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadKind {
    Record,
    Frame,
}

impl DeadKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Frame => "frame",
        }
    }
}

/// What became of an item. All three are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Stored,
    Duplicate,
    Dead(Cow<'static, str>),
}

#[cfg(test)]
pub(crate) mod tests {
    use chrono::DateTime;
    use common::event::{Event, Hundredths, Source};
    use common::ids::{EventId, WarehouseId, ZoneId};
    use uuid::Uuid;

    /// A plain event; `n` tells it from others.
    pub fn event(n: u128) -> Event<'static> {
        Event {
            event_id: EventId::from_uuid(Uuid::from_u128(n)),
            event_time: DateTime::UNIX_EPOCH,
            ingest_time: DateTime::UNIX_EPOCH,
            warehouse_id: WarehouseId::from_uuid(Uuid::nil()),
            zone_id: ZoneId::from_uuid(Uuid::nil()),
            camera_id: "cam-01".into(),
            worker_id: None,
            model_version: "v1".into(),
            risk_score: Hundredths::from_raw(4_500),
            confidence: Hundredths::from_raw(90),
            source: Source::Camera,
            clock_suspect: false,
            posture_keypoints: "{}".into(),
        }
    }
}
