//! What is known of edges and their sites: the last heartbeat, and what fleet health is made of.

use chrono::{DateTime, Utc};
use common::ids::Epoch;
use common::protocol::Heartbeat;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Db, StoreError, ledger, within};

const STORE_HEARTBEAT: &str = "UPDATE edges SET heartbeat = $2, heartbeat_at = now() WHERE edge_id = $1";

/// Reports of epochs that are over and drained need not be repeated.
const SETTLED: &str = "\
SELECT epoch FROM edge_epochs
WHERE edge_id = $1 AND epoch = ANY ($2::uuid[]) AND NOT current AND reported_at IS NOT NULL AND isempty(buffered)";

const SITES: &str = "\
SELECT warehouse_id, name FROM warehouses WHERE $1::uuid IS NULL OR warehouse_id = $1 ORDER BY warehouse_id";

const EDGES: &str = "\
SELECT edge_id, warehouse_id, name, created_at, revoked_at, heartbeat, heartbeat_at FROM edges
WHERE $1::uuid IS NULL OR warehouse_id = $1 ORDER BY edge_id";

const ZONES: &str = "\
SELECT zone_id, name, first_seen_at FROM zones WHERE warehouse_id = $1 ORDER BY zone_id";

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

pub const STATEMENTS: &[&str] = &[STORE_HEARTBEAT, SETTLED, SITES, EDGES, ZONES, RATES];

/// Stores a heartbeat and what it says of the ledger; answers the epochs that are settled.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn store_heartbeat(db: &Db, heartbeat: &Heartbeat) -> Result<Vec<Epoch>, StoreError> {
    let mut lease = db.lease().await?;
    let edge = heartbeat.edge_id.uuid();
    within(sqlx::query(STORE_HEARTBEAT).bind(edge).bind(Json(heartbeat)).execute(&mut *lease)).await?;
    within(ledger::report(&mut lease, heartbeat)).await?;
    let reported: Vec<Uuid> = heartbeat.epochs.iter().map(|report| report.epoch.uuid()).collect();
    let settled: Vec<Uuid> =
        within(sqlx::query_scalar(SETTLED).bind(edge).bind(reported).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(settled.into_iter().map(Epoch::from_uuid).collect())
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Site {
    pub warehouse_id: Uuid,
    pub name: Option<String>,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Edge {
    pub edge_id: Uuid,
    pub warehouse_id: Uuid,
    pub name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    heartbeat: Option<serde_json::Value>,
    pub heartbeat_at: Option<DateTime<Utc>>,
}

impl Edge {
    /// What to call it.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("edge {}", self.edge_id))
    }

    /// The last heartbeat, unless it is of a version that this one cannot read.
    pub fn heartbeat(&self) -> Option<Heartbeat> {
        serde_json::from_value(self.heartbeat.clone()?).ok()
    }
}

#[derive(Debug, Clone, sqlx::FromRow, serde::Serialize)]
pub struct Zone {
    pub zone_id: Uuid,
    pub name: Option<String>,
    pub first_seen_at: DateTime<Utc>,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Rate {
    pub warehouse_id: Uuid,
    pub last_event_time: Option<DateTime<Utc>>,
    pub events_5m: i64,
}

/// Sites and their edges: of one warehouse, or all.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn sites(db: &Db, warehouse: Option<Uuid>) -> Result<(Vec<Site>, Vec<Edge>), StoreError> {
    let mut lease = db.lease().await?;
    let sites = within(sqlx::query_as(SITES).bind(warehouse).fetch_all(&mut *lease)).await?;
    let edges = within(sqlx::query_as(EDGES).bind(warehouse).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok((sites, edges))
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
