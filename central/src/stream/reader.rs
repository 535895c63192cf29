//! One persist worker's view of the stream: its own pending frames first, then new ones, now and then those of the
//! dead.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamAutoClaimReply, StreamReadReply};
use redis::{RedisResult, Value};
use tokio::time::{Duration, Instant};

use super::{Stream, StreamError};
use crate::frame::Frame;

/// What a blocked read may take longer than its BLOCK before the connection counts as dead.
const BLOCK_GRACE: Duration = Duration::from_secs(3);

/// An entry of the stream as a worker got it.
#[derive(Debug)]
pub struct Delivered {
    pub partition: u16,
    pub id: String,
    /// Or why the entry is not a frame; nobody waits for such a one.
    pub frame: Result<Frame, String>,
}

/// Reads for one consumer name. Not shared: a blocked connection does nothing else.
pub struct Reader {
    consumer: String,
    connection: Option<MultiplexedConnection>,
    /// The reply of a read may be lost with its connection; what it delivered is then in our pending list.
    own_pending: bool,
    next_claim: Instant,
}

impl Reader {
    pub fn new(consumer: String) -> Self {
        Self { consumer, connection: None, own_pending: true, next_claim: Instant::now() }
    }

    pub fn consumer(&self) -> &str {
        &self.consumer
    }

    /// The next frames: our own unfinished ones, those of workers that are gone, or new ones; empty if there are none
    /// for a while. Not cancel-safe: frames of a dropped read come back by [`Reader::recheck_pending`].
    ///
    /// # Errors
    /// If Redis fails, or was wiped; call again after a pause.
    pub async fn read(&mut self, stream: &Stream) -> Result<Vec<Delivered>, StreamError> {
        let result = self.read_once(stream).await;
        if result.is_err() {
            self.connection = None;
            self.own_pending = true;
        }
        result
    }

    /// Looks into the own pending list at the next read, because something of it was not finished.
    pub const fn recheck_pending(&mut self) {
        self.own_pending = true;
    }

    async fn read_once(&mut self, stream: &Stream) -> Result<Vec<Delivered>, StreamError> {
        let mut connection = match &self.connection {
            Some(connection) => connection.clone(),
            None => {
                let connection = stream.connect(stream.block + BLOCK_GRACE).await?;
                stream.make_groups().await?;
                self.connection.insert(connection).clone()
            }
        };
        if self.own_pending {
            let delivered = self.group_read(stream, &mut connection, "0", None).await?;
            if !delivered.is_empty() {
                return Ok(delivered);
            }
            self.own_pending = false;
        }
        if Instant::now() >= self.next_claim {
            let claimed = self.claim(stream, &mut connection).await?;
            if !claimed.is_empty() {
                return Ok(claimed);
            }
            self.next_claim = Instant::now() + stream.claim_idle / 3;
        }
        self.group_read(stream, &mut connection, ">", Some(stream.block)).await
    }

    async fn group_read(
        &self,
        stream: &Stream,
        connection: &mut MultiplexedConnection,
        from: &str,
        block: Option<Duration>,
    ) -> Result<Vec<Delivered>, StreamError> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(&stream.group).arg(&self.consumer).arg("COUNT").arg(stream.batch_size);
        if let Some(block) = block {
            command.arg("BLOCK").arg(u64::try_from(block.as_millis()).unwrap_or(u64::MAX));
        }
        command.arg("STREAMS");
        let keys: Vec<String> = (0..stream.partitions).map(Stream::key).collect();
        command.arg(&keys);
        for _ in &keys {
            command.arg(from);
        }
        let reply: Option<StreamReadReply> = command.query_async(connection).await?;
        let mut delivered = Vec::new();
        for key in reply.unwrap_or_default().keys {
            let Some(partition) = keys.iter().position(|k| *k == key.key) else { continue };
            let partition = u16::try_from(partition).expect("there are few partitions");
            delivered.extend(key.ids.into_iter().map(|entry| deliver(partition, entry.id, entry.map)));
        }
        Ok(delivered)
    }

    /// Takes over frames that their workers have held for too long, following the cursor through each partition, up to
    /// one read's worth.
    async fn claim(
        &self,
        stream: &Stream,
        connection: &mut MultiplexedConnection,
    ) -> Result<Vec<Delivered>, StreamError> {
        let mut claimed = Vec::new();
        for partition in 0..stream.partitions {
            let mut cursor = "0-0".to_owned();
            loop {
                let reply: StreamAutoClaimReply = redis::cmd("XAUTOCLAIM")
                    .arg(Stream::key(partition))
                    .arg(&stream.group)
                    .arg(&self.consumer)
                    .arg(u64::try_from(stream.claim_idle.as_millis()).unwrap_or(u64::MAX))
                    .arg(&cursor)
                    .arg("COUNT")
                    .arg(stream.batch_size)
                    .query_async(connection)
                    .await?;
                if !reply.deleted_ids.is_empty() {
                    // Somebody deleted frames that nobody had finished. Redis has taken them from the pending list.
                    stream.count_deleted(partition, reply.deleted_ids.len()).await?;
                }
                claimed.extend(reply.claimed.into_iter().map(|entry| deliver(partition, entry.id, entry.map)));
                if reply.next_stream_id == "0-0" || claimed.len() >= stream.batch_size {
                    break;
                }
                cursor = reply.next_stream_id;
            }
        }
        Ok(claimed)
    }

    /// Says that frames are still being worked on, so that nobody takes them over.
    ///
    /// # Errors
    /// If Redis fails; then somebody may take them over, which changes nothing but costs work.
    pub async fn keep(&self, stream: &Stream, partition: u16, ids: &[String]) -> Result<(), StreamError> {
        let mut connection = stream.shared().await?;
        let kept: RedisResult<Value> = redis::cmd("XCLAIM")
            .arg(Stream::key(partition))
            .arg(&stream.group)
            .arg(&self.consumer)
            .arg(0)
            .arg(ids)
            .arg("JUSTID")
            .query_async(&mut connection)
            .await;
        stream.checked(kept).map(drop)
    }
}

pub(super) fn deliver(partition: u16, id: String, fields: HashMap<String, Value>) -> Delivered {
    Delivered { partition, id, frame: super::frame(fields) }
}

impl Stream {
    async fn count_deleted(&self, partition: u16, deleted: usize) -> Result<(), StreamError> {
        tracing::warn!(
            partition,
            deleted,
            "Frames were deleted from the stream before they were stored; edges send them again"
        );
        let mut connection = self.shared().await?;
        let mut command = redis::cmd("INCRBY");
        command.arg(self.acknowledged_key(partition)).arg(deleted);
        self.checked(command.query_async::<Value>(&mut connection).await).map(drop)
    }
}
