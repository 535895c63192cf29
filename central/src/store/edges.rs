//! What is known of edges and their sites: the last heartbeat, and what fleet health is made of.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common::ids::EdgeId;
use uuid::Uuid;

use super::{Db, StoreError, within};

/// Decoders repeat the data.
const UNREADABLE_CHARS_MAX: usize = 200;

const NOTE_UNREADABLE: &str = "UPDATE edges SET unreadable_at = now(), unreadable = $2 WHERE edge_id = $1";

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

pub const STATEMENTS: &[&str] = &[NOTE_UNREADABLE, HEARTBEATS, CAMERA_NAMES, ZONES, RATES];

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
