//! Rows of `alerts`: of each the newest state that arrived, whatever came in between, twice or in another order.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common::alert::{AlertEvent, Curve};
use common::ids::{WorkerId, ZoneId};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Db, StoreError, audit, transaction, within};
use crate::frame::{Content, Fate, Item};

/// Returned are the alerts that changed, with the revision each had before.
const UPSERT: &str = "\
INSERT INTO alerts AS a
    (warehouse_id, alert_id, revision, edge_id, subject, rule, severity, zone_id, camera_id, worker_id, started_at,
     raised_at, ended_at, peak, peak_at, events, episodes, summary, curve)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::uuid[],
                     $9::text[], $10::uuid[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
                     $14::float8[], $15::timestamptz[], $16::int8[], $17::int8[], $18::text[], $19::jsonb[])
ON CONFLICT (warehouse_id, alert_id) DO UPDATE SET
    revision = excluded.revision, revision_before = a.revision, edge_id = excluded.edge_id,
    subject = excluded.subject, rule = excluded.rule, severity = excluded.severity, zone_id = excluded.zone_id,
    camera_id = excluded.camera_id, worker_id = excluded.worker_id, started_at = excluded.started_at,
    raised_at = excluded.raised_at, ended_at = excluded.ended_at, peak = excluded.peak, peak_at = excluded.peak_at,
    events = excluded.events, episodes = excluded.episodes, summary = excluded.summary,
    curve = excluded.curve, stored_at = now()
WHERE excluded.revision > a.revision
RETURNING warehouse_id, alert_id, revision_before";

/// Newest first, per warehouse by an index and then merged. worker_id is personal data: only [`person`] reads it.
const PAGE: &str = "\
SELECT a.* FROM (
    SELECT warehouse_id FROM warehouses WHERE $1::uuid IS NULL OR warehouse_id = $1
) w CROSS JOIN LATERAL (
    SELECT warehouse_id, alert_id, revision, edge_id, subject, rule, severity, zone_id, camera_id, started_at,
           raised_at, ended_at, peak, peak_at, events, episodes, summary, stored_at
    FROM alerts s
    WHERE s.warehouse_id = w.warehouse_id
      AND ($2::uuid IS NULL OR s.zone_id = $2)
      AND ($3::text IS NULL OR s.severity = $3)
      AND ($4::bool IS NULL OR (s.ended_at IS NULL) = $4)
      AND ($10::text IS NULL OR s.camera_id = $10)
      AND s.raised_at >= coalesce($5::timestamptz, '-infinity')
      AND s.raised_at < coalesce($6::timestamptz, 'infinity')
      AND ($7::timestamptz IS NULL OR (s.raised_at, s.alert_id) < ($7, $8::uuid))
    ORDER BY s.raised_at DESC, s.alert_id DESC
    LIMIT $9
) a
ORDER BY a.raised_at DESC, a.alert_id DESC
LIMIT $9";

/// One id may be in several warehouses: it is a hash of what the edge knows, and what is foreign stays apart.
const BY_ID: &str = "\
SELECT warehouse_id, alert_id, revision, edge_id, subject, rule, severity, zone_id, camera_id, started_at, raised_at,
       ended_at, peak, peak_at, events, episodes, summary, stored_at
FROM alerts WHERE alert_id = $1 AND ($2::uuid IS NULL OR warehouse_id = $2) ORDER BY warehouse_id";

/// The newest of those that go on.
const OPEN: &str = "\
SELECT warehouse_id, alert_id, revision, edge_id, subject, rule, severity, zone_id, camera_id, started_at, raised_at,
       ended_at, peak, peak_at, events, episodes, summary, stored_at
FROM alerts WHERE ended_at IS NULL ORDER BY raised_at DESC, alert_id DESC LIMIT $1";

const THESE: &str = "\
SELECT a.warehouse_id, a.alert_id, a.revision, a.edge_id, a.subject, a.rule, a.severity, a.zone_id, a.camera_id,
       a.started_at, a.raised_at, a.ended_at, a.peak, a.peak_at, a.events, a.episodes, a.summary, a.stored_at
