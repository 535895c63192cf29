//! Rows of `ergonomic_snapshots`: written in one statement per transaction, read back by key for the API.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use common::event::Event;
use rust_decimal::Decimal;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Db, StoreError, within};
use crate::frame::{Content, Fate, Item};

/// array_agg instead of rows: one row to decode, and none of it is looked at when all were new.
const INSERT: &str = "\
WITH new AS (
    INSERT INTO ergonomic_snapshots
        (event_id, event_time, ingest_time, warehouse_id, zone_id, camera_id, worker_id, model_version, risk_score,
         posture_keypoints, confidence, source, edge_id, edge_epoch, edge_seq, clock_suspect)
    SELECT event_id, event_time, ingest_time, warehouse_id, zone_id, camera_id, worker_id, model_version, risk_score,
           posture_keypoints::json, confidence, source, edge_id, edge_epoch, edge_seq, clock_suspect
    FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::uuid[], $5::uuid[], $6::text[], $7::uuid[],
                $8::text[], $9::numeric[], $10::text[], $11::numeric[], $12::text[], $13::uuid[], $14::uuid[],
                $15::int8[], $16::bool[])
         AS t (event_id, event_time, ingest_time, warehouse_id, zone_id, camera_id, worker_id, model_version,
               risk_score, posture_keypoints, confidence, source, edge_id, edge_epoch, edge_seq, clock_suspect)
    ON CONFLICT DO NOTHING
    RETURNING warehouse_id, event_time, event_id
)
SELECT count(*), array_agg(warehouse_id), array_agg(event_time), array_agg(event_id) FROM new";

const INSERT_SUSPECTS: &str = "\
INSERT INTO clock_suspect_events (warehouse_id, event_id, claimed_event_time, stored_event_time)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
ON CONFLICT DO NOTHING
RETURNING warehouse_id, event_id";

/// Newest first, per warehouse by its key and then merged, so that no second index is needed. worker_id is personal
/// data, and read only for those who may see it.
const PAGE: &str = "\
SELECT e.* FROM (
    SELECT warehouse_id FROM warehouses WHERE $1::uuid IS NULL OR warehouse_id = $1
) w CROSS JOIN LATERAL (
    SELECT event_id, event_time, ingest_time, warehouse_id, zone_id, camera_id, model_version, risk_score,
           posture_keypoints, confidence, source, edge_id, edge_epoch, edge_seq, stored_at, clock_suspect,
           CASE WHEN $9 THEN worker_id END AS person
    FROM ergonomic_snapshots s
    WHERE s.warehouse_id = w.warehouse_id
      AND ($2::uuid IS NULL OR s.zone_id = $2)
      AND ($3::text IS NULL OR s.camera_id = $3)
      AND s.event_time >= coalesce($4::timestamptz, '-infinity')
      AND s.event_time < coalesce($5::timestamptz, 'infinity')
      AND ($6::timestamptz IS NULL OR (s.event_time, s.event_id) < ($6, $7::uuid))
    ORDER BY s.event_time DESC, s.event_id DESC
    LIMIT $8
) e
ORDER BY e.event_time DESC, e.event_id DESC
LIMIT $8";

pub const STATEMENTS: &[&str] = &[INSERT, INSERT_SUSPECTS, PAGE];

/// What the unique key of `ergonomic_snapshots` is made of.
type Key = (Uuid, DateTime<Utc>, Uuid);

fn key(event: &Event<'_>) -> Key {
    (event.warehouse_id.uuid(), event.stored_time(), event.event_id.uuid())
}

