//! What fleet health is made of, read for all sites at once and compactly; the states of edges and sites, which change by
//! compare-and-set, so that of several instances that see the same one writes it; and how sites were.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Db, StoreError, within};
use crate::fleet::{Code, Digest, State};

const NOW: &str = "SELECT now()";

const SITES: &str = "SELECT warehouse_id, name FROM warehouses";

/// Never the heartbeats themselves: they are large.
const EDGES: &str = "\
SELECT e.edge_id, e.warehouse_id, e.name, e.created_at, e.heartbeat_at, e.digest, e.unreadable_at, e.unreadable,
       e.waiting_since, e.turned_back, e.turned_back_at, e.copy_seen_at, c.renew_at, c.not_after AS certificate_until,
       CASE WHEN c.issued_for <> 'enrolment' THEN c.issued_at END AS renewed_at
FROM edges e LEFT JOIN LATERAL (
    SELECT renew_at, not_after, issued_for, issued_at FROM edge_certificates
    WHERE edge_id = e.edge_id AND revoked_at IS NULL AND superseded_at IS NULL
    ORDER BY first_used_at IS NULL, issued_at DESC LIMIT 1
) c ON true
WHERE e.revoked_at IS NULL ORDER BY e.warehouse_id, e.name, e.edge_id";

const STATES: &str = "SELECT warehouse_id, edge_id, version, state, codes, since, noted, noted_at FROM fleet_states";

const DEAD_LETTERS: &str = "\
SELECT edge_id, warehouse_id, count(*) AS open FROM dead_letters WHERE state = 'open' GROUP BY edge_id, warehouse_id";

/// Nobody sees to an alert that is neither acknowledged nor silenced, as the pages of alerts say it: by the rule of
/// [`common::alert::merge`], which a test holds this against.
const ALERTS: &str = "\
WITH silences AS MATERIALIZED (
    SELECT s.warehouse_id, s.statement -> 'scope' ->> 'rule' AS rule, (s.statement -> 'scope' ->> 'zone_id')::uuid AS zone_id,
           s.statement -> 'scope' ->> 'camera_id' AS camera_id
    FROM alert_facts s
    WHERE s.kind = 'silence' AND s.until > now() AND s.made_at <= now() AND NOT EXISTS (
        SELECT FROM alert_facts e WHERE e.kind = 'end_silence' AND e.silence_id = s.fact_id
            AND e.warehouse_id = s.warehouse_id AND e.made_at <= now())
)
SELECT warehouse_id, count(*) AS open, count(*) FILTER (WHERE NOT seen_to) AS unacknowledged,
       count(*) FILTER (WHERE NOT seen_to AND severity = 'critical') AS critical
FROM (
    SELECT a.warehouse_id, a.severity,
           EXISTS (SELECT FROM alert_facts f WHERE f.warehouse_id = a.warehouse_id AND f.alert_id = a.alert_id
                                               AND f.kind = 'acknowledge')
           OR EXISTS (SELECT FROM silences s WHERE s.warehouse_id = a.warehouse_id
                          AND (s.rule IS NULL OR s.rule = a.rule) AND (s.zone_id IS NULL OR s.zone_id = a.zone_id)
                          AND (s.camera_id IS NULL OR s.camera_id = a.camera_id)) AS seen_to
    FROM alerts a WHERE a.ended_at IS NULL
) o GROUP BY warehouse_id";

/// What was decided by a row that another has changed since is not written, and neither is its history. The last
/// heartbeat of an edge whose state changes is kept with it.
const CHANGE: &str = "\
WITH new AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::text[], $5::text[], $6::timestamptz[], $7::bool[],
                         $8::text[])
         AS t (warehouse_id, edge_id, version, state, codes, since, note, reasons)
), written AS (
    INSERT INTO fleet_states AS s (warehouse_id, edge_id, version, state, codes, since, noted, noted_at)
    SELECT warehouse_id, edge_id, version + 1, state, string_to_array(codes, ','), since, note,
           CASE WHEN note THEN $9 ELSE 'epoch'::timestamptz END
    FROM new ORDER BY warehouse_id, edge_id
    ON CONFLICT (warehouse_id, edge_id) DO UPDATE SET
        version = excluded.version, state = excluded.state, codes = excluded.codes, since = excluded.since,
        noted = excluded.noted, noted_at = greatest(s.noted_at, excluded.noted_at)
    WHERE s.version = excluded.version - 1
    RETURNING warehouse_id, edge_id
), history AS (
    INSERT INTO site_states (warehouse_id, edge_id, at, state, reasons)
    SELECT n.warehouse_id, n.edge_id, $9, n.state, ARRAY(SELECT jsonb_array_elements_text(n.reasons::jsonb))
    FROM new n JOIN written w ON w.warehouse_id = n.warehouse_id AND w.edge_id IS NOT DISTINCT FROM n.edge_id
    WHERE n.note ORDER BY n.warehouse_id, n.edge_id
), kept AS (
    INSERT INTO edge_heartbeats
        (edge_id, at, warehouse_id, live, backlog, oldest_age_seconds, disk_bytes_free, accepted, rejected, redis)
    SELECT e.edge_id, e.heartbeat_at, e.warehouse_id, coalesce((d -> 'live' ->> 'records')::int8, 0),
           coalesce((d -> 'backlog' ->> 'records')::int8, 0),
           greatest((d -> 'live' ->> 'oldest_age_ms')::float8, (d -> 'backlog' ->> 'oldest_age_ms')::float8) / 1000,
           coalesce((d -> 'spill' ->> 'disk_bytes_free')::int8, 0), coalesce((d ->> 'accepted')::int8, 0),
           coalesce((d ->> 'rejected')::int8, 0), d ->> 'redis'
    FROM new n JOIN written w ON w.warehouse_id = n.warehouse_id AND w.edge_id = n.edge_id
    JOIN edges e ON e.edge_id = n.edge_id CROSS JOIN LATERAL (SELECT e.digest AS d) x
    WHERE n.note AND e.heartbeat_at IS NOT NULL AND d ->> 'redis' IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM written";

/// What held at the beginning of the range comes first.
const HISTORY: &str = "\
(SELECT DISTINCT ON (edge_id) id, at, edge_id, state, reasons FROM site_states
 WHERE warehouse_id = $1 AND at < $2 ORDER BY edge_id, at DESC, id DESC)