FROM unnest($1::uuid[], $2::uuid[]) AS t (warehouse_id, alert_id) JOIN alerts a USING (warehouse_id, alert_id)";

const CURVE: &str = "SELECT curve FROM alerts WHERE warehouse_id = $1 AND alert_id = $2";

const PERSON: &str = "SELECT worker_id FROM alerts WHERE warehouse_id = $1 AND alert_id = $2";

pub const STATEMENTS: &[&str] = &[UPSERT, PAGE, OPEN, THESE, BY_ID, CURVE, PERSON];

type Key = (Uuid, Uuid);
type Row<'i> = (Key, u32, usize, &'i AlertEvent);

/// Writes the alerts among `items`. `Stored` is what brought something new: of several states of an alert that arrive
/// together each that is newer than what was there.
///
/// Rows go in by key order, so that two transactions that hold the same alerts wait for each other in the same order.
pub(super) async fn insert(
    connection: &mut PgConnection,
    items: &[Item<'_>],
    fates: &mut [Fate],
) -> Result<(), sqlx::Error> {
    let mut all: Vec<Row<'_>> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if let Content::Alert(alert) = &item.content {
            // By the edge's credential, never by what the alert says.
            all.push(((item.warehouse_id.uuid(), alert.alert_id.uuid()), alert.revision, index, alert));
        }
    }
    if all.is_empty() {
        return Ok(());
    }
    all.sort_unstable_by_key(|(key, revision, index, _)| (*key, *revision, *index));
    // The first of several that say the same revision stands for them.
    all.dedup_by_key(|(key, revision, ..)| (*key, *revision));
    let newest: Vec<&Row<'_>> = all.chunk_by(|a, b| a.0 == b.0).filter_map(<[_]>::last).collect();
    let before = upsert(connection, items, &newest).await?;
    for (key, revision, index, _) in &all {
        if before.get(key).is_some_and(|before| i64::from(*revision) > *before) {
            fates[*index] = Fate::Stored;
        }
    }
    Ok(())
}

async fn upsert(
    connection: &mut PgConnection,
    items: &[Item<'_>],
    rows: &[&Row<'_>],
) -> Result<HashMap<Key, i64>, sqlx::Error> {
    fn column<'r, T>(rows: &[&'r Row<'r>], field: impl Fn(&'r AlertEvent) -> T) -> Vec<T> {
        rows.iter().map(|row| field(row.3)).collect()
    }
    let changed: Vec<(Uuid, Uuid, i64)> = sqlx::query_as(UPSERT)
        .bind(rows.iter().map(|row| row.0.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.0.1).collect::<Vec<_>>())
        .bind(column(rows, |a| i64::from(a.revision)))
        .bind(rows.iter().map(|row| items[row.2].edge_id.uuid()).collect::<Vec<_>>())
        .bind(column(rows, subject))
        .bind(column(rows, |a| &*a.rule))
        .bind(column(rows, |a| a.severity.as_str()))
        .bind(column(rows, |a| a.zone_id.map(ZoneId::uuid)))
        .bind(column(rows, |a| a.camera_id.as_deref()))
        .bind(column(rows, |a| a.worker_id.map(WorkerId::uuid)))
        .bind(column(rows, |a| a.started_at))
        .bind(column(rows, |a| a.raised_at))
        .bind(column(rows, |a| a.ended_at))
        .bind(column(rows, |a| a.peak))
        .bind(column(rows, |a| a.peak_at))
        .bind(column(rows, |a| i64::from(a.events)))
        .bind(column(rows, |a| i64::from(a.episodes)))
        .bind(column(rows, |a| &*a.summary))
        .bind(column(rows, |a| a.curve.as_ref().map(Json)))
        .fetch_all(connection)
        .await?;
    Ok(changed.into_iter().map(|(warehouse, alert, before)| ((warehouse, alert), before)).collect())
}

