//! The fleet: one state for all who ask, over several instances and restarts, and what stays of it.

use central::central::Central;
use central::fleet::{Code, State};
use central::store::Db;
use central::store::fleet::{self, Change, Stored};
use chrono::{DateTime, TimeDelta, Utc};
use common::clock;
use common::protocol::{CameraReport, LaneReport};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Batch, EdgeClient, System};
use crate::servers::{eventually, execute};

/// Asks one of several instances.
async fn ask(system: &System, url: &str, path: &str) -> Value {
    let answer = system.http.get(format!("{url}{path}")).bearer_auth(&system.token).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    answer.json().await.expect("JSON")
}

/// The row of the edge's site in the list of the instance at `url`.
async fn row(system: &System, url: &str, edge: &EdgeClient) -> Option<Value> {
    let health = ask(system, url, "/api/v1/fleet/health").await;
    let id = edge.warehouse_id.to_string();
    health["sites"].as_array().expect("sites").iter().find(|site| site["warehouse_id"] == *id).cloned()
}

async fn until(system: &System, url: &str, edge: &EdgeClient, state: &str) -> Value {
    eventually(&format!("{url} says {state}"), async || {
        row(system, url, edge).await.filter(|row| row["state"] == state)
    })
    .await
}

async fn silence(system: &System, secs: u32) {
    let old = format!(
        "UPDATE edges SET heartbeat_at = now() - interval '{secs} seconds';
         UPDATE edge_epochs SET last_received_at = now() - interval '{secs} seconds'"
    );
    execute(&system.pool, &old).await;
}

#[tokio::test]
async fn two_instances_say_the_same_store_a_change_once_and_a_restart_keeps_since_when() {
    let mut system = System::start().await;
    let other = Central::start(system.config.clone()).await.expect("started");
    let (a, b) = (system.url.clone(), format!("http://{}", other.address));
    let edge = system.edge().await;
    until(&system, &a, &edge, "unknown").await;
    until(&system, &b, &edge, "unknown").await;
    edge.beat(&edge.heartbeat(0, &[])).await;
    until(&system, &a, &edge, "healthy").await;
    until(&system, &b, &edge, "healthy").await;
    silence(&system, 600).await;
    let (of_a, of_b) = (until(&system, &a, &edge, "offline").await, until(&system, &b, &edge, "offline").await);
    assert_eq!(of_a["since"], of_b["since"]);
    // The list, the page and the metrics of both.
    for url in [&a, &b] {
        let page = ask(&system, url, &format!("/api/v1/sites/{}", edge.warehouse_id)).await;
        assert_eq!((&page["state"], &page["since"]), (&json!("offline"), &of_a["since"]));
        assert_eq!(page["edge_list"][0]["state"], "offline");
    }
    // Of the edge and of the site: unknown, healthy, offline.
    for of in ["edge_id IS NULL", "edge_id IS NOT NULL"] {
        let states = format!(
            "SELECT count(*) FROM site_states WHERE {of}
             AND state = (ARRAY['unknown', 'healthy', 'offline'])[(SELECT count(*) FROM site_states o
                 WHERE (o.edge_id IS NULL) = (site_states.edge_id IS NULL) AND o.id <= site_states.id)]"
        );
        assert_eq!(system.count(&states).await, 3, "{of}");
        assert_eq!(system.count(&format!("SELECT count(*) FROM site_states WHERE {of}")).await, 3, "{of}");
    }
    other.stop().await.expect("stopped");
    system.central.take().expect("runs").stop().await.expect("stopped");
    system.start_central().await;
    let after = until(&system, &system.url, &edge, "offline").await;
    assert_eq!(after["since"], of_a["since"], "a restart forgets nothing");
}

