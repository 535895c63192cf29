//! What is to be sent again: asked for by somebody on the command line, or because headquarters lacks what it had confirmed.
//! A replay is a row with a cursor, so that it goes on after a restart where it was; sending an entry twice changes nothing.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use common::ids::Epoch;
use common::protocol::{DatabaseMark, Receipt, SeqRange};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use tracing::warn;
use utoipa::ToSchema;

use super::store::{Store, epoch_id, set_heard};

/// Who wanted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReplayWhy)]
pub enum Why {
    /// Somebody, on the command line.
    Operator,
    /// Headquarters' database lacks what it had confirmed.
    Database,
}

impl Why {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Database => "database",
        }
    }
}

/// A replay and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    pub id: i64,
    pub why: Why,
    pub asked_at: DateTime<Utc>,
    /// Records to be sent.
    pub total: u64,
    /// Records that were sent and confirmed.
    pub sent: u64,
    /// Of those, new to headquarters.
    pub committed: u64,
    /// Of those, known to headquarters.
    pub duplicates: u64,
    /// Of those, impossible to store.
    pub dead_letters: u64,
    /// Records that the archive had no longer when their turn came.
    pub gone: u64,
    /// Null while it goes on.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Replay {
    /// How much of it is done, in percent.
    pub fn percent(&self) -> u64 {
        ((self.sent + self.gone) * 100).checked_div(self.total).unwrap_or(100).min(100)
    }
}

/// What headquarters answered to a heartbeat.
#[derive(Debug)]
pub struct Answered {
    pub database: DatabaseMark,
    /// How far the epochs are that it was told of.
    pub heads: Vec<(Epoch, u64)>,
    /// What it lacks of them.
    pub lacking: Vec<SeqRange>,
    /// The number of the last receipt when the heartbeat was composed: what came later it may have by now.
    pub receipts: i64,
}

/// A batch whose turn it is.
#[derive(Debug)]
pub struct Due {
    pub replay: i64,
    pub entry: i64,
    pub records: usize,
    /// `None`: it is not as it was written.
    pub frame: Option<Bytes>,
}

/// Entries with a record that was accepted from ?2 to ?3.
const BY_TIME: &str = "?2 <= e.last_ms AND ?3 >= e.first_ms";
/// Entries with a seq in a range of replay ?1. Its ranges do not overlap, so the one that begins last before the end decides.
/// The other parameters have to be used.
const BY_PLACE: &str = "\
(?2 IS NULL AND ?3 IS NULL AND EXISTS (
    SELECT 1 FROM spans s WHERE s.entry = e.id AND s.first <= (
        SELECT r.last FROM replay_ranges r WHERE r.replay = ?1 AND r.epoch_id = s.epoch_id AND r.first <= s.last
        ORDER BY r.first DESC LIMIT 1)))";

const SHOW: &str = "SELECT id, why, asked_ms, total, sent, committed, duplicates, dead, gone, ended_ms FROM replays";

