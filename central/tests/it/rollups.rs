//! Rollups equal the raw table, whatever comes twice, late, or at the same moment through another connection.

use std::collections::{BTreeMap, BTreeSet};

use central::config::Database;
use central::store::Db;
use central::store::batch;
use central::store::batch::Known;
use central::store::rollups::due;
use chrono::{DateTime, TimeDelta, Utc};
use common::clock;
use common::event::Event;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::raw::{self, Floor, Raw, Truth};
use crate::servers;

/// A seed of one's own to see a failure again: SMARTPICK_SEED.
#[expect(clippy::print_stdout, reason = "captured, and shown if the test fails")]
pub fn seed() -> u64 {
    let given = std::env::var("SMARTPICK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    println!("SMARTPICK_SEED={seed}");
    seed
}

pub fn db(url: &str) -> Db {
    Db::open(&Database { url: url.to_owned(), connections_max: 5 }).expect("a URL")
}

type Key = (Uuid, Uuid, DateTime<Utc>);

#[derive(Debug, sqlx::FromRow)]
struct Row {
    warehouse_id: Uuid,
    zone_id: Uuid,
    time: DateTime<Utc>,
    events: i64,
    sum: i64,
    max: i64,
    bins: Vec<i64>,
    minutes: i64,
    observed: i64,
    at_risk: i64,
    people: Vec<Uuid>,
}

/// Waits until all that is stored is in the rollups, be it by the pass of a central that runs.
pub async fn added_up(url: &str, pool: &PgPool) {
    let db = db(url);
    while servers::number(pool, "SELECT count(*) FROM rollups_due").await > 0 {
        due::pass(&db).await.expect("a pass");
        tokio::task::yield_now().await;
    }
}

/// What is compared of a row: sets of the truth are counted.
type Counted = (i64, i64, i64, Vec<i64>, usize, usize, usize, BTreeSet<Uuid>);

fn counted(truth: &Truth) -> Counted {
    let Truth { events, sum, max, bins, minutes, observed, at_risk, people } = truth.clone();
    (events, sum, max, bins, minutes.len(), observed.len(), at_risk.len(), people)
}

/// Rows of sites have a zone of zeros here.
async fn stored(pool: &PgPool, table: &str, time: &str) -> BTreeMap<Key, Counted> {
    let zone =
        if table.starts_with("zone_") { "zone_id" } else { "'00000000-0000-0000-0000-000000000000'::uuid AS zone_id" };
    let bins: Vec<String> = (0..20).map(|bin| format!("b{bin:02}::int8")).collect();
    let select = format!(
        "SELECT warehouse_id, {zone}, {time} AS time, events::int8, risk_sum_hundredths AS sum, \
         risk_max_hundredths::int8 AS max, ARRAY[{}] AS bins, minutes_observed::int8 AS minutes, \
         seconds_observed::int8 AS observed, seconds_at_risk::int8 AS at_risk, \
         ARRAY(SELECT worker_id FROM unnest(people::int4[]) p LEFT JOIN worker_numbers ON number = p) AS people FROM {table}",
        bins.join(", ")
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(select)).fetch_all(pool).await.expect("rows");
    let count = |n: i64| usize::try_from(n).expect("a count");
    rows.into_iter()
        .map(|row| {
            let people: BTreeSet<Uuid> = row.people.iter().copied().collect();
            assert_eq!(people.len(), row.people.len(), "nobody is noted twice");
            let sums = (row.events, row.sum, row.max, row.bins);
            let counts = (count(row.minutes), count(row.observed), count(row.at_risk));
            let key = (row.warehouse_id, row.zone_id, row.time);
            (key, (sums.0, sums.1, sums.2, sums.3, counts.0, counts.1, counts.2, people))
        })
        .collect()
}

/// By zone, or by site with a zone of zeros.
fn truncated(rows: &[Raw], by_zone: bool, seconds: i64) -> BTreeMap<Key, Counted> {
    let truncate = |time: DateTime<Utc>| {
        let start = time.timestamp().div_euclid(seconds) * seconds;
        DateTime::from_timestamp(start, 0).expect("a time")
    };
    let zone = |row: &Raw| if by_zone { row.zone_id } else { Uuid::nil() };
    let groups = raw::grouped(rows, |row| (row.warehouse_id, zone(row), truncate(row.event_time)));
    groups.iter().map(|(key, truth)| (*key, counted(truth))).collect()
}

/// Masks and the rest of every minute, quarter, hour and day are what the events say.
async fn assert_exact(url: &str, pool: &PgPool) {
    added_up(url, pool).await;
    type Minute = (Uuid, Uuid, DateTime<Utc>, i64, i64, i64, i64);
    let rows = raw::rows(pool).await;
    let minutes: Vec<Minute> = sqlx::query_as(
        "SELECT warehouse_id, zone_id, minute, events, risk_sum_hundredths, observed, at_risk FROM zone_minutes",
    )
    .fetch_all(pool)
    .await
    .expect("rows");
    let mask = |seconds: &BTreeSet<(Uuid, i64)>| seconds.iter().fold(0, |mask, (_, second)| mask | 1 << (second % 60));
    let truth = raw::grouped(&rows, |row| (row.warehouse_id, row.zone_id, row.event_time.timestamp().div_euclid(60)));
    let truth: BTreeMap<_, _> =
        truth.iter().map(|(key, t)| (*key, (t.events, t.sum, mask(&t.observed), mask(&t.at_risk)))).collect();
    let minutes: BTreeMap<_, _> = minutes
        .into_iter()
        .map(|(w, z, minute, events, sum, observed, at_risk)| {
            ((w, z, minute.timestamp().div_euclid(60)), (events, sum, observed, at_risk))
        })
        .collect();
    assert_eq!(minutes, truth, "minutes");
    for (table, time, by_zone, seconds) in [
        ("zone_quarters", "quarter", true, 900),
        ("zone_hours", "hour", true, 3_600),
        ("site_quarters", "quarter", false, 900),
        ("site_hours", "hour", false, 3_600),
        ("site_days", "day", false, 86_400),
    ] {
        assert_eq!(stored(pool, table, time).await, truncated(&rows, by_zone, seconds), "{table}");
    }
}

/// A pool of events of the last hours and weeks, dense enough that seconds, minutes and people repeat.
fn events(rng: &mut StdRng, floors: &[Floor], count: i64) -> Vec<(i64, Event<'static>)> {
    let now = clock::now();
    (1..=count)
        .map(|seq| {
            let floor = &floors[rng.random_range(0..floors.len())];
            let back = match rng.random_range(0..4) {
                // Weeks late.
                0 => TimeDelta::days(20) + TimeDelta::seconds(rng.random_range(0..100)),
                1 => TimeDelta::days(1) + TimeDelta::minutes(rng.random_range(0..600)),
                _ => TimeDelta::milliseconds(rng.random_range(0..2_000_000)),
            };
            let mut event = floor.event(rng, now - back);
            if rng.random_bool(0.05) {
                // A clock that cannot be believed: stored under the time it came.
                event.event_time = now + TimeDelta::days(400);
                event.ingest_time = now - back;
                event.clock_suspect = true;
            }
            (seq, event)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rollups_equal_the_raw_table_after_duplicates_backfill_and_concurrent_writers() {
    let rng = &mut StdRng::seed_from_u64(seed());
    let (url, pool) = servers::database().await;
    let db = db(&url);
    let floors = [Floor::new(rng, 3, 8), Floor::new(rng, 2, 4)];
    let events = events(rng, &floors, 1_500);
    let (mut a, mut b) = (db.connect().await.expect("connected"), db.connect().await.expect("connected"));
    let (mut known_a, mut known_b) = (Known::default(), Known::default());
    // Every event in some batch, then batches of any events again, in any order, from two connections at once.
    let mut batches: Vec<Vec<(i64, Event<'static>)>> = events.chunks(60).map(<[_]>::to_vec).collect();
    for _ in 0..30 {
        let size = rng.random_range(1..120);
        batches.push((0..size).map(|_| events[rng.random_range(0..events.len())].clone()).collect());
    }
    for index in (1..batches.len()).rev() {
        batches.swap(index, rng.random_range(0..=index));
    }
    for (turn, pair) in batches.chunks(2).enumerate() {
        let (first, second) = (raw::items(&pair[0]), raw::items(pair.last().expect("one or two")));
        let (first, second) =
            tokio::join!(batch::write(&mut a, &first, &mut known_a), batch::write(&mut b, &second, &mut known_b));
        first.expect("stored");
        second.expect("stored");
        // Two instances want to add up at once, while some is already added.
        if turn % 3 == 0 {
            let (one, other) = tokio::join!(due::pass(&db), due::pass(&db));
            one.expect("a pass");
            other.expect("a pass");
        }
    }
    assert_eq!(raw::rows(&pool).await.len(), events.len());
    assert_exact(&url, &pool).await;
}

#[tokio::test]
async fn a_transaction_that_fails_leaves_no_number_that_is_not_there() {
    let rng = &mut StdRng::seed_from_u64(seed());
    let (url, pool) = servers::database().await;
    let mut connection = db(&url).connect().await.expect("connected");
    let floor = Floor::new(rng, 1, 3);
    let mut known = Known::default();
    let good: Vec<_> = events(rng, std::slice::from_ref(&floor), 20);
    let mut bad = good.clone();
    // Not JSON: Postgres refuses the whole transaction.
    bad[7].1.posture_keypoints = "{".into();
    batch::write(&mut connection, &raw::items(&bad), &mut known).await.expect_err("refused");
    batch::write(&mut connection, &raw::items(&good), &mut known).await.expect("stored");
    assert_exact(&url, &pool).await;
}

#[tokio::test]
async fn what_another_version_left_to_add_up_holds_up_nobody() {
    let rng = &mut StdRng::seed_from_u64(seed());
    let (url, pool) = servers::database().await;
    let db = db(&url);
    let mut connection = db.connect().await.expect("connected");
    servers::execute(&pool, "INSERT INTO rollups_due (added, put_at) VALUES ('\\xff01', now() - interval '1 hour')")
        .await;
    let floor = Floor::new(rng, 2, 6);
    let events = events(rng, std::slice::from_ref(&floor), 50);
    batch::write(&mut connection, &raw::items(&events), &mut Known::default()).await.expect("stored");
    for _ in 0..2 {
        assert_eq!(due::pass(&db).await.expect("a pass"), due::Passed { more: false, unreadable: 1 });
    }
    let sum = "SELECT sum(events)::int8 FROM site_days";
    assert_eq!(servers::number(&pool, sum).await, 50, "the others are added up");
    let since = due::oldest(&db).await.expect("an answer").expect("it stays");
    assert!(clock::now() - since > TimeDelta::minutes(59), "and shows: {since}");
}

#[tokio::test]
async fn people_are_bounded_however_many_a_camera_makes_up() {
    let rng = &mut StdRng::seed_from_u64(seed());
    let (url, pool) = servers::database().await;
    let mut connection = db(&url).connect().await.expect("connected");
    let floor = Floor::new(rng, 1, 1);
    let now = clock::now();
    for batch in 0..3 {
        let events: Vec<_> = (0..500)
            .map(|n| {
                let worker = common::ids::WorkerId::from_uuid(raw::uuid(rng));
                (batch * 500 + n + 1, Event { worker_id: Some(worker), ..floor.event(rng, now) })
            })
            .collect();
        batch::write(&mut connection, &raw::items(&events), &mut Known::default()).await.expect("stored");
    }
    added_up(&url, &pool).await;
    let people = "SELECT max(cardinality(people::int4[]))::int8 FROM zone_quarters";
    assert_eq!(servers::number(&pool, people).await, 1_000);
    assert_eq!(servers::number(&pool, "SELECT max(cardinality(people))::int8 FROM site_days").await, 1_500);
    assert_eq!(servers::number(&pool, "SELECT sum(events)::int8 FROM zone_quarters").await, 1_500);
}