/// Writes the events among `items`; gives each item its fate: dead ones theirs, alerts and facts `Duplicate` until they
/// are written.
///
/// Rows go in by key order, so that two transactions that hold the same rows wait for each other in the same order.
pub(super) async fn insert(connection: &mut PgConnection, items: &[Item<'_>]) -> Result<Vec<Fate>, sqlx::Error> {
    let mut fates = Vec::with_capacity(items.len());
    let mut rows = Vec::with_capacity(items.len());
    let mut suspects = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match &item.content {
            Content::Event(event) => {
                fates.push(Fate::Duplicate);
                if event.clock_suspect { &mut suspects } else { &mut rows }.push((key(event), index, event));
            }
            Content::Alert(_) | Content::Fact(_) => fates.push(Fate::Duplicate),
            Content::Dead { reason, .. } => fates.push(Fate::Dead(reason.clone())),
        }
    }
    if !suspects.is_empty() {
        rows.append(&mut insert_suspects(connection, suspects).await?);
    }
    rows.sort_unstable_by_key(|(key, index, _)| (*key, *index));
    // The first of several with one key is the row, the others are its duplicates.
    rows.dedup_by_key(|(key, ..)| *key);
    if rows.is_empty() {
        return Ok(fates);
    }
    match insert_rows(connection, items, &rows).await? {
        None => rows.iter().for_each(|(_, index, _)| fates[*index] = Fate::Stored),
        Some(new) => {
            for (key, index, _) in &rows {
                if new.contains(key) {
                    fates[*index] = Fate::Stored;
                }
            }
        }
    }
    Ok(fates)
}

type Row<'i, 'a> = (Key, usize, &'i Event<'a>);

