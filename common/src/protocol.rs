//! What edge and central say to each other. An edge POSTs batches and heartbeats with its bearer token; central
//! answers with receipts.
//!
//! A batch's body is one zstd frame holding a MessagePack array of binary [records](crate::record). What central
//! needs to route it without opening it travels in headers.

use std::io;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::alert::Fact;
use crate::health::Health;
use crate::ids::{BatchId, EdgeId, Epoch, WarehouseId, ZoneId};
use crate::quarter::Quarter;
use crate::record::RECORD_BYTES_MAX;
use crate::rules::RuleSet;
use crate::site::SiteReport;

/// The protocol of this build; central refuses others with `protocol_unsupported`, and the edge keeps what it has until
/// both are of one version. 2: records say when they were accepted ([`record`](crate::record)), which 1 did not.
pub const PROTOCOL_VERSION: u16 = 2;
pub const BATCHES_PATH: &str = "/api/v1/batches";
pub const HEARTBEATS_PATH: &str = "/api/v1/heartbeats";
pub const HEADER_PROTOCOL: &str = "smartpick-protocol";
pub const HEADER_BATCH_ID: &str = "smartpick-batch-id";
/// CRC32C of the body as sent, 8 hex digits.
pub const HEADER_CHECKSUM: &str = "smartpick-crc32c";
/// How many records the body holds, so that central can plan without opening it.
pub const HEADER_RECORDS: &str = "smartpick-records";
pub const BATCH_CONTENT_TYPE: &str = "application/vnd.smartpick.batch+zstd";

/// Records in a batch, at most.
pub const BATCH_RECORDS_MAX: usize = 500;
/// Bytes of records in a batch at which the edge stops adding to it.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// A frame unpacked, at most: a full batch, its last record, and each record's MessagePack head.
pub const FRAME_UNPACKED_BYTES_MAX: usize = BATCH_BYTES_MAX + RECORD_BYTES_MAX + BATCH_RECORDS_MAX * 5 + 5;
/// A frame as sent, at most; zstd adds little to what it cannot shrink.
pub const FRAME_BYTES_MAX: usize = FRAME_UNPACKED_BYTES_MAX + 64 * 1024;

/// zstd's fastest normal level: 2 µs per event, and a tenth of the bytes.
const ZSTD_LEVEL: i32 = 1;

/// Why bytes are not a batch frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("frame says it unpacks to {0} bytes, at most {FRAME_UNPACKED_BYTES_MAX} are taken")]
    Size(u64),
    #[error("frame does not say to how many bytes it unpacks, or is no zstd frame")]
    SizeUnknown,
    #[error("frame cannot be unpacked")]
    Unpack(#[source] io::Error),
    #[error("frame is not an array of at most {BATCH_RECORDS_MAX} binary records")]
    Layout,
}

/// Packs records into a frame.
///
/// # Errors
/// Only if zstd cannot get memory.
pub fn pack_frame<R: AsRef<[u8]>>(records: &[R]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(records.iter().map(|r| r.as_ref().len() + 5).sum::<usize>() + 5);
    let len = u32::try_from(records.len()).expect("a batch has few records");
    rmp::encode::write_array_len(&mut plain, len).expect("memory takes everything");
    for record in records {
        rmp::encode::write_bin(&mut plain, record.as_ref()).expect("memory takes everything");
    }
    // `bulk` writes the unpacked size into the frame's head, which `frame_unpacked_bytes` relies on.
    zstd::bulk::compress(&plain, ZSTD_LEVEL)
}

/// The size a frame will have unpacked, from its head alone, if it is one we take.
///
/// # Errors
/// [`FrameError::Size`] and [`FrameError::SizeUnknown`].
pub fn frame_unpacked_bytes(frame: &[u8]) -> Result<usize, FrameError> {
    let size = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten().ok_or(FrameError::SizeUnknown)?;
    let taken = usize::try_from(size).ok().filter(|size| *size <= FRAME_UNPACKED_BYTES_MAX);
    taken.ok_or(FrameError::Size(size))
}

/// Unpacks a frame to the bytes that [`frame_records`] reads. Never allocates more than the bound.
///
/// # Errors
/// If it is too large or not whole.
pub fn unpack_frame(frame: &[u8]) -> Result<Vec<u8>, FrameError> {
    let capacity = frame_unpacked_bytes(frame)?;
    zstd::bulk::decompress(frame, capacity).map_err(FrameError::Unpack)
}