const fn subject(alert: &AlertEvent) -> &'static str {
    match alert.subject {
        common::alert::Subject::Risk => "risk",
        common::alert::Subject::System => "system",
    }
}

/// An alert as it is stored, without its worker.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Stored {
    pub warehouse_id: Uuid,
    pub alert_id: Uuid,
    pub revision: i64,
    pub edge_id: Uuid,
    pub subject: String,
    pub rule: String,
    pub severity: String,
    pub zone_id: Option<Uuid>,
    pub camera_id: Option<String>,
    pub started_at: DateTime<Utc>,
    pub raised_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub peak: Option<f64>,
    pub peak_at: Option<DateTime<Utc>>,
    pub events: i64,
    pub episodes: i64,
    pub summary: String,
    pub stored_at: DateTime<Utc>,
}

/// Which alerts to read.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub warehouse_id: Option<Uuid>,
    pub zone_id: Option<Uuid>,
    pub camera_id: Option<String>,
    pub severity: Option<&'static str>,
    /// `Some(true)`: only those that go on; `Some(false)`: only those that are over.
    pub open: Option<bool>,
    /// Raised then or later.
    pub from: Option<DateTime<Utc>>,
    /// Raised before.
    pub to: Option<DateTime<Utc>>,
    /// Only what is older than this one.
    pub before: Option<(DateTime<Utc>, Uuid)>,
    pub limit: i64,
}

/// A page of alerts, newest first.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn page(db: &Db, filter: &Filter) -> Result<Vec<Stored>, StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_as(PAGE)
        .bind(filter.warehouse_id)
        .bind(filter.zone_id)
        .bind(filter.severity)
        .bind(filter.open)
        .bind(filter.from)
        .bind(filter.to)
        .bind(filter.before.map(|(time, _)| time))
        .bind(filter.before.map(|(_, id)| id))
        .bind(filter.limit)
        .bind(filter.camera_id.as_deref());
    let page = within(query.fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(page)
}

/// The newest alerts of all sites that go on, at most so many.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn open(db: &Db, max: i64) -> Result<Vec<Stored>, StoreError> {
    let mut lease = db.lease().await?;
    let open = within(sqlx::query_as(OPEN).bind(max).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(open)
}

/// These alerts, by warehouse and id; those that are gone are left out.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn these(db: &Db, warehouses: &[Uuid], ids: &[Uuid]) -> Result<Vec<Stored>, StoreError> {
    let mut lease = db.lease().await?;
    let found = within(sqlx::query_as(THESE).bind(warehouses).bind(ids).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(found)
}

/// The alerts with this id: of one warehouse, or of all, which is one but for ill will.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn by_id(db: &Db, alert: Uuid, warehouse: Option<Uuid>) -> Result<Vec<Stored>, StoreError> {
    let mut lease = db.lease().await?;
    let found = within(sqlx::query_as(BY_ID).bind(alert).bind(warehouse).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(found)
}

/// The curve of an alert; `None` if it has none, or what is stored was written by a later version.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn curve(db: &Db, warehouse: Uuid, alert: Uuid) -> Result<Option<Curve>, StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_scalar(CURVE).bind(warehouse).bind(alert);
    let curve: Option<Option<serde_json::Value>> = within(query.fetch_optional(&mut *lease)).await?;
    lease.done();
    Ok(curve.flatten().and_then(|curve| serde_json::from_value(curve).ok()))
}

/// Whose alert it is, with a line in the audit that `actor` asked, and why; both or neither. `None` inside if nobody knows.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn person(
    db: &Db,
    actor: &str,
    warehouse: Uuid,
    alert: Uuid,
    reason: &str,
) -> Result<Option<Uuid>, StoreError> {
    transaction(db, async |connection| {
        let person: Option<Option<Uuid>> =
            sqlx::query_scalar(PERSON).bind(warehouse).bind(alert).fetch_optional(&mut *connection).await?;
        let subject = format!("alert {alert} in warehouse {warehouse}");
        audit::note(connection, actor, "person_viewed", &subject, Some(reason)).await?;
        Ok(person.flatten())
    })
    .await
}
