//! Sums of rollups for dashboards, added up by Postgres into the cells of a [`Cut`]. The bounds go with the question and
//! each quarter finds its place among them, so a range of months comes back as as many rows as will be shown.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::rollups::BINS;
use super::{Db, StoreError, within};
use crate::figures::cut::{Cut, Parts};
use crate::figures::filling::Said;
use crate::figures::{Range, Sum};
use crate::fleet::Digest;

/// So long a stretch is asked for at a time, so that the people of a large site's year are never in memory all at once.
const STRETCH: TimeDelta = TimeDelta::days(32);

/// Figures and people are of one moment: whether something is shown must not hang on a row that came in between.
///
/// A site's rows lie among those of other sites, a page for every few. Where they are not in memory, a bitmap scan asks the
/// disk for many pages at once, which halves what a dashboard waits. Rows are wide and cells few, so cells are found by hash: to sort 12,000 rows of a heat map first took longer than
/// that, however few rows Postgres expects.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
SET LOCAL enable_indexscan = off; SET LOCAL enable_sort = off";
const COMMIT: &str = "COMMIT";

const NAMES: &str = "SELECT warehouse_id, name FROM warehouses ORDER BY warehouse_id";

/// A revoked edge sends nothing any more, and what it last said is not asked for.
const EDGES: &str = "\
SELECT edge_id, CASE WHEN revoked_at IS NULL THEN heartbeat_at END AS heartbeat_at, digest, revoked_at IS NULL AS speaks
FROM edges WHERE warehouse_id = $1";

/// With the quarter of each zone's first event.
const ZONES: &str = "\
SELECT z.zone_id, z.name, first.quarter AS first_quarter
FROM zones z
LEFT JOIN LATERAL (
    SELECT quarter FROM zone_quarters q WHERE q.warehouse_id = $1 AND q.zone_id = z.zone_id ORDER BY quarter LIMIT 1
) first ON true
WHERE z.warehouse_id = $1
ORDER BY z.name NULLS LAST, z.zone_id";

/// The rows of one table in the parts of a range, each with when it begins as `time`.
macro_rules! part {
    ($name:literal, $time:literal, $table:literal, $since:literal, $until:literal, $zone:literal, $of:literal) => {
        concat!(
            "            SELECT ", $name, ".* FROM unnest(", $since, "::timestamptz[], ", $until, "::timestamptz[]) AS part (since, until) CROSS JOIN LATERAL (
                SELECT ", $time, " AS time, ", $zone, ", events, risk_sum_hundredths, risk_max_hundredths, minutes_observed,
                       seconds_observed, seconds_at_risk, b00, b01, b02, b03, b04, b05, b06, b07, b08, b09, b10, b11, b12,
                       b13, b14, b15, b16, b17, b18, b19, people
                FROM ", $table, " WHERE warehouse_id = $1 AND ", $time, " >= since AND ", $time, " < until ", $of, " OFFSET 0
            ) ", $name, "
"
        )
    };
}

