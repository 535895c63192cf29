//! Rollups: what dashboards read instead of events. The transaction that stores the rows says what to add, and only for the
//! rows really inserted, so no retry counts an event twice.
//!
//! `zone_minutes` has the minutes, with masks of the seconds, written by the transaction itself. They are what makes late
//! events exact: a row there is locked, says which of the seconds are new, and only those are added to the rest: to the
//! quarters, hours and days of [`coarse`], two seconds later, by way of [`due`]. [`people`] counts who was there.

pub mod coarse;
pub mod due;
pub mod people;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use common::event::{Event, Hundredths, Source};
use common::ids::{WarehouseId, WorkerId, ZoneId};
use sqlx::PgConnection;
use uuid::Uuid;

use self::coarse::{Added, Sums};
use self::due::Due;
use self::people::Numbers;

pub const BINS: usize = 20;
/// 5 points of risk each.
const BIN_HUNDREDTHS: u16 = 500;
/// From this score on a second is at risk: "high" on the REBA scale, bin 14 and up. Fixed, so that times and sites can be
/// compared whatever their rules are.
pub const AT_RISK: Hundredths = Hundredths::from_raw(7_000);
/// Of `zone_quarters`. The offset of every time zone is a multiple of it.
pub const QUARTER: TimeDelta = TimeDelta::minutes(15);

/// The old row is locked here, so what it had is exact, also beside other transactions.
const ADD: &str = "\
INSERT INTO zone_minutes AS z
    (warehouse_id, zone_id, minute, events, risk_sum_hundredths, risk_max_hundredths, risk_histogram, last_event_time,
     observed, at_risk)
SELECT warehouse_id, zone_id, minute, events, risk_sum, risk_max, histogram::int4[], last_event_time, observed, at_risk
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::int8[], $5::int8[], $6::int4[], $7::text[],
            $8::timestamptz[], $9::int8[], $10::int8[])
     AS t (warehouse_id, zone_id, minute, events, risk_sum, risk_max, histogram, last_event_time, observed, at_risk)
ON CONFLICT (warehouse_id, zone_id, minute) DO UPDATE SET
    events = z.events + excluded.events,
    risk_sum_hundredths = z.risk_sum_hundredths + excluded.risk_sum_hundredths,
    risk_max_hundredths = greatest(z.risk_max_hundredths, excluded.risk_max_hundredths),
    risk_histogram = (SELECT array_agg(a + b ORDER BY bin)
                      FROM unnest(z.risk_histogram, excluded.risk_histogram) WITH ORDINALITY AS h (a, b, bin)),
    last_event_time = greatest(z.last_event_time, excluded.last_event_time),
    observed = z.observed | excluded.observed,
    at_risk = z.at_risk | excluded.at_risk,
    observed_before = bit_count(z.observed::bit(64)),
    at_risk_before = bit_count(z.at_risk::bit(64))
RETURNING warehouse_id, zone_id, minute, observed, at_risk, observed_before, at_risk_before";

const LEARN_WAREHOUSES: &str = "\
INSERT INTO warehouses (warehouse_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING";

const LEARN_ZONES: &str = "\
INSERT INTO zones (warehouse_id, zone_id) SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING";

pub const STATEMENTS: &[&str] = &[ADD, LEARN_WAREHOUSES, LEARN_ZONES];

/// What a connection knows to be in the tables.
#[derive(Debug, Default)]
pub(super) struct Known {
    zones: HashSet<(WarehouseId, ZoneId)>,
    workers: Numbers,
}

/// What a transaction learned, to be remembered once it is committed.
#[derive(Debug, Default)]
pub(super) struct Learned {
    zones: Vec<(WarehouseId, ZoneId)>,
    workers: Vec<(WorkerId, i32)>,
}

/// A fleet has thousands of zones and tens of thousands of workers; beyond this the set starts anew rather than grow with
/// foreign ids.
const KNOWN_MAX: usize = 100_000;

