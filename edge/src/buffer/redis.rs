//! The live part of the buffer: a Redis stream with one entry a record, and the idempotency keys beside it. The only
//! file that speaks to Redis.
//!
//! Keys live in two hashes, current and previous. When the current one is `ttl` old, or full, the previous one is
//! dropped and the current takes its place; so a key is remembered for at least `ttl` unless there are too many of
//! them, memory has a hard bound, and a key costs 80 bytes and no timer of its own.
//!
//! Keys and entries are written by one script, entries first: Lua is atomic but not rolled back, and an entry without
//! its key is a harmless duplicate, while a key without its entry would make the retry of a lost event a "duplicate".

use std::collections::HashMap;
use std::time::Duration;

use common::cli::doctor::redis::{Asked, SETTINGS};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value};
use tracing::warn;

use super::account::{Held, Place};
use super::{Key, Known, Stored};
use crate::config::{IdempotencyConfig, RedisConfig, StreamConfig};

const KEYS_CURRENT: &str = "ergonomics:keys:current";
const KEYS_PREVIOUS: &str = "ergonomics:keys:previous";
/// When the current hash was begun, in seconds since 1970.
const KEYS_SINCE: &str = "ergonomics:keys:since";
/// The one field of an entry.
const FIELD: &str = "record";
/// Entries per read while rebuilding the account.
const SCAN_ENTRIES: usize = 1_000;
/// Connecting may take longer than a command: name lookup, a busy machine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Appends unless a key is known. KEYS: stream, current, previous. ARGV: n, n keys, n hashes, n records (or none, to
/// only ask). Returns {length of the stream, then index and hash of each known key}.
const APPEND: &str = r"
local n = tonumber(ARGV[1])
local asked = {}
for i = 1, n do asked[i] = ARGV[1 + i] end
local known = {redis.call('XLEN', KEYS[1])}
if n > 0 then
  for _, generation in ipairs({KEYS[2], KEYS[3]}) do
    local hashes = redis.call('HMGET', generation, unpack(asked))
    for i = 1, n do
      if hashes[i] then
        known[#known + 1] = i - 1
        known[#known + 1] = hashes[i]
      end
    end
  end
end
if #known > 1 or #ARGV < 1 + 3 * n then return known end
for i = 1, n do redis.call('XADD', KEYS[1], '*', 'record', ARGV[1 + 2 * n + i]) end
local fields = {}
for i = 1, n do
  fields[2 * i - 1] = asked[i]
  fields[2 * i] = ARGV[1 + n + i]
end
if n > 0 then redis.call('HSET', KEYS[2], unpack(fields)) end
return {redis.call('XLEN', KEYS[1])}
";

/// Why Redis was not used.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error("Redis does not answer as it should: {0}")]
    Redis(#[from] RedisError),
    #[error("Redis did not answer within {0:?}")]
    Timeout(Duration),
    #[error("Redis answered {0:?}, which is not understood")]
    Answer(String),
}

/// What connecting led to.
pub enum Connected {
    /// Entries it acknowledges are on disk.
    Durable(Live),
    /// They may not be, for this reason.
    Weak(Live, String),
}

/// A connection to a Redis that was asked whether it is durable.
pub struct Live {
    connection: MultiplexedConnection,
    script: String,
    stream: String,
    group: String,
    consumer: String,
    keys_max: u64,
    ttl: Duration,
    timeout: Duration,
}

/// What a doctor wants to know, without touching the stream.
///
/// # Errors
/// If Redis does not answer in time.
pub async fn examine(config: &RedisConfig) -> Result<Asked, LiveError> {
    let client = Client::open(config.url.as_deref().unwrap_or_default())?;
    let ask = async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await.unwrap_or_default();
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).map(|v| v.trim().to_owned());
        // An empty answer says that it may not be asked.
        let settings = redis::cmd("CONFIG").arg("GET").arg(SETTINGS.as_slice()).query_async(&mut connection).await;
        let settings = match settings {
            Err(error) if error.is_io_error() => return Err(error),
            settings => settings.unwrap_or_default(),
        };
        Ok(Asked { version, settings })
    };
    Ok(tokio::time::timeout(CONNECT_TIMEOUT, ask).await.map_err(|_| LiveError::Timeout(CONNECT_TIMEOUT))??)
}

