//! `zone_quarters`, `zone_hours` and `zone_days`: the same sums as in `zone_minutes`, of longer times. They grow by
//! what the same transaction changed in the minutes: masks can be put together twice and stay what they are, but sums
//! of them cannot, so what is added here is what the locked rows of the minutes said was new.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{WarehouseId, ZoneId};
use sqlx::PgConnection;

use super::{BINS, QUARTER, array_text, truncate};

/// People noted in a row. There are never so many in front of a zone's cameras; without a
/// bound a camera that makes up a worker for each event would grow one row for ever.
pub const PEOPLE_MAX: usize = 1_000;

/// Adds the rows of `added` with $step in one of the tables: `$time` is its column of the time.
macro_rules! add_to {
    ($table:literal, $time:literal, $step:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " AS t
    (warehouse_id, zone_id, ",
            $time,
            ", events, risk_sum_hundredths, risk_max_hundredths, minutes_observed,
     seconds_observed, seconds_at_risk, b00, b01, b02, b03, b04, b05, b06, b07, b08, b09,
     b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, people)
SELECT warehouse_id, zone_id, time, events, risk_sum, risk_max, minutes, seconds, at_risk,
       bins[at+1], bins[at+2], bins[at+3], bins[at+4],
       bins[at+5], bins[at+6], bins[at+7], bins[at+8],
       bins[at+9], bins[at+10], bins[at+11], bins[at+12],
       bins[at+13], bins[at+14], bins[at+15], bins[at+16],
       bins[at+17], bins[at+18], bins[at+19], bins[at+20],
       people::int4[]
FROM added WHERE step = '",
            $step,
            "'
ON CONFLICT (warehouse_id, zone_id, ",
            $time,
            ") DO UPDATE SET
    events = t.events + excluded.events,
    risk_sum_hundredths = t.risk_sum_hundredths + excluded.risk_sum_hundredths,
    risk_max_hundredths = greatest(t.risk_max_hundredths, excluded.risk_max_hundredths),
    minutes_observed = t.minutes_observed + excluded.minutes_observed,
    seconds_observed = t.seconds_observed + excluded.seconds_observed,
    seconds_at_risk = t.seconds_at_risk + excluded.seconds_at_risk,
    b00 = t.b00 + excluded.b00, b01 = t.b01 + excluded.b01, b02 = t.b02 + excluded.b02, b03 = t.b03 + excluded.b03,
    b04 = t.b04 + excluded.b04, b05 = t.b05 + excluded.b05, b06 = t.b06 + excluded.b06, b07 = t.b07 + excluded.b07,
    b08 = t.b08 + excluded.b08, b09 = t.b09 + excluded.b09, b10 = t.b10 + excluded.b10, b11 = t.b11 + excluded.b11,
    b12 = t.b12 + excluded.b12, b13 = t.b13 + excluded.b13, b14 = t.b14 + excluded.b14, b15 = t.b15 + excluded.b15,
    b16 = t.b16 + excluded.b16, b17 = t.b17 + excluded.b17, b18 = t.b18 + excluded.b18, b19 = t.b19 + excluded.b19,
    people = CASE WHEN t.people @> excluded.people OR cardinality(t.people) >= $13 THEN t.people
                  ELSE ARRAY(SELECT DISTINCT unnest(t.people || excluded.people) ORDER BY 1 LIMIT $13) END"
        )
    };
}

/// All three tables in one round trip. The bins come as one array, 20 for each row, and are columns because adding to an
/// array would take it apart and build it anew. The tables are written in the order of the plan, which is the same
/// in every transaction, and each in key order.
const ADD: &str = concat!(
    "\
WITH added AS MATERIALIZED (
    SELECT *, $10::int4[] AS bins, (row * 20 - 20)::int4 AS at
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::int4[], $5::int8[], $6::int4[], $7::int4[], $8::int4[],
                $9::int4[], $11::text[], $12::text[]) WITH ORDINALITY
         AS n (warehouse_id, zone_id, time, events, risk_sum, risk_max, minutes, seconds, at_risk, people, step, row)
), quarters AS (
",
    add_to!("zone_quarters", "quarter", "quarter"),
    "
), hours AS (
",
    add_to!("zone_hours", "hour", "hour"),
    "
)
",
    add_to!("zone_days", "day", "day")
);