UNION ALL
(SELECT id, at, edge_id, state, reasons FROM site_states
 WHERE warehouse_id = $1 AND at >= $2 AND at < $3 ORDER BY at DESC, id DESC LIMIT $4)
ORDER BY at, id";

/// One per edge and $4: the newest of each.
const HEARTBEATS: &str = "\
SELECT DISTINCT ON (h.edge_id, date_bin($4, h.at, $2))
       h.at, h.edge_id, h.live, h.backlog, h.oldest_age_seconds, h.disk_bytes_free, h.accepted, h.rejected, h.redis
FROM edges e JOIN edge_heartbeats h ON h.edge_id = e.edge_id AND h.at >= $2 AND h.at < $3
WHERE e.warehouse_id = $1 ORDER BY h.edge_id, date_bin($4, h.at, $2), h.at DESC";

pub const STATEMENTS: &[&str] = &[NOW, SITES, EDGES, STATES, DEAD_LETTERS, ALERTS, CHANGE, HISTORY, HEARTBEATS];

/// Changes of state that one answer holds; a site that changes more often than this has one story to tell: it flickers.
const HISTORY_MAX: i64 = 5_000;

#[derive(Debug, Clone, FromRow)]
pub struct Site {
    pub warehouse_id: Uuid,
    pub name: Option<String>,
}

#[derive(Debug, Clone, FromRow)]
pub struct Edge {
    pub edge_id: Uuid,
    pub warehouse_id: Uuid,
    pub name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub heartbeat_at: Option<DateTime<Utc>>,
    digest: Option<serde_json::Value>,
    pub unreadable_at: Option<DateTime<Utc>>,
    pub unreadable: Option<String>,
    pub waiting_since: Option<DateTime<Utc>>,
    pub turned_back: i32,
    pub turned_back_at: Option<DateTime<Utc>>,
    pub copy_seen_at: Option<DateTime<Utc>>,
    pub renew_at: Option<DateTime<Utc>>,
    pub certificate_until: Option<DateTime<Utc>>,
    pub renewed_at: Option<DateTime<Utc>>,
}

impl Edge {
    /// What to call it.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("edge {}", self.edge_id))
    }

    /// What it last said; `Some(Err)` if an instance of another version stored it and this one cannot read it.
    pub fn digest(&self) -> Option<Result<Digest, String>> {
        let digest = self.digest.clone()?;
        Some(serde_json::from_value(digest).map_err(|error| error.to_string()))
    }
}

/// The state of an edge, or with `edge_id` `None` of a site, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub warehouse_id: Uuid,
    pub edge_id: Option<Uuid>,
    pub version: i64,
    pub state: State,
    pub codes: Vec<Code>,
    pub since: DateTime<Utc>,
    /// Whether the history has it.
    pub noted: bool,
    pub noted_at: DateTime<Utc>,
}

type StateRow = (Uuid, Option<Uuid>, i64, String, Vec<String>, DateTime<Utc>, bool, DateTime<Utc>);

impl Stored {
    fn of((warehouse_id, edge_id, version, state, codes, since, noted, noted_at): StateRow) -> Self {
        Self {
            warehouse_id,
            edge_id,
            version,
            // Of a later version: nothing this one could go on from.
            state: State::parse(&state).unwrap_or(State::Unknown),
            codes: codes.iter().filter_map(|code| Code::parse(code)).collect(),
            since,
            noted,
            noted_at,
        }
    }
}

#[derive(Debug, Clone, FromRow)]
pub struct DeadLetters {
    pub edge_id: Uuid,
    pub warehouse_id: Uuid,
    pub open: i64,
}

