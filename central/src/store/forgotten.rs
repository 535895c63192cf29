//! Rows of `forgotten_workers`, the tombstones, and erasing what is stored of a worker.
//!
//! Every transaction that stores holds the lock of the tombstones, shared, from its beginning ([`begin_storing`]) to its end, and
//! asks after it has it whether there are new ones. A tombstone is committed under the same lock, exclusive. So a transaction
//! either sees it, or had ended before it: then what it stored is there when the erasing begins.
//!
//! Nearly always there are none that the connection has not seen, so their number is all that is asked for.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::WarehouseId;
use common::protocol::DatabaseMark;
use sqlx::{AssertSqlSafe, Connection as _, FromRow as _, PgConnection};
use uuid::Uuid;

use super::{Db, StoreError, audit, dead_letters, within};
use crate::frame::{Content, DeadKind, Item};
use crate::privacy::{self, Found, Subject, Tombstone};

/// With the lock, the database's mark and the last tombstone's number, in one round trip. Read committed is said because the
/// tombstones must be seen as they are after the lock was had, by another statement than that which waited for it. The lock's
/// number spells "smartfor".
const BEGIN_STORING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
SELECT FROM pg_advisory_xact_lock_shared(x'736d617274666f72'::bit(64)::int8); \
SELECT mark.identity, mark.\"position\", (SELECT coalesce(max(number), 0) FROM forgotten_workers) FROM database_mark() mark";

/// Whoever stores waits behind this while it waits for those who store already, so it waits for a moment only.
const BEGIN_ENTOMBING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
SET LOCAL lock_timeout = '500ms'; \
SELECT pg_advisory_xact_lock(x'736d617274666f72'::bit(64)::int8)";

const SINCE: &str = "SELECT worker_sha256 FROM forgotten_workers WHERE number > $1";
const ENTOMB: &str = "INSERT INTO forgotten_workers (worker_sha256) VALUES ($1) ON CONFLICT DO NOTHING";
/// Rollups hold people as numbers; without this nobody can say whose a number was. At another site, where the worker may
/// stay, the next event gives a new one.
const DELETE_NUMBER: &str = "DELETE FROM worker_numbers WHERE worker_id = $1";
const LIST: &str = "\
SELECT date_trunc('day', forgotten_at, 'UTC') AS day, count(*) FROM forgotten_workers GROUP BY 1 ORDER BY 1";

/// Everything that holds events: the partitions and the default one.
const PARTITIONS: &str = "\
SELECT c.relname, pg_relation_size(c.oid) / current_setting('block_size')::int8 AS blocks
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'ergonomic_snapshots'::regclass ORDER BY c.relname";
const ALERTS_BLOCKS: &str = "SELECT pg_relation_size('alerts') / current_setting('block_size')::int8";

const LETTERS: &str = "\
SELECT id, kind, raw FROM dead_letters
WHERE id > $1 AND octet_length(raw) > 0 AND ($2::uuid IS NULL OR warehouse_id = $2) ORDER BY id LIMIT $3";

pub const STATEMENTS: &[&str] = &[SINCE, ENTOMB, DELETE_NUMBER, LIST, PARTITIONS, ALERTS_BLOCKS, LETTERS];

/// 32 MiB: some tenths of a second on a slow disk, and so long at most are rows locked.
const PART_BLOCKS: u64 = 4_096;
/// The largest letters are whole frames of a MiB.
const LETTERS_AT_ONCE: i64 = 32;
const PART_TIMEOUT: Duration = Duration::from_secs(65);
/// Until the storing transactions leave a gap; each takes milliseconds.
const ENTOMB_TRIES: u32 = 60;
const ENTOMB_PAUSE: Duration = Duration::from_millis(500);

/// The tombstones that a connection has seen.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    last: i64,
    all: HashSet<Tombstone>,
}

/// Begins a transaction that stores; answers where, and brings `tombstones` up to now. No row is locked yet, so only this
/// database's future can have passed the mark.
pub(super) async fn begin_storing(
    connection: &mut PgConnection,
    tombstones: &mut Tombstones,
) -> Result<DatabaseMark, sqlx::Error> {
    let rows = sqlx::raw_sql(BEGIN_STORING).fetch_all(&mut *connection).await?;
    // One of the lock, without a column, and this.
    let row = rows.last().ok_or(sqlx::Error::RowNotFound)?;
    let (identity, position, last) = <(String, i64, i64)>::from_row(row)?;
    if last > tombstones.last {
        let new: Vec<Vec<u8>> = sqlx::query_scalar(SINCE).bind(tombstones.last).fetch_all(connection).await?;
        tombstones.all.extend(new.into_iter().filter_map(|hash| Tombstone::try_from(hash).ok()));
        tombstones.last = last;
    }
    Ok(DatabaseMark { identity, position: position.cast_unsigned() })
}

