//! Quarters and hours of zones, and quarters, hours and days of sites: the same sums as in `zone_minutes`, of longer times.
//! They grow by what storing transactions changed in the minutes: masks can be put together twice and stay what they are,
//! but sums of them cannot, so what is added here is what the locked rows of the minutes said was new.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{WarehouseId, ZoneId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{BINS, array_text, truncate};

/// People noted in a zone's row. There are never so many in front of its cameras; without a bound a camera that makes up a
/// worker for each event would grow one row for ever.
pub const ZONE_PEOPLE_MAX: i32 = 1_000;
/// The same of a site's.
pub const SITE_PEOPLE_MAX: i32 = 10_000;

/// Adds the rows of `added` that are for this table: `$of` is its key but for the time, whose column is `$time`, and `$people` is how
/// it keeps people.
macro_rules! add_to {
    ($table:literal, $of:literal, $time:literal, $people:literal, $people_max:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " AS t
    (",
            $of,
            ", ",
            $time,
            ", events, risk_sum_hundredths, risk_max_hundredths, minutes_observed,
     seconds_observed, seconds_at_risk, b00, b01, b02, b03, b04, b05, b06, b07, b08, b09,
     b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, people)
SELECT ",
            $of,
            ", time, events, risk_sum, risk_max, minutes, seconds, at_risk,
       ($10::int4[])[at+1], ($10::int4[])[at+2], ($10::int4[])[at+3], ($10::int4[])[at+4],
       ($10::int4[])[at+5], ($10::int4[])[at+6], ($10::int4[])[at+7], ($10::int4[])[at+8],
       ($10::int4[])[at+9], ($10::int4[])[at+10], ($10::int4[])[at+11], ($10::int4[])[at+12],
       ($10::int4[])[at+13], ($10::int4[])[at+14], ($10::int4[])[at+15], ($10::int4[])[at+16],
       ($10::int4[])[at+17], ($10::int4[])[at+18], ($10::int4[])[at+19], ($10::int4[])[at+20],
       ((people::int4[])[:",
            $people_max,
            "])::",
            $people,
            "
FROM added WHERE target = '",
            $table,
            "'
ON CONFLICT (",
            $of,
            ", ",
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
    people = CASE WHEN t.people::int4[] @> excluded.people::int4[] OR cardinality(t.people::int4[]) >= ",
            $people_max,
            " THEN t.people
                  ELSE ARRAY(SELECT DISTINCT unnest(t.people::int4[] || excluded.people::int4[]) ORDER BY 1 LIMIT ",
            $people_max,
            ")::",
            $people,
            " END"
        )
    };
}

/// All tables in one round trip. The bins come as one array, 20 for each row, and are columns because adding to an
/// array would take it apart and build it anew. The array stays a parameter: as a column of `added` each row would hold all
/// of it, which for 550 rows was 24 MB and most of a pass. Rows of a site have no zone.
const ADD: &str = concat!(
    "\
WITH added AS MATERIALIZED (
    SELECT *, (row * 20 - 20)::int4 AS at
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::int4[], $5::int8[], $6::int4[], $7::int4[], $8::int4[],
                $9::int4[], $11::text[], $12::text[]) WITH ORDINALITY
         AS n (warehouse_id, zone_id, time, events, risk_sum, risk_max, minutes, seconds, at_risk, people, target, row)
), zone_quarters_added AS (
",
    add_to!("zone_quarters", "warehouse_id, zone_id", "quarter", "text", "$13"),
    "
), zone_hours_added AS (
",
    add_to!("zone_hours", "warehouse_id, zone_id", "hour", "text", "$13"),
    "
), site_quarters_added AS (
",
    add_to!("site_quarters", "warehouse_id", "quarter", "text", "$14"),
    "
), site_hours_added AS (
",
    add_to!("site_hours", "warehouse_id", "hour", "text", "$14"),
    "
)
",
    add_to!("site_days", "warehouse_id", "day", "int4[]", "$14")
);

pub const STATEMENTS: &[&str] = &[ADD];

/// What is added to a time of a zone or site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    pub fn add(&mut self, other: &Self) {
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

/// Of a zone, or of the whole site, from when on.
pub(super) type Key = (WarehouseId, Option<ZoneId>, DateTime<Utc>);
/// In key order.
pub(super) type Sums = BTreeMap<Key, Added>;

/// Adds up what has the same key then.
pub(super) fn coarser(sums: &Sums, key: impl Fn(&Key) -> Key) -> Sums {
    let mut coarse = Sums::new();
    for (fine, added) in sums {
        coarse.entry(key(fine)).or_default().add(added);
    }
    coarse
}

/// Adds what was added to quarters of zones to all that they belong to.
pub(super) async fn write(connection: &mut PgConnection, quarters: &Sums) -> Result<(), sqlx::Error> {
    let by = |step: TimeDelta| move |(warehouse, zone, time): &Key| (*warehouse, *zone, truncate(*time, step));
    let hours = coarser(quarters, by(TimeDelta::hours(1)));
    let site_quarters = coarser(quarters, |(warehouse, _, quarter)| (*warehouse, None, *quarter));
    let site_hours = coarser(&site_quarters, by(TimeDelta::hours(1)));
    let site_days = coarser(&site_hours, by(TimeDelta::days(1)));
    let tables = [
        ("zone_quarters", quarters),
        ("zone_hours", &hours),
        ("site_quarters", &site_quarters),
        ("site_hours", &site_hours),
        ("site_days", &site_days),
    ];
    let targets: Vec<&str> = tables.iter().flat_map(|(table, sums)| sums.keys().map(|_| *table)).collect();
    let keys: Vec<&Key> = tables.iter().flat_map(|(_, sums)| sums.keys()).collect();
    let added: Vec<&Added> = tables.iter().flat_map(|(_, sums)| sums.values()).collect();
    let column = |of: fn(&Added) -> i32| added.iter().map(|a| of(a)).collect::<Vec<_>>();
    sqlx::query(ADD)
        .bind(keys.iter().map(|(warehouse, ..)| warehouse.uuid()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, zone, _)| zone.map(ZoneId::uuid)).collect::<Vec<Option<Uuid>>>())
        .bind(keys.iter().map(|(.., time)| *time).collect::<Vec<_>>())
        // A pass has some seconds of events at most.
        .bind(column(|a| i32::try_from(a.events).unwrap_or(i32::MAX)))
        .bind(added.iter().map(|a| a.risk_sum_hundredths).collect::<Vec<_>>())
        .bind(column(|a| i32::from(a.risk_max_hundredths)))
        .bind(column(|a| a.minutes_observed))
        .bind(column(|a| a.seconds_observed))
        .bind(column(|a| a.seconds_at_risk))
        .bind(added.iter().flat_map(|a| a.histogram.map(u32::cast_signed)).collect::<Vec<_>>())
        .bind(added.iter().map(|a| array_text(&a.people)).collect::<Vec<_>>())
        .bind(targets)
        .bind(ZONE_PEOPLE_MAX)
        .bind(SITE_PEOPLE_MAX)
        .execute(connection)
        .await?;
    Ok(())
}
