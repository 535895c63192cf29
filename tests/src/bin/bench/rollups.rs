//! Months of rollups of a large fleet, made by the database itself within minutes: one day as templates, put in once for
//! each day, in the order in which rows would have come, because where they lie decides how long they take to read.
//!
//! A site has four zones with ten workers each, watched round the clock. In each quarter of an hour four of a zone's workers
//! are seen, in each hour all ten; there are some 500 events in a quarter. Of ten sites eight go by whole hours, one by a
//! time zone that is half an hour off, one by shifts that begin at a quarter past.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tests::central::Setup;
use tests::dir::Dir;
use tests::events::NORTH;
use tests::postgres::Postgres;
use tests::stack::DATABASE;
use uuid::Uuid;

pub const DAYS: i64 = 90;
const BINS: usize = 20;
/// Events of each bin, times 1 to 16: scores as the recorded set has them, most between 20 and 55.
const EVENTS: [i32; BINS] = [1, 1, 2, 3, 5, 6, 7, 8, 6, 5, 4, 3, 2, 2, 1, 1, 1, 1, 0, 0];

/// By what clock a site goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Local hours are UTC's, and shifts begin on them: rollups are read by the hour.
    WholeHours,
    /// Every local hour begins in the middle of one of UTC: quarters are read.
    HalfHours,
    /// Hours are whole, but shifts begin at a quarter past.
    OddShifts,
}

#[derive(Debug, Clone, Copy)]
pub struct Site {
    pub warehouse_id: Uuid,
    pub clock: Clock,
}

/// A cluster with the rollups of so many sites, and nothing else.
pub struct Rollups {
    /// Where Postgres has it.
    pub home: PathBuf,
    pub sites: Vec<Site>,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// What making it took; `None` if it was there.
    pub made_in: Option<Duration>,
    pub bytes: i64,
}

const ZONE: &str = "warehouse_id, zone_id";
const SITE: &str = "warehouse_id";
/// What is filled, whose rows they are, and their column of the time.
const TABLES: [(&str, &str, &str); 5] = [
    ("zone_quarters", ZONE, "quarter"),
    ("zone_hours", ZONE, "hour"),
    ("site_quarters", SITE, "quarter"),
    ("site_hours", SITE, "hour"),
    ("site_days", SITE, "day"),
];

const MADE: &str = "\
CREATE TABLE IF NOT EXISTS bench_zones (warehouse_id uuid, zone_id uuid, site int4, zone int4, until timestamptz)";
const KNOWN: &str = "SELECT DISTINCT warehouse_id, site, until FROM bench_zones ORDER BY site";

const ZONES: &str = "
    INSERT INTO bench_zones
    SELECT md5('site ' || site)::uuid, md5('zone ' || site || ' ' || zone)::uuid, site, zone, $2
    FROM generate_series(1, $1) site, generate_series(1, 4) zone";
const WAREHOUSES: &str = r#"
    INSERT INTO warehouses (warehouse_id, time_zone_set, shifts_set)
    SELECT DISTINCT warehouse_id, CASE site % 10 WHEN 8 THEN 'Asia/Kolkata' ELSE 'Europe/Berlin' END,
           CASE WHEN site % 10 <> 8 THEN replace('[
               {"name": "early", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "06:MM", "end": "14:MM"},
               {"name": "late", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "14:MM", "end": "22:MM"},
               {"name": "night", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "22:MM", "end": "06:MM"}
           ]', 'MM', CASE site % 10 WHEN 9 THEN '15' ELSE '00' END)::jsonb END
    FROM bench_zones"#;
const ZONES_KNOWN: &str = "INSERT INTO zones (warehouse_id, zone_id) SELECT warehouse_id, zone_id FROM bench_zones";

/// What runs leave behind: everything but the rollups of the sites that were made. The edges of a run stand in [`NORTH`].
const LEFT_BEHIND: &str = "
    TRUNCATE ergonomic_snapshots, clock_suspect_events, zone_minutes, worker_numbers, edges, edge_epochs, epoch_quarters,
             edge_heartbeats, edge_sites, fleet_states, site_states, cameras, alerts, alert_facts, dead_letters, audit_log,
             api_tokens, rollups_due CASCADE";

