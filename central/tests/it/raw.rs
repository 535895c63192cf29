//! The slow way to every figure: events read back row by row from the table itself and added up here, sharing no code with
//! the rollups and no SQL but one plain SELECT.

use std::collections::{BTreeMap, BTreeSet};

use central::frame::{Content, Item};
use chrono::{DateTime, TimeDelta, Utc};
use common::event::{Event, Hundredths, Source};
use common::ids::{BatchId, EdgeId, Epoch, EventId, WarehouseId, WorkerId, ZoneId};
use rand::Rng as _;
use rand::rngs::StdRng;
use sqlx::postgres::PgPool;
use uuid::Uuid;

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Raw {
    pub warehouse_id: Uuid,
    pub zone_id: Uuid,
    pub event_time: DateTime<Utc>,
    pub worker_id: Option<Uuid>,
    pub hundredths: i64,
    pub source: String,
}

pub async fn rows(pool: &PgPool) -> Vec<Raw> {
    let all = "SELECT warehouse_id, zone_id, event_time, worker_id, (risk_score * 100)::int8 AS hundredths, source \
               FROM ergonomic_snapshots";
    sqlx::query_as(all).fetch_all(pool).await.expect("rows")
}

/// What rollups claim about a group of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    pub events: i64,
    pub sum: i64,
    pub max: i64,
    pub bins: Vec<i64>,
    /// Of zones and minutes since 1970.
    pub minutes: BTreeSet<(Uuid, i64)>,
    /// Of zones and seconds since 1970.
    pub observed: BTreeSet<(Uuid, i64)>,
    pub at_risk: BTreeSet<(Uuid, i64)>,
    pub people: BTreeSet<Uuid>,
}

impl Truth {
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Raw>) -> Self {
        let mut truth = Self { bins: vec![0; 20], ..Self::default() };
        for row in rows {
            truth.events += 1;
            truth.sum += row.hundredths;
            truth.max = truth.max.max(row.hundredths);
            truth.bins[usize::try_from(row.hundredths / 500).expect("not negative").min(19)] += 1;
            let second = row.event_time.timestamp();
            if row.source != "manual" {
                truth.minutes.insert((row.zone_id, second.div_euclid(60)));
                truth.observed.insert((row.zone_id, second));
                if row.hundredths >= 7_000 {
                    truth.at_risk.insert((row.zone_id, second));
                }
            }
            truth.people.extend(row.worker_id);
        }
        truth
    }
}

pub fn grouped<K: Ord>(rows: &[Raw], key: impl Fn(&Raw) -> K) -> BTreeMap<K, Truth> {
    let mut groups: BTreeMap<K, Vec<&Raw>> = BTreeMap::new();
    for row in rows {
        groups.entry(key(row)).or_default().push(row);
    }
    groups.into_iter().map(|(key, rows)| (key, Truth::of(rows))).collect()
}

/// A floor with its zones and workers, and a source of events on it.
pub struct Floor {
    pub warehouse_id: WarehouseId,
    pub zones: Vec<ZoneId>,
    pub workers: Vec<WorkerId>,
}

impl Floor {
    pub fn new(rng: &mut StdRng, zones: usize, workers: usize) -> Self {
        Self {
            warehouse_id: WarehouseId::from_uuid(uuid(rng)),
            zones: (0..zones).map(|_| ZoneId::from_uuid(uuid(rng))).collect(),
            workers: (0..workers).map(|_| WorkerId::from_uuid(uuid(rng))).collect(),
        }
    }

    /// An event at `time`, sometimes by nobody known, by hand, or right at a threshold.
    pub fn event(&self, rng: &mut StdRng, time: DateTime<Utc>) -> Event<'static> {
        let risk = match rng.random_range(0..10) {
            0 => 7_000,
            1 => 6_999,
            2 => 10_000,
            _ => rng.random_range(0..=10_000),
        };
        Event {
            event_id: EventId::from_uuid(uuid(rng)),
            event_time: time,
            ingest_time: time + TimeDelta::seconds(1),
            warehouse_id: self.warehouse_id,
            zone_id: self.zones[rng.random_range(0..self.zones.len())],
            camera_id: "cam-07".into(),
            worker_id: rng.random_bool(0.8).then(|| self.workers[rng.random_range(0..self.workers.len())]),
            model_version: "v1.2.3".into(),
            risk_score: Hundredths::from_raw(risk),
            confidence: Hundredths::from_raw(85),
            source: if rng.random_bool(0.1) { Source::Manual } else { Source::Camera },
            clock_suspect: false,
            posture_keypoints: "{}".into(),
        }
    }
}

pub fn uuid(rng: &mut StdRng) -> Uuid {
    Uuid::from_u128(rng.random())
}

/// Events as one transaction takes them, each with its place in the ledger.
pub fn items<'a>(events: &[(i64, Event<'a>)]) -> Vec<Item<'a>> {
    events
        .iter()
        .map(|(seq, event)| Item {
            frame: 0,
            edge_id: EdgeId::from_uuid(Uuid::from_u128(1)),
            warehouse_id: event.warehouse_id,
            batch_id: BatchId::from_uuid(Uuid::from_u128(2)),
            place: Some((Epoch::from_uuid(Uuid::from_u128(3)), *seq)),
            quarter: common::quarter::Quarter::of(common::clock::now()),
            raw: &[],
            content: Content::Event(event.clone()),
        })
        .collect()
}
