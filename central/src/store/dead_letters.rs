//! Dead letters: what can never be stored as it is, kept with its reason and raw bytes, to be replayed by a later
//! version or discarded by a person.

use chrono::{DateTime, Utc};
use common::ids::{BatchId, EdgeId, Epoch, WarehouseId};
use common::quarter::Quarter;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Db, StoreError, audit, within};
use crate::frame::{Content, Item};

const INSERT: &str = "\
INSERT INTO dead_letters (edge_id, warehouse_id, batch_id, kind, epoch, seq, quarter, reason, raw, raw_sha256)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::int8[], $7::timestamptz[],
                     $8::text[], $9::bytea[], $10::bytea[])
ON CONFLICT (edge_id, raw_sha256) DO NOTHING
RETURNING edge_id, raw_sha256";

const PAGE: &str = "\
SELECT id, edge_id, warehouse_id, batch_id, kind, epoch, seq, reason, octet_length(raw) AS raw_bytes,
       NULL::bytea AS raw, received_at, state, resolved_at
FROM dead_letters
WHERE ($1::text IS NULL OR state = $1) AND ($2::int8 IS NULL OR id < $2)
  AND ($3::uuid IS NULL OR warehouse_id = $3)
ORDER BY id DESC LIMIT $4";

const SHOW: &str = "\
SELECT id, edge_id, warehouse_id, batch_id, kind, epoch, seq, reason, octet_length(raw) AS raw_bytes, raw,
       received_at, state, resolved_at
FROM dead_letters WHERE id = $1";

const TAKE: &str = "\
SELECT edge_id, warehouse_id, batch_id, kind, epoch, seq, quarter FROM dead_letters
WHERE id = $1 AND state = 'open' FOR UPDATE";

const RESOLVE: &str = "UPDATE dead_letters SET state = $2, resolved_at = now() WHERE id = $1 AND state = 'open'";

/// The hash stays, so that the same bytes sent again are known and not stored again.
const ERASE: &str = "\
UPDATE dead_letters
SET raw = '', state = CASE state WHEN 'open' THEN 'discarded' ELSE state END, resolved_at = coalesce(resolved_at, now())
WHERE id = $1";

const FIND: &str = "SELECT id FROM dead_letters WHERE edge_id = $1 AND raw_sha256 = $2";

const OPEN_IDS: &str = "\
SELECT id FROM dead_letters
WHERE state = 'open' AND ($1::text IS NULL OR strpos(reason, $1) > 0) AND ($2::uuid IS NULL OR warehouse_id = $2)
ORDER BY id";

const OPEN_BY_WAREHOUSE: &str = "\
SELECT warehouse_id, count(*) FROM dead_letters WHERE state = 'open' GROUP BY warehouse_id";

pub const STATEMENTS: &[&str] = &[INSERT, PAGE, SHOW, TAKE, RESOLVE, ERASE, FIND, OPEN_IDS, OPEN_BY_WAREHOUSE];

/// Reasons come from Postgres and decoders; long ones repeat the data.
const REASON_CHARS_MAX: usize = 1_000;

