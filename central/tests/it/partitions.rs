//! Daily partitions: made ahead, dropped by retention, and rows that came too early for theirs are moved.

use central::config::{Database, Retention};
use central::store::{Db, partitions};
use chrono::{DateTime, Days, TimeDelta, Utc};
use common::clock;

use crate::client::{Batch, System};
use crate::rollups::added_up;
use crate::servers;

fn db(url: &str) -> Db {
    Db::open(&Database { url: url.to_owned(), connections_max: 2 }).expect("a URL")
}

fn partition(time: DateTime<Utc>) -> String {
    format!("ergonomic_snapshots_{}", time.format("%Y%m%d"))
}

#[tokio::test]
async fn a_second_pass_has_nothing_to_do() {
    let (url, _) = servers::database().await;
    let done = partitions::upkeep(&db(&url), &Retention::default(), clock::now()).await.expect("a pass");
    assert_eq!(done, partitions::Done::default());
}

#[tokio::test]
async fn passes_at_once_do_not_disturb_each_other() {
    let (url, pool) = servers::database().await;
    let later = clock::now() + TimeDelta::days(10);
    let (a, b) = (db(&url), db(&url));
    let retention = Retention::default();
    let (a, b) = tokio::join!(partitions::upkeep(&a, &retention, later), partitions::upkeep(&b, &retention, later));
    assert_eq!(a.expect("a pass").made + b.expect("a pass").made, 10);
    let made = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'ergonomic_snapshots'::regclass";
    assert_eq!(servers::number(&pool, made).await, 40 + 10 + 1, "and the default one");
}

#[tokio::test]
async fn rows_that_landed_in_the_default_partition_move_when_their_days_is_made() {
    let system = System::start().await;
    let edge = system.edge().await;
    let future = clock::now() + TimeDelta::days(7);
    let times = [clock::now(), future, future + TimeDelta::seconds(1), future + TimeDelta::days(1)];
    let records: Vec<_> = times.iter().zip(1..).map(|(t, seq)| edge.record(seq, &edge.event_at(*t))).collect();
    assert_eq!(edge.send(&Batch::of(&records)).await.receipt().committed, 4);
    let in_default = "SELECT count(*) FROM ergonomic_snapshots_default";
    assert_eq!(system.count(in_default).await, 3);

    let db = db(&system.config.database.url);
    let retention = Retention::default();
    let done = partitions::upkeep(&db, &retention, clock::now() + TimeDelta::days(3)).await.expect("a pass");
    assert_eq!((done.made, done.moved), (3, 2), "days 5, 6 and 7 from now");
    assert_eq!(system.count(in_default).await, 1);
    assert_eq!(system.count(&format!("SELECT count(*) FROM {}", partition(future))).await, 2);
    // They are still what they were: a re-send makes no second row.
    assert_eq!(edge.send(&Batch::of(&records)).await.receipt().duplicates, 4);
    assert_eq!(system.rows().await, 4);
}

#[tokio::test]
async fn what_is_past_retention_goes_and_the_rest_stays() {
    let system = System::start().await;
    let edge = system.edge().await;
    let now = clock::now();
    let ages = [0, 5, 20, 34, 42, 50];
    let records: Vec<_> =
        ages.iter().zip(1..).map(|(age, seq)| edge.record(seq, &edge.event_at(now - TimeDelta::days(*age)))).collect();
    assert_eq!(edge.send(&Batch::of(&records)).await.receipt().committed, 6);
    let retention = Retention {
        snapshots_days: 10,
        zone_minutes_days: 40,
        zone_quarters_days: 45,
        dead_letters_days: 1,
        ..Retention::default()
    };
    added_up(&system.config.database.url, &system.pool).await;
    let db = db(&system.config.database.url);
    let done = partitions::upkeep(&db, &retention, now).await.expect("a pass");
    assert_eq!(done.dropped, 25, "35 days back, 10 kept");
    assert_eq!(system.rows().await, 2);
    assert_eq!(system.count("SELECT count(*) FROM zone_minutes").await, 4, "rollups are kept longer");
    for rollup in ["zone_quarters", "zone_hours", "site_quarters", "site_hours", "site_days"] {
        assert_eq!(system.count(&format!("SELECT count(*) FROM {rollup}")).await, 5, "{rollup}");
    }
    assert_eq!(system.count("SELECT count(*) FROM worker_numbers").await, 6);
    let oldest = now.date_naive().checked_sub_days(Days::new(10)).expect("a day");
    let gone = "SELECT count(*) FROM pg_class WHERE relname LIKE 'ergonomic_snapshots_2%' AND relkind = 'r' \
                AND right(relname, 8) < to_char($1, 'YYYYMMDD')";
    let gone: i64 = sqlx::query_scalar(gone).bind(oldest).fetch_one(&system.pool).await.expect("a number");
    assert_eq!(gone, 0);
}

/// As after a retention that was made shorter.
#[tokio::test]
async fn however_much_is_past_retention_one_pass_deletes_it() {
    let (url, pool) = servers::database().await;
    let bins: Vec<String> = (0..20).map(|bin| format!("b{bin:02}")).collect();
    let (bins, zeros) = (bins.join(", "), ["0"; 20].join(", "));
    for sql in [
        "INSERT INTO edge_heartbeats (edge_id, at, warehouse_id, live, backlog, disk_bytes_free, accepted, rejected, redis)
             SELECT gen_random_uuid(), now() - interval '4 years', gen_random_uuid(), 0, 0, 0, 0, 0, 'ready'
             FROM generate_series(1, 25000)"
            .to_owned(),
        format!(
            "INSERT INTO zone_quarters (warehouse_id, zone_id, quarter, risk_sum_hundredths, risk_max_hundredths, events,
                                        minutes_observed, seconds_observed, seconds_at_risk, people, {bins})
                 SELECT gen_random_uuid(), gen_random_uuid(), date_trunc('hour', now()) - interval '4 years', 0, 0, 1, 1, 1, 0, '{{}}', {zeros}
                 FROM generate_series(1, 25000)"
        ),
        "INSERT INTO edge_epochs (edge_id, epoch, warehouse_id, first_seen_at, current)
             SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now() - interval '4 years', false
             FROM generate_series(1, 350)"
            .to_owned(),
    ] {
        servers::execute(&pool, &sql).await;
    }
    partitions::upkeep(&db(&url), &Retention::default(), clock::now()).await.expect("a pass");
    for table in ["edge_heartbeats", "zone_quarters", "edge_epochs"] {
        assert_eq!(servers::number(&pool, &format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
}