/// The records in an unpacked frame, borrowed from it.
///
/// # Errors
/// [`FrameError::Layout`] if it is anything but a full array of binaries.
pub fn frame_records(unpacked: &[u8]) -> Result<Vec<&[u8]>, FrameError> {
    let mut rest = unpacked;
    let len = rmp::decode::read_array_len(&mut rest).map_err(|_| FrameError::Layout)? as usize;
    if len > BATCH_RECORDS_MAX {
        return Err(FrameError::Layout);
    }
    let mut records = Vec::with_capacity(len);
    for _ in 0..len {
        let bytes = rmp::decode::read_bin_len(&mut rest).map_err(|_| FrameError::Layout)? as usize;
        let (record, after) = rest.split_at_checked(bytes).ok_or(FrameError::Layout)?;
        records.push(record);
        rest = after;
    }
    if rest.is_empty() { Ok(records) } else { Err(FrameError::Layout) }
}

/// Central's answer to a batch: all of it is in Postgres now, as rows, as duplicates of rows, or as dead letters.
/// `committed + duplicates + dead_letters.len()` is the number of records sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    pub batch_id: BatchId,
    pub committed: u32,
    pub duplicates: u32,
    #[serde(default)]
    pub dead_letters: Vec<DeadLetterNote>,
    /// The database that holds it. `None`: central is of a version that does not say.
    #[serde(default)]
    pub database: Option<DatabaseMark>,
}

/// Which database central's answer is about, and how far it had got. Another identity, or a position lower than one that was
/// heard before the question, says that what was confirmed may be gone: a backup was restored, or a failover lost commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatabaseMark {
    /// `SYSTEM/TIMELINE/ID`: Postgres' system identifier and timeline, and a random id of the database. To be compared, not
    /// read.
    pub identity: String,
    /// In its write-ahead log, in bytes.
    pub position: u64,
}

/// One record that can never be stored; central keeps its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterNote {
    /// Position in the batch.
    pub index: u32,
    pub reason: String,
}

/// What an edge says of itself, every [`HEARTBEAT_INTERVAL_SECS`] and once when it stops. JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Heartbeat {
    pub edge_id: EdgeId,
    pub warehouse_id: WarehouseId,
    pub version: String,
    pub started_at: DateTime<Utc>,
    /// The edge's clock, for the offset.
    pub sent_at: DateTime<Utc>,
    /// The last one before the edge stops by plan.
    pub stopping: bool,
    pub health: Health,
    /// The current epoch, and earlier ones that central has not settled yet.
    pub epochs: Vec<EpochReport>,
    /// Events accepted from cameras since the start, without duplicates.
    pub accepted: u64,
    /// Events refused since the start.
    pub rejected: u64,
    /// What waits in Redis.
    pub live: LaneReport,
    /// What waits in SQLite.
    pub backlog: LaneReport,
    pub spill: SpillReport,
    pub redis: RedisReport,
    /// Seconds until the backlog is gone at the rate of the last minute; `None` if it is not shrinking.
    pub drain_seconds: Option<f64>,
    /// Records the edge found damaged in its buffer and keeps aside.
    pub dead_letters: u64,
    pub cameras: Vec<CameraReport>,
    /// How far the edge has headquarters' [facts](HeartbeatAnswer::facts): `facts_until` of the last answer whose facts
    /// are all on its disk, 0 for none. It lives beside the facts themselves: an edge that lost both gets all again.
    /// `None`: it has no place for any now.
    #[serde(default)]
    pub facts_after: Option<u64>,
    /// The [digest](SiteReport::digest) of what the edge's configuration says of its site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_digest: Option<String>,
    /// What it says; only after an answer that [wants](HeartbeatAnswer::site_wanted) it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteReport>,
    /// Whose rules are in force. `None`: the edge is of a version that knows only its own.
    #[serde(default)]
    pub rules: Option<RulesReport>,
}

pub const HEARTBEAT_INTERVAL_SECS: u64 = 10;

/// One epoch of the ledger as the edge knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EpochReport {
    pub epoch: Epoch,
    /// The highest seq given out; 0 = none yet.
    pub head: u64,
    pub current: bool,
    /// The seqs still in the buffer, as inclusive ranges. Never more than [`BUFFERED_RANGES_MAX`]: beyond that
    /// neighbours are joined, which can only make a loss show later.
    pub buffered: Vec<(u64, u64)>,
    /// When its seqs were accepted, oldest first, as far as central has not been told. So that what never arrives is
    /// missing at the right time.
    #[serde(default)]
    pub quarters: Vec<QuarterMark>,
}

pub const BUFFERED_RANGES_MAX: usize = 1_000;

/// One quarter of an hour in which the edge ran, and the seqs that it gave out then. `last` is `first - 1` if there were
/// none: that too is worth knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuarterMark {
    pub quarter: Quarter,
    pub first: u64,
    pub last: u64,
}

