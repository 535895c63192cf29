//! The ledger by time, as it is read: whole hours for pages, quarters for whoever makes shifts and days of them.
//!
//! The seqs of an epoch are dealt out to its quarters in order, without a gap: a quarter has those from its first, as the
//! edge told it or as we saw it arrive, up to the next one's. The first quarter begins with seq 1, the last one goes on to the
//! head. So each seq is counted in exactly one, and sums over quarters are the epoch's. What an edge did not live to tell is
//! counted to the quarter before it and called approximate.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::{Db, StoreError, within};

/// Quarters of a warehouse, $2 to $3, with what became of the seqs of each; missing and buffered as
/// [`accounts`](super::accounts) judges them.
macro_rules! quarters {
    () => {
        "\
WITH mine AS MATERIALIZED (
    SELECT edge_id, epoch, quarter, received, stored, alerts, dead, first_seq, last_seq,
           least(first_seq, lower(received)) AS start_seq
    FROM epoch_quarters
    WHERE warehouse_id = $1 AND quarter >= $2 AND quarter < $3
    UNION ALL
    -- Of these nobody told us any time: they count to when we first heard of them.
    SELECT l.edge_id, l.epoch, date_bin('15 minutes', l.first_seen_at, '1970-01-01Z'), '{}', 0, 0, 0, NULL, NULL, 1
    FROM edge_epochs l
    WHERE l.warehouse_id = $1 AND l.head > 0 AND l.first_seen_at >= $2 AND l.first_seen_at < $3
      AND NOT EXISTS (SELECT FROM epoch_quarters q WHERE q.edge_id = l.edge_id AND q.epoch = l.epoch)
), dealt AS (
    SELECT m.*, l.head, l.received AS arrived, l.buffered AS waiting, next.start_seq AS next_seq,
           CASE WHEN earlier.found THEN coalesce(m.start_seq, 1) ELSE 1 END AS from_seq,
           CASE WHEN coalesce(l.reported_at, l.first_seen_at) > now() - interval '30 seconds' THEN l.reported_head
                ELSE l.head END AS known_head
    FROM mine m
    JOIN edge_epochs l USING (edge_id, epoch)
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT FROM epoch_quarters p
                       WHERE p.edge_id = m.edge_id AND p.epoch = m.epoch AND p.quarter < m.quarter) AS found
    ) earlier
    LEFT JOIN LATERAL (
        SELECT least(n.first_seq, lower(n.received)) AS start_seq FROM epoch_quarters n
        WHERE n.edge_id = m.edge_id AND n.epoch = m.epoch AND n.quarter > m.quarter
          AND (n.first_seq IS NOT NULL OR NOT isempty(n.received))
        ORDER BY n.quarter LIMIT 1
    ) next ON true
), ranged AS (
    SELECT d.*, greatest(coalesce(next_seq, head + 1) - from_seq, 0) AS accepted,
           int8range(from_seq, greatest(least(next_seq, known_head + 1), from_seq)) AS told_of,
           int8range(from_seq, CASE WHEN next_seq IS NOT NULL THEN greatest(next_seq, from_seq) END) AS own,
           CASE WHEN first_seq IS NULL THEN 'empty' ELSE int8range(first_seq, greatest(last_seq + 1, first_seq)) END AS marked
    FROM dealt d
), sets AS (
    SELECT r.*,
           int8multirange(told_of) - arrived - waiting AS missing_set,
           int8multirange(own) * waiting - arrived AS buffered_set
    FROM ranged r
), counted AS (
    SELECT s.edge_id, s.epoch, s.quarter, s.accepted, received.n AS received, s.stored, s.alerts, s.dead,
           greatest(received.n - s.stored - s.alerts - s.dead, 0) AS duplicates,
           buffered.n AS buffered, missing.n AS missing,
           NOT isempty(missing_set + buffered_set - int8multirange(marked)) AS approximate
    FROM sets s
    CROSS JOIN LATERAL (SELECT coalesce(sum(upper(r) - lower(r)), 0)::int8 AS n FROM unnest(s.received) r) received
    CROSS JOIN LATERAL (SELECT coalesce(sum(upper(r) - lower(r)), 0)::int8 AS n FROM unnest(s.buffered_set) r) buffered
    CROSS JOIN LATERAL (SELECT coalesce(sum(upper(r) - lower(r)), 0)::int8 AS n FROM unnest(s.missing_set) r) missing
)
"
    };
}

const QUARTERS: &str = concat!(quarters!(), "SELECT * FROM counted ORDER BY quarter, edge_id, epoch");

/// After the place ($4, $5, $6) where the last page ended. Hours here are those of UTC.
const HOURS: &str = concat!(
    quarters!(),
    "SELECT date_trunc('hour', quarter, 'UTC') AS hour, edge_id, epoch, sum(accepted)::int8 AS accepted,
       sum(received)::int8 AS received, sum(stored)::int8 AS stored, sum(alerts)::int8 AS alerts,
       sum(duplicates)::int8 AS duplicates, sum(dead)::int8 AS dead, sum(buffered)::int8 AS buffered,
       sum(missing)::int8 AS missing, bool_or(approximate) AS approximate
FROM counted
GROUP BY 1, 2, 3
HAVING $4::timestamptz IS NULL OR (date_trunc('hour', quarter, 'UTC'), edge_id, epoch) > ($4, $5::uuid, $6::uuid)
ORDER BY 1, 2, 3 LIMIT $7"
);

