//! What is known of edges and their sites: the last heartbeat, and what fleet health is made of.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common::ids::{EdgeId, Epoch};
use common::protocol::{DatabaseMark, Heartbeat, SeqRange};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Db, StoreError, database, ledger, within};
use crate::fleet::Digest;

/// The year 2200: later ones are no times of ours.
const STARTED_LATEST: DateTime<Utc> = DateTime::from_timestamp(7_258_118_400, 0).expect("in range");
/// Decoders repeat the data.
const UNREADABLE_CHARS_MAX: usize = 200;

/// With what fleet health reads of it; and now and then one is kept for the history.
const STORE_HEARTBEAT: &str = "\
WITH beat AS (
    UPDATE edges SET
        heartbeat = $2, heartbeat_at = now(), digest = $3,
        waiting_since = CASE WHEN $4 THEN coalesce(waiting_since, now()) END,
        turned_back = CASE WHEN $5 < started_at THEN
            CASE WHEN turned_back_at > now() - interval '10 minutes' THEN turned_back + 1 ELSE 1 END
            ELSE turned_back END,
        turned_back_at = CASE WHEN $5 < started_at THEN now() ELSE turned_back_at END,
        started_at = $5,
        kept_at = CASE WHEN kept_at > now() - interval '5 minutes' THEN kept_at ELSE now() END
    WHERE edge_id = $1
    RETURNING edge_id, warehouse_id, kept_at = now() AS keep
)
INSERT INTO edge_heartbeats
    (edge_id, at, warehouse_id, live, backlog, oldest_age_seconds, disk_bytes_free, accepted, rejected, redis)
SELECT edge_id, now(), warehouse_id, $6, $7, $8, $9, $10, $11, $12 FROM beat WHERE keep
ON CONFLICT DO NOTHING";

const NOTE_UNREADABLE: &str = "UPDATE edges SET unreadable_at = now(), unreadable = $2 WHERE edge_id = $1";

/// Reports of epochs that are over and drained need not be repeated.
const SETTLED: &str = "\
SELECT epoch FROM edge_epochs
WHERE edge_id = $1 AND epoch = ANY ($2::uuid[]) AND NOT current AND reported_at IS NOT NULL AND isempty(buffered)";

const HEARTBEATS: &str = "\
SELECT edge_id, heartbeat FROM edges WHERE warehouse_id = $1 AND revoked_at IS NULL AND heartbeat IS NOT NULL";

const CAMERA_NAMES: &str = "SELECT camera_id, name FROM cameras WHERE warehouse_id = $1 AND name IS NOT NULL";

const ZONES: &str = "\
SELECT z.zone_id, z.name, newest.last_event_time, z.first_seen_at
FROM zones z
LEFT JOIN LATERAL (
    SELECT m.last_event_time FROM zone_minutes m
    WHERE m.warehouse_id = z.warehouse_id AND m.zone_id = z.zone_id ORDER BY m.minute DESC LIMIT 1
) newest ON true
WHERE z.warehouse_id = $1 ORDER BY z.name, z.zone_id";

/// Events of the last full minutes, by event time, and the newest event, which is in the newest minute.
const RATES: &str = "\
SELECT w.warehouse_id, newest.last_event_time, recent.events AS events_5m
FROM warehouses w
LEFT JOIN LATERAL (
    SELECT last_event_time FROM zone_minutes z WHERE z.warehouse_id = w.warehouse_id
    ORDER BY minute DESC, last_event_time DESC LIMIT 1
) newest ON true
CROSS JOIN LATERAL (
    SELECT coalesce(sum(events), 0)::int8 AS events FROM zone_minutes z
    WHERE z.warehouse_id = w.warehouse_id
      AND z.minute >= date_trunc('minute', $1::timestamptz) - interval '5 minutes'
      AND z.minute < date_trunc('minute', $1::timestamptz)
) recent";

pub const STATEMENTS: &[&str] = &[STORE_HEARTBEAT, NOTE_UNREADABLE, SETTLED, HEARTBEATS, CAMERA_NAMES, ZONES, RATES];