impl Store {
    /// Asks for all that was accepted from `from` to `to`.
    ///
    /// # Errors
    /// If the file does not take it.
    pub fn ask(
        &mut self,
        who: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> rusqlite::Result<Replay> {
        let window = (from.timestamp_millis(), to.timestamp_millis());
        let transaction = self.write()?;
        let id = begin(&transaction, Why::Operator, who, Some(window), now)?;
        count(&transaction, id, i64::MAX)?;
        transaction.commit()?;
        self.replay(id)
    }

    /// What a replay of that time would send: batches and records.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn would_send(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> rusqlite::Result<(u64, u64)> {
        let sql = format!("SELECT count(*), coalesce(sum(records), 0) FROM entries e WHERE ?1 = 0 AND {BY_TIME}");
        self.connection.query_row(&sql, params![0, from.timestamp_millis(), to.timestamp_millis()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// Asks for the entries that hold what headquarters lacks, unless such a replay is going on; answers records. What it does
    /// not lack it is believed to have.
    ///
    /// # Errors
    /// If the file does not take it.
    pub fn answered(&mut self, answered: &Answered, now: DateTime<Utc>) -> rusqlite::Result<u64> {
        let ranges = &answered.lacking;
        // What was lost for good is told with every heartbeat, and looking for it goes through all entries.
        let nothing_of = std::mem::take(&mut self.nothing_of);
        let known = nothing_of == *ranges;
        let transaction = self.write()?;
        set_heard(&transaction, &answered.database)?;
        for (epoch, head) in answered.heads.iter().filter(|(_, head)| *head > 0) {
            epoch_id(&transaction, *epoch, *head, now)?;
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM replays WHERE why = 'database' AND ended_ms IS NULL)";
        if known || ranges.is_empty() || transaction.query_row(sql, [], |row| row.get::<_, bool>(0))? {
            transaction.commit()?;
            self.nothing_of = nothing_of;
            return Ok(0);
        }
        let id = begin(&transaction, Why::Database, "headquarters", None, now)?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO replay_ranges (replay, epoch_id, first, last) SELECT ?1, id, ?3, ?4 FROM epochs WHERE epoch = ?2",
            )?;
            for range in ranges {
                insert.execute(params![
                    id,
                    range.epoch.uuid().as_bytes(),
                    range.first.cast_signed(),
                    range.last.cast_signed()
                ])?;
            }
        }
        let total = count(&transaction, id, answered.receipts)?;
        if total == 0 {
            // No entry holds any of it: it was lost before it was ever sent, or is too old.
            transaction.execute("DELETE FROM replays WHERE id = ?1", [id])?;
            transaction.execute("DELETE FROM replay_ranges WHERE replay = ?1", [id])?;
        }
        transaction.commit()?;
        if total == 0 {
            self.nothing_of.clone_from(ranges);
        }
        Ok(total)
    }

    /// The next batch to send again; ends replays that have none left.
    ///
    /// # Errors
    /// If the file cannot be used.
    pub fn due(&mut self, now: DateTime<Utc>) -> rusqlite::Result<Option<Due>> {
        type Going = (i64, Option<i64>, Option<i64>, i64, i64);
        loop {
            let sql =
                "SELECT id, from_ms, to_ms, until_id, cursor FROM replays WHERE ended_ms IS NULL ORDER BY id LIMIT 1";
            let going: Option<Going> = self
                .connection
                .prepare_cached(sql)?
                .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
                .optional()?;
            let Some((replay, from_ms, to_ms, until, cursor)) = going else { return Ok(None) };
            let wanted = if from_ms.is_some() { BY_TIME } else { BY_PLACE };
            let sql = format!(
                "SELECT e.id, e.records, e.crc32c, f.frame FROM entries e JOIN frames f ON f.id = e.id \
                 WHERE e.id > ?5 AND e.id <= ?4 AND ?1 > 0 AND {wanted} ORDER BY e.id LIMIT 1"
            );
            let found: Option<(i64, usize, u32, Vec<u8>)> = self
                .connection
                .prepare_cached(&sql)?
                .query_row(params![replay, from_ms, to_ms, until, cursor], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })
                .optional()?;
            match found {
                Some((entry, records, crc32c, frame)) => {
                    let whole = crc32c::crc32c(&frame) == crc32c;
                    return Ok(Some(Due { replay, entry, records, frame: whole.then(|| frame.into()) }));
                }
                None => end(&mut self.connection, replay, now)?,
            }
        }
    }

    /// A batch was sent again and confirmed; without a receipt it could not be sent.
    ///
    /// # Errors
    /// If the file does not take it.
    pub fn resent(&mut self, due: &Due, receipt: Option<&Receipt>, now: DateTime<Utc>) -> rusqlite::Result<()> {
        let records = due.records as u64;
        match receipt {
            Some(receipt) => {
                self.confirm(due.entry, receipt.database.as_ref(), now)?;
                self.connection
                    .prepare_cached(
                        "UPDATE replays SET cursor = ?2, sent = sent + ?3, committed = committed + ?4, \
                         duplicates = duplicates + ?5, dead = dead + ?6 WHERE id = ?1",
                    )?
                    .execute(params![
                        due.replay,
                        due.entry,
                        records,
                        receipt.committed,
                        receipt.duplicates,
                        receipt.dead_letters.len()
                    ])?;
            }
            None => {
                warn!(records, "A batch in the archive cannot be sent again");
                self.connection.execute(
                    "UPDATE replays SET cursor = ?2, gone = gone + ?3 WHERE id = ?1",
                    params![due.replay, due.entry, records],
                )?;
            }
        }
        Ok(())
    }

