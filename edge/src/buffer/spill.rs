//! The backlog: records in SQLite, for when Redis is absent, down, weak or full. The only file that speaks to SQLite.
//!
//! Constraints that shape it:
//! - A commit must be on disk: WAL with `synchronous=FULL`.
//! - One connection that both writes and checkpoints, in exclusive mode on a thread of its own: no shared-memory file
//!   that a full disk could break, no second writer, no lock to wait for.
//! - A full disk must not become a deadlock. Deleting needs room too, so there is a byte budget and a floor of free
//!   disk that stop *appending* early, and a ballast file that is given up when even deleting fails.
//! - An I/O error is never retried in place (after a failed fsync the next one "succeeds"): the thread ends with the
//!   error, the process with it, and systemd starts it again.
//! - A damaged file must not stop the start: it is moved aside and what can be read of it is taken over.
//!
//! Rows are only ever added at the end (`AUTOINCREMENT`), so the forwarder can read by position, and forget a batch
//! as a range of ids.

mod carve;
pub mod examine;
mod file;
mod peek;
mod salvage;
mod schema;
mod wal;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use common::ids::Epoch;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;
use uuid::Uuid;

use super::account::Held;
use super::{Key, Known, Stored};
use crate::config::SpillConfig;
use crate::sqlite::{bytes_used, is_caused_by_damage, is_damage, is_full};
use file::{Ballast, disk_bytes_free};
pub use file::{DirLock, Opened};
pub use peek::{Peek, PeekError, Waiting, is_marked_damaged, sqlite_version};
pub use salvage::Salvaged;

/// Commands that may wait for the thread. The appender has one on its way at a time, the forwarder one.
const QUEUE: usize = 16;
/// How long a reading of the free disk space is believed, unless this much was written since.
const DISK_READING_AGE: Duration = Duration::from_secs(1);
const DISK_READING_BYTES: u64 = 4 * 1024 * 1024;
/// What a record costs beyond its bytes: its row, its place in the index, its share of the WAL.
const ROW_OVERHEAD_BYTES: u64 = 64;
/// Dead letters kept; beyond it the oldest are dropped, and still counted.
const DEAD_LETTERS_MAX: u64 = 10_000;

/// Why the spill did not take something.
#[derive(Debug, thiserror::Error)]
pub enum SpillError {
    #[error("the spill is full: {0}")]
    Full(String),
    #[error("the spill has failed and the process is about to restart")]
    Dead,
}

/// A row as the forwarder reads it.
#[derive(Debug)]
pub struct Row {
    pub id: i64,
    pub record: Vec<u8>,
}

/// What the spill says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpillStats {
    pub bytes_used: u64,
    pub bytes_max: u64,
    pub disk_bytes_free: u64,
    /// What it may still grow by.
    pub bytes_free: u64,
    pub full: bool,
    pub oldest_ms: Option<i64>,
    pub keys: u64,
    pub dead_letters: u64,
}

/// A record that cannot be sent, as it is shown.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct DeadLetter {
    pub id: i64,
    pub at: DateTime<Utc>,
    pub reason: String,
    /// Hex of the raw record.
    pub raw: String,
}

type Reply<T> = oneshot::Sender<T>;

enum Command {
    /// Appends records with their keys (if they are to be remembered here).
    Append {
        records: Vec<Stored>,
        with_keys: bool,
        now: DateTime<Utc>,
        reply: Reply<Result<(), SpillError>>,
    },
    Known {
        keys: Vec<Key>,
        reply: Reply<Vec<Known>>,
    },
    Read {
        after: i64,
        count: usize,
        bytes_max: usize,
        reply: Reply<Vec<Row>>,
    },
    Forget {
        first: i64,
        last: i64,
        reply: Reply<()>,
    },
    DeadLetter {
        reason: String,
        raw: Vec<u8>,
        now: DateTime<Utc>,
        reply: Reply<()>,
    },
    DeadLetters {
        limit: u32,
        reply: Reply<Vec<DeadLetter>>,
    },
    NoteEpoch {
        epoch: Epoch,
        head: u64,
        reply: Reply<()>,
    },
    DropEpochs {
        epochs: Vec<Epoch>,
        reply: Reply<()>,
    },
    Stats {
        now: DateTime<Utc>,
        reply: Reply<SpillStats>,
    },
    /// Ends the thread.
    Close,
}

/// A handle to the spill thread.
#[derive(Clone)]
pub struct Spill {
    commands: mpsc::Sender<Command>,
}