#[tokio::test]
async fn of_many_who_decide_by_the_same_row_one_writes() {
    let system = System::start().await;
    system.edge().await;
    let db = Db::open(&system.config.database).expect("a URL");
    let (warehouse_id, at) = (Uuid::new_v4(), clock::now());
    let mut version = 0;
    for state in [State::Unknown, State::Healthy, State::Offline] {
        let new = Stored {
            warehouse_id,
            edge_id: None,
            version,
            state,
            codes: vec![Code::Missing, Code::Silent],
            since: at,
            noted: true,
            noted_at: at,
        };
        let changes = [Change { new, reasons: vec!["it's \"so\"".to_owned()] }];
        let tries = (0..8).map(|_| fleet::change(&db, &changes, at));
        let written: usize = futures_util::future::join_all(tries).await.into_iter().map(|w| w.expect("stored")).sum();
        assert_eq!(written, 1, "{state:?}");
        version += 1;
        let stored = fleet::picture(&db).await.expect("read").states;
        let stored = stored.iter().find(|stored| stored.warehouse_id == warehouse_id).expect("stored");
        assert_eq!((stored.version, stored.state, stored.codes.len()), (version, state, 2));
    }
    let noted = format!("SELECT count(*) FROM site_states WHERE warehouse_id = '{warehouse_id}'");
    assert_eq!(system.count(&noted).await, 3);
}

#[tokio::test]
async fn what_was_so_is_left_later_than_it_is_entered_whichever_instance_looks() {
    let mut system = System::start().await;
    let edge = system.edge().await;
    // 25 s off: not enough to be degraded, but enough to stay so.
    let skewed = |secs: i64| {
        let mut heartbeat = edge.heartbeat(0, &[]);
        heartbeat.sent_at -= TimeDelta::seconds(secs);
        heartbeat
    };
    edge.beat(&skewed(25)).await;
    until(&system, &system.url, &edge, "healthy").await;
    edge.beat(&skewed(40)).await;
    let before = until(&system, &system.url, &edge, "degraded").await;
    system.central.take().expect("runs").stop().await.expect("stopped");
    system.start_central().await;
    let edge = EdgeClient { url: system.url.clone(), ..edge.clone() };
    edge.beat(&skewed(25)).await;
    let looked_at = |row: &Value| row["last_heartbeat_at"] != before["last_heartbeat_at"];
    let after =
        eventually("the new heartbeat is seen", async || row(&system, &system.url, &edge).await.filter(looked_at))
            .await;
    assert_eq!((&after["state"], &after["since"]), (&json!("degraded"), &before["since"]));
    assert_eq!(after["reason_codes"], json!(["clock_skew"]));
    edge.beat(&skewed(5)).await;
    until(&system, &system.url, &edge, "healthy").await;
}