#[derive(Debug, Clone, FromRow)]
pub struct Alerts {
    pub warehouse_id: Uuid,
    pub open: i64,
    /// And not silenced.
    pub unacknowledged: i64,
    /// Of those.
    pub critical: i64,
}

/// All sites at one moment.
#[derive(Debug, Clone)]
pub struct Picture {
    /// By Postgres's clock, so that all instances judge by the same one. Taken first: nothing in it is older.
    pub now: DateTime<Utc>,
    pub sites: Vec<Site>,
    /// Without those revoked: such an edge is history. Its ledger counts, its silence does not.
    pub edges: Vec<Edge>,
    pub states: Vec<Stored>,
    pub dead_letters: Vec<DeadLetters>,
    pub alerts: Vec<Alerts>,
}

/// # Errors
/// If Postgres cannot answer.
pub async fn picture(db: &Db) -> Result<Picture, StoreError> {
    let mut lease = db.lease().await?;
    let now = within(sqlx::query_scalar(NOW).fetch_one(&mut *lease)).await?;
    let sites = within(sqlx::query_as(SITES).fetch_all(&mut *lease)).await?;
    let edges = within(sqlx::query_as(EDGES).fetch_all(&mut *lease)).await?;
    let states: Vec<StateRow> = within(sqlx::query_as(STATES).fetch_all(&mut *lease)).await?;
    let dead_letters = within(sqlx::query_as(DEAD_LETTERS).fetch_all(&mut *lease)).await?;
    let alerts = within(sqlx::query_as(ALERTS).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(Picture { now, sites, edges, states: states.into_iter().map(Stored::of).collect(), dead_letters, alerts })
}

/// A state to be stored in the place of the one with the version before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As it shall be, but for the version: that is the one it was decided by, 0 if there was none.
    pub new: Stored,
    /// In words, for the history.
    pub reasons: Vec<String>,
}

/// Stores those changes whose version is still the stored one; answers how many those were. `at` is when they were seen.
///
/// # Errors
/// If Postgres cannot do it now. What was stored then is unknown; a new picture shows it.
pub async fn change(db: &Db, changes: &[Change], at: DateTime<Utc>) -> Result<usize, StoreError> {
    let mut lease = db.lease().await?;
    let codes = |c: &Change| c.new.codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(",");
    let query = sqlx::query_scalar(CHANGE)
        .bind(changes.iter().map(|c| c.new.warehouse_id).collect::<Vec<_>>())
        .bind(changes.iter().map(|c| c.new.edge_id).collect::<Vec<_>>())
        .bind(changes.iter().map(|c| c.new.version).collect::<Vec<_>>())
        .bind(changes.iter().map(|c| c.new.state.as_str()).collect::<Vec<_>>())
        .bind(changes.iter().map(codes).collect::<Vec<_>>())
        .bind(changes.iter().map(|c| c.new.since).collect::<Vec<_>>())
        .bind(changes.iter().map(|c| c.new.noted).collect::<Vec<_>>())
        .bind(changes.iter().map(|c| serde_json::to_string(&c.reasons).expect("texts in memory")).collect::<Vec<_>>())
        .bind(at);
    let written: i64 = within(query.fetch_one(&mut *lease)).await?;
    lease.done();
    Ok(usize::try_from(written).unwrap_or(0))
}

/// A state that began.
#[derive(Debug, Clone, FromRow, Serialize, utoipa::ToSchema)]
#[schema(as = StateBegan)]
pub struct Began {
    pub at: DateTime<Utc>,
    /// `None`: the site as a whole.
    pub edge_id: Option<Uuid>,
    pub state: String,
    /// As they were then, in words.
    pub reasons: Vec<String>,
}

/// A heartbeat that was kept.
#[derive(Debug, Clone, FromRow, Serialize, utoipa::ToSchema)]
#[schema(as = HeartbeatKept)]
pub struct Kept {
    pub at: DateTime<Utc>,
    pub edge_id: Uuid,
    /// Records in its Redis, and in its spill.
    pub live: i64,
    pub backlog: i64,
    pub oldest_age_seconds: Option<f64>,
    pub disk_bytes_free: i64,
    /// Events since its process started.
    pub accepted: i64,
    pub rejected: i64,
    pub redis: String,
}

/// The states of a site and its edges from what held at `from`, oldest first, and one heartbeat per edge and `step`.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn history(
    db: &Db,
    warehouse: Uuid,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    step: TimeDelta,
) -> Result<(Vec<Began>, Vec<Kept>), StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_as(HISTORY).bind(warehouse).bind(from).bind(to).bind(HISTORY_MAX);
    let states = within(query.fetch_all(&mut *lease)).await?;
    let step = sqlx::postgres::types::PgInterval {
        months: 0,
        days: 0,
        microseconds: step.num_microseconds().unwrap_or(i64::MAX),
    };
    let query = sqlx::query_as(HEARTBEATS).bind(warehouse).bind(from).bind(to).bind(step);
    let heartbeats = within(query.fetch_all(&mut *lease)).await?;
    lease.done();
    Ok((states, heartbeats))
}