/// What the ledger answers to a heartbeat.
#[derive(Debug)]
pub struct Noted {
    pub settled: Vec<Epoch>,
    pub lacking: Vec<SeqRange>,
    pub database: DatabaseMark,
}

/// Stores a heartbeat and what it says of the ledger; answers what the ledger says.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn store_heartbeat(db: &Db, heartbeat: &Heartbeat) -> Result<Noted, StoreError> {
    let mut lease = db.lease().await?;
    let edge = heartbeat.edge_id.uuid();
    let digest = Digest::of(heartbeat);
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    // An edge may claim a time that Postgres cannot hold.
    let started_at = heartbeat.started_at.clamp(DateTime::UNIX_EPOCH, STARTED_LATEST);
    let query = sqlx::query(STORE_HEARTBEAT)
        .bind(edge)
        .bind(Json(heartbeat))
        .bind(Json(&digest))
        .bind(digest.waiting() > 0)
        .bind(started_at)
        .bind(count(digest.live.records))
        .bind(count(digest.backlog.records))
        .bind(digest.oldest_age().map(|age| age.num_milliseconds() as f64 / 1_000.0))
        .bind(count(digest.spill.disk_bytes_free))
        .bind(count(digest.accepted))
        .bind(count(digest.rejected))
        .bind(digest.redis_word());
    // What it says before that it spoke: who has spoken vouches for completeness.
    within(ledger::report(&mut lease, heartbeat)).await?;
    within(query.execute(&mut *lease)).await?;
    let reported: Vec<Uuid> = heartbeat.epochs.iter().map(|report| report.epoch.uuid()).collect();
    let settled: Vec<Uuid> =
        within(sqlx::query_scalar(SETTLED).bind(edge).bind(reported).fetch_all(&mut *lease)).await?;
    let lacking = within(ledger::lacking(&mut lease, heartbeat)).await?;
    let database = within(database::mark(&mut lease)).await?;
    lease.done();
    Ok(Noted { settled: settled.into_iter().map(Epoch::from_uuid).collect(), lacking, database })
}

/// Notes that an edge spoke and could not be understood.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn note_unreadable(db: &Db, edge: EdgeId, why: &str) -> Result<(), StoreError> {
    let mut lease = db.lease().await?;
    let why: String = why.chars().filter(|c| *c != '\0').take(UNREADABLE_CHARS_MAX).collect();
    within(sqlx::query(NOTE_UNREADABLE).bind(edge.uuid()).bind(why).execute(&mut *lease)).await?;
    lease.done();
    Ok(())
}

/// The last heartbeats of a warehouse's edges, as they came.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn heartbeats(db: &Db, warehouse: Uuid) -> Result<Vec<(Uuid, serde_json::Value)>, StoreError> {
    let mut lease = db.lease().await?;
    let heartbeats = within(sqlx::query_as(HEARTBEATS).bind(warehouse).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(heartbeats)
}

#[derive(Debug, Clone, sqlx::FromRow, serde::Serialize, utoipa::ToSchema)]
pub struct Zone {
    pub zone_id: Uuid,
    pub name: Option<String>,
    pub last_event_time: Option<DateTime<Utc>>,
    pub first_seen_at: DateTime<Utc>,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Rate {
    pub warehouse_id: Uuid,
    pub last_event_time: Option<DateTime<Utc>>,
    pub events_5m: i64,
}

/// What people call the cameras of a warehouse, those that have a name.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn camera_names(db: &Db, warehouse: Uuid) -> Result<HashMap<String, String>, StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_as(CAMERA_NAMES).bind(warehouse);
    let names: Vec<(String, String)> = within(query.fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(names.into_iter().collect())
}

/// # Errors
/// If Postgres cannot answer.
pub async fn zones(db: &Db, warehouse: Uuid) -> Result<Vec<Zone>, StoreError> {
    let mut lease = db.lease().await?;
    let zones = within(sqlx::query_as(ZONES).bind(warehouse).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(zones)
}

/// # Errors
/// If Postgres cannot answer.
pub async fn rates(db: &Db, now: DateTime<Utc>) -> Result<Vec<Rate>, StoreError> {
    let mut lease = db.lease().await?;
    let rates = within(sqlx::query_as(RATES).bind(now).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(rates)
}