/// Stores the dead ones among `items`; answers for each item whether it is a dead letter that was not known before.
pub(super) async fn insert(connection: &mut PgConnection, items: &[Item<'_>]) -> Result<Vec<bool>, sqlx::Error> {
    let mut new = vec![false; items.len()];
    let mut letters: Vec<(Uuid, Vec<u8>, usize)> = items
        .iter()
        .enumerate()
        .filter(|(_, item)| matches!(item.content, Content::Dead { .. }))
        .map(|(index, item)| (item.edge_id.uuid(), Sha256::digest(item.raw).to_vec(), index))
        .collect();
    if letters.is_empty() {
        return Ok(new);
    }
    // In key order and each once, for the same reasons as events.
    letters.sort_unstable();
    letters.dedup_by(|b, a| (b.0, &b.1) == (a.0, &a.1));
    let of = |letter: &(Uuid, Vec<u8>, usize)| &items[letter.2];
    let dead = |item: &Item<'_>| match &item.content {
        Content::Dead { kind, reason } => (kind.as_str(), clean(reason)),
        Content::Event(_) | Content::Alert(_) | Content::Fact(_) => unreachable!("filtered above"),
    };
    let stored: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(INSERT)
        .bind(letters.iter().map(|l| l.0).collect::<Vec<_>>())
        .bind(letters.iter().map(|l| of(l).warehouse_id.uuid()).collect::<Vec<_>>())
        .bind(letters.iter().map(|l| of(l).batch_id.uuid()).collect::<Vec<_>>())
        .bind(letters.iter().map(|l| dead(of(l)).0).collect::<Vec<_>>())
        .bind(letters.iter().map(|l| of(l).place.map(|(epoch, _)| epoch.uuid())).collect::<Vec<_>>())
        .bind(letters.iter().map(|l| of(l).place.map(|(_, seq)| seq)).collect::<Vec<_>>())
        .bind(letters.iter().map(|l| of(l).place.map(|_| of(l).quarter.start())).collect::<Vec<_>>())
        .bind(letters.iter().map(|l| dead(of(l)).1).collect::<Vec<_>>())
        .bind(letters.iter().map(|l| of(l).raw).collect::<Vec<_>>())
        .bind(letters.iter().map(|l| &*l.1).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    for (edge, digest, index) in &letters {
        new[*index] = stored.iter().any(|(e, d)| e == edge && d == digest);
    }
    Ok(new)
}

/// A reason as Postgres can hold it.
fn clean(reason: &str) -> String {
    reason.chars().filter(|c| *c != '\0').take(REASON_CHARS_MAX).collect()
}

/// A dead letter as the API shows it.
#[derive(Debug, sqlx::FromRow)]
pub struct Shown {
    pub id: i64,
    pub edge_id: Uuid,
    pub warehouse_id: Uuid,
    pub batch_id: Uuid,
    pub kind: String,
    pub epoch: Option<Uuid>,
    pub seq: Option<i64>,
    pub reason: String,
    pub raw_bytes: i32,
    /// Only where one letter is asked for.
    pub raw: Option<Vec<u8>>,
    pub received_at: DateTime<Utc>,
    pub state: String,
    pub resolved_at: Option<DateTime<Utc>>,
}

/// Of all warehouses or of one, newest first, below the id `before`.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn page(
    db: &Db,
    warehouse: Option<Uuid>,
    state: Option<&str>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Shown>, StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_as(PAGE).bind(state).bind(before).bind(warehouse).bind(limit);
    let page = within(query.fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(page)
}

/// # Errors
/// If Postgres cannot answer.
pub async fn show(db: &Db, id: i64) -> Result<Option<Shown>, StoreError> {
    let mut lease = db.lease().await?;
    let shown = within(sqlx::query_as(SHOW).bind(id).fetch_optional(&mut *lease)).await?;
    lease.done();
    Ok(shown)
}

/// The open ones, oldest first: those with this text in their reason, of this warehouse.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn open_ids(db: &Db, reason: Option<&str>, warehouse: Option<Uuid>) -> Result<Vec<i64>, StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_scalar(OPEN_IDS).bind(reason).bind(warehouse);
    let ids = within(query.fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(ids)
}

/// How many wait for somebody, per warehouse.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn open_by_warehouse(db: &Db) -> Result<Vec<(Uuid, i64)>, StoreError> {
    let mut lease = db.lease().await?;
    let counts = within(sqlx::query_as(OPEN_BY_WAREHOUSE).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(counts)
}

/// An open dead letter, locked until the end of the transaction.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Taken {
    edge_id: Uuid,
    warehouse_id: Uuid,
    batch_id: Uuid,
    pub kind: String,
    epoch: Option<Uuid>,
    seq: Option<i64>,
    quarter: Option<DateTime<Utc>>,
}

impl Taken {
    pub fn edge_id(&self) -> EdgeId {
        EdgeId::from_uuid(self.edge_id)
    }

    pub fn warehouse_id(&self) -> WarehouseId {
        WarehouseId::from_uuid(self.warehouse_id)
    }

    pub fn batch_id(&self) -> BatchId {
        BatchId::from_uuid(self.batch_id)
    }

    /// Its place, if it was counted in the ledger.
    pub fn place(&self) -> Option<(Epoch, i64)> {
        Some((Epoch::from_uuid(self.epoch?), self.seq?))
    }

    /// The quarter of an hour in which it was counted there.
    pub fn quarter(&self) -> Quarter {
        self.quarter.map_or(Quarter::UNKNOWN, Quarter::of)
    }
}

pub(super) async fn take(connection: &mut PgConnection, id: i64) -> Result<Option<Taken>, sqlx::Error> {
    sqlx::query_as(TAKE).bind(id).fetch_optional(connection).await
}

/// Ends an open letter and says in the audit log who did it. False if it is not open.
pub(super) async fn resolve(
    connection: &mut PgConnection,
    id: i64,
    state: &str,
    actor: &str,
    detail: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let resolved = sqlx::query(RESOLVE).bind(id).bind(state).execute(&mut *connection).await?;
    if resolved.rows_affected() == 0 {
        return Ok(false);
    }
    let subject = format!("dead_letter {id}");
    audit::note(connection, actor, state, &subject, detail).await?;
    Ok(true)
}

/// Erases the bytes of a letter that holds somebody who was forgotten; an open one is discarded with them.
pub(super) async fn erase(connection: &mut PgConnection, id: i64, actor: &str) -> Result<(), sqlx::Error> {
    sqlx::query(ERASE).bind(id).execute(&mut *connection).await?;
    let subject = format!("dead_letter {id}");
    audit::note(connection, actor, "erased", &subject, Some("it held a forgotten worker")).await
}

/// The same for a letter that was just inserted, with the rest of its batch.
pub(super) async fn erase_inserted(connection: &mut PgConnection, item: &Item<'_>) -> Result<(), sqlx::Error> {
    let digest = Sha256::digest(item.raw).to_vec();
    let find = sqlx::query_scalar(FIND).bind(item.edge_id.uuid()).bind(digest);
    let id: Option<i64> = find.fetch_optional(&mut *connection).await?;
    match id {
        Some(id) => erase(connection, id, "central").await,
        None => Ok(()),
    }
}