pub const STATEMENTS: &[&str] = &[ADD];

/// What is added to one zone's time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Added {
    pub events: i64,
    pub risk_sum_hundredths: i64,
    pub risk_max_hundredths: u16,
    /// Minutes of which nothing had been seen before.
    pub minutes_observed: i32,
    /// Seconds of which nothing had been seen before.
    pub seconds_observed: i32,
    /// Seconds that nobody had been seen at risk in before.
    pub seconds_at_risk: i32,
    pub histogram: [u32; BINS],
    /// Numbers of workers.
    pub people: BTreeSet<i32>,
}

impl Added {
    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.risk_sum_hundredths += other.risk_sum_hundredths;
        self.risk_max_hundredths = self.risk_max_hundredths.max(other.risk_max_hundredths);
        self.minutes_observed += other.minutes_observed;
        self.seconds_observed += other.seconds_observed;
        self.seconds_at_risk += other.seconds_at_risk;
        for (sum, n) in self.histogram.iter_mut().zip(other.histogram) {
            *sum += n;
        }
        self.people.extend(&other.people);
    }
}

/// By zone and the beginning of the time, in key order.
pub(super) type Sums = BTreeMap<(WarehouseId, ZoneId, DateTime<Utc>), Added>;

/// Adds up what falls into the same `step`.
fn coarser(sums: &Sums, step: TimeDelta) -> Sums {
    let mut coarse = Sums::new();
    for ((warehouse, zone, time), added) in sums {
        coarse.entry((*warehouse, *zone, truncate(*time, step))).or_default().add(added);
    }
    coarse
}

/// Adds what was added to minutes to the quarters, hours and days that they belong to, in key order.
pub(super) async fn write(connection: &mut PgConnection, minutes: &Sums) -> Result<(), sqlx::Error> {
    let quarters = coarser(minutes, QUARTER);
    let hours = coarser(&quarters, TimeDelta::hours(1));
    let days = coarser(&hours, TimeDelta::days(1));
    let tables = [("quarter", &quarters), ("hour", &hours), ("day", &days)];
    let steps: Vec<&str> = tables.iter().flat_map(|(step, sums)| sums.keys().map(|_| *step)).collect();
    let keys: Vec<&(WarehouseId, ZoneId, DateTime<Utc>)> = tables.iter().flat_map(|(_, sums)| sums.keys()).collect();
    let added: Vec<&Added> = tables.iter().flat_map(|(_, sums)| sums.values()).collect();
    let column = |of: fn(&Added) -> i32| added.iter().map(|a| of(a)).collect::<Vec<_>>();
    sqlx::query(ADD)
        .bind(keys.iter().map(|(w, ..)| w.uuid()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, z, _)| z.uuid()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(.., time)| *time).collect::<Vec<_>>())
        // A transaction has a few thousand events at most.
        .bind(column(|a| i32::try_from(a.events).unwrap_or(i32::MAX)))
        .bind(added.iter().map(|a| a.risk_sum_hundredths).collect::<Vec<_>>())
        .bind(column(|a| i32::from(a.risk_max_hundredths)))
        .bind(column(|a| a.minutes_observed))
        .bind(column(|a| a.seconds_observed))
        .bind(column(|a| a.seconds_at_risk))
        .bind(added.iter().flat_map(|a| a.histogram.map(u32::cast_signed)).collect::<Vec<_>>())
        .bind(added.iter().map(|a| array_text(a.people.iter().take(PEOPLE_MAX))).collect::<Vec<_>>())
        .bind(steps)
        .bind(i32::try_from(PEOPLE_MAX).unwrap_or(i32::MAX))
        .execute(connection)
        .await?;
    Ok(())
}