/// Items as they may be stored.
pub(super) struct Stripped<'i, 'a> {
    /// Nobody who was forgotten is in the events and alerts.
    pub items: Cow<'i, [Item<'a>]>,
    /// Those among the dead letters, by index, that hold somebody who was forgotten.
    pub letters: Vec<usize>,
}

/// Takes forgotten workers out of events and alerts, and a forgotten worker's posture out of events.
pub(super) fn strip<'i, 'a>(items: &'i [Item<'a>], tombstones: &Tombstones) -> Stripped<'i, 'a> {
    let mut stripped = Stripped { items: Cow::Borrowed(items), letters: Vec::new() };
    if tombstones.all.is_empty() {
        return stripped;
    }
    // A batch has many events of few workers.
    let mut asked: HashMap<(WarehouseId, Uuid), bool> = HashMap::new();
    let mut gone = |warehouse: WarehouseId, worker: Uuid| {
        let among = || privacy::tombstones(worker, warehouse).iter().any(|hash| tombstones.all.contains(hash));
        *asked.entry((warehouse, worker)).or_insert_with(among)
    };
    for (index, item) in items.iter().enumerate() {
        match &item.content {
            Content::Event(event) if event.worker_id.is_some_and(|id| gone(event.warehouse_id, id.uuid())) => {
                let mut event = event.clone();
                event.worker_id = None;
                event.posture_keypoints = "{}".into();
                stripped.items.to_mut()[index].content = Content::Event(event);
            }
            Content::Alert(alert) if alert.worker_id.is_some_and(|id| gone(item.warehouse_id, id.uuid())) => {
                let mut alert = alert.clone();
                alert.worker_id = None;
                stripped.items.to_mut()[index].content = Content::Alert(alert);
            }
            Content::Dead { kind, .. } => {
                let candidates = privacy::candidates(item.raw, *kind == DeadKind::Frame);
                if candidates.iter().any(|id| gone(item.warehouse_id, *id)) {
                    stripped.letters.push(index);
                }
            }
            Content::Event(_) | Content::Alert(_) | Content::Fact(_) => {}
        }
    }
    stripped
}

/// Commits the tombstone, with a line in the audit, when no storing transaction runs. Once more is no harm.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn entomb(db: &Db, actor: &str, subject: &Subject) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match entomb_once(db, actor, subject).await {
            Err(StoreError::Sql(error)) if tries < ENTOMB_TRIES && is_lock_timeout(&error) => {
                tokio::time::sleep(ENTOMB_PAUSE).await;
            }
            result => return result,
        }
    }
}

async fn entomb_once(db: &Db, actor: &str, subject: &Subject) -> Result<(), StoreError> {
    let mut connection = db.connect().await?;
    within(async {
        sqlx::raw_sql(BEGIN_ENTOMBING).execute(&mut connection).await?;
        sqlx::query(ENTOMB).bind(&subject.tombstone()[..]).execute(&mut connection).await?;
        sqlx::query(DELETE_NUMBER).bind(subject.worker.uuid()).execute(&mut connection).await?;
        let site = subject.site.map_or_else(|| "at all sites".to_owned(), |site| format!("at warehouse {site}"));
        audit::note(&mut connection, actor, "forget_worker", &subject.name(), Some(&site)).await?;
        sqlx::raw_sql(super::batch::COMMIT).execute(&mut connection).await.map(drop)
    })
    .await
}

/// Says in the audit that all was erased.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn note_done(db: &Db, actor: &str, subject: &Subject, found: &Found) -> Result<(), StoreError> {
    let Found { events, alerts, dead_letters } = found;
    let detail = format!("erased from {events} events, {alerts} alerts and {dead_letters} dead letters");
    audit::add(db, actor, "worker_forgotten", &subject.name(), Some(&detail)).await
}

/// How many tombstones were made on a day.
#[derive(Debug, sqlx::FromRow, serde::Serialize)]
pub struct Day {
    pub day: DateTime<Utc>,
    pub count: i64,
}

/// # Errors
/// If Postgres cannot answer.
pub async fn list(db: &Db) -> Result<Vec<Day>, StoreError> {
    let mut lease = db.lease().await?;
    let days = within(sqlx::query_as(LIST).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(days)
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    /// `lock_not_available`
    const LOCKED: &str = "55P03";
    error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == LOCKED)
}

/// A table that holds worker ids, as large as it was.
#[derive(Debug)]
pub struct Place {
    table: String,
    blocks: u64,
}

impl Place {
    const ALERTS: &'static str = "alerts";

    pub fn table(&self) -> &str {
        &self.table
    }

    pub fn is_alerts(&self) -> bool {
        self.table == Self::ALERTS
    }