/// The appender's or the forwarder's view of it: what a new connection needs to know.
#[derive(Clone)]
pub struct LiveConfig {
    pub redis: RedisConfig,
    pub stream: StreamConfig,
    pub idempotency: IdempotencyConfig,
    pub consumer: String,
}

impl Live {
    /// Connects, loads the script, makes the group, and asks about durability.
    ///
    /// # Errors
    /// If any of it fails; the caller tries again later.
    pub async fn connect(config: &LiveConfig) -> Result<Connected, LiveError> {
        let url = config.redis.url.as_deref().unwrap_or_default();
        let client = Client::open(url)?;
        let timeout = config.redis.timeout;
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(timeout));
        let connect = client.get_multiplexed_async_connection_with_config(&settings);
        let connection =
            tokio::time::timeout(CONNECT_TIMEOUT, connect).await.map_err(|_| LiveError::Timeout(CONNECT_TIMEOUT))??;
        let mut live = Self {
            connection,
            script: String::new(),
            stream: config.stream.name.clone(),
            group: config.stream.consumer_group.clone(),
            consumer: config.consumer.clone(),
            // Two generations share the bound.
            keys_max: config.idempotency.keys_max.div_ceil(2),
            ttl: Duration::from_secs(config.idempotency.ttl_seconds),
            timeout,
        };
        live.script = live.ask(redis::cmd("SCRIPT").arg("LOAD").arg(APPEND)).await?;
        live.make_group().await?;
        Ok(match live.weakness().await? {
            None => Connected::Durable(live),
            Some(reason) => Connected::Weak(live, reason),
        })
    }

    /// Why an acknowledged entry could be lost in a power cut, or `None` if it could not.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn weakness(&mut self) -> Result<Option<String>, LiveError> {
        let settings: HashMap<String, String> =
            match self.ask(redis::cmd("CONFIG").arg("GET").arg(SETTINGS.as_slice())).await {
                Ok(settings) => settings,
                Err(LiveError::Redis(error)) if !error.is_io_error() => {
                    return Ok(Some(format!("its settings cannot be read ({error}); allow CONFIG GET")));
                }
                Err(error) => return Err(error),
            };
        let asked = Asked { version: None, settings };
        let is = |name: &str, value: &str| asked.settings.get(name).is_some_and(|v| v == value);
        let mut wrong = Vec::new();
        if !is("appendonly", "yes") {
            wrong.push("appendonly is not yes");
        }
        if !is("appendfsync", "always") {
            wrong.push("appendfsync is not always");
        }
        if !is("no-appendfsync-on-rewrite", "no") {
            wrong.push("no-appendfsync-on-rewrite is not no");
        }
        if asked.may_evict() {
            wrong.push("maxmemory-policy is not noeviction");
        }
        Ok((!wrong.is_empty()).then(|| wrong.join(", ")))
    }

    /// Appends records whose keys are not known, all or none of them.
    ///
    /// # Errors
    /// If Redis does not answer in time: the records may or may not be there then.
    pub async fn append(&mut self, records: &[Stored]) -> Result<Appended, LiveError> {
        let mut command = self.script_call(records.len());
        for record in records {
            command.arg(record.key.as_slice());
        }
        for record in records {
            command.arg(&record.hash.to_le_bytes());
        }
        for record in records {
            command.arg(record.bytes.as_slice());
        }
        let (len, known) = self.run_script(&command).await?;
        Ok(if known.is_empty() { Appended::Yes { stream_len: len } } else { Appended::No { known } })
    }

    /// Which of the keys are known.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn known(&mut self, keys: &[Key]) -> Result<Vec<Known>, LiveError> {
        let mut command = self.script_call(keys.len());
        for key in keys {
            command.arg(key.as_slice());
        }
        Ok(self.run_script(&command).await?.1)
    }

    /// Remembers the keys of records that were stored elsewhere.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn remember(&mut self, records: &[Stored]) -> Result<(), LiveError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("HSET");
        command.arg(KEYS_CURRENT);
        for record in records {
            command.arg(record.key.as_slice()).arg(&record.hash.to_le_bytes());
        }
        self.ask::<i64>(&command).await.map(drop)
    }

    /// Deletes entries that central has confirmed. Returns the stream's length after it.
    ///
    /// # Errors
    /// If Redis does not answer in time; they will be sent again then.
    pub async fn forget(&mut self, ids: &[String]) -> Result<u64, LiveError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("XDEL").arg(&self.stream);
        for id in ids {
            pipeline.arg(id);
        }
        pipeline.ignore().cmd("XLEN").arg(&self.stream);
        let query = pipeline.query_async::<(u64,)>(&mut self.connection);
        let (len,) =
            tokio::time::timeout(self.timeout, query).await.map_err(|_| LiveError::Timeout(self.timeout))??;
        Ok(len)
    }

    /// The stream's length.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn len(&mut self) -> Result<u64, LiveError> {
        self.ask(redis::cmd("XLEN").arg(&self.stream)).await
    }

    /// Age of the oldest entry, from its id.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn oldest_ms(&mut self) -> Result<Option<u64>, LiveError> {
        let first: Value =
            self.ask(redis::cmd("XRANGE").arg(&self.stream).arg("-").arg("+").arg("COUNT").arg(1)).await?;
        let ids = entries(first)?;
        Ok(ids.first().and_then(|entry| entry.id.split('-').next()?.parse().ok()))
    }

    /// Reads the whole stream to see what is in it: at start, after a reconnect, and when the length was not what
    /// we had counted.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn scan(&mut self) -> Result<Held, LiveError> {
        let mut held = Held::default();
        let mut from = "-".to_owned();
        loop {
            let command =
                redis::cmd("XRANGE").arg(&self.stream).arg(&from).arg("+").arg("COUNT").arg(SCAN_ENTRIES).to_owned();
            let page = entries(self.ask(&command).await?)?;
            let Some(last) = page.last() else { return Ok(held) };
            from = format!("({}", last.id);
            for entry in &page {
                if let Some((epoch, seq)) = common::record::place(&entry.record) {
                    held.add(Place { epoch, seq, bytes: entry.record.len() as u64 });
                } else {
                    // A foreign entry: counted so that the length fits; the forwarder takes it out.
                    held.records += 1;
                }
            }
        }
    }

    /// Entries that the group has not been given yet. Nothing is kept pending for us: what is in the stream is what
    /// central has not confirmed, so `rewind` after an error gives all of it again.
    ///
    /// # Errors
    /// If Redis does not answer in time; the caller must rewind, for the group may have moved on.
    pub async fn read(&mut self, count: usize) -> Result<Vec<Entry>, LiveError> {
        let command = redis::cmd("XREADGROUP")
            .arg("GROUP")
            .arg(&self.group)
            .arg(&self.consumer)
            .arg("COUNT")
            .arg(count)
            .arg("NOACK")
            .arg("STREAMS")
            .arg(&self.stream)
            .arg(">")
            .to_owned();
        let answer: Value = match self.ask(&command).await {
            Err(LiveError::Redis(error)) if error.code() == Some("NOGROUP") => {
                // Somebody wiped the stream; make the group again, before whatever has come since.
                self.make_group().await?;
                self.ask(&command).await?
            }
            answer => answer?,
        };
        match answer {
            Value::Nil => Ok(Vec::new()),
            Value::Array(mut streams) => match streams.pop() {
                Some(Value::Array(mut name_and_entries)) if name_and_entries.len() == 2 => {
                    entries(name_and_entries.pop().unwrap_or_default())
                }
                _ => Err(LiveError::Answer("XREADGROUP without entries".to_owned())),
            },
            other => Err(LiveError::Answer(format!("{other:?}"))),
        }
    }

    /// Lets `read` begin at the first entry again.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn rewind(&mut self) -> Result<(), LiveError> {
        self.make_group().await?;
        let command = redis::cmd("XGROUP").arg("SETID").arg(&self.stream).arg(&self.group).arg("0").to_owned();
        self.ask::<()>(&command).await
    }

    /// Drops old keys when their time has come or their number is reached. Returns how many there are, and how long
    /// a key is remembered at least, in seconds.
    ///
    /// # Errors
    /// If Redis does not answer in time.
    pub async fn rotate_keys(&mut self, now_secs: u64) -> Result<KeyStats, LiveError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(KEYS_SINCE).cmd("HLEN").arg(KEYS_CURRENT).cmd("HLEN").arg(KEYS_PREVIOUS);
        let query = pipeline.query_async::<(Option<u64>, u64, u64)>(&mut self.connection);
        let (since, current, previous) =
            tokio::time::timeout(self.timeout, query).await.map_err(|_| LiveError::Timeout(self.timeout))??;
        let age = since.map(|since| now_secs.saturating_sub(since));
        let due = current > 0 && (age.is_none_or(|age| age >= self.ttl.as_secs()) || current >= self.keys_max);
        if due {
            let mut pipeline = redis::pipe();
            // UNLINK first: RENAME onto a big hash would free it in the foreground.
            pipeline.atomic().cmd("UNLINK").arg(KEYS_PREVIOUS).ignore();
            if age.is_some() {
                pipeline.cmd("RENAME").arg(KEYS_CURRENT).arg(KEYS_PREVIOUS).ignore();
                pipeline.cmd("EXPIRE").arg(KEYS_PREVIOUS).arg(self.ttl.as_secs()).ignore();
            }
            pipeline.cmd("SET").arg(KEYS_SINCE).arg(now_secs).ignore();
            let query = pipeline.query_async::<()>(&mut self.connection);
            tokio::time::timeout(self.timeout, query).await.map_err(|_| LiveError::Timeout(self.timeout))??;
        }
        Ok(KeyStats { keys: current + previous, full: current >= self.keys_max, age_secs: age.unwrap_or(0) })
    }

    async fn make_group(&mut self) -> Result<(), LiveError> {
        let command =
            redis::cmd("XGROUP").arg("CREATE").arg(&self.stream).arg(&self.group).arg("0").arg("MKSTREAM").to_owned();
        match self.ask::<()>(&command).await {
            Err(LiveError::Redis(error)) if error.code() == Some("BUSYGROUP") => Ok(()),
            made => made,
        }
    }

    fn script_call(&self, n: usize) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.script).arg(3).arg(&self.stream).arg(KEYS_CURRENT).arg(KEYS_PREVIOUS).arg(n);
        command
    }

    async fn run_script(&mut self, command: &Cmd) -> Result<(u64, Vec<Known>), LiveError> {
        let answer: Vec<Value> = self.ask(command).await?;
        let bad = || LiveError::Answer("from the append script".to_owned());
        let mut values = answer.into_iter();
        let len = match values.next() {
            Some(Value::Int(len)) => u64::try_from(len).map_err(|_| bad())?,
            _ => return Err(bad()),
        };
        let mut known = Vec::new();
        while let Some(index) = values.next() {
            match (index, values.next()) {
                (Value::Int(index), Some(Value::BulkString(hash))) => known.push(Known {
                    index: usize::try_from(index).map_err(|_| bad())?,
                    hash: u64::from_le_bytes(hash.try_into().map_err(|_| bad())?),
                }),
                _ => return Err(bad()),
            }
        }
        Ok((len, known))
    }

    /// Every command goes through here: a slow Redis is a dead Redis.
    async fn ask<T: redis::FromRedisValue>(&mut self, command: &Cmd) -> Result<T, LiveError> {
        let query = command.query_async(&mut self.connection);
        Ok(tokio::time::timeout(self.timeout, query).await.map_err(|_| LiveError::Timeout(self.timeout))??)
    }
}