impl Known {
    /// Remembers what is durable now.
    pub(super) fn remember(&mut self, learned: Learned) {
        if self.zones.len() + learned.zones.len() > KNOWN_MAX {
            self.zones.clear();
        }
        self.zones.extend(learned.zones);
        if self.workers.len() + learned.workers.len() > KNOWN_MAX {
            self.workers.clear();
        }
        self.workers.extend(learned.workers);
    }
}

type Key = (WarehouseId, ZoneId, DateTime<Utc>);

/// The events of one zone in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Minute {
    events: i64,
    risk_sum_hundredths: i64,
    risk_max_hundredths: u16,
    histogram: [u32; BINS],
    last_event_time: DateTime<Utc>,
    /// A bit for each second that an event came from. What is made by hand says nothing of a stretch of time.
    observed: i64,
    at_risk: i64,
    workers: BTreeSet<WorkerId>,
}

/// What a transaction adds, in key order.
#[derive(Debug, Default)]
pub(super) struct Rollups(BTreeMap<Key, Minute>);

/// The histogram's bin of a risk score.
pub fn bin(risk: Hundredths) -> usize {
    usize::from(risk.raw() / BIN_HUNDREDTHS).min(BINS - 1)
}

impl Rollups {
    pub fn add(&mut self, event: &Event<'_>) {
        let time = event.stored_time();
        let minute = truncate(time, TimeDelta::minutes(1));
        let entry = self.0.entry((event.warehouse_id, event.zone_id, minute)).or_insert(Minute {
            events: 0,
            risk_sum_hundredths: 0,
            risk_max_hundredths: 0,
            histogram: [0; BINS],
            last_event_time: time,
            observed: 0,
            at_risk: 0,
            workers: BTreeSet::new(),
        });
        entry.events += 1;
        entry.risk_sum_hundredths += i64::from(event.risk_score.raw());
        entry.risk_max_hundredths = entry.risk_max_hundredths.max(event.risk_score.raw());
        entry.histogram[bin(event.risk_score)] += 1;
        entry.last_event_time = entry.last_event_time.max(time);
        if event.source != Source::Manual {
            let second = 1_i64 << time.timestamp().rem_euclid(60);
            entry.observed |= second;
            if event.risk_score >= AT_RISK {
                entry.at_risk |= second;
            }
        }
        entry.workers.extend(event.worker_id);
    }

    /// Zones that are not in `known`, in key order.
    fn unknown_zones(&self, known: &Known) -> Vec<(WarehouseId, ZoneId)> {
        let zones = self.0.keys().map(|(w, z, _)| (*w, *z));
        let mut zones: Vec<_> = zones.filter(|zone| !known.zones.contains(zone)).collect();
        zones.dedup();
        zones
    }

    /// Writes them but for what is due then; answers what was learned, and that.
    pub async fn write(
        &self,
        connection: &mut PgConnection,
        known: &Known,
    ) -> Result<(Learned, Option<Due>), sqlx::Error> {
        if self.0.is_empty() {
            return Ok((Learned::default(), None));
        }
        let zones = self.unknown_zones(known);
        if !zones.is_empty() {
            let warehouse_ids: Vec<Uuid> = zones.iter().map(|(w, _)| w.uuid()).collect();
            let zone_ids: Vec<Uuid> = zones.iter().map(|(_, z)| z.uuid()).collect();
            sqlx::query(LEARN_WAREHOUSES).bind(&warehouse_ids).execute(&mut *connection).await?;
            sqlx::query(LEARN_ZONES).bind(&warehouse_ids).bind(&zone_ids).execute(&mut *connection).await?;
        }
        let workers: BTreeSet<WorkerId> = self.0.values().flat_map(|minute| &minute.workers).copied().collect();
        let workers = people::numbers(connection, &workers, &known.workers).await?;
        let new: Numbers = workers.iter().copied().collect();
        let number = |worker: &WorkerId| known.workers.get(worker).or_else(|| new.get(worker)).copied();

        let minutes = self.write_minutes(connection, number).await?;
        Ok((Learned { zones, workers }, Some(Due::of(&minutes)?)))
    }