    /// # Errors
    /// If the file cannot be read, or there is no such replay.
    pub fn replay(&self, id: i64) -> rusqlite::Result<Replay> {
        self.connection.query_row(&format!("{SHOW} WHERE id = ?1"), [id], read)
    }

    /// The one that goes on, or else the last one.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn latest_replay(&self) -> rusqlite::Result<Option<Replay>> {
        let sql =
            format!("{SHOW} ORDER BY ended_ms IS NOT NULL, CASE WHEN ended_ms IS NULL THEN id ELSE -id END LIMIT 1");
        self.connection.prepare_cached(&sql)?.query_row([], read).optional()
    }

    /// The latest ones, newest first.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn replays(&self, limit: u32) -> rusqlite::Result<Vec<Replay>> {
        let mut find = self.connection.prepare(&format!("{SHOW} ORDER BY id DESC LIMIT ?1"))?;
        find.query_map([limit], read)?.collect()
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Replay> {
    let time = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap_or_default();
    Ok(Replay {
        id: row.get(0)?,
        why: if row.get::<_, String>(1)? == Why::Database.as_str() { Why::Database } else { Why::Operator },
        asked_at: time(row.get(2)?),
        total: row.get(3)?,
        sent: row.get(4)?,
        committed: row.get(5)?,
        duplicates: row.get(6)?,
        dead_letters: row.get(7)?,
        gone: row.get(8)?,
        ended_at: row.get::<_, Option<i64>>(9)?.map(time),
    })
}

fn begin(
    connection: &Connection,
    why: Why,
    who: &str,
    window: Option<(i64, i64)>,
    now: DateTime<Utc>,
) -> rusqlite::Result<i64> {
    connection.execute(
        "INSERT INTO replays (why, who, asked_ms, from_ms, to_ms, until_id, total) VALUES (?1, ?2, ?3, ?4, ?5, 0, 0)",
        params![why.as_str(), who, now.timestamp_millis(), window.map(|(from, _)| from), window.map(|(_, to)| to)],
    )?;
    Ok(connection.last_insert_rowid())
}

/// Notes how much a new replay has to send, and answers it.
fn count(connection: &Connection, id: i64, receipts: i64) -> rusqlite::Result<u64> {
    let (from_ms, to_ms): (Option<i64>, Option<i64>) =
        connection.query_row("SELECT from_ms, to_ms FROM replays WHERE id = ?1", [id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let wanted = if from_ms.is_some() { BY_TIME } else { BY_PLACE };
    let sql = format!(
        "SELECT coalesce(sum(records), 0), coalesce(max(id), 0) FROM entries e WHERE e.receipt <= ?4 AND ?1 > 0 AND {wanted}"
    );
    let (total, until): (u64, i64) =
        connection.query_row(&sql, params![id, from_ms, to_ms, receipts], |row| Ok((row.get(0)?, row.get(1)?)))?;
    connection.execute("UPDATE replays SET total = ?2, until_id = ?3 WHERE id = ?1", params![id, total, until])?;
    Ok(total)
}

fn end(connection: &mut Connection, id: i64, now: DateTime<Utc>) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute(
        "UPDATE replays SET ended_ms = ?2, gone = max(gone, total - sent) WHERE id = ?1",
        params![id, now.timestamp_millis()],
    )?;
    transaction.execute("DELETE FROM replay_ranges WHERE replay = ?1", [id])?;
    // Enough to look back.
    transaction.execute("DELETE FROM replays WHERE ended_ms IS NOT NULL AND id <= ?1 - 100", [id])?;
    transaction.commit()
}
