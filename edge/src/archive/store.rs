//! `archive.db`: what headquarters has confirmed, batch by batch, as it was sent.
//!
//! The running edge and `smartpick-edge replay` open it side by side, as they do `access.db`. Commits are not synced one by
//! one (`synchronous=NORMAL`): they survive a killed process. A power cut may take the last moments; that is missed only if
//! headquarters' database lost just those commits as well, and then the ledger shows it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use common::ids::{BatchId, Epoch};
use common::protocol::{DatabaseMark, SeqRange};
use common::record;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use uuid::Uuid;

use super::schema;
use crate::config::ArchiveConfig;
use crate::owner::{give_to_the_owner, make_for_the_owner};
use crate::sqlite;

/// Without `.db`.
pub const NAME: &str = "archive";
/// A writer holds the file for milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Entries deleted in one transaction: some milliseconds.
const TRIM_ENTRIES: usize = 100;
/// Epochs are known for so long after their last entry has gone.
const EPOCHS_KEPT_DAYS: u64 = 30;
/// Epochs that headquarters is told of at once. A box that starts a hundred times a day has other troubles.
const HEADS_MAX: u32 = 500;
/// Pages given back to the disk in one go, 4 KiB each.
const GIVE_BACK_PAGES: u32 = 4_000;

/// A batch, as it is kept.
#[derive(Debug, Clone)]
pub struct Entry {
    batch: BatchId,
    first_ms: i64,
    last_ms: i64,
    records: usize,
    crc32c: u32,
    /// The seqs that it holds, and no others: by epoch, each span from its first to its last.
    spans: Vec<(Epoch, u64, u64)>,
    frame: Bytes,
}

impl Entry {
    /// Of whole records, and the frame they were packed into.
    pub fn of(batch: BatchId, records: &[Vec<u8>], frame: Bytes) -> Self {
        let mut places: Vec<(Epoch, u64)> = records.iter().filter_map(|bytes| record::place(bytes)).collect();
        places.sort_unstable();
        let mut spans: Vec<(Epoch, u64, u64)> = Vec::with_capacity(1);
        for (epoch, seq) in places {
            match spans.last_mut() {
                Some((of, _, last)) if *of == epoch && seq - *last <= 1 => *last = seq,
                _ => spans.push((epoch, seq, seq)),
            }
        }
        let times = || records.iter().filter_map(|bytes| record::accepted_ms(bytes));
        Self {
            batch,
            first_ms: times().min().unwrap_or(0),
            last_ms: times().max().unwrap_or(0),
            records: records.len(),
            crc32c: crc32c::crc32c(&frame),
            spans,
            frame,
        }
    }
}

/// How much is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub batches: u64,
    pub records: u64,
    /// In use in the file.
    pub bytes: u64,
    /// When the oldest was sent, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
}

/// The opened file.
pub struct Store {
    pub(super) connection: Connection,
    config: ArchiveConfig,
    batches: u64,
    records: u64,
    /// The number of the last receipt.
    receipts: i64,
    /// Of these seqs nothing is kept, as was found at the last look.
    pub(super) nothing_of: Vec<SeqRange>,
}

impl Store {
    /// Opens the archive in `dir`, making it if there is none.
    ///
    /// # Errors
    /// If it cannot be used, or is damaged.
    pub fn open(dir: &Path, config: ArchiveConfig) -> anyhow::Result<Self> {
        let path = path(dir);
        make_for_the_owner(&path).with_context(|| format!("make {}", path.display()))?;
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Only a file that is still empty takes it. Without it a file never gets smaller.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "cache_size", -4_096)?;
        sqlite::migrate(&mut connection, schema::STEPS)?;
        for side in ["-wal", "-shm"] {
            let side = PathBuf::from(format!("{}{side}", path.display()));
            give_to_the_owner(dir, &side).with_context(|| format!("give away {}", side.display()))?;
        }
        let (batches, records, receipts) = connection.query_row(
            "SELECT count(*), coalesce(sum(records), 0), coalesce(max(receipt), 0) FROM entries",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        Ok(Self { connection, config, batches, records, receipts, nothing_of: Vec::new() })
    }