    /// Writes the minutes; answers by how much they grew.
    async fn write_minutes(
        &self,
        connection: &mut PgConnection,
        number: impl Fn(&WorkerId) -> Option<i32>,
    ) -> Result<Sums, sqlx::Error> {
        let written: Vec<Written> = sqlx::query_as(ADD)
            .bind(self.0.keys().map(|(w, ..)| w.uuid()).collect::<Vec<_>>())
            .bind(self.0.keys().map(|(_, z, _)| z.uuid()).collect::<Vec<_>>())
            .bind(self.0.keys().map(|(.., minute)| *minute).collect::<Vec<_>>())
            .bind(self.0.values().map(|m| m.events).collect::<Vec<_>>())
            .bind(self.0.values().map(|m| m.risk_sum_hundredths).collect::<Vec<_>>())
            .bind(self.0.values().map(|m| i32::from(m.risk_max_hundredths)).collect::<Vec<_>>())
            .bind(self.0.values().map(|m| array_text(&m.histogram)).collect::<Vec<_>>())
            .bind(self.0.values().map(|m| m.last_event_time).collect::<Vec<_>>())
            .bind(self.0.values().map(|m| m.observed).collect::<Vec<_>>())
            .bind(self.0.values().map(|m| m.at_risk).collect::<Vec<_>>())
            .fetch_all(connection)
            .await?;
        let mut sums: Sums =
            self.0.iter().map(|((w, z, minute), m)| ((*w, Some(*z), *minute), m.known(&number))).collect();
        for row in written {
            let key = (WarehouseId::from_uuid(row.warehouse_id), Some(ZoneId::from_uuid(row.zone_id)), row.minute);
            if let Some(added) = sums.get_mut(&key) {
                row.add_new_to(added);
            }
        }
        Ok(sums)
    }
}

impl Minute {
    /// What it adds to its quarter whatever was there before.
    fn known(&self, number: impl Fn(&WorkerId) -> Option<i32>) -> Added {
        Added {
            events: self.events,
            risk_sum_hundredths: self.risk_sum_hundredths,
            risk_max_hundredths: self.risk_max_hundredths,
            histogram: self.histogram,
            people: self.workers.iter().filter_map(number).collect(),
            ..Added::default()
        }
    }
}

/// A minute after it was written.
#[derive(Debug, sqlx::FromRow)]
struct Written {
    warehouse_id: Uuid,
    zone_id: Uuid,
    minute: DateTime<Utc>,
    observed: i64,
    at_risk: i64,
    observed_before: i16,
    at_risk_before: i16,
}

impl Written {
    fn add_new_to(&self, added: &mut Added) {
        let bits = |mask: i64| i32::try_from(mask.count_ones()).unwrap_or_default();
        added.seconds_observed = bits(self.observed) - i32::from(self.observed_before);
        added.seconds_at_risk = bits(self.at_risk) - i32::from(self.at_risk_before);
        added.minutes_observed = i32::from(self.observed_before == 0 && self.observed != 0);
    }
}

/// The beginning of the `step` that `time` is in. A time that chrono can hold and nanoseconds cannot is its own.
fn truncate(time: DateTime<Utc>, step: TimeDelta) -> DateTime<Utc> {
    time.duration_trunc(step).unwrap_or(time)
}

fn array_text<'n, T: ToString + 'n>(numbers: impl IntoIterator<Item = &'n T>) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(T::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_risk_has_its_bin_and_100_is_in_the_last() {
        for (raw, expected) in [(0, 0), (499, 0), (500, 1), (4_508, 9), (9_499, 18), (9_500, 19), (10_000, 19)] {
            assert_eq!(bin(Hundredths::from_raw(raw)), expected, "{raw}");
        }
    }

    #[test]
    fn a_histogram_is_written_as_postgres_reads_it() {
        let mut histogram = [0; BINS];
        histogram[0] = 7;
        assert_eq!(array_text(&histogram), "{7,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}");
    }
}