    /// In how many parts it is walked over.
    pub const fn parts(&self) -> u64 {
        self.blocks.div_ceil(PART_BLOCKS)
    }
}

/// Walks over what is stored, looking or erasing, on a connection of its own. Tables are read as they lie on the disk: an
/// index by worker would have to be kept by every event that is stored, for the sake of a question asked once a year.
pub struct Eraser {
    connection: PgConnection,
    subject: Subject,
    /// `None`: it only looks.
    actor: Option<String>,
}

impl Eraser {
    const TIMEOUTS: &str = "SET statement_timeout = '60s'; SET lock_timeout = '5s'";

    /// # Errors
    /// If Postgres cannot be reached.
    pub async fn connect(db: &Db, subject: Subject, actor: Option<&str>) -> Result<Self, StoreError> {
        let mut connection = db.connect().await?;
        within(sqlx::raw_sql(Self::TIMEOUTS).execute(&mut connection)).await?;
        Ok(Self { connection, subject, actor: actor.map(str::to_owned) })
    }

    /// Every table that holds a worker's id as such, now.
    ///
    /// # Errors
    /// If Postgres cannot answer.
    pub async fn places(&mut self) -> Result<Vec<Place>, StoreError> {
        let mut tables: Vec<(String, i64)> = within(sqlx::query_as(PARTITIONS).fetch_all(&mut self.connection)).await?;
        let alerts = within(sqlx::query_scalar(ALERTS_BLOCKS).fetch_one(&mut self.connection)).await?;
        tables.push((Place::ALERTS.to_owned(), alerts));
        let place = |(table, blocks)| Place { table, blocks: u64::try_from(blocks).unwrap_or(0) };
        Ok(tables.into_iter().map(place).collect())
    }

    /// Counts or erases the worker's rows in one part of a table, in one transaction. Nothing if the table was dropped
    /// meanwhile.
    ///
    /// # Errors
    /// If Postgres cannot do it now.
    pub async fn part(&mut self, place: &Place, part: u64) -> Result<u64, StoreError> {
        let (table, first) = (&place.table, part * PART_BLOCKS);
        // Names of tables are our own, not input; what was added behind the last block since is not the worker's.
        let these = format!(
            "ctid >= '({first},0)' AND ctid < '({next},0)' AND worker_id = $1 AND ($2::uuid IS NULL OR warehouse_id = $2)",
            next = first + PART_BLOCKS
        );
        let sql = match (&self.actor, place.is_alerts()) {
            (None, _) => format!("SELECT 1 FROM {table} WHERE {these}"),
            // Locked in the order in which storing transactions write them, so that neither waits for the other.
            (Some(_), true) => format!(
                "UPDATE {table} SET worker_id = NULL
                 FROM (SELECT warehouse_id AS w, alert_id AS a FROM {table} WHERE {these}
                       ORDER BY warehouse_id, alert_id FOR UPDATE) mine
                 WHERE warehouse_id = w AND alert_id = a"
            ),
            (Some(_), false) => {
                format!("UPDATE {table} SET worker_id = NULL, posture_keypoints = '{{}}' WHERE {these}")
            }
        };
        let statement = sqlx::query(AssertSqlSafe(sql))
            .bind(self.subject.worker.uuid())
            .bind(self.subject.site.map(WarehouseId::uuid))
            .persistent(false)
            .execute(&mut self.connection);
        match tokio::time::timeout(PART_TIMEOUT, statement).await.map_err(|_| StoreError::Timeout)?.map_err(Into::into)
        {
            Ok(done) => Ok(done.rows_affected()),
            Err(StoreError::NotMigrated) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Counts or erases the dead letters that say the worker's id. An open one is discarded with it: there is nothing left
    /// of it to be replayed.
    ///
    /// # Errors
    /// If Postgres cannot do it now.
    pub async fn dead_letters(&mut self) -> Result<u64, StoreError> {
        let (mut after, mut found) = (0_i64, 0);
        loop {
            let page: Vec<(i64, String, Vec<u8>)> = within(
                sqlx::query_as(LETTERS)
                    .bind(after)
                    .bind(self.subject.site.map(WarehouseId::uuid))
                    .bind(LETTERS_AT_ONCE)
                    .fetch_all(&mut self.connection),
            )
            .await?;
            let Some((last, ..)) = page.last() else { return Ok(found) };
            after = *last;
            let frame = DeadKind::Frame.as_str();
            for (id, _, _) in page.iter().filter(|(_, kind, raw)| self.subject.is_in(raw, kind == frame)) {
                found += 1;
                if let Some(actor) = &self.actor {
                    within(dead_letters::erase(&mut self.connection, *id, actor)).await?;
                }
            }
        }
    }

    pub async fn close(self) {
        // A failure to say goodbye changes nothing.
        drop(self.connection.close().await);
    }
}