fn clock(site: i32) -> Clock {
    match site % 10 {
        8 => Clock::HalfHours,
        9 => Clock::OddShifts,
        _ => Clock::WholeHours,
    }
}

/// Makes the rollups in `home`, or takes those that are there, and cleans up after earlier runs.
pub async fn prepare(home: &Path, sites: i32) -> anyhow::Result<Rollups> {
    let dir = Dir::new()?;
    let postgres = Postgres::start_in(&dir, home).await?;
    let url = postgres.database_named(DATABASE).await?;
    // Migrations need no Redis.
    Setup::new(&dir, &url, "redis://127.0.0.1:9/", None).await?;
    let mut connection = PgConnection::connect(&url).await.context("connect to Postgres")?;
    connection.execute(MADE).await.context("make a table")?;
    let mut made = known(&mut connection).await?;
    let mut made_in = None;
    if made.len() != sites as usize {
        let started = Instant::now();
        fill(&mut connection, sites).await?;
        made = known(&mut connection).await?;
        made_in = Some(started.elapsed());
    }
    clean(&mut connection).await?;
    let to = made.first().context("no sites were made")?.2;
    let bytes = sqlx::query_scalar("SELECT pg_database_size(current_database())").fetch_one(&mut connection).await?;
    // Nothing is left to be done at the next start.
    connection.execute("CHECKPOINT").await.context("checkpoint")?;
    connection.close().await.context("close the connection")?;
    let sites = made.into_iter().map(|(warehouse_id, site, _)| Site { warehouse_id, clock: clock(site) }).collect();
    Ok(Rollups { home: home.to_owned(), sites, from: to - TimeDelta::days(DAYS), to, made_in, bytes })
}

async fn known(connection: &mut PgConnection) -> anyhow::Result<Vec<(Uuid, i32, DateTime<Utc>)>> {
    sqlx::query_as(KNOWN).fetch_all(connection).await.context("ask what was made")
}

async fn clean(connection: &mut PgConnection) -> anyhow::Result<()> {
    connection.execute(LEFT_BEHIND).await.context("clean up")?;
    for table in TABLES.map(|table| table.0).into_iter().chain(["zones", "warehouses"]) {
        let statement = format!("DELETE FROM {table} WHERE warehouse_id = $1");
        sqlx::query(AssertSqlSafe(statement)).bind(NORTH).execute(&mut *connection).await.context("clean up")?;
    }
    Ok(())
}

/// All or nothing, so that a run which is stopped leaves nothing half made.
async fn fill(connection: &mut PgConnection, sites: i32) -> anyhow::Result<()> {
    let until = common::clock::now().duration_trunc(TimeDelta::days(1)).context("today")?;
    // Sorts and sums of a day stay in memory.
    connection.execute("SET work_mem = '256MB'; SET maintenance_work_mem = '512MB'").await.context("set memory")?;
    let mut all = connection.begin().await.context("begin")?;
    let tables = TABLES.map(|table| table.0).join(", ");
    all.execute(AssertSqlSafe(format!("TRUNCATE bench_zones, zones, warehouses, {tables} CASCADE"))).await?;
    sqlx::query(ZONES).bind(sites).bind(until).execute(&mut *all).await.context("make zones")?;
    all.execute(WAREHOUSES).await.context("make sites")?;
    all.execute(ZONES_KNOWN).await.context("make zones")?;
    // Indexes are made faster than kept.
    for (table, ..) in TABLES {
        let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {table}_pkey");
        all.execute(AssertSqlSafe(drop)).await.context("drop an index")?;
    }
    let templates = [
        quarters(),
        coarser("zone_hours", ZONE, "zone_quarters", 4),
        coarser("site_quarters", SITE, "zone_quarters", 1),
        coarser("site_hours", SITE, "zone_hours", 4),
        coarser("site_days", SITE, "zone_hours", 96),
    ];
    for statement in templates {
        all.execute(AssertSqlSafe(statement)).await.context("make the templates")?;
    }
    for day in (1..=DAYS).rev() {
        for (table, of, time) in TABLES {
            let midnight = until - TimeDelta::days(day);
            let put = sqlx::query(AssertSqlSafe(one_day(table, of, time))).bind(midnight).execute(&mut *all).await;
            put.with_context(|| format!("put in {table}"))?;
        }
    }
    for (table, of, time) in TABLES {
        let index = format!("ALTER TABLE {table} ADD PRIMARY KEY ({of}, {time})");
        all.execute(AssertSqlSafe(index)).await.context("index")?;
    }
    all.commit().await.context("commit")?;
    connection.execute("VACUUM ANALYZE").await.context("vacuum")?;
    Ok(())
}

