//! `zone_minutes`: what dashboards read instead of events. Added to in the transaction that stores the rows, and only
//! for the rows really inserted, so no retry counts an event twice.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use common::event::{Event, Hundredths};
use common::ids::{WarehouseId, ZoneId};
use sqlx::PgConnection;
use uuid::Uuid;

pub const BINS: usize = 20;
/// 5 points of risk each.
const BIN_HUNDREDTHS: u16 = 500;

const ADD: &str = "\
INSERT INTO zone_minutes AS z
    (warehouse_id, zone_id, minute, events, risk_sum_hundredths, risk_max_hundredths, risk_histogram, last_event_time)
SELECT warehouse_id, zone_id, minute, events, risk_sum, risk_max, histogram::int4[], last_event_time
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::int8[], $5::int8[], $6::int4[], $7::text[],
            $8::timestamptz[])
     AS t (warehouse_id, zone_id, minute, events, risk_sum, risk_max, histogram, last_event_time)
ON CONFLICT (warehouse_id, zone_id, minute) DO UPDATE SET
    events = z.events + excluded.events,
    risk_sum_hundredths = z.risk_sum_hundredths + excluded.risk_sum_hundredths,
    risk_max_hundredths = greatest(z.risk_max_hundredths, excluded.risk_max_hundredths),
    risk_histogram = (SELECT array_agg(a + b ORDER BY bin)
                      FROM unnest(z.risk_histogram, excluded.risk_histogram) WITH ORDINALITY AS h (a, b, bin)),
    last_event_time = greatest(z.last_event_time, excluded.last_event_time)";

const LEARN_WAREHOUSES: &str = "\
INSERT INTO warehouses (warehouse_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING";

const LEARN_ZONES: &str = "\
INSERT INTO zones (warehouse_id, zone_id) SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING";

pub const STATEMENTS: &[&str] = &[ADD, LEARN_WAREHOUSES, LEARN_ZONES];

/// Zones this connection knows to be in the table, so that they are not written again with every batch.
pub type KnownZones = HashSet<(WarehouseId, ZoneId)>;

/// A fleet has thousands of zones at most; beyond this the set starts anew rather than grow with foreign ids.
const KNOWN_ZONES_MAX: usize = 100_000;

/// The events of one zone in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Minute {
    events: i64,
    risk_sum_hundredths: i64,
    risk_max_hundredths: u16,
    histogram: [u32; BINS],
    last_event_time: DateTime<Utc>,
}

/// What a transaction adds, in key order.
#[derive(Debug, Default)]
pub(super) struct Rollups(BTreeMap<(WarehouseId, ZoneId, DateTime<Utc>), Minute>);

/// The histogram's bin of a risk score.
pub fn bin(risk: Hundredths) -> usize {
    usize::from(risk.raw() / BIN_HUNDREDTHS).min(BINS - 1)
}

impl Rollups {
    pub fn add(&mut self, event: &Event<'_>) {
        let time = event.stored_time();
        // Fails only for times that chrono can hold and nanoseconds cannot; such a minute is its own.
        let minute = time.duration_trunc(TimeDelta::minutes(1)).unwrap_or(time);
        let entry = self.0.entry((event.warehouse_id, event.zone_id, minute)).or_insert(Minute {
            events: 0,
            risk_sum_hundredths: 0,
            risk_max_hundredths: 0,
            histogram: [0; BINS],
            last_event_time: time,
        });
        entry.events += 1;
        entry.risk_sum_hundredths += i64::from(event.risk_score.raw());
        entry.risk_max_hundredths = entry.risk_max_hundredths.max(event.risk_score.raw());
        entry.histogram[bin(event.risk_score)] += 1;
        entry.last_event_time = entry.last_event_time.max(time);
    }

    /// Zones that are not in `known`, in key order.
    fn unknown_zones(&self, known: &KnownZones) -> Vec<(WarehouseId, ZoneId)> {
        let mut zones: Vec<_> = self.0.keys().map(|(w, z, _)| (*w, *z)).filter(|zone| !known.contains(zone)).collect();
        zones.dedup();
        zones
    }

    /// Writes them; answers the zones that were learned, to be remembered once the transaction is committed.
    pub async fn write(
        &self,
        connection: &mut PgConnection,
        known: &KnownZones,
    ) -> Result<Vec<(WarehouseId, ZoneId)>, sqlx::Error> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let learned = self.unknown_zones(known);
        if !learned.is_empty() {
            let warehouses: Vec<Uuid> = learned.iter().map(|(w, _)| w.uuid()).collect();
            let zones: Vec<Uuid> = learned.iter().map(|(_, z)| z.uuid()).collect();
            sqlx::query(LEARN_WAREHOUSES).bind(&warehouses).execute(&mut *connection).await?;
            sqlx::query(LEARN_ZONES).bind(&warehouses).bind(&zones).execute(&mut *connection).await?;
        }
        sqlx::query(ADD)
            .bind(self.0.keys().map(|(w, ..)| w.uuid()).collect::<Vec<_>>())
            .bind(self.0.keys().map(|(_, z, _)| z.uuid()).collect::<Vec<_>>())
            .bind(self.0.keys().map(|(.., minute)| *minute).collect::<Vec<_>>())
            .bind(self.0.values().map(|m| m.events).collect::<Vec<_>>())
            .bind(self.0.values().map(|m| m.risk_sum_hundredths).collect::<Vec<_>>())
            .bind(self.0.values().map(|m| i32::from(m.risk_max_hundredths)).collect::<Vec<_>>())
            .bind(self.0.values().map(|m| array_text(&m.histogram)).collect::<Vec<_>>())
            .bind(self.0.values().map(|m| m.last_event_time).collect::<Vec<_>>())
            .execute(connection)
            .await?;
        Ok(learned)
    }
}

/// Remembers zones that are durable now.
pub(super) fn remember(known: &mut KnownZones, learned: Vec<(WarehouseId, ZoneId)>) {
    if known.len() + learned.len() > KNOWN_ZONES_MAX {
        known.clear();
    }
    known.extend(learned);
}

fn array_text(histogram: &[u32; BINS]) -> String {
    let bins: Vec<String> = histogram.iter().map(u32::to_string).collect();
    format!("{{{}}}", bins.join(","))
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