impl Spill {
    /// Opens the database in `dir` and starts the thread. The receiver resolves when the thread has ended, with the
    /// error that ended it or with `None` once all handles are dropped.
    ///
    /// # Errors
    /// If there is no way to a working database in `dir`, not even an empty one.
    pub fn start(
        dir: &Path,
        config: SpillConfig,
        keys_max: u64,
        keys_ttl: Duration,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(Self, Opened, oneshot::Receiver<Option<rusqlite::Error>>)> {
        let loaded = match Thread::load(dir, config.clone(), keys_max, keys_ttl, now) {
            // It opened, and is damaged where it was first read.
            Err(error) if is_caused_by_damage(&error) => {
                warn!("The spill is damaged: {error:#}");
                file::mark_damaged(dir);
                Thread::load(dir, config, keys_max, keys_ttl, now)
            }
            loaded => loaded,
        };
        let (thread, opened) = loaded?;
        thread.ballast.fill(thread.config.disk_free_min);
        let (commands, queue) = mpsc::channel(QUEUE);
        let (ended, end) = oneshot::channel();
        std::thread::Builder::new().name("spill".to_owned()).spawn(move || {
            let result = thread.run(queue);
            // Nobody listens any more if the process is already going down.
            drop(ended.send(result.err()));
        })?;
        Ok((Self { commands }, opened, end))
    }

    /// Appends and commits. `with_keys`: remember the idempotency keys here, because Redis cannot.
    ///
    /// # Errors
    /// [`SpillError::Full`] if there is no room: nothing was written then.
    pub async fn append(&self, records: Vec<Stored>, with_keys: bool, now: DateTime<Utc>) -> Result<(), SpillError> {
        self.ask(|reply| Command::Append { records, with_keys, now, reply }).await?
    }

    /// Which of the keys are remembered here.
    ///
    /// # Errors
    /// [`SpillError::Dead`]
    pub async fn known(&self, keys: Vec<Key>) -> Result<Vec<Known>, SpillError> {
        self.ask(|reply| Command::Known { keys, reply }).await
    }

    /// Rows behind `after`, up to `count` or until `bytes_max` is reached.
    ///
    /// # Errors
    /// [`SpillError::Dead`]
    pub async fn read(&self, after: i64, count: usize, bytes_max: usize) -> Result<Vec<Row>, SpillError> {
        self.ask(|reply| Command::Read { after, count, bytes_max, reply }).await
    }

    /// Deletes the rows from `first` to `last`.
    ///
    /// # Errors
    /// [`SpillError::Dead`]
    pub async fn forget(&self, first: i64, last: i64) -> Result<(), SpillError> {
        self.ask(|reply| Command::Forget { first, last, reply }).await
    }

    /// Keeps a record that cannot be sent.
    ///
    /// # Errors
    /// [`SpillError::Dead`]
    pub async fn dead_letter(&self, reason: String, raw: Vec<u8>, now: DateTime<Utc>) -> Result<(), SpillError> {
        self.ask(|reply| Command::DeadLetter { reason, raw, now, reply }).await
    }

    /// The latest dead letters.
    ///
    /// # Errors
    /// [`SpillError::Dead`]
    pub async fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, SpillError> {
        self.ask(|reply| Command::DeadLetters { limit, reply }).await
    }

    /// Remembers how far an epoch that has ended got.
    ///
    /// # Errors
    /// [`SpillError::Dead`]
    pub async fn note_epoch(&self, epoch: Epoch, head: u64) -> Result<(), SpillError> {
        self.ask(|reply| Command::NoteEpoch { epoch, head, reply }).await
    }

    /// Forgets epochs that central has settled.
    ///
    /// # Errors
    /// [`SpillError::Dead`]
    pub async fn drop_epochs(&self, epochs: Vec<Epoch>) -> Result<(), SpillError> {
        self.ask(|reply| Command::DropEpochs { epochs, reply }).await
    }

    /// Ends the thread once it has done what was asked before.
    pub async fn close(&self) {
        // Gone already is as good.
        self.commands.send(Command::Close).await.ok();
    }

    /// # Errors
    /// [`SpillError::Dead`]
    pub async fn stats(&self, now: DateTime<Utc>) -> Result<SpillStats, SpillError> {
        self.ask(|reply| Command::Stats { now, reply }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, SpillError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| SpillError::Dead)?;
        answer.await.map_err(|_| SpillError::Dead)
    }
}

/// The idempotency keys that Redis could not take: two tables, as in Redis two hashes.
struct Keys {
    /// Which of the two is the current one: 0 or 1.
    current: usize,
    counts: [u64; 2],
    since: Option<DateTime<Utc>>,
    max: u64,
    ttl: Duration,
}

impl Keys {
    fn load(connection: &Connection, keys_max: u64, ttl: Duration) -> rusqlite::Result<Self> {
        let count = |table: &str| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
        let (current, since): (i64, Option<i64>) =
            connection
                .query_row("SELECT current, since_ms FROM key_generation", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self {
            current: usize::from(current != 0),
            counts: [count(schema::KEYS[0])?, count(schema::KEYS[1])?],
            since: since.and_then(DateTime::from_timestamp_millis),
            max: keys_max.div_ceil(2),
            ttl,
        })
    }

