//! The consolidated stream: Redis streams `ergonomics:events:{p}`, one per partition of warehouses, each entry a batch
//! as an edge sent it. This folder is the only place that knows Redis.
//!
//! Redis is a shock absorber and a fan-out, never the keeper of anything: it may be wiped or be away at any time, edges
//! get no acknowledgement from it. So nothing here is retried in place; a failed command is an error to whoever asked.
//!
//! Frames stay for a while after our group has acknowledged them, so that other consumer groups can read them; what
//! some group has not acknowledged is never trimmed.
//!
//! The lag is our own measure. XINFO's is wrong after deletions; we count what was acknowledged beside the stream, in
//! one atom with XACK, and compare with all that was ever added.

mod examine;
mod hints;
mod range;
mod reader;
mod receipts;
mod upkeep;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use common::ids::{BatchId, EdgeId, WarehouseId};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, Script, Value};
use uuid::Uuid;

pub use reader::{Delivered, Reader};
pub use receipts::{Heard, Outcome, Report};
pub use upkeep::PartitionSample;

use crate::config;
use crate::frame::Frame;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Redis answers within a millisecond; one that needs this long is as good as gone.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A worker that is told to stop ends its read first.
const BLOCK_MAX: Duration = Duration::from_secs(2);

/// Acknowledges and counts in one atom.
const ACKNOWLEDGE: &str = "\
local n = redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 2))
if n > 0 then redis.call('INCRBY', KEYS[2], n) end
return n";

#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The streams were wiped: what was in them is gone, edges will send it again.
    #[error("the consumer group is gone; Redis was wiped")]
    NoGroup,
    /// No source: its text is said here, and has its own causes' in it.
    #[error("Redis failed or went away: {0}")]
    Redis(RedisError),
}

impl StreamError {
    /// Whether Redis could not be reached, or not in time, rather than refused what was asked of it.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::NoGroup => false,
            Self::Redis(error) => error.is_io_error() || error.is_timeout() || error.is_connection_dropped(),
        }
    }
}

impl From<RedisError> for StreamError {
    fn from(error: RedisError) -> Self {
        if error.code() == Some("NOGROUP") { Self::NoGroup } else { Self::Redis(error) }
    }
}

/// Where one frame is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameState {
    /// Not read yet, or read and not acknowledged.
    Waiting,
    /// Acknowledged, or not in the stream any more.
    Gone,
}

/// The consolidated stream of all partitions.
pub struct Stream {
    client: Client,
    /// Shared by all that do not block. Made anew after an error.
    shared: Mutex<Option<MultiplexedConnection>>,
    partitions: u16,
    group: String,
    block: Duration,
    batch_size: usize,
    claim_idle: Duration,
    acknowledge: Script,
    sample: Script,
}

impl Stream {
    /// Does not connect yet.
    ///
    /// # Errors
    /// If the URL cannot be read.
    pub fn open(redis: &config::Redis, config: &config::Stream) -> Result<Self, common::config::ConfigError> {
        let client = Client::open(redis.url.as_str())
            .map_err(|e| common::config::ConfigError::of("redis.url", format!("is not a Redis URL: {e}")))?;
        Ok(Self {
            client,
            shared: Mutex::new(None),
            partitions: config.partitions,
            group: config.consumer_group.clone(),
            block: Duration::from_millis(config.block_ms).min(BLOCK_MAX),
            batch_size: config.batch_size,
            claim_idle: Duration::from_millis(config.claim_idle_ms),
            acknowledge: Script::new(ACKNOWLEDGE),
            sample: Script::new(upkeep::SAMPLE),
        })
    }

    /// The partition of a warehouse's frames.
    pub fn partition(&self, warehouse: WarehouseId) -> u16 {
        let hash = crc32c::crc32c(warehouse.uuid().as_bytes());
        u16::try_from(hash % u32::from(self.partitions)).expect("less than the number of partitions")
    }

    pub fn group(&self) -> &str {
        &self.group
    }

    /// The stream's name; the braces make Redis Cluster keep a partition's keys together and spread the partitions.
    fn key(partition: u16) -> String {
        format!("ergonomics:events:{{{partition}}}")
    }

    /// How many entries our group ever acknowledged.
    fn acknowledged_key(&self, partition: u16) -> String {
        format!("smartpick:acknowledged:{{{partition}}}:{}", self.group)
    }

    async fn connect(&self, response_timeout: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(response_timeout));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    async fn shared(&self) -> RedisResult<MultiplexedConnection> {
        let existing = self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(connection) = existing {
            return Ok(connection);
        }
        let connection = self.connect(RESPONSE_TIMEOUT).await?;
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
        Ok(connection)
    }