/// The rows of a site in the parts of a range: those from $2 to $3 by the hour, those from $4 to $5 by the quarter. `$zone` is
/// whose they are, and `$of` which of them; zones are named although they are all of the site's, because they lead to the
/// index by (warehouse, zone, time).
///
/// width_bucket finds the piece of a row, 1 for the first; an array's element 0 and those beyond its end are null. OFFSET 0
/// keeps Postgres from doing that once for each use of it, and has it look up each part by the index instead of holding
/// all of a site's rows against all parts. People are kept as texts of arrays and come as they are, one after the other: to add
/// them to sets of ours costs a fifth of what Postgres takes to count different ones, and the rows are read only once.
macro_rules! cells {
    ($hours:literal, $quarters:literal, $zone:literal, $of:literal) => {
        concat!(
            "\
SELECT zone_id, cell, sum(events)::int8 AS events, sum(risk_sum_hundredths)::int8 AS risk_sum_hundredths,
       max(risk_max_hundredths) AS risk_max_hundredths,
       coalesce(sum(minutes_observed) FILTER (WHERE counts), 0)::int8 AS minutes_observed,
       sum(seconds_observed)::int8 AS seconds_observed, sum(seconds_at_risk)::int8 AS seconds_at_risk,
       ARRAY[sum(b00), sum(b01), sum(b02), sum(b03), sum(b04), sum(b05), sum(b06), sum(b07), sum(b08), sum(b09),
           sum(b10), sum(b11), sum(b12), sum(b13), sum(b14), sum(b15), sum(b16), sum(b17), sum(b18), sum(b19)] AS bins,
       string_agg(people, '') AS people
FROM (
    SELECT ($7::int4[])[piece] AS cell, ($8::bool[])[piece] AS counts, placed.*
    FROM (
        SELECT *, width_bucket(time, $6::timestamptz[]) AS piece
        FROM (
",
            part!("h", "hour", $hours, "$2", "$3", $zone, $of),
            "            UNION ALL
",
            part!("q", "quarter", $quarters, "$4", "$5", $zone, $of),
            "        ) rows OFFSET 0
    ) placed OFFSET 0
) pieces
WHERE cell >= 0
GROUP BY 1, 2"
        )
    };
}

const ZONES_CELLS: &str = cells!("zone_hours", "zone_quarters", "zone_id", "AND zone_id = ANY ($9::uuid[])");
const SITE_CELLS: &str = cells!("site_hours", "site_quarters", "NULL::uuid AS zone_id", "");

/// Days where the range holds them whole, quarters at its ends.
const SITES: &str = "\
SELECT warehouse_id, sum(events)::int8 AS events, sum(risk_sum_hundredths)::int8 AS risk_sum_hundredths,
       max(risk_max_hundredths) AS risk_max_hundredths, sum(minutes_observed)::int8 AS minutes_observed,
       sum(seconds_observed)::int8 AS seconds_observed, sum(seconds_at_risk)::int8 AS seconds_at_risk,
       ARRAY[sum(b00), sum(b01), sum(b02), sum(b03), sum(b04), sum(b05), sum(b06), sum(b07), sum(b08), sum(b09),
           sum(b10), sum(b11), sum(b12), sum(b13), sum(b14), sum(b15), sum(b16), sum(b17), sum(b18), sum(b19)] AS bins
FROM (
    SELECT warehouse_id, events, risk_sum_hundredths, risk_max_hundredths, minutes_observed, seconds_observed, seconds_at_risk,
           b00, b01, b02, b03, b04, b05, b06, b07, b08, b09, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19
    FROM site_days WHERE day >= $2 AND day < $3
    UNION ALL
    SELECT warehouse_id, events, risk_sum_hundredths, risk_max_hundredths, minutes_observed, seconds_observed, seconds_at_risk,
           b00, b01, b02, b03, b04, b05, b06, b07, b08, b09, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19
    FROM site_quarters WHERE (quarter >= $1 AND quarter < $2) OR (quarter >= $3 AND quarter < $4)
) t
GROUP BY warehouse_id";

const SITES_PEOPLE: &str = "\
SELECT warehouse_id, count(*) AS people FROM (
    SELECT DISTINCT warehouse_id, person FROM site_days, unnest(people) AS person WHERE day >= $2 AND day < $3
    UNION
    SELECT warehouse_id, person FROM site_quarters, unnest(people::int4[]) AS person
    WHERE (quarter >= $1 AND quarter < $2) OR (quarter >= $3 AND quarter < $4)
) seen
GROUP BY warehouse_id";

pub const STATEMENTS: &[&str] = &[NAMES, EDGES, ZONES, ZONES_CELLS, SITE_CELLS, SITES, SITES_PEOPLE];

/// All sites with their names.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn names(db: &Db) -> Result<Vec<(Uuid, Option<String>)>, StoreError> {
    let mut lease = db.lease().await?;
    let names = within(sqlx::query_as(NAMES).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(names)
}

/// An edge of a site, and what it last said.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Edge {
    pub edge_id: Uuid,
    heartbeat_at: Option<DateTime<Utc>>,
    digest: Option<serde_json::Value>,
    /// It was not revoked.
    pub speaks: bool,
}