/// Whether the script wrote anything.
pub enum Appended {
    Yes { stream_len: u64 },
    No { known: Vec<Known> },
}

/// One entry of the stream. A foreign one has an empty record.
#[derive(Debug)]
pub struct Entry {
    pub id: String,
    pub record: Vec<u8>,
}

/// The idempotency keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyStats {
    pub keys: u64,
    /// The number is reached, so keys are remembered for less than the configured time.
    pub full: bool,
    pub age_secs: u64,
}

fn entries(value: Value) -> Result<Vec<Entry>, LiveError> {
    let Value::Array(items) = value else { return Err(LiveError::Answer("no list of entries".to_owned())) };
    items.into_iter().map(entry).collect()
}

fn entry(value: Value) -> Result<Entry, LiveError> {
    let bad = || LiveError::Answer("not an entry".to_owned());
    let Value::Array(mut parts) = value else { return Err(bad()) };
    let (Some(fields), Some(Value::BulkString(id)), None) = (parts.pop(), parts.pop(), parts.pop()) else {
        return Err(bad());
    };
    let id = String::from_utf8(id).map_err(|_| bad())?;
    let mut record = Vec::new();
    if let Value::Array(fields) = fields {
        let mut fields = fields.into_iter();
        while let (Some(Value::BulkString(name)), Some(Value::BulkString(value))) = (fields.next(), fields.next()) {
            if name == FIELD.as_bytes() {
                record = value;
            }
        }
    }
    if record.is_empty() {
        warn!(entry = id, "Found a foreign entry in the stream");
    }
    Ok(Entry { id, record })
}