    fn total(&self) -> u64 {
        self.counts[0] + self.counts[1]
    }

    /// Makes the older table the new current one if the current one is too old or too large. Inside a transaction.
    fn rotate_if_due(&mut self, connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<()> {
        let Some(since) = self.since else {
            self.since = Some(now);
            connection.execute("UPDATE key_generation SET since_ms = ?1", [now.timestamp_millis()])?;
            return Ok(());
        };
        let old = (now - since).to_std().is_ok_and(|age| age >= self.ttl);
        if !old && self.counts[self.current] < self.max {
            return Ok(());
        }
        let next = 1 - self.current;
        connection.execute(&format!("DELETE FROM {}", schema::KEYS[next]), [])?;
        connection.execute(
            "UPDATE key_generation SET current = ?1, since_ms = ?2",
            params![i64::from(next == 1), now.timestamp_millis()],
        )?;
        (self.current, self.counts[next], self.since) = (next, 0, Some(now));
        Ok(())
    }
}

struct Thread {
    connection: Connection,
    _lock: file::DirLock,
    dir: PathBuf,
    config: SpillConfig,
    ballast: Ballast,
    keys: Keys,
    /// Free disk space, when it was read, and what was written since.
    disk: Option<(u64, Instant, u64)>,
    /// Why the last append was refused.
    full: Option<String>,
    dead_letters: u64,
}

impl Thread {
    fn load(
        dir: &Path,
        config: SpillConfig,
        keys_max: u64,
        keys_ttl: Duration,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(Self, Opened)> {
        let (connection, lock, mut opened) = file::open(dir, now)?;
        let ballast = Ballast::new(dir, config.ballast_bytes);
        let mut thread = Self {
            keys: Keys::load(&connection, keys_max, keys_ttl)?,
            connection,
            _lock: lock,
            dir: dir.to_owned(),
            config,
            ballast,
            disk: None,
            full: None,
            dead_letters: 0,
        };
        opened.held = thread.held()?;
        thread.dead_letters = thread.count_dead_letters()?;
        Ok((thread, opened))
    }

    fn run(mut self, mut queue: mpsc::Receiver<Command>) -> rusqlite::Result<()> {
        while let Some(command) = queue.blocking_recv() {
            if matches!(command, Command::Close) {
                break;
            }
            if let Err(error) = self.handle(command) {
                if is_damage(&error) {
                    file::mark_damaged(&self.dir);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Answers one command. An error is one that the process cannot go on with; whoever waits sees the thread gone.
    fn handle(&mut self, command: Command) -> rusqlite::Result<()> {
        // A waiter that has gone away does not need its answer.
        match command {
            Command::Append { records, with_keys, now, reply } => {
                drop(reply.send(self.append(&records, with_keys, now)?))
            }
            Command::Known { keys, reply } => drop(reply.send(self.known(&keys)?)),
            Command::Read { after, count, bytes_max, reply } => drop(reply.send(self.read(after, count, bytes_max)?)),
            Command::Forget { first, last, reply } => {
                self.with_ballast(|connection| {
                    connection.prepare_cached("DELETE FROM records WHERE id BETWEEN ?1 AND ?2")?.execute([first, last])
                })?;
                // There may be room again; the next append finds out.
                self.full = None;
                reply.send(()).ok();
            }
            Command::DeadLetter { reason, raw, now, reply } => {
                self.with_ballast(|connection| {
                    connection.execute(
                        "INSERT INTO dead_letters (at_ms, reason, raw) VALUES (?1, ?2, ?3)",
                        params![now.timestamp_millis(), reason, raw],
                    )?;
                    connection.execute(
                        "DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - ?1",
                        [DEAD_LETTERS_MAX],
                    )
                })?;
                self.dead_letters += 1;
                reply.send(()).ok();
            }
            Command::DeadLetters { limit, reply } => drop(reply.send(letters(&self.connection, limit)?)),
            Command::NoteEpoch { epoch, head, reply } => {
                self.with_ballast(|connection| schema::note_epoch(connection, epoch, head))?;
                reply.send(()).ok();
            }
            Command::DropEpochs { epochs, reply } => {
                for epoch in epochs {
                    self.with_ballast(|c| {
                        c.execute("DELETE FROM past_epochs WHERE epoch = ?1", [epoch.uuid().as_bytes()])
                    })?;
                }
                reply.send(()).ok();
            }
            Command::Stats { now, reply } => drop(reply.send(self.stats(now)?)),
            // Handled where the queue is read.
            Command::Close => {}
        }
        Ok(())
    }

    fn append(
        &mut self,
        records: &[Stored],
        with_keys: bool,
        now: DateTime<Utc>,
    ) -> rusqlite::Result<Result<(), SpillError>> {
        let bytes: u64 = records.iter().map(|r| r.bytes.len() as u64 + ROW_OVERHEAD_BYTES).sum();
        if let Some(reason) = self.no_room_for(bytes)? {
            return Ok(Err(self.refuse(reason)));
        }
        match self.write(records, with_keys, now) {
            Ok(()) => {
                self.full = None;
                if let Some((_, _, written)) = &mut self.disk {
                    *written += bytes;
                }
                Ok(Ok(()))
            }
            Err(error) if is_full(&error) => {
                // The counts were changed in a transaction that is gone.
                self.keys = Keys::load(&self.connection, self.keys.max * 2, self.keys.ttl)?;
                self.disk = None;
                Ok(Err(self.refuse("the disk is full".to_owned())))
            }
            Err(error) => Err(error),
        }
    }

    fn refuse(&mut self, reason: String) -> SpillError {
        if self.full.is_none() {
            warn!("The spill takes nothing more: {reason}");
        }
        self.full = Some(reason.clone());
        SpillError::Full(reason)
    }

    fn write(&mut self, records: &[Stored], with_keys: bool, now: DateTime<Utc>) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        if with_keys {
            self.keys.rotate_if_due(&transaction, now)?;
            let table = schema::KEYS[self.keys.current];
            let mut insert =
                transaction.prepare_cached(&format!("INSERT OR IGNORE INTO {table} (key, hash) VALUES (?1, ?2)"))?;
            for record in records {
                self.keys.counts[self.keys.current] +=
                    insert.execute(params![record.key.as_slice(), record.hash.cast_signed()])? as u64;
            }
        }
        let mut epochs: HashMap<Epoch, i64> = HashMap::new();
        let mut insert =
            transaction.prepare_cached("INSERT INTO records (epoch_id, seq, at_ms, record) VALUES (?1, ?2, ?3, ?4)")?;
        for record in records {
            let epoch_id = match epochs.get(&record.place.epoch) {
                Some(id) => *id,
                None => {
                    *epochs.entry(record.place.epoch).or_insert(schema::epoch_id(&transaction, record.place.epoch)?)
                }
            };
            insert.execute(params![epoch_id, record.place.seq.cast_signed(), now.timestamp_millis(), record.bytes])?;
        }
        drop(insert);
        transaction.commit()
    }

    fn known(&mut self, keys: &[Key]) -> rusqlite::Result<Vec<Known>> {
        let mut known = Vec::new();
        if self.keys.total() == 0 {
            return Ok(known);
        }
        for table in schema::KEYS {
            let mut find = self.connection.prepare_cached(&format!("SELECT hash FROM {table} WHERE key = ?1"))?;
            for (index, key) in keys.iter().enumerate() {
                let hash: Option<i64> = find.query_row([key.as_slice()], |row| row.get(0)).optional()?;
                known.extend(hash.map(|hash| Known { index, hash: hash.cast_unsigned() }));
            }
        }
        Ok(known)
    }

    fn read(&mut self, after: i64, count: usize, bytes_max: usize) -> rusqlite::Result<Vec<Row>> {
        let mut find =
            self.connection.prepare_cached("SELECT id, record FROM records WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let mut found = find.query(params![after, count as i64])?;
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while let Some(row) = found.next()? {
            let record: Vec<u8> = row.get(1)?;
            bytes += record.len();
            rows.push(Row { id: row.get(0)?, record });
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(rows)
    }

    /// Runs a write that must succeed even on a full disk, giving up the ballast for it.
    fn with_ballast<T>(&mut self, write: impl Fn(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let transaction = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let value = write(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        match transaction(&mut self.connection) {
            Err(error) if is_full(&error) && self.ballast.give_up() => {
                warn!("The disk is full; gave up the ballast file to go on draining");
                self.disk = None;
                transaction(&mut self.connection)
            }
            result => result,
        }
    }

    /// Why so many bytes cannot be taken, or `None` if they can.
    fn no_room_for(&mut self, bytes: u64) -> rusqlite::Result<Option<String>> {
        let (used, reusable) = bytes_used(&self.connection)?;
        if used + bytes > self.config.bytes_max {
            return Ok(Some(format!("{used} of {} bytes are used (spill.bytes_max)", self.config.bytes_max)));
        }
        // Free pages inside the file need no new disk.
        let free = self.disk_free();
        if bytes > reusable && free < self.config.disk_free_min + bytes {
            return Ok(Some(format!(
                "{free} bytes are free on the disk, {} are kept free (spill.disk_free_min)",
                self.config.disk_free_min
            )));
        }
        Ok(None)
    }

    fn disk_free(&mut self) -> u64 {
        if let Some((free, at, written)) = self.disk
            && at.elapsed() < DISK_READING_AGE
            && written < DISK_READING_BYTES
        {
            return free.saturating_sub(written);
        }
        let free = disk_bytes_free(&self.dir);
        self.disk = Some((free, Instant::now(), 0));
        self.ballast.fill(self.config.disk_free_min);
        free
    }

    fn stats(&mut self, now: DateTime<Utc>) -> rusqlite::Result<SpillStats> {
        if self.keys.total() > 0
            && self.keys.since.is_some_and(|since| (now - since).to_std().is_ok_and(|age| age >= self.keys.ttl))
        {
            let transaction = self.connection.unchecked_transaction()?;
            self.keys.rotate_if_due(&transaction, now)?;
            transaction.commit()?;
        }
        let (used, reusable) = bytes_used(&self.connection)?;
        let disk_bytes_free = self.disk_free();
        let oldest_ms = self
            .connection
            .prepare_cached("SELECT at_ms FROM records ORDER BY id LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let budget = self.config.bytes_max.saturating_sub(used);
        Ok(SpillStats {
            bytes_used: used,
            bytes_max: self.config.bytes_max,
            disk_bytes_free,
            bytes_free: budget.min(reusable + disk_bytes_free.saturating_sub(self.config.disk_free_min)),
            full: self.full.is_some(),
            oldest_ms,
            keys: self.keys.total(),
            dead_letters: self.dead_letters,
        })
    }

    /// What is in the file, for the account. Reads the index on (epoch, seq) only, not the records.
    fn held(&self) -> rusqlite::Result<Held> {
        let mut held = Held::default();
        let mut find = self.connection.prepare(
            "SELECT epochs.epoch, records.seq FROM records JOIN epochs ON epochs.id = records.epoch_id \
             ORDER BY records.epoch_id, records.seq",
        )?;
        let mut rows = find.query([])?;
        let mut run: Option<(Epoch, u64, u64)> = None;
        while let Some(row) = rows.next()? {
            let epoch: [u8; 16] = row.get(0)?;
            let (epoch, seq) = (Epoch::from_uuid(Uuid::from_bytes(epoch)), row.get::<_, i64>(1)?.cast_unsigned());
            run = match run {
                Some((of, from, to)) if of == epoch && to.checked_add(1) == Some(seq) => Some((of, from, seq)),
                other => {
                    other.into_iter().for_each(|(epoch, from, to)| held.add_run(epoch, from..=to, 0));
                    Some((epoch, seq, seq))
                }
            };
        }
        run.into_iter().for_each(|(epoch, from, to)| held.add_run(epoch, from..=to, 0));
        held.bytes = bytes_used(&self.connection)?.0;
        Ok(held)
    }

    fn count_dead_letters(&self) -> rusqlite::Result<u64> {
        self.connection.query_row("SELECT coalesce(max(id), 0) FROM dead_letters", [], |row| row.get(0))
    }
}

/// Dead letters, latest first.
fn letters(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<DeadLetter>> {
    let mut find =
        connection.prepare_cached("SELECT id, at_ms, reason, hex(raw) FROM dead_letters ORDER BY id DESC LIMIT ?1")?;
    let rows = find.query_map([limit], |row| {
        Ok(DeadLetter {
            id: row.get(0)?,
            at: DateTime::from_timestamp_millis(row.get(1)?).unwrap_or_default(),
            reason: row.get(2)?,
            raw: row.get(3)?,
        })
    })?;
    rows.collect()
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;