impl Edge {
    /// One that a newer version stored and this one cannot read counts as none: only what was delivered is certain then.
    pub fn said(&self) -> Option<Said> {
        let digest: Digest = serde_json::from_value(self.digest.clone()?).ok()?;
        let waiting = digest.oldest_age().filter(|_| digest.waiting() > 0);
        Some(Said { at: self.heartbeat_at?, waiting, stopping: digest.stopping })
    }
}

/// # Errors
/// If Postgres cannot answer.
pub async fn edges(db: &Db, warehouse: Uuid) -> Result<Vec<Edge>, StoreError> {
    let mut lease = db.lease().await?;
    let edges = within(sqlx::query_as(EDGES).bind(warehouse).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(edges)
}

/// A zone of a site.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Zone {
    pub zone_id: Uuid,
    pub name: Option<String>,
    /// `None` if nothing was ever stored of it.
    pub first_quarter: Option<DateTime<Utc>>,
}

/// A dashboard's question, because it looks into the rollups for when each zone began.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn zones(db: &Db, warehouse: Uuid) -> Result<Vec<Zone>, StoreError> {
    let mut lease = db.lease_for_dashboard().await?;
    let zones = within(sqlx::query_as(ZONES).bind(warehouse).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(zones)
}

/// What to add up.
pub struct Ask<'a> {
    pub warehouse: Uuid,
    /// Each of these zones apart; `None` for the site as a whole.
    pub zones: Option<&'a [Zone]>,
}

/// By zone (`None`: the site) and cell.
pub type Cells = HashMap<(Option<Uuid>, i32), Sum>;
/// How many different people, by zone and cell: for the site (`None`), and for each zone if asked for.
pub type People = HashMap<(Option<Uuid>, i32), i64>;

#[derive(sqlx::FromRow)]
struct CellRow {
    zone_id: Option<Uuid>,
    cell: i32,
    #[sqlx(flatten)]
    sum: SumRow,
    people: String,
}

#[derive(sqlx::FromRow)]
struct SumRow {
    events: i64,
    risk_sum_hundredths: i64,
    risk_max_hundredths: i32,
    minutes_observed: i64,
    seconds_observed: i64,
    seconds_at_risk: i64,
    bins: Vec<i64>,
}

impl From<SumRow> for Sum {
    fn from(row: SumRow) -> Self {
        let mut bins = [0; BINS];
        for (bin, n) in bins.iter_mut().zip(row.bins) {
            *bin = n;
        }
        Self {
            events: row.events,
            risk_sum_hundredths: row.risk_sum_hundredths,
            risk_max_hundredths: row.risk_max_hundredths,
            minutes_observed: row.minutes_observed,
            seconds_observed: row.seconds_observed,
            seconds_at_risk: row.seconds_at_risk,
            bins,
        }
    }
}

/// What each cell adds up to, and how many people are in it. Cells without events are not there.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn cells(db: &Db, ask: &Ask<'_>, cuts: &[Cut]) -> Result<(Cells, People), StoreError> {
    let mut tally = Tally::default();
    let mut lease = db.lease_for_dashboard().await?;
    within(sqlx::raw_sql(BEGIN).execute(&mut *lease)).await?;
    for cut in cuts {
        for stretch in cut.range.stretches(STRETCH) {
            let rows = within(rows(&mut lease, ask, cut, stretch)).await?;
            rows.into_iter().for_each(|row| tally.add(row));
        }
    }
    within(sqlx::raw_sql(COMMIT).execute(&mut *lease)).await?;
    lease.done();
    Ok(tally.count())
}

/// The cells of a stretch of the cut's range.
async fn rows(
    connection: &mut PgConnection,
    ask: &Ask<'_>,
    cut: &Cut,
    stretch: Range,
) -> Result<Vec<CellRow>, sqlx::Error> {
    let Parts { hours, quarters } = cut.parts(stretch);
    let from = |parts: &[Range]| parts.iter().map(|part| part.from).collect::<Vec<_>>();
    let to = |parts: &[Range]| parts.iter().map(|part| part.to).collect::<Vec<_>>();
    let cells = sqlx::query_as(if ask.zones.is_some() { ZONES_CELLS } else { SITE_CELLS })
        .bind(ask.warehouse)
        .bind(from(&hours))
        .bind(to(&hours))
        .bind(from(&quarters))
        .bind(to(&quarters))
        .bind(&cut.bounds)
        .bind(&cut.cells)
        .bind(&cut.counts);
    let cells = match ask.zones {
        Some(zones) => cells.bind(zones.iter().map(|zone| zone.zone_id).collect::<Vec<_>>()),
        None => cells,
    };
    cells.fetch_all(connection).await
}