/// Who of a warehouse would know, and when they last spoke. An edge counts from its first record or word on.
const WITNESSES: &str = "\
SELECT e.edge_id, e.name, e.revoked_at, e.heartbeat_at, (e.heartbeat ->> 'sent_at')::timestamptz AS sent_at,
       (e.heartbeat ->> 'drain_seconds')::float8 AS drain_seconds, first.since
FROM edges e
CROSS JOIN LATERAL (
    SELECT min(least(l.first_seen_at, told.quarter)) AS since
    FROM edge_epochs l
    LEFT JOIN LATERAL (
        SELECT q.quarter FROM epoch_quarters q
        -- Behind clocks that were never set.
        WHERE q.edge_id = l.edge_id AND q.epoch = l.epoch AND q.quarter > '2000-01-01Z'
        ORDER BY q.quarter LIMIT 1
    ) told ON true
    WHERE l.edge_id = e.edge_id
) first
WHERE e.warehouse_id = $1
ORDER BY e.edge_id";

const SITES: &str = "\
SELECT warehouse_id, name FROM warehouses WHERE $1::uuid IS NULL OR warehouse_id = $1 ORDER BY warehouse_id";

pub const STATEMENTS: &[&str] = &[QUARTERS, HOURS, WITNESSES, SITES];

/// What became of the seqs of one quarter of an hour of one epoch.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Quarter {
    pub edge_id: Uuid,
    pub epoch: Uuid,
    pub quarter: DateTime<Utc>,
    pub accepted: i64,
    pub received: i64,
    pub stored: i64,
    pub alerts: i64,
    pub duplicates: i64,
    pub dead: i64,
    pub buffered: i64,
    pub missing: i64,
    /// Some of what is missing or buffered may belong to a neighbour: the edge did not tell.
    pub approximate: bool,
}

/// The quarters of a warehouse from `from` to before `to`, in order.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn quarters(
    db: &Db,
    warehouse: Uuid,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Quarter>, StoreError> {
    let mut lease = db.lease().await?;
    let quarters = within(sqlx::query_as(QUARTERS).bind(warehouse).bind(from).bind(to).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(quarters)
}

/// An hour of one epoch.
#[derive(Debug, Clone, sqlx::FromRow, serde::Serialize, utoipa::ToSchema)]
pub struct Hour {
    /// When it begins.
    pub hour: DateTime<Utc>,
    pub edge_id: Uuid,
    pub epoch: Uuid,
    pub accepted: i64,
    pub received: i64,
    pub stored: i64,
    pub alerts: i64,
    pub duplicates: i64,
    pub dead: i64,
    pub buffered: i64,
    pub missing: i64,
    /// Some of what is missing or buffered may belong to a neighbour: the edge did not live to tell.
    pub approximate: bool,
}

/// A page of a warehouse's hours from `from` to before `to`, behind the hour, edge and epoch `after`.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn hours(
    db: &Db,
    warehouse: Uuid,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    after: Option<(DateTime<Utc>, Uuid, Uuid)>,
    limit: i64,
) -> Result<Vec<Hour>, StoreError> {
    // What came before the page need not be counted again.
    let from = after.map_or(from, |(hour, ..)| hour.max(from));
    let mut lease = db.lease().await?;
    let hours = within(
        sqlx::query_as(HOURS)
            .bind(warehouse)
            .bind(from)
            .bind(to)
            .bind(after.map(|a| a.0))
            .bind(after.map(|a| a.1))
            .bind(after.map(|a| a.2))
            .bind(limit)
            .fetch_all(&mut *lease),
    )
    .await?;
    lease.done();
    Ok(hours)
}

/// An edge as one who knows what was accepted.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Witness {
    pub edge_id: Uuid,
    pub name: Option<String>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// Its last heartbeat, by our clock.
    pub heartbeat_at: Option<DateTime<Utc>>,
    /// And by its own, by which the quarters go.
    pub sent_at: Option<DateTime<Utc>>,
    pub drain_seconds: Option<f64>,
    /// The first that we know of it.
    pub since: Option<DateTime<Utc>>,
}

impl Witness {
    /// What to call it.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("edge {}", self.edge_id))
    }
}

/// The edges of a warehouse, revoked ones too.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn witnesses(db: &Db, warehouse: Uuid) -> Result<Vec<Witness>, StoreError> {
    let mut lease = db.lease().await?;
    let witnesses = within(sqlx::query_as(WITNESSES).bind(warehouse).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(witnesses)
}

/// The sites there are, or the one: their ids and names.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn sites(db: &Db, warehouse: Option<Uuid>) -> Result<Vec<(Uuid, Option<String>)>, StoreError> {
    let mut lease = db.lease().await?;
    let sites = within(sqlx::query_as(SITES).bind(warehouse).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(sites)
}
