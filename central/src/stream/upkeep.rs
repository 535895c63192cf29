//! Measuring the stream, trimming it behind every group, and clearing away consumers that are gone.

use redis::aio::MultiplexedConnection;
use redis::streams::StreamInfoConsumersReply;
use redis::{FromRedisValue as _, RedisResult, Value};
use tokio::time::Duration;

use super::{Stream, StreamError};

/// A consumer that has not been heard of for this long and holds nothing is forgotten. Its name holds a process id, so
/// nobody will use it again.
const CONSUMER_IDLE: Duration = Duration::from_secs(600);

/// Everything about a partition in one round trip, without the entries' bodies, which XINFO and XRANGE would send.
/// Answers Redis's clock, length, entries ever added, entries our group acknowledged, bytes; then per group its name,
/// how many are pending, the oldest pending id, the last delivered id, the first id not delivered.
///
/// The count of acknowledgements is off after somebody deleted entries by hand; when nothing waits, it is put right.
pub(super) const SAMPLE: &str = "\
local key = KEYS[1]
if redis.call('EXISTS', key) == 0 then return {} end
local function map(flat)
    local m = {}
    for i = 1, #flat, 2 do m[flat[i]] = flat[i + 1] end
    return m
end
local info = map(redis.call('XINFO', 'STREAM', key))
local time = redis.call('TIME')
local out = {time[1] * 1000 + math.floor(time[2] / 1000), info['length'], info['entries-added'],
             redis.call('GET', KEYS[2]) or '0', redis.call('MEMORY', 'USAGE', key) or 0}
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local group = map(flat)
    local pending = redis.call('XPENDING', key, group['name'])
    local last = group['last-delivered-id']
    local unread = redis.call('XRANGE', key, '(' .. last, '+', 'COUNT', 1)
    if group['name'] == ARGV[1] and pending[1] == 0 and not unread[1] then
        redis.call('SET', KEYS[2], info['entries-added'])
        out[4] = info['entries-added']
    end
    out[#out + 1] = {group['name'], pending[1], pending[2] or '', last, unread[1] and unread[1][1] or ''}
end
return out";

/// An entry's id: milliseconds and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Id(u64, u64);

impl Id {
    fn parse(text: &str) -> Option<Self> {
        let (ms, n) = text.split_once('-')?;
        Some(Self(ms.parse().ok()?, n.parse().ok()?))
    }

    const fn next(self) -> Self {
        Self(self.0, self.1.saturating_add(1))
    }
}

#[derive(Debug, Clone)]
struct GroupSample {
    name: String,
    pending: u64,
    oldest_pending: Option<Id>,
    last_delivered: Id,
    first_unread: Option<Id>,
}

impl GroupSample {
    /// The oldest entry that the group still needs.
    fn oldest_needed(&self) -> Id {
        let needed = [self.oldest_pending, self.first_unread].into_iter().flatten().min();
        needed.unwrap_or_else(|| self.last_delivered.next())
    }
}

/// One partition at one moment.
#[derive(Debug, Clone)]
pub struct PartitionSample {
    pub partition: u16,
    pub name: String,
    /// By Redis's clock, which is in the entries' ids too.
    taken_at_ms: u64,
    /// Entries, acknowledged ones too.
    pub length: u64,
    pub bytes: u64,
    /// Entries that our group ever acknowledged.
    pub acknowledged: u64,
    /// Entries that our group has not acknowledged.
    pub unacknowledged: u64,
    /// Of those, the ones a worker holds.
    pub pending: u64,
    /// Age of the oldest that is not acknowledged.
    pub oldest_age_ms: Option<u64>,
    /// Age of the oldest that no worker has read.
    pub oldest_unread_age_ms: Option<u64>,
    ours: Option<GroupSample>,
    groups: Vec<GroupSample>,
}

impl PartitionSample {
    fn parse(partition: u16, group: &str, reply: Vec<Value>) -> RedisResult<Option<Self>> {
        if reply.is_empty() {
            return Ok(None);
        }
        let mut reply = reply.into_iter();
        let mut number = || u64::from_redis_value(reply.next().unwrap_or_default());
        let (now_ms, length, added, acknowledged, bytes) = (number()?, number()?, number()?, number()?, number()?);
        let groups: Vec<GroupSample> = reply
            .map(|value| {
                let (name, pending, oldest, last, unread) =
                    <(String, u64, String, String, String)>::from_redis_value(value)?;
                Ok(GroupSample {
                    name,
                    pending,
                    oldest_pending: Id::parse(&oldest),
                    last_delivered: Id::parse(&last).unwrap_or(Id(0, 0)),
                    first_unread: Id::parse(&unread),
                })
            })
            .collect::<Result<_, redis::ParsingError>>()?;
        let ours = groups.iter().find(|g| g.name == group).cloned();
        let pending = ours.as_ref().map_or(0, |g| g.pending);
        let idle = ours.as_ref().is_some_and(|g| g.pending == 0 && g.first_unread.is_none());
        let unacknowledged = if idle { 0 } else { added.saturating_sub(acknowledged).max(pending) };
        let oldest = ours.as_ref().filter(|_| !idle).map(GroupSample::oldest_needed);
        let unread = ours.as_ref().and_then(|g| g.first_unread);
        Ok(Some(Self {
            partition,
            name: Stream::key(partition),
            taken_at_ms: now_ms,
            length,
            bytes,
            acknowledged,
            unacknowledged,
            pending,
            oldest_age_ms: oldest.map(|id| now_ms.saturating_sub(id.0)),
            oldest_unread_age_ms: unread.map(|id| now_ms.saturating_sub(id.0)),
            ours,
            groups,
        }))
    }

    /// Whether an entry is one that our group has not come to yet.
    pub(super) fn is_unread(&self, id: &str) -> bool {
        let (Some(id), Some(group)) = (Id::parse(id), &self.ours) else { return false };
        group.first_unread.is_some_and(|first| first <= id) && id > group.last_delivered
    }

    /// Entries below this id may go: every group has acknowledged them and they are older than `retain`.
    fn trim_below(&self, retain: Duration) -> Option<Id> {
        let safe = self.groups.iter().map(GroupSample::oldest_needed).min()?;
        let old = self.taken_at_ms.saturating_sub(u64::try_from(retain.as_millis()).ok()?);
        Some(safe.min(Id(old, 0)))
    }
}

impl Stream {
    pub(super) async fn sample_partition(
        &self,
        connection: &mut MultiplexedConnection,
        partition: u16,
    ) -> RedisResult<Option<PartitionSample>> {
        let mut call = self.sample.prepare_invoke();
        call.key(Self::key(partition)).key(self.acknowledged_key(partition)).arg(&self.group);
        let reply: Vec<Value> = call.invoke_async(connection).await?;
        PartitionSample::parse(partition, &self.group, reply)
    }

    /// Measures all partitions. A partition whose stream is not there is left out.
    ///
    /// # Errors
    /// If Redis cannot answer.
    pub async fn sample(&self) -> Result<Vec<PartitionSample>, StreamError> {
        let mut connection = self.shared().await?;
        let mut samples = Vec::new();
        for partition in 0..self.partitions {
            let sample = self.sample_partition(&mut connection, partition).await;
            samples.extend(self.checked(sample)?);
        }
        Ok(samples)
    }

    /// Trims what every group has acknowledged and is older than `retain`; answers how many entries went.
    ///
    /// # Errors
    /// If Redis cannot.
    pub async fn trim(&self, samples: &[PartitionSample], retain: Duration) -> Result<u64, StreamError> {
        let mut connection = self.shared().await?;
        let mut trimmed = 0;
        for sample in samples {
            let Some(below) = sample.trim_below(retain) else { continue };
            let mut command = redis::cmd("XTRIM");
            command.arg(&sample.name).arg("MINID").arg("=").arg(format!("{}-{}", below.0, below.1));
            let gone: RedisResult<u64> = command.query_async(&mut connection).await;
            trimmed += self.checked(gone)?;
        }
        Ok(trimmed)
    }

    /// Forgets consumers that are gone and hold nothing.
    ///
    /// # Errors
    /// If Redis cannot.
    pub async fn forget_consumers(&self) -> Result<u64, StreamError> {
        let mut connection = self.shared().await?;
        let mut forgotten = 0;
        for partition in 0..self.partitions {
            let mut info = redis::cmd("XINFO");
            info.arg("CONSUMERS").arg(Self::key(partition)).arg(&self.group);
            let reply: RedisResult<StreamInfoConsumersReply> = info.query_async(&mut connection).await;
            for consumer in self.checked(reply)?.consumers {
                if consumer.pending == 0 && consumer.idle as u128 > CONSUMER_IDLE.as_millis() {
                    self.forget(&mut connection, partition, &consumer.name).await?;
                    forgotten += 1;
                }
            }
        }
        Ok(forgotten)
    }

    /// Forgets a consumer of ours that has finished everything.
    ///
    /// # Errors
    /// If Redis cannot; the consumer is forgotten later.
    pub async fn retire(&self, consumer: &str) -> Result<(), StreamError> {
        let mut connection = self.shared().await?;
        for partition in 0..self.partitions {
            let mut info = redis::cmd("XPENDING");
            info.arg(Self::key(partition)).arg(&self.group).arg("-").arg("+").arg(1).arg(consumer);
            let pending: RedisResult<Vec<Value>> = info.query_async(&mut connection).await;
            if self.checked(pending)?.is_empty() {
                self.forget(&mut connection, partition, consumer).await?;
            }
        }
        Ok(())
    }

    async fn forget(
        &self,
        connection: &mut MultiplexedConnection,
        partition: u16,
        consumer: &str,
    ) -> Result<(), StreamError> {
        let mut command = redis::cmd("XGROUP");
        command.arg("DELCONSUMER").arg(Self::key(partition)).arg(&self.group).arg(consumer);
        self.checked(command.query_async::<Value>(connection).await).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(oldest_pending: Option<u64>, last: u64, first_unread: Option<u64>) -> GroupSample {
        GroupSample {
            name: "g".to_owned(),
            pending: u64::from(oldest_pending.is_some()),
            oldest_pending: oldest_pending.map(|ms| Id(ms, 0)),
            last_delivered: Id(last, 0),
            first_unread: first_unread.map(|ms| Id(ms, 0)),
        }
    }

    fn sample(groups: Vec<GroupSample>) -> PartitionSample {
        PartitionSample {
            partition: 0,
            name: "s".to_owned(),
            taken_at_ms: 100_000,
            length: 0,
            bytes: 0,
            acknowledged: 0,
            unacknowledged: 0,
            pending: 0,
            oldest_age_ms: None,
            oldest_unread_age_ms: None,
            ours: groups.first().cloned(),
            groups,
        }
    }

    #[test]
    fn nothing_that_a_group_needs_is_trimmed() {
        let below = |groups| sample(groups).trim_below(Duration::from_secs(10));
        assert_eq!(below(vec![group(None, 50_000, None)]), Some(Id(50_000, 1)), "all acknowledged");
        assert_eq!(below(vec![group(None, 95_000, None)]), Some(Id(90_000, 0)), "too young");
        assert_eq!(below(vec![group(Some(40_000), 95_000, None)]), Some(Id(40_000, 0)), "one pending");
        assert_eq!(below(vec![group(None, 95_000, None), group(None, 10, Some(20))]), Some(Id(20, 0)), "another group");
        assert_eq!(below(vec![]), None, "no group, nothing known");
    }

    #[test]
    fn a_frame_is_unread_until_the_group_has_come_to_it() {
        let sample = sample(vec![group(None, 50, Some(60))]);
        assert!(sample.is_unread("60-0") && sample.is_unread("61-3"));
        assert!(!sample.is_unread("50-0") && !sample.is_unread("55-0"));
    }
}