    /// Immediate: it waits for another writer now, instead of failing when it has read something by then.
    pub(super) fn write(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate)
    }

    /// Keeps a batch that is being sent; answers its number here.
    ///
    /// # Errors
    /// If the file does not take it.
    pub fn keep(&mut self, entry: &Entry, now: DateTime<Utc>) -> rusqlite::Result<i64> {
        let now_ms = now.timestamp_millis();
        let transaction = self.write()?;
        transaction
            .prepare_cached(
                "INSERT INTO entries (batch, first_ms, last_ms, records, crc32c, sent_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                entry.batch.uuid().as_bytes(),
                entry.first_ms,
                entry.last_ms,
                entry.records,
                entry.crc32c,
                now_ms
            ])?;
        let id = transaction.last_insert_rowid();
        for (epoch, first, last) in &entry.spans {
            let epoch_id = epoch_id(&transaction, *epoch, *last, now)?;
            transaction
                .prepare_cached("INSERT INTO spans (entry, epoch_id, first, last) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![id, epoch_id, first.cast_signed(), last.cast_signed()])?;
        }
        transaction
            .prepare_cached("INSERT INTO frames (id, frame) VALUES (?1, ?2)")?
            .execute(params![id, &*entry.frame])?;
        transaction.commit()?;
        self.batches += 1;
        self.records += entry.records as u64;
        Ok(id)
    }

    /// Notes a receipt for a batch, and answers its number.
    ///
    /// # Errors
    /// If the file does not take it.
    pub fn confirm(&mut self, id: i64, mark: Option<&DatabaseMark>, now: DateTime<Utc>) -> rusqlite::Result<i64> {
        let receipt = self.receipts + 1;
        let transaction = self.write()?;
        let database_id = mark.map(|mark| database_id(&transaction, &mark.identity)).transpose()?;
        transaction
            .prepare_cached(
                "UPDATE entries SET committed_ms = ?2, database_id = ?3, position = ?4, receipt = ?5 WHERE id = ?1",
            )?
            .execute(params![
                id,
                now.timestamp_millis(),
                database_id,
                mark.map(|mark| mark.position.cast_signed()),
                receipt
            ])?;
        transaction.commit()?;
        self.receipts = receipt;
        Ok(receipt)
    }

    /// Deletes a batch that was not sent as it is.
    ///
    /// # Errors
    /// If the file does not take it.
    pub fn withdraw(&mut self, id: i64) -> rusqlite::Result<()> {
        self.delete(&[id])
    }

    fn delete(&mut self, ids: &[i64]) -> rusqlite::Result<()> {
        let (mut batches, mut records) = (0, 0);
        let transaction = self.write()?;
        for id in ids {
            let gone: Option<u64> = transaction
                .prepare_cached("DELETE FROM entries WHERE id = ?1 RETURNING records")?
                .query_row([id], |row| row.get(0))
                .optional()?;
            transaction.prepare_cached("DELETE FROM spans WHERE entry = ?1")?.execute([id])?;
            transaction.prepare_cached("DELETE FROM frames WHERE id = ?1")?.execute([id])?;
            (batches, records) = (batches + u64::from(gone.is_some()), records + gone.unwrap_or(0));
        }
        transaction.commit()?;
        (self.batches, self.records) = (self.batches.saturating_sub(batches), self.records.saturating_sub(records));
        Ok(())
    }

    /// Deletes the oldest entries as far as they are too old, or the file is too large. True if there may be more to do.
    ///
    /// # Errors
    /// If the file does not take it.
    pub fn trim(&mut self, now: DateTime<Utc>) -> rusqlite::Result<bool> {
        let keep_ms = i64::try_from(self.config.keep.as_millis()).unwrap_or(i64::MAX);
        let oldest_kept = now.timestamp_millis().saturating_sub(keep_ms);
        let too_large = sqlite::bytes_used(&self.connection)?.0 > self.config.bytes_max;
        let old: Vec<i64> = {
            let mut find = self.connection.prepare_cached("SELECT id, sent_ms FROM entries ORDER BY id LIMIT ?1")?;
            let rows = find.query_map([TRIM_ENTRIES], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
            let rows: Vec<(i64, i64)> = rows.collect::<Result<_, _>>()?;
            rows.into_iter().take_while(|(_, sent_ms)| too_large || *sent_ms < oldest_kept).map(|(id, _)| id).collect()
        };
        if old.is_empty() {
            return Ok(false);
        }
        self.delete(&old)?;
        Ok(too_large || old.len() == TRIM_ENTRIES)
    }

    /// Forgets epochs of which nothing was kept for weeks.
    ///
    /// # Errors
    /// If the file does not take it.
    pub fn forget_epochs(&mut self, now: DateTime<Utc>) -> rusqlite::Result<()> {
        let kept = self.config.keep + Duration::from_secs(EPOCHS_KEPT_DAYS * 86_400);
        let before = now.timestamp_millis().saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
        self.connection.execute("DELETE FROM epochs WHERE seen_ms < ?1", [before]).map(drop)
    }

    /// Deletes the oldest entries and gives their room back to the disk.
    ///
    /// # Errors
    /// If the file does not take it.
    pub fn give_way(&mut self) -> rusqlite::Result<()> {
        let oldest: Vec<i64> = {
            let mut find = self.connection.prepare_cached("SELECT id FROM entries ORDER BY id LIMIT ?1")?;
            let rows = find.query_map([TRIM_ENTRIES], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        self.delete(&oldest)?;
        // A step for each page.
        let mut vacuum = self.connection.prepare(&format!("PRAGMA incremental_vacuum({GIVE_BACK_PAGES})"))?;
        let mut steps = vacuum.query([])?;
        while steps.next()?.is_some() {}
        drop(steps);
        drop(vacuum);
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// # Errors
    /// If the file cannot be read.
    pub fn figures(&self) -> rusqlite::Result<Figures> {
        let oldest_ms = self
            .connection
            .prepare_cached("SELECT sent_ms FROM entries ORDER BY id LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(Figures {
            batches: self.batches,
            records: self.records,
            bytes: sqlite::bytes_used(&self.connection)?.0,
            oldest_ms,
        })
    }

    /// How far each epoch got that is still known, the latest ones first.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn heads(&self) -> rusqlite::Result<Vec<(Epoch, u64)>> {
        let mut find = self.connection.prepare("SELECT epoch, head FROM epochs ORDER BY seen_ms DESC LIMIT ?1")?;
        let rows = find.query_map([HEADS_MAX], |row| {
            Ok((Epoch::from_uuid(Uuid::from_bytes(row.get(0)?)), row.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        rows.collect()
    }

    /// The database that everything confirmed is believed to be in; `None` if nothing was heard of one yet.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn heard(&self) -> rusqlite::Result<Option<DatabaseMark>> {
        let mut find = self.connection.prepare_cached("SELECT identity, position FROM heard")?;
        find.query_row([], |row| {
            Ok(DatabaseMark { identity: row.get(0)?, position: row.get::<_, i64>(1)?.cast_unsigned() })
        })
        .optional()
    }

    pub const fn is_empty(&self) -> bool {
        self.batches == 0
    }

    pub const fn receipts(&self) -> i64 {
        self.receipts
    }
}

pub fn path(dir: &Path) -> PathBuf {
    dir.join(format!("{NAME}.db"))
}

pub(super) fn set_heard(connection: &Connection, mark: &DatabaseMark) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO heard (one, identity, position) VALUES (1, ?1, ?2) \
             ON CONFLICT (one) DO UPDATE SET identity = excluded.identity, position = excluded.position",
        )?
        .execute(params![mark.identity, mark.position.cast_signed()])
        .map(drop)
}

/// The number of an epoch that got at least as far as `head`.
pub(super) fn epoch_id(connection: &Connection, epoch: Epoch, head: u64, now: DateTime<Utc>) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO epochs (epoch, head, seen_ms) VALUES (?1, ?2, ?3) ON CONFLICT (epoch) DO UPDATE \
             SET head = max(head, excluded.head), seen_ms = max(seen_ms, excluded.seen_ms) RETURNING id",
        )?
        .query_row(params![epoch.uuid().as_bytes(), head.cast_signed(), now.timestamp_millis()], |row| row.get(0))
}

fn database_id(connection: &Connection, identity: &str) -> rusqlite::Result<i64> {
    let mut find = connection.prepare_cached("SELECT id FROM databases WHERE identity = ?1")?;
    if let Some(id) = find.query_row([identity], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    connection.execute("INSERT INTO databases (identity) VALUES (?1)", [identity])?;
    Ok(connection.last_insert_rowid())
}