#[tokio::test]
async fn a_site_that_is_gone_keeps_its_last_picture() {
    let system = System::start().await;
    let edge = system.edge().await;
    let mut heartbeat = edge.heartbeat(50, &[(41, 50)]);
    heartbeat.backlog = LaneReport { records: 10, bytes: 10_000, oldest_age_ms: Some(70_000) };
    heartbeat.drain_seconds = Some(20.0);
    heartbeat.spill.disk_bytes_free = 7_000;
    heartbeat.cameras = vec![CameraReport {
        camera_id: "cam-1".to_owned(),
        zone_id: edge.zone_id,
        last_seen: heartbeat.sent_at - TimeDelta::seconds(5),
        clock_suspect: false,
    }];
    edge.send(&Batch::of(&edge.records(1..=40))).await.receipt();
    edge.beat(&heartbeat).await;
    let row = until(&system, &system.url, &edge, "healthy").await;
    assert_eq!((&row["backlog"], &row["drain_seconds"]), (&json!(10), &json!(20.0)));
    assert_eq!(row["completeness"]["text"], "filling (backlog 10, about 20 s)");
    assert!(row["oldest_age_seconds"].as_f64().is_some_and(|secs| (70.0..100.0).contains(&secs)), "{row}");
    silence(&system, 3_600).await;
    let row = until(&system, &system.url, &edge, "offline").await;
    assert_eq!((&row["edges_silent"], &row["backlog"]), (&json!(1), &json!(10)));
    assert_eq!(row["completeness"]["text"], "filling (backlog 10)", "its last word on draining is not believed");
    assert_eq!(row["reasons"][1], "10 events were waiting there then");
    let named = format!(
        "INSERT INTO cameras (warehouse_id, camera_id, name_set) VALUES ('{}', 'cam-1', 'Dock 4')
         ON CONFLICT (warehouse_id, camera_id) DO UPDATE SET name_set = excluded.name_set",
        edge.warehouse_id
    );
    execute(&system.pool, &named).await;
    let path = format!("/api/v1/sites/{}", edge.warehouse_id);
    let page = ask(&system, &system.url, &path).await;
    assert_eq!((&page["cameras"][0]["camera_id"], &page["cameras"][0]["name"]), (&json!("cam-1"), &json!("Dock 4")));
    assert_eq!((&page["cameras"][0]["silent"], &page["cameras"][0]["clock_suspect"]), (&json!(false), &json!(false)));
    assert_eq!(page["edge_list"][0]["heartbeat"]["spill"]["disk_bytes_free"], 7_000);
    assert_eq!(page["edge_list"][0]["version"], "0.1.0");

    let history = ask(&system, &system.url, &format!("{path}/history")).await;
    let of_site: Vec<&Value> =
        history["states"].as_array().expect("states").iter().filter(|state| state["edge_id"].is_null()).collect();
    assert_eq!(of_site.last().expect("some")["state"], "offline");
    assert!(of_site.last().expect("some")["reasons"][0].as_str().is_some_and(|text| text.contains("60 min ago")));
    let kept = history["heartbeats"].as_array().expect("heartbeats");
    assert!(!kept.is_empty() && kept.iter().all(|beat| beat["edge_id"] == edge.edge_id.to_string()), "{history}");
    assert_eq!((&kept[0]["backlog"], &kept[0]["disk_bytes_free"]), (&json!(10), &json!(7_000)));
    assert_eq!((&kept[0]["redis"], &kept[0]["oldest_age_seconds"]), (&json!("ready"), &json!(70.0)));
    // What held at the beginning of a range comes with it.
    let later = (clock::now() + TimeDelta::hours(1)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let to = (clock::now() + TimeDelta::hours(2)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let history = ask(&system, &system.url, &format!("{path}/history?from={later}&to={to}")).await;
    assert_eq!(history["states"].as_array().map(Vec::len), Some(2), "the site's and its edge's");
    let (status, problem) = system.get(&format!("{path}/history?from=2020-01-01T00:00:00Z")).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::BAD_REQUEST, Some("query_invalid")));
    let missing = "/api/v1/sites/00000000-0000-0000-0000-000000000001/history";
    assert_eq!(system.get(missing).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn heartbeats_are_kept_thinned() {
    let system = System::start().await;
    let edge = system.edge().await;
    for _ in 0..5 {
        edge.beat(&edge.heartbeat(0, &[])).await;
    }
    let kept = "SELECT count(*) FROM edge_heartbeats";
    until(&system, &system.url, &edge, "healthy").await;
    // The first, and the one at the change of state, if that is another.
    let before = system.count(kept).await;
    assert!((1..=2).contains(&before), "{before}");
    execute(&system.pool, "UPDATE edges SET kept_at = now() - interval '301 seconds'").await;
    for _ in 0..5 {
        edge.beat(&edge.heartbeat(0, &[])).await;
    }
    assert_eq!(system.count(kept).await, before + 1);
}

#[tokio::test]
async fn what_delivers_but_never_speaks_is_not_healthy() {
    let system = System::start().await;
    let edge = system.edge().await;
    edge.send(&Batch::of(&edge.records(1..=3))).await.receipt();
    let row = until(&system, &system.url, &edge, "degraded").await;
    assert_eq!(row["reason_codes"], json!(["never_heartbeat"]));
    assert_eq!(row["completeness"]["state"], "unknown");
}

#[tokio::test]
async fn a_live_lane_that_does_not_move_is_degraded_although_heartbeats_come() {
    let system = System::start().await;
    let edge = system.edge().await;
    edge.send(&Batch::of(&edge.records(1..=3))).await.receipt();
    let mut heartbeat = edge.heartbeat(8, &[(4, 8)]);
    heartbeat.live = LaneReport { records: 5, bytes: 5_000, oldest_age_ms: Some(2_000) };
    edge.beat(&heartbeat).await;
    until(&system, &system.url, &edge, "healthy").await;
    heartbeat.live.oldest_age_ms = Some(45_000);
    edge.beat(&heartbeat).await;
    execute(&system.pool, "UPDATE edge_epochs SET last_received_at = now() - interval '45 seconds'").await;
    let row = until(&system, &system.url, &edge, "degraded").await;
    assert_eq!(row["reason_codes"], json!(["not_moving"]));
    edge.send(&Batch::of(&edge.records(4..=8))).await.receipt();
    until(&system, &system.url, &edge, "healthy").await;
}

#[tokio::test]
async fn two_boxes_with_one_id_are_told_from_a_restart_and_from_a_clock_that_was_put_right() {
    let system = System::start().await;
    let edge = system.edge().await;
    let started = |ago: i64| {
        let mut heartbeat = edge.heartbeat(0, &[]);
        heartbeat.started_at -= TimeDelta::seconds(ago);
        heartbeat
    };
    // It starts, starts again, and its clock is put back once.
    for ago in [500, 400, 300, 450] {
        edge.beat(&started(ago)).await;
    }
    until(&system, &system.url, &edge, "healthy").await;
    assert_eq!(system.count("SELECT turned_back::int8 FROM edges").await, 1);
    // The box that was started later is still there, and so is the other.
    for ago in [300, 450] {
        edge.beat(&started(ago)).await;
    }
    let row = until(&system, &system.url, &edge, "degraded").await;
    assert_eq!(row["reason_codes"], json!(["clone"]));
}

#[tokio::test]
async fn a_heartbeat_that_cannot_be_read_is_a_sign_of_life_with_a_reason() {
    let system = System::start().await;
    let edge = system.edge().await;
    let url = format!("{}/api/v1/heartbeats", system.url);
    let answer = system.http.post(url).bearer_auth(&edge.token).json(&json!({ "protocol": 9 })).send().await;
    assert_eq!(answer.expect("an answer").status(), StatusCode::BAD_REQUEST);
    let row = until(&system, &system.url, &edge, "degraded").await;
    assert_eq!(row["reason_codes"], json!(["unreadable"]));
    assert!(row["reasons"][0].as_str().is_some_and(|text| text.contains("edge_id")), "{row}");
    edge.beat(&edge.heartbeat(0, &[])).await;
    until(&system, &system.url, &edge, "healthy").await;
}

#[tokio::test]
async fn what_was_stored_by_another_version_is_not_taken_for_health() {
    let system = System::start().await;
    let edge = system.edge().await;
    edge.beat(&edge.heartbeat(0, &[])).await;
    until(&system, &system.url, &edge, "healthy").await;
    execute(&system.pool, "UPDATE edges SET digest = '{\"of\": \"the future\"}'").await;
    let row = until(&system, &system.url, &edge, "degraded").await;
    assert_eq!(row["reason_codes"], json!(["unreadable"]));
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("a time").parse().expect("a time")
}

#[tokio::test]
async fn while_postgres_is_away_nothing_old_is_shown_as_fresh() {
    let system = System::start().await;
    let edge = system.edge().await;
    edge.beat(&edge.heartbeat(0, &[])).await;
    let before = until(&system, &system.url, &edge, "healthy").await;
    // The schema is gone for central, as if the database were.
    execute(&system.pool, "ALTER TABLE fleet_states RENAME TO fleet_states_away").await;
    let health = eventually("it says that it is outdated", async || {
        let health = ask(&system, &system.url, "/api/v1/fleet/health").await;
        let age = clock::now() - time(&health["generated_at"]);
        let state = &health["sites"][0]["state"];
        // Until then it is not old yet.
        assert!(*state == "unknown" || age < TimeDelta::seconds(25), "{state} {age}");
        health["outdated"].is_object().then_some(health)
    })
    .await;
    let row = &health["sites"][0];
    assert_eq!((&row["state"], &row["reason_codes"]), (&json!("unknown"), &json!(["headquarters_blind"])));
    assert_eq!((&health["counts"]["unknown"], &health["counts"]["healthy"]), (&json!(1), &json!(0)));
    assert_eq!(health["outdated"]["since"], health["generated_at"]);
    assert!(row["reasons"][0].as_str().is_some_and(|text| text.starts_with("headquarters cannot read its database")));
    assert_eq!(row["reasons"][1], "before that it was healthy");
    execute(&system.pool, "ALTER TABLE fleet_states_away RENAME TO fleet_states").await;
    let row = until(&system, &system.url, &edge, "healthy").await;
    assert_eq!(row["since"], before["since"], "it was so all the time");
}

/// Not an assertion but a measurement: 500 sites with two edges each, 100 heartbeats a second, and a page that is asked for
/// all the time. `cargo test -p central --test it -- --nocapture five_hundred` shows the figures.
#[tokio::test]
#[expect(clippy::print_stderr, reason = "the figures are what it is for")]
async fn five_hundred_sites_are_answered_while_a_hundred_heartbeats_come_in_a_second() {
    let system = System::start().await;
    let beating = system.edge().await;
    beating.beat(&beating.heartbeat(0, &[])).await;
    execute(
        &system.pool,
        "INSERT INTO warehouses (warehouse_id, name_set) SELECT md5('w' || n)::uuid, 'Site ' || n FROM generate_series(1, 499) n;
         INSERT INTO edges (edge_id, warehouse_id, credential_sha256, heartbeat, heartbeat_at, digest, started_at)
         SELECT md5('e' || n)::uuid, md5('w' || (n / 2 + 1))::uuid, sha256(n::text::bytea), b.heartbeat, now(), b.digest, now()
         FROM generate_series(0, 997) n, (SELECT heartbeat, digest FROM edges LIMIT 1) b;
         INSERT INTO edge_epochs (edge_id, epoch, warehouse_id, head, reported_head, received, current, reported_at,
                                  last_received_at)
         SELECT md5('e' || n)::uuid, md5(n || 'p' || p)::uuid, md5('w' || (n / 2 + 1))::uuid, 1000, 1000, '{[1,1001)}', p = 1,
                now(), now()
         FROM generate_series(0, 997) n, generate_series(1, 5) p;
         INSERT INTO zone_minutes SELECT md5('w' || w)::uuid, md5('z' || z)::uuid, date_trunc('minute', now()) - m * interval
             '1 minute', 60, 1000, 50, array_fill(3, ARRAY[20]), now()
         FROM generate_series(1, 499) w, generate_series(1, 4) z, generate_series(0, 5) m;",
    )
    .await;
    let health = eventually("all are seen", async || {
        let health = ask(&system, &system.url, "/api/v1/fleet/health").await;
        (health["sites"].as_array().map(Vec::len) == Some(500)).then_some(health)
    })
    .await;
    assert_eq!(health["sites"][0]["edges_silent"], 0);
    let stop = tokio_util::sync::CancellationToken::new();
    let beats = tokio::spawn({
        let (stop, edge) = (stop.clone(), beating.clone());
        async move {
            let mut sent = 0;
            let mut turn = tokio::time::interval(std::time::Duration::from_millis(10));
            while !stop.is_cancelled() {
                turn.tick().await;
                edge.beat(&edge.heartbeat(0, &[])).await;
                sent += 1;
            }
            sent
        }
    });
    let (began, mut times) = (std::time::Instant::now(), Vec::new());
    while began.elapsed().as_secs() < 5 {
        let asked = std::time::Instant::now();
        let url = format!("{}/api/v1/fleet/health", system.url);
        let answer = system.http.get(url).bearer_auth(&system.token).send().await.expect("an answer");
        let body = answer.bytes().await.expect("a body");
        times.push((asked.elapsed(), body.len()));
    }
    stop.cancel();
    let sent = beats.await.expect("ran");
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].0;
    let look = system.metric("smartpick_central_fleet_look_seconds").await;
    eprintln!(
        "500 sites, 999 edges: {} answers of {} bytes, p50 {:?}, p99 {:?}; {sent} heartbeats; the last look took {look:.3} s",
        times.len(),
        times[0].1,
        at(0.5),
        at(0.99)
    );
}