    /// Passes a result through; after an error of the connection the next command makes a new one.
    fn checked<T>(&self, result: RedisResult<T>) -> Result<T, StreamError> {
        result.map_err(|error| {
            if error.is_io_error() || error.is_unrecoverable_error() {
                *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            error.into()
        })
    }

    /// Appends a frame; answers its id.
    ///
    /// # Errors
    /// If Redis cannot take it, or did not say whether it has.
    pub async fn append(&self, partition: u16, frame: &Frame) -> Result<String, StreamError> {
        let mut command = redis::cmd("XADD");
        command.arg(Self::key(partition)).arg("*");
        command.arg("batch_id").arg(frame.batch_id.uuid().as_bytes());
        command.arg("edge_id").arg(frame.edge_id.uuid().as_bytes());
        command.arg("warehouse_id").arg(frame.warehouse_id.uuid().as_bytes());
        command.arg("reply_to").arg(frame.reply_to.as_bytes());
        command.arg("records").arg(frame.records);
        command.arg("crc32c").arg(frame.crc32c);
        command.arg("frame").arg(&frame.body[..]);
        let mut connection = self.shared().await?;
        self.checked(command.query_async(&mut connection).await)
    }

    /// Whether a frame still waits for a worker or for its acknowledgement.
    ///
    /// # Errors
    /// If Redis cannot say.
    pub async fn frame_state(&self, partition: u16, id: &str) -> Result<FrameState, StreamError> {
        let mut connection = self.shared().await?;
        let pending = redis::cmd("XPENDING")
            .arg(Self::key(partition))
            .arg(&self.group)
            .arg(id)
            .arg(id)
            .arg(1)
            .query_async::<Vec<Value>>(&mut connection)
            .await;
        match self.checked(pending) {
            Ok(pending) if !pending.is_empty() => return Ok(FrameState::Waiting),
            Ok(_) => {}
            Err(StreamError::NoGroup) => return Ok(FrameState::Gone),
            Err(error) => return Err(error),
        }
        // Not pending: unread if the group has not come so far and the entry is there.
        let sample = self.sample_partition(&mut connection, partition).await;
        Ok(match self.checked(sample)? {
            Some(sample) if sample.is_unread(id) => FrameState::Waiting,
            _ => FrameState::Gone,
        })
    }

    /// Acknowledges frames whose outcome is durable.
    ///
    /// # Errors
    /// If Redis cannot; the frames will be read again, which changes nothing.
    pub async fn acknowledge(&self, partition: u16, ids: &[String]) -> Result<(), StreamError> {
        let mut connection = self.shared().await?;
        let mut call = self.acknowledge.prepare_invoke();
        call.key(Self::key(partition)).key(self.acknowledged_key(partition)).arg(&self.group).arg(ids);
        let acknowledged: RedisResult<i64> = call.invoke_async(&mut connection).await;
        self.checked(acknowledged).map(drop)
    }

    /// Makes the group of each partition where it is missing, from the stream's beginning: nothing that an edge waits
    /// for is skipped.
    ///
    /// # Errors
    /// If Redis cannot.
    pub async fn make_groups(&self) -> Result<(), StreamError> {
        let mut connection = self.shared().await?;
        for partition in 0..self.partitions {
            let mut command = redis::cmd("XGROUP");
            command.arg("CREATE").arg(Self::key(partition)).arg(&self.group).arg("0").arg("MKSTREAM");
            match command.query_async::<()>(&mut connection).await {
                Ok(()) => {
                    // A count from before belongs to a stream that is gone.
                    let mut delete = redis::cmd("DEL");
                    delete.arg(self.acknowledged_key(partition));
                    self.checked(delete.query_async::<()>(&mut connection).await)?;
                }
                Err(error) if error.code() == Some("BUSYGROUP") => {}
                Err(error) => return self.checked(Err(error)),
            }
        }
        Ok(())
    }
}

/// Reads a frame from an entry's fields.
fn frame(mut fields: std::collections::HashMap<String, Value>) -> Result<Frame, String> {
    let mut bytes = |name: &str| match fields.remove(name) {
        Some(Value::BulkString(bytes)) => Ok(bytes),
        _ => Err(format!("stream entry has no field {name}")),
    };
    let mut uuid =
        |name: &str| Uuid::from_slice(&bytes(name)?).map_err(|_| format!("stream entry's {name} is not an id"));
    let (batch, edge, warehouse, reply_to) =
        (uuid("batch_id")?, uuid("edge_id")?, uuid("warehouse_id")?, uuid("reply_to")?);
    let mut number = |name: &str| {
        let text = String::from_utf8(bytes(name)?).unwrap_or_default();
        text.parse::<u32>().map_err(|_| format!("stream entry's {name} is not a number"))
    };
    let (records, crc32c) = (number("records")?, number("crc32c")?);
    Ok(Frame {
        batch_id: BatchId::from_uuid(batch),
        edge_id: EdgeId::from_uuid(edge),
        warehouse_id: WarehouseId::from_uuid(warehouse),
        reply_to,
        records,
        crc32c,
        body: Bytes::from(bytes("frame")?),
    })
}