/// What has come so far.
#[derive(Default)]
struct Tally {
    cells: Cells,
    /// Numbers of workers, each once, in order.
    people: HashMap<(Option<Uuid>, i32), Vec<u32>>,
}

impl Tally {
    fn add(&mut self, row: CellRow) {
        let key = (row.zone_id, row.cell);
        self.cells.entry(key).or_default().add(&row.sum.into());
        let people = self.people.entry(key).or_default();
        push_numbers(people, &row.people);
        once_each(people);
    }

    /// The sums, and how many people there are. Of zones apart also how many they are together.
    fn count(self) -> (Cells, People) {
        let mut together: HashMap<(Option<Uuid>, i32), Vec<u32>> = HashMap::new();
        for ((zone, cell), numbers) in &self.people {
            if zone.is_some() {
                together.entry((None, *cell)).or_default().extend(numbers);
            }
        }
        together.values_mut().for_each(once_each);
        let all = self.people.into_iter().chain(together);
        let count = |numbers: &Vec<u32>| i64::try_from(numbers.len()).unwrap_or(i64::MAX);
        (self.cells, all.map(|(key, numbers)| (key, count(&numbers))).filter(|(_, count)| *count > 0).collect())
    }
}

fn once_each(numbers: &mut Vec<u32>) {
    numbers.sort_unstable();
    numbers.dedup();
}

/// Adds the numbers in `{12,15}{}{12}`, of which a heat map has half a million.
fn push_numbers(numbers: &mut Vec<u32>, text: &str) {
    let mut number: Option<u32> = None;
    for byte in text.bytes() {
        if byte.is_ascii_digit() {
            number = Some(number.unwrap_or(0).wrapping_mul(10).wrapping_add((byte - b'0').into()));
        } else {
            numbers.extend(number.take());
        }
    }
    numbers.extend(number);
}

#[derive(sqlx::FromRow)]
struct SiteRow {
    warehouse_id: Uuid,
    #[sqlx(flatten)]
    sum: SumRow,
}

/// What each site with events adds up to in a range, and how many people.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn sites(db: &Db, range: Range) -> Result<HashMap<Uuid, (Sum, i64)>, StoreError> {
    let (days_from, days_to) = range.whole(TimeDelta::days(1));
    let mut lease = db.lease_for_dashboard().await?;
    within(sqlx::raw_sql(BEGIN).execute(&mut *lease)).await?;
    let sums = sqlx::query_as(SITES).bind(range.from).bind(days_from).bind(days_to).bind(range.to);
    let sums: Vec<SiteRow> = within(sums.fetch_all(&mut *lease)).await?;
    let people = sqlx::query_as(SITES_PEOPLE).bind(range.from).bind(days_from).bind(days_to).bind(range.to);
    let people: Vec<(Uuid, i64)> = within(people.fetch_all(&mut *lease)).await?;
    within(sqlx::raw_sql(COMMIT).execute(&mut *lease)).await?;
    lease.done();
    let people: HashMap<Uuid, i64> = people.into_iter().collect();
    Ok(sums
        .into_iter()
        .map(|row| (row.warehouse_id, (row.sum.into(), people.get(&row.warehouse_id).copied().unwrap_or(0))))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_in_texts_of_arrays_are_found() {
        let numbers = |text: &str| {
            let mut numbers = vec![7];
            push_numbers(&mut numbers, text);
            numbers
        };
        assert_eq!(numbers("{12,15}{}{12,2147483647}"), [7, 12, 15, 12, 2_147_483_647]);
        assert_eq!((numbers(""), numbers("{}"), numbers("3")), (vec![7], vec![7], vec![7, 3]));
    }
}
