//! (g) Queries over months of rollups: trend, heat map, distribution, comparison, ranking, with as many sites as a large fleet
//! has. The rollups are made by the database itself, in the order in which they would have come, because where rows
//! lie decides how long they take to read.

use std::time::Instant;

use anyhow::Context as _;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use rand::Rng as _;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use tests::stack::{Options, Stack};
use uuid::Uuid;

use crate::report::{Report, percentile};

const PART: &str = "(g) queries, 90 days of rollups";
const SITES: f64 = 500.0;
const DAYS: i64 = 90;
const ASKED: usize = 40;

/// Four zones per site, with ten workers each.
const TABLE: &str = "CREATE UNLOGGED TABLE bench_zones (warehouse_id uuid, zone_id uuid, people_from int4)";
const ZONES: &str = "
    INSERT INTO bench_zones
    SELECT md5('site ' || site)::uuid AS warehouse_id, md5('zone ' || site || ' ' || zone)::uuid AS zone_id,
           (site * 4 + zone) * 10 AS people_from
    FROM generate_series(1, $1) site, generate_series(1, 4) zone";
const KNOWN: &str = "
    WITH sites AS (INSERT INTO warehouses (warehouse_id) SELECT DISTINCT warehouse_id FROM bench_zones)
    INSERT INTO zones (warehouse_id, zone_id) SELECT warehouse_id, zone_id FROM bench_zones";

/// The quarters of the day from $1 on, all zones quarter by quarter. Scores as the recorded set has them: most between 20 and 55.
const QUARTERS: &str = "
    INSERT INTO zone_quarters
        (warehouse_id, zone_id, quarter, events, risk_sum_hundredths, risk_max_hundredths, minutes_observed,
         seconds_observed, seconds_at_risk, b00, b01, b02, b03, b04, b05, b06, b07, b08, b09,
         b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, people)
    SELECT warehouse_id, zone_id, $1::timestamptz + i * interval '15 minutes', 59 * n, 234750::int8 * n, 8999, 15, 600 + n, 30 + n,
           n, n, 2 * n, 3 * n, 5 * n, 6 * n, 7 * n, 8 * n, 6 * n, 5 * n,
           4 * n, 3 * n, 2 * n, 2 * n, n, n, n, n, 0, 0,
           ARRAY[people_from + n % 5, people_from + 5 + n % 3, people_from + 8, people_from + 9]
    FROM generate_series(0, 95) i
    CROSS JOIN LATERAL (SELECT *, (hashtext(zone_id::text || i || $1::text) & 15) + 1 AS n FROM bench_zones) z
    ORDER BY i";

/// What follows from quarters, for one of the coarser tables.
macro_rules! coarser {
    ($table:literal, $time:literal) => {
        concat!(
            "
    INSERT INTO ",
            $table,
            "
        (warehouse_id, zone_id, ",
            $time,
            ", events, risk_sum_hundredths, risk_max_hundredths, minutes_observed,
         seconds_observed, seconds_at_risk, b00, b01, b02, b03, b04, b05, b06, b07, b08, b09,
         b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, people)
    SELECT q.warehouse_id, q.zone_id, date_trunc('",
            $time,
            "', quarter, 'UTC') AS time, sum(events), sum(risk_sum_hundredths),
           max(risk_max_hundredths), sum(minutes_observed), sum(seconds_observed), sum(seconds_at_risk),
           sum(b00), sum(b01), sum(b02), sum(b03), sum(b04), sum(b05), sum(b06), sum(b07), sum(b08), sum(b09),
           sum(b10), sum(b11), sum(b12), sum(b13), sum(b14), sum(b15), sum(b16), sum(b17), sum(b18), sum(b19),
           (SELECT array_agg(person ORDER BY person) FROM generate_series(z.people_from, z.people_from + 9) person)
    FROM zone_quarters q JOIN bench_zones z USING (warehouse_id, zone_id)
    WHERE quarter >= $1
    GROUP BY q.warehouse_id, q.zone_id, time, z.people_from
    ORDER BY time"
        )
    };
}
const HOURS: &str = coarser!("zone_hours", "hour");
const DAYS_OF: &str = coarser!("zone_days", "day");

pub async fn measure(report: &mut Report, scale: f64) -> anyhow::Result<()> {
    let sites = ((SITES * scale) as i32).max(5);
    let stack = Stack::start(Options { edges: 0, ..Options::default() }).await?;
    let end = common::clock::now().duration_trunc(TimeDelta::days(1)).context("today")?;
    let from = end - TimeDelta::days(DAYS);
    let started = Instant::now();
    let ids = fill(&stack.database_url, sites, from).await?;
    report.add(PART, format!("{sites} sites made in"), started.elapsed().as_secs_f64(), "s");

    let range = |days: i64| format!("from={}&to={}", stamp(end - TimeDelta::days(days)), stamp(end));
    let (quarter, month) = (range(DAYS), range(30));
    let with = format!("with_from={}&with_to={}", stamp(from), stamp(from + TimeDelta::days(30)));
    for (name, path, of_site, aim) in [
        ("trend by hours", format!("trend?by=hour&{quarter}"), true, " (aim p99 < 200 ms)"),
        ("trend by days", format!("trend?by=day&{quarter}"), true, " (aim p99 < 200 ms)"),
        ("heat map", format!("heatmap?{quarter}"), true, " (aim p99 < 200 ms)"),
        ("distribution", format!("distribution?{quarter}"), true, ""),
        ("comparison of two months", format!("compare?{month}&{with}"), true, ""),
        ("ranking of all sites", format!("ranking?{quarter}"), false, ""),
    ] {
        let mut took = Vec::new();
        for _ in 0..ASKED {
            let site = ids[rand::rng().random_range(0..ids.len())];
            let site = if of_site { format!("&warehouse_id={site}") } else { String::new() };
            let asked = Instant::now();
            let _answer: serde_json::Value = stack.centrals[0].get(&format!("/api/v1/{path}{site}")).await?;
            took.push(asked.elapsed().as_secs_f64() * 1_000.0);
        }
        took.sort_by(f64::total_cmp);
        let note = format!("p99 {:.0} ms of {ASKED}{aim}", percentile(&took, 0.99));
        report.add_noted(PART, name, percentile(&took, 0.5), "ms p50", note);
    }
    Ok(())
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Makes the rollups of so many sites for [`DAYS`] days; answers the sites.
async fn fill(database_url: &str, sites: i32, from: DateTime<Utc>) -> anyhow::Result<Vec<Uuid>> {
    let mut connection = PgConnection::connect(database_url).await.context("connect to Postgres")?;
    connection.execute(TABLE).await.context("make a table")?;
    sqlx::query(ZONES).bind(sites).execute(&mut connection).await.context("make zones")?;
    sqlx::query(KNOWN).execute(&mut connection).await.context("make sites")?;
    for day in 0..DAYS {
        let day = from + TimeDelta::days(day);
        sqlx::query(QUARTERS).bind(day).execute(&mut connection).await.context("make quarters")?;
    }
    // Once at the end: no index leads to one day of all sites.
    for statement in [HOURS, DAYS_OF] {
        sqlx::query(statement).bind(from).execute(&mut connection).await.context("make hours and days")?;
    }
    connection.execute("VACUUM ANALYZE").await.context("vacuum")?;
    connection.execute("CHECKPOINT").await.context("checkpoint")?;
    let ids = sqlx::query_scalar("SELECT DISTINCT warehouse_id FROM bench_zones").fetch_all(&mut connection).await;
    ids.context("ask for the sites")
}
