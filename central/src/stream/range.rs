//! Reading frames that are still in the stream without being a member of the group: for `smartpick-central replay`.

use chrono::{DateTime, Utc};
use redis::RedisResult;
use redis::streams::StreamRangeReply;

use super::reader::{Delivered, deliver};
use super::{Stream, StreamError};

impl Stream {
    pub const fn partitions(&self) -> u16 {
        self.partitions
    }

    /// How many entries a partition has now.
    ///
    /// # Errors
    /// If Redis cannot say.
    pub async fn len(&self, partition: u16) -> Result<u64, StreamError> {
        let mut connection = self.shared().await?;
        let len = redis::cmd("XLEN").arg(Self::key(partition)).query_async(&mut connection).await;
        self.checked(len)
    }

    /// Up to `count` entries of a partition that came from `from` to `to` by Redis' clock, after the entry `after`.
    ///
    /// # Errors
    /// If Redis cannot answer.
    pub async fn range(
        &self,
        partition: u16,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&str>,
        count: usize,
    ) -> Result<Vec<Delivered>, StreamError> {
        let start = after.map_or_else(|| from.timestamp_millis().max(0).to_string(), |id| format!("({id}"));
        let mut connection = self.shared().await?;
        let reply: RedisResult<StreamRangeReply> = redis::cmd("XRANGE")
            .arg(Self::key(partition))
            .arg(start)
            .arg(to.timestamp_millis().max(0))
            .arg("COUNT")
            .arg(count)
            .query_async(&mut connection)
            .await;
        let entries = self.checked(reply)?.ids;
        Ok(entries.into_iter().map(|entry| deliver(partition, entry.id, entry.map)).collect())
    }
}