/// The keys that were new; `None` if all were.
async fn insert_rows(
    connection: &mut PgConnection,
    items: &[Item<'_>],
    rows: &[Row<'_, '_>],
) -> Result<Option<HashSet<Key>>, sqlx::Error> {
    type New = (i64, Option<Vec<Uuid>>, Option<Vec<DateTime<Utc>>>, Option<Vec<Uuid>>);
    // Each array comes from the same rows, so they are all of one length: unnest would fill a short one with nulls.
    fn column<'r, 'i, 'a, T>(rows: &'r [Row<'i, 'a>], field: impl Fn(&'r Row<'i, 'a>) -> T) -> Vec<T> {
        let column: Vec<T> = rows.iter().map(field).collect();
        assert_eq!(column.len(), rows.len());
        column
    }
    let place = |index: usize| items[index].place.expect("an event's record was opened, so its place is known");
    let (count, warehouses, times, events): New = sqlx::query_as(INSERT)
        .bind(column(rows, |(_, _, e)| e.event_id.uuid()))
        .bind(column(rows, |(key, ..)| key.1))
        .bind(column(rows, |(_, _, e)| e.ingest_time))
        .bind(column(rows, |(_, _, e)| e.warehouse_id.uuid()))
        .bind(column(rows, |(_, _, e)| e.zone_id.uuid()))
        .bind(column(rows, |(_, _, e)| &*e.camera_id))
        .bind(column(rows, |(_, _, e)| e.worker_id.map(common::ids::WorkerId::uuid)))
        .bind(column(rows, |(_, _, e)| &*e.model_version))
        .bind(column(rows, |(_, _, e)| Decimal::new(i64::from(e.risk_score.raw()), 2)))
        .bind(column(rows, |(_, _, e)| &*e.posture_keypoints))
        .bind(column(rows, |(_, _, e)| Decimal::new(i64::from(e.confidence.raw()), 2)))
        .bind(column(rows, |(_, _, e)| e.source.as_str()))
        .bind(column(rows, |(_, index, _)| items[*index].edge_id.uuid()))
        .bind(column(rows, |(_, index, _)| place(*index).0.uuid()))
        .bind(column(rows, |(_, index, _)| place(*index).1))
        .bind(column(rows, |(_, _, e)| e.clock_suspect))
        .fetch_one(connection)
        .await?;
    if usize::try_from(count) == Ok(rows.len()) {
        return Ok(None);
    }
    let (warehouses, times) = (warehouses.unwrap_or_default(), times.unwrap_or_default());
    let events = events.unwrap_or_default();
    Ok(Some(warehouses.into_iter().zip(times).zip(events).map(|((w, t), e)| (w, t, e)).collect()))
}

/// Only the suspects that were not known, once each.
async fn insert_suspects<'i, 'a>(
    connection: &mut PgConnection,
    mut suspects: Vec<Row<'i, 'a>>,
) -> Result<Vec<Row<'i, 'a>>, sqlx::Error> {
    let identity = |row: &Row<'_, '_>| (row.0.0, row.0.2);
    suspects.sort_unstable_by_key(|row| (identity(row), row.1));
    suspects.dedup_by_key(|row| identity(row));
    let new: Vec<(Uuid, Uuid)> = sqlx::query_as(INSERT_SUSPECTS)
        .bind(suspects.iter().map(|row| row.0.0).collect::<Vec<_>>())
        .bind(suspects.iter().map(|row| row.0.2).collect::<Vec<_>>())
        .bind(suspects.iter().map(|row| row.2.event_time).collect::<Vec<_>>())
        .bind(suspects.iter().map(|row| row.0.1).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    let new: HashSet<_> = new.into_iter().collect();
    suspects.retain(|row| new.contains(&identity(row)));
    Ok(suspects)
}

/// Which events to show.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub warehouse_id: Option<Uuid>,
    pub zone_id: Option<Uuid>,
    pub camera_id: Option<String>,
    /// Inclusive.
    pub from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub to: Option<DateTime<Utc>>,
    /// Only what is older than this one.
    pub before: Option<(DateTime<Utc>, Uuid)>,
    /// With `worker_id`.
    pub people: bool,
    pub limit: i64,
}

/// An event as the API shows it.
#[derive(Debug, sqlx::FromRow, serde::Serialize, utoipa::ToSchema)]
#[schema(as = Event)]
pub struct Shown {
    pub event_id: Uuid,
    pub event_time: DateTime<Utc>,
    pub ingest_time: DateTime<Utc>,
    pub warehouse_id: Uuid,
    pub zone_id: Uuid,
    pub camera_id: String,
    pub model_version: String,
    #[serde(serialize_with = "number")]
    #[schema(value_type = f64, minimum = 0, maximum = 100)]
    pub risk_score: Decimal,
    /// As the camera wrote them.
    #[schema(value_type = Object)]
    pub posture_keypoints: Json<Box<serde_json::value::RawValue>>,
    #[serde(serialize_with = "number")]
    #[schema(value_type = f64, minimum = 0, maximum = 1)]
    pub confidence: Decimal,
    #[schema(value_type = common::event::Source)]
    pub source: String,
    pub edge_id: Uuid,
    pub edge_epoch: Uuid,
    pub edge_seq: i64,
    pub stored_at: DateTime<Utc>,
    pub clock_suspect: bool,
    #[serde(skip)]
    person: Option<Uuid>,
    /// Only where it was asked for; null if nobody knows.
    #[sqlx(skip)]
    #[schema(value_type = Option<Uuid>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<Option<Uuid>>,
}

fn number<S: serde::Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    use rust_decimal::prelude::ToPrimitive as _;
    serializer.serialize_f64(value.to_f64().unwrap_or_default())
}

/// A page of events, newest first.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn page(db: &Db, filter: &Filter) -> Result<Vec<Shown>, StoreError> {
    let mut lease = db.lease().await?;
    let query = sqlx::query_as(PAGE)
        .bind(filter.warehouse_id)
        .bind(filter.zone_id)
        .bind(&filter.camera_id)
        .bind(filter.from)
        .bind(filter.to)
        .bind(filter.before.map(|(time, _)| time))
        .bind(filter.before.map(|(_, id)| id))
        .bind(filter.limit)
        .bind(filter.people);
    let mut shown: Vec<Shown> = within(query.fetch_all(&mut *lease)).await?;
    lease.done();
    for event in shown.iter_mut().filter(|_| filter.people) {
        event.worker_id = Some(event.person);
    }
    Ok(shown)
}