/// In a heartbeat, over all its epochs: ten days without central. What is over comes with the next, at once.
pub const QUARTERS_MAX: usize = 1_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LaneReport {
    pub records: u64,
    pub bytes: u64,
    /// Age of the oldest record, by when it was accepted.
    pub oldest_age_ms: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpillReport {
    /// What the spill may still grow by: the budget or the disk, whichever is less.
    pub bytes_free: u64,
    /// Hours until that is used up at the intake rate of the last minutes; `None` if nothing comes in.
    pub hours_left: Option<f64>,
    /// The spill cannot take records now.
    pub full: bool,
    pub disk_bytes_free: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedisReport {
    /// None is configured: the edge runs on SQLite.
    Absent,
    /// Connected and durable.
    Ready,
    /// Connected, but an acknowledged event could be lost in a power cut; not used, or used because the operator said so.
    Weak,
    Down,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CameraReport {
    pub camera_id: String,
    pub zone_id: ZoneId,
    pub last_seen: DateTime<Utc>,
    /// Its clock was out of bounds at its last event.
    pub clock_suspect: bool,
}

/// Which of headquarters' [sets](RuleSet) an edge goes by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RulesReport {
    /// The version in force, also if it says that the edge's own rules count; `None`: headquarters never said anything.
    pub version: Option<u64>,
    /// Which set that is. Versions alone may be given out twice.
    pub set_id: Option<Uuid>,
    /// The set that this edge cannot use; sending it again would change nothing.
    pub refused: Option<Uuid>,
    /// Why the newest set is not in force: it was refused, or cannot be kept now.
    pub error: Option<String>,
}

/// Central's answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatAnswer {
    /// Earlier epochs whose head central has noted; the edge need not report them any more once they are drained.
    #[serde(default)]
    pub settled: Vec<Epoch>,
    /// Seqs of the reported epochs that central does not have and the edge does not buffer, in order, at most
    /// [`LACKING_MAX`]. An edge that confirmed them once has them in its archive, and sends them again.
    #[serde(default)]
    pub lacking: Vec<SeqRange>,
    /// `None`: central is of a version that does not say.
    #[serde(default)]
    pub database: Option<DatabaseMark>,
    /// Central's clock when it answered.
    pub server_time: DateTime<Utc>,
    /// What people at headquarters said of this warehouse's alerts, after `facts_after`, in order, at most
    /// [`FACTS_MAX`]: if there are so many, more wait. The edge may know some already; taking one twice changes nothing.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// What the edge says as `facts_after` once it has these facts on its disk.
    #[serde(default)]
    pub facts_until: u64,
    /// Headquarters does not have what the edge's configuration says of the site; the next heartbeat shall bring it.
    #[serde(default)]
    pub site_wanted: bool,
    /// The set of rules to go by, if the edge reports another. By inequality, not by order: after a restored backup of
    /// headquarters' database the right one may have the lower number.
    #[serde(default)]
    pub rules: Option<RuleSet>,
}

/// Seqs of an epoch that follow each other, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeqRange {
    pub epoch: Epoch,
    pub first: u64,
    pub last: u64,
}

/// In an answer; if there are so many, more may follow.
pub const LACKING_MAX: usize = 1_000;

/// Facts in an answer, at most: with the longest texts about 300 KiB.
pub const FACTS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2_000), 0..60)) {
            let frame = pack_frame(&records).expect("memory");
            let unpacked = unpack_frame(&frame).expect("just packed");
            prop_assert_eq!(frame_records(&unpacked).expect("just packed"), records);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(unpack_frame(&bytes));
            drop(frame_records(&bytes));
        }

        #[test]
        fn a_cut_frame_is_refused(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 1..20), at: prop::sample::Index) {
            let frame = pack_frame(&records).expect("memory");
            let cut = at.index(frame.len());
            prop_assert!(unpack_frame(&frame[..cut]).is_err());
        }
    }

    #[test]
    fn a_bomb_is_refused_by_its_head_alone() {
        let bomb = zstd::bulk::compress(&vec![0; FRAME_UNPACKED_BYTES_MAX + 1], 1).expect("memory");
        assert!(bomb.len() < 1_000);
        assert!(matches!(unpack_frame(&bomb), Err(FrameError::Size(_))));
    }

    #[test]
    fn an_array_that_promises_too_much_is_refused_before_memory_is_taken() {
        let mut bytes = Vec::new();
        rmp::encode::write_array_len(&mut bytes, u32::MAX).expect("memory");
        assert!(frame_records(&bytes).is_err());
    }
}