/// `each` of all bins, with a comma before it.
fn bins(each: impl Fn(usize) -> String) -> String {
    (0..BINS).fold(String::new(), |mut text, bin| {
        // A String takes everything.
        let _infallible = write!(text, ", {}", each(bin));
        text
    })
}

fn columns(of: &str, time: &str) -> String {
    let bins = bins(|bin| format!("b{bin:02}"));
    format!(
        "{of}, {time}, events, risk_sum_hundredths, risk_max_hundredths, minutes_observed, \
         seconds_observed, seconds_at_risk{bins}, people"
    )
}

/// The template of a day's quarters. OFFSET 0, so that `n` is worked out once for each row.
fn quarters() -> String {
    let bins = bins(|bin| format!("{} * n AS b{bin:02}", EVENTS[bin]));
    format!(
        "CREATE TEMP TABLE a_day_of_zone_quarters ON COMMIT DROP AS
         SELECT warehouse_id, zone_id, i, 59 * n AS events, 234750::int8 * n AS risk_sum_hundredths,
                8999 AS risk_max_hundredths, 15 AS minutes_observed, 600 + n AS seconds_observed,
                30 + n AS seconds_at_risk{bins},
                ARRAY[first + i % 4 % 3 * 3, first + i % 4 % 3 * 3 + 1, first + i % 4 % 3 * 3 + 2, first + 9] AS people
         FROM generate_series(0, 95) i
         CROSS JOIN LATERAL (
             SELECT *, (site * 4 + zone) * 10 AS first, (hashtext(zone_id::text || i) & 15) + 1 AS n
             FROM bench_zones OFFSET 0
         ) z
         ORDER BY i, n, md5(zone_id::text)"
    )
}

/// The template of something coarser; `step` is how many quarters each row has. People are all who are there.
fn coarser(to: &str, of: &str, from: &str, step: i32) -> String {
    let bins = bins(|bin| format!("sum(b{bin:02})::int4 AS b{bin:02}"));
    format!(
        "CREATE TEMP TABLE a_day_of_{to} ON COMMIT DROP AS
         SELECT {of}, i / {step} * {step} AS i, sum(events)::int4 AS events,
                sum(risk_sum_hundredths)::int8 AS risk_sum_hundredths, max(risk_max_hundredths) AS risk_max_hundredths,
                sum(minutes_observed)::int4 AS minutes_observed, sum(seconds_observed)::int4 AS seconds_observed,
                sum(seconds_at_risk)::int4 AS seconds_at_risk{bins},
                (SELECT array_agg(person)
                 FROM generate_series(min(site * 4 + zone) * 10, max(site * 4 + zone) * 10 + 9) person) AS people
         FROM a_day_of_{from} JOIN bench_zones USING (warehouse_id, zone_id)
         GROUP BY {of}, i / {step} ORDER BY i / {step}, sum(b00), md5(max(zone_id::text))"
    )
}

/// Puts a template in for the day from $1 on.
fn one_day(table: &str, of: &str, time: &str) -> String {
    let (to, from) = (columns(of, time), columns(of, "$1::timestamptz + i * interval '15 minutes'"));
    format!("INSERT INTO {table} ({to}) SELECT {from} FROM a_day_of_{table}")
}
